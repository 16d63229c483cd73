//! The vocabulary of these tests: databases with numbers on links, and what to wait for.

use anabranch_brokers::PATIENCE;
use anabranch_core::{
    Anabranch, BufferCfg, Builder, ConnectionState, ConnectorConfig, ConnectorStatus, LinkStatus, RecordConfig,
};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use std::{fmt::Write, future::Future, time::Duration};

pub type Db = Anabranch<TokioAdapter>;

/// Enough for all the values of a test.
pub const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 4096 };

/// Holds whoever produces back.
pub const QUEUE: BufferCfg = BufferCfg::Queue { capacity: 8, consumers: 1 };

/// A connector that tries again soon.
pub fn to(url: impl Into<String>) -> MqttConnector {
    MqttConnector::new(url.into()).backoff(Duration::from_millis(10), Duration::from_millis(200))
}

/// A database with this connector.
pub fn with(connector: MqttConnector) -> Builder<TokioAdapter> {
    Anabranch::builder().runtime(TokioAdapter::current().expect("inside a runtime")).with_connector(connector)
}

pub fn qos(qos: u8) -> ConnectorConfig {
    ConnectorConfig { qos: Some(qos), ..Default::default() }
}

/// Numbers on links.
pub trait Numbers {
    /// A record of numbers that come in.
    fn comes_in(self, record: &str, address: &str, config: ConnectorConfig) -> Self;
    /// A record of numbers that go out.
    fn goes_out(self, record: &str, address: &str, config: ConnectorConfig) -> Self;
}

impl Numbers for Builder<TokioAdapter> {
    fn comes_in(self, record: &str, address: &str, config: ConnectorConfig) -> Self {
        self.configure::<u64>(record, |r| {
            r.with_buffer(RING);
            comes_in(r, address, config);
        })
    }

    fn goes_out(self, record: &str, address: &str, config: ConnectorConfig) -> Self {
        self.configure::<u64>(record, |r| {
            r.with_buffer(QUEUE);
            goes_out(r, address, config);
        })
    }
}

pub fn comes_in(record: &mut RecordConfig<'_, TokioAdapter, u64>, address: &str, config: ConnectorConfig) {
    record.link_from(address).with_json().with_config(config);
}

pub fn goes_out(record: &mut RecordConfig<'_, TokioAdapter, u64>, address: &str, config: ConnectorConfig) {
    record.link_to(address).with_encode(Number).with_config(config);
}

/// A number as its digits. `{value}` in an address is the number, too, so that a broker's log tells of each value.
struct Number;

impl anabranch_core::Encode<u64> for Number {
    fn encode(
        &self,
        value: &u64,
        payload: &mut anabranch_core::Payload<'_>,
    ) -> Result<(), anabranch_core::EncodeError> {
        write!(payload, "{value}").map_err(|_| anabranch_core::EncodeError::Full)
    }

    fn field(
        &self,
        value: &u64,
        name: &str,
        text: &mut anabranch_core::Payload<'_>,
    ) -> Result<(), anabranch_core::EncodeError> {
        match name {
            "value" => self.encode(value, text),
            _ => Err(anabranch_core::EncodeError::new("no such field")),
        }
    }
}

/// What a started database is asked and waited for.
pub trait Asked {
    /// Waits until the connector of this scheme says that it is connected.
    fn online(&self, scheme: &str) -> impl Future<Output = ()>;
    /// Waits until it says that it is not.
    fn offline(&self, scheme: &str) -> impl Future<Output = ()>;
    /// The one connector.
    fn connector(&self) -> ConnectorStatus;
    /// The link with this address.
    fn link(&self, address: &str) -> LinkStatus;
    /// Waits until the connector has reported something that holds these words.
    fn reports(&self, words: &str) -> impl Future<Output = ()>;
    /// Shuts it down, which nothing may hold up.
    fn ends(&self) -> impl Future<Output = ()>;
}

impl Asked for Db {
    async fn online(&self, scheme: &str) {
        until(self, scheme, ConnectionState::Online).await;
    }

    async fn offline(&self, scheme: &str) {
        until(self, scheme, ConnectionState::Offline).await;
    }

    fn connector(&self) -> ConnectorStatus {
        self.connectors().swap_remove(0)
    }

    fn link(&self, address: &str) -> LinkStatus {
        let link = self.links().into_iter().find(|link| &*link.address == address);
        link.unwrap_or_else(|| panic!("there is a link {address}"))
    }

    async fn reports(&self, words: &str) {
        let error = || self.connector().last_error.unwrap_or_default();
        comes_true(|| error().contains(words)).await;
    }

    async fn ends(&self) {
        let shutdown = self.shutdown(PATIENCE / 2).await;
        assert!(shutdown.aborted.is_empty(), "everything ends by itself: {shutdown:?}");
    }
}

async fn until(db: &Db, scheme: &str, state: ConnectionState) {
    let mut says = db.connection(scheme).expect("the connector is known by its scheme");
    while says.next().await.expect("the database is there") != state {}
}

/// Waits for what is only counted, and says nothing when it changes.
pub async fn comes_true(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
