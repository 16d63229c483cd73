//! The bridge as one writes it with AimDB: links of one record, one for each topic since it has no wildcards.

use super::{
    IN_FLIGHT,
    reading::{Reading, TOPICS},
};
use aimdb_core::{
    AimDbBuilder,
    buffer::BufferCfg,
    connector::{SerializeError, TopicProvider},
};
use aimdb_mqtt_connector::MqttConnector;
use aimdb_tokio_adapter::{TokioAdapter, TokioRecordRegistrarExt};
use std::sync::Arc;

/// Where a reading is published.
struct Topic(String);

impl TopicProvider<Reading> for Topic {
    fn topic(&self, reading: &Reading) -> Option<String> {
        Some(format!("{}/out/{}", self.0, reading.device))
    }
}

pub async fn run(port: u16, prefix: &str, qos: u8) {
    let runtime = Arc::new(TokioAdapter::new().expect("inside a runtime"));
    let connector = MqttConnector::new(format!("mqtt://127.0.0.1:{port}")).with_client_id(prefix);
    let mut builder = AimDbBuilder::new().runtime(runtime).with_connector(connector);
    builder.configure::<Reading>("readings", |record| {
        // What it would otherwise lose, since its links have no way to hold a peer back.
        let mut record = record.buffer(BufferCfg::SpmcRing { capacity: 4 * usize::from(IN_FLIGHT) });
        for i in 0..TOPICS {
            record = record
                .link_from(&format!("mqtt://{prefix}/in/{i}"))
                .with_deserializer_raw(|bytes| serde_json::from_slice(bytes).map_err(|error| error.to_string()))
                .finish();
        }
        record
            .link_to(&format!("mqtt://{prefix}/out"))
            .with_topic_provider(Topic(prefix.to_owned()))
            .with_serializer_raw(|reading| serde_json::to_vec(reading).map_err(|_| SerializeError::InvalidData))
            .with_qos(qos)
            .finish();
    });
    let database = builder.build().await.expect("it is configured well");
    std::future::pending::<()>().await;
    drop(database);
}
