//! The bridge as one writes it with Anabranch: a link in, a record, a link out.

use super::{IN_FLIGHT, reading::Reading};
use anabranch_core::{Anabranch, BufferCfg, ConnectorConfig};
use anabranch_mqtt::{MqttConnector, Version};
use anabranch_tokio::TokioAdapter;

pub async fn run(ports: [u16; 2], prefix: &str, qos: u8) {
    let config = ConnectorConfig { qos: Some(qos), ..ConnectorConfig::default() };
    // The version that both peers speak: a broker has more to do for 5.
    let broker =
        |port| MqttConnector::new(format!("mqtt://127.0.0.1:{port}")).client_id(prefix).version(Version::V3_1_1);
    let mut builder = Anabranch::builder().runtime(TokioAdapter::current().expect("inside a runtime"));
    let [scheme_in, scheme_out] = if ports[0] == ports[1] { ["mqtt"; 2] } else { ["mqtt+in", "mqtt+out"] };
    builder = if ports[0] == ports[1] {
        builder.with_connector(broker(ports[0]))
    } else {
        builder.with_connector(broker(ports[0]).name("in")).with_connector(broker(ports[1]).name("out"))
    };
    let database = builder
        .configure::<Reading>("readings", |record| {
            record.with_buffer(BufferCfg::SpmcRing { capacity: 4 * usize::from(IN_FLIGHT) });
            record.link_from(format!("{scheme_in}://{prefix}/in/+")).with_config(config).with_json();
            record.link_to(format!("{scheme_out}://{prefix}/out/{{device}}")).with_config(config).with_json();
        })
        .build()
        .await
        .expect("it is configured well");
    database.start();
    std::future::pending::<()>().await;
}
