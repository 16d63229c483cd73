//! The bridge as one writes it with Anabranch: a link in, a record, a link out.

use super::{IN_FLIGHT, reading::Reading};
use anabranch_core::{Anabranch, BufferCfg, ConnectorConfig};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;

pub async fn run(port: u16, prefix: &str, qos: u8) {
    let config = ConnectorConfig { qos: Some(qos), ..ConnectorConfig::default() };
    let database = Anabranch::builder()
        .runtime(TokioAdapter::current().expect("inside a runtime"))
        .with_connector(MqttConnector::new(format!("mqtt://127.0.0.1:{port}")).client_id(prefix))
        .configure::<Reading>("readings", |record| {
            record.with_buffer(BufferCfg::SpmcRing { capacity: 4 * usize::from(IN_FLIGHT) });
            record.link_from(format!("mqtt://{prefix}/in/+")).with_config(config).with_json();
            record.link_to(format!("mqtt://{prefix}/out/{{device}}")).with_config(config).with_json();
        })
        .build()
        .await
        .expect("it is configured well");
    database.start();
    std::future::pending::<()>().await;
}
