//! A database with inbound links on one record, and the router that its connector would have.

use anabranch_core::{
    Anabranch, BufferCfg, Connection, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError, ConnectorStatus,
    PublishError, RecordConfig, Router, RouterBuilder, Running,
};
use anabranch_tokio::TokioAdapter;
use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};
use tokio::runtime::{Builder, Runtime};

/// A latest record, a link for each of `addresses`, and a decoder that takes the first byte for the value.
pub struct Linked {
    pub router: Router,
    database: Anabranch<TokioAdapter>,
    runtime: Runtime,
}

impl Linked {
    /// With links that come in.
    pub fn new(addresses: &[String]) -> Self {
        Self::with(|r| {
            for address in addresses {
                r.link_from(format!("tap://{address}"))
                    .with_deserializer(|payload, _| Ok::<_, Infallible>(payload.len() as u64));
            }
        })
    }

    /// With links that go out, each of which has started and waits for a value.
    pub fn outbound(addresses: &[String]) -> Self {
        let linked = Self::with(|r| {
            for address in addresses {
                r.link_to(format!("tap://{address}")).with_json();
            }
        });
        linked.runtime.block_on(async {
            linked.database.start();
            // Each has its turn, some of them between any two of this task's.
            for _ in 0..=addresses.len() {
                tokio::task::yield_now().await;
            }
        });
        linked
    }

    fn with(links: impl FnOnce(&mut RecordConfig<'_, TokioAdapter, u64>)) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let router = Arc::new(Mutex::new(None));
        let database = runtime.block_on(async {
            Anabranch::builder()
                .runtime(TokioAdapter::current().expect("inside a runtime"))
                .with_connector(Tap(router.clone()))
                .configure::<u64>("values", |r| {
                    r.with_buffer(BufferCfg::SingleLatest);
                    links(r);
                })
                .build()
                .await
                .expect("it is configured well")
        });
        let router = router.lock().expect("nobody panics with it").take().expect("the connector was built");
        Linked { router, database, runtime }
    }
}

/// A connector that connects to nothing and gives its router away.
struct Tap(Arc<Mutex<Option<Router>>>);

impl ConnectorBuilder<TokioAdapter> for Tap {
    fn scheme(&self) -> &str {
        "tap"
    }
    fn build(&self, db: &Anabranch<TokioAdapter>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let router = RouterBuilder::from_routes(db.collect_inbound_routes("tap")).build();
        *self.0.lock().expect("nobody panics with it") = Some(router);
        Ok(Arc::new(Silent(Connection::new())))
    }
}

struct Silent(Connection);

impl Connector for Silent {
    fn publish(&self, _: &str, _: &ConnectorConfig, _: &[u8]) -> Result<(), PublishError> {
        Err(PublishError::NotConnected)
    }
    fn connection(&self) -> &Connection {
        &self.0
    }
    fn run(self: Arc<Self>) -> Running {
        Box::pin(ready(()))
    }
    fn close(&self) {}
    fn status(&self) -> ConnectorStatus {
        ConnectorStatus::new("tap", "tap://")
    }
}
