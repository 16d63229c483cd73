//! A connector of which it is known what it has taken.

use super::note::number_of;
use crate::Tally;
use anabranch::{
    Anabranch, Connection, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError, ConnectorStatus, PublishError,
    Running,
};
use std::sync::Arc;

/// The numbers that a connector has taken, by their quality of service, each in order.
pub(super) type Taken = [Tally; 3];

/// Builds `inner`, and writes down what it takes.
pub(super) struct Watched<C> {
    inner: C,
    taken: Taken,
}

impl<C> Watched<C> {
    pub(super) fn new(inner: C, taken: Taken) -> Self {
        Watched { inner, taken }
    }
}

impl<R, C: ConnectorBuilder<R>> ConnectorBuilder<R> for Watched<C> {
    fn scheme(&self) -> &str {
        self.inner.scheme()
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        Ok(Arc::new(Watching { inner: self.inner.build(db)?, taken: self.taken.clone() }))
    }
}

struct Watching {
    inner: Arc<dyn Connector>,
    taken: Taken,
}

impl Connector for Watching {
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        self.inner.publish(destination, config, payload)?;
        let flow = usize::from(config.qos.unwrap_or(0));
        if let (Some(number), Some(taken)) = (number_of(payload), self.taken.get(flow)) {
            taken.saw(number);
        }
        Ok(())
    }

    fn connection(&self) -> &Connection {
        self.inner.connection()
    }

    fn run(self: Arc<Self>) -> Running {
        self.inner.clone().run()
    }

    fn close(&self) {
        self.inner.close();
    }

    fn status(&self) -> ConnectorStatus {
        self.inner.status()
    }
}
