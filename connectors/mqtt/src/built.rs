//! The connector of a database.

use crate::{
    connector::{MqttConnector, check_link},
    desk::{Desk, Says, Shared},
    driver,
    place::Heap,
};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use anabranch_core::{
    Anabranch, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError,
    ConnectorStatus, PublishError, Router, RouterBuilder, Running,
};
use anabranch_executor::{Network, Runtime, SpawnDynamically, TimeSource};

/// How many values of QoS 1 and 2 are under way at once, at most; the broker may allow fewer.
const SEND_MAXIMUM: usize = 4096;

impl<R: Runtime + SpawnDynamically + Network> ConnectorBuilder<R> for MqttConnector {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let mut errors = Vec::new();
        self.check(|wrong| errors.push(ConnectorError::Config(wrong.to_string())));
        if errors.is_empty()
            && let Some(Err(why)) = self.endpoint().map(|endpoint| db.runtime().check(&endpoint))
        {
            errors.push(ConnectorError::Config(format!("{} cannot be connected to: {why}", self.peer())));
        }
        let inbound = db.collect_inbound_routes(&self.scheme);
        for route in &inbound {
            errors.extend(check_link(route.resource(), route.config().qos).err().map(|why| route.error(why)));
        }
        for route in db.collect_outbound_routes(&self.scheme) {
            errors.extend(check_link(route.resource(), route.config.qos).err().map(|why| route.error(why)));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let bytes = self.outbox_bytes.clamp(1024, 1 << 30).next_power_of_two();
        let shared = Shared::new(vec![0; bytes], vec![0; SEND_MAXIMUM].into_boxed_slice(), None);
        Ok(Arc::new(Mqtt {
            runtime: db.runtime().clone(),
            options: self.clone(),
            router: RouterBuilder::from_routes(inbound).build(),
            connection: Connection::new(),
            shared,
        }))
    }
}

/// A connector at work.
struct Mqtt<R> {
    runtime: R,
    options: MqttConnector,
    router: Router,
    connection: Connection,
    shared: Shared<Heap>,
}

impl<R: Network + TimeSource> Connector for Mqtt<R> {
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        self.shared.publish(destination, config, payload)
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move {
            let says = Says::Connection(&self.connection);
            let desk = Desk { options: &self.options, routes: &self.router, shared: &self.shared, says };
            driver::run(&self.runtime, &desk).await;
        })
    }

    fn close(&self) {
        self.shared.close();
    }

    fn status(&self) -> ConnectorStatus {
        let mut status = ConnectorStatus::new(String::from(&*self.options.scheme), self.options.peer().to_string());
        (status.state, status.in_flight) = self.shared.counter.with(|counter| {
            let state = if counter.online { ConnectionState::Online } else { ConnectionState::Offline };
            (state, counter.outbox.waiting())
        });
        self.shared.board.with(|board| {
            (status.connects, status.unrouted) = (board.connects as u64, board.unrouted as u64);
            status.last_error.clone_from(&board.last_error);
        });
        status
    }
}
