//! A real broker: Mosquitto, as Debian has it, over TCP on Tokio.

mod broker;

use anabranch_core::{Anabranch, BufferCfg, ConnectionState, ConnectorConfig, Consumer};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use broker::{Mosquitto, PATIENCE};
use std::future::Future;

/// Runs a test on Tokio; one that waits in vain fails.
fn on_tokio(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(2 * PATIENCE, test).await.expect("it ends in time") });
}

fn text(bytes: &[u8]) -> Result<String, std::string::FromUtf8Error> {
    String::from_utf8(bytes.to_vec())
}

async fn online(connection: &mut Consumer<ConnectionState>) {
    while connection.next().await.expect("the connector is there") != ConnectionState::Online {}
}

/// `in/{name}` goes into a queue, and out of it to `out/{qos}`, all at one quality of service.
async fn bridge(connector: MqttConnector, qos: u8) -> Anabranch<TokioAdapter> {
    let config = ConnectorConfig { qos: Some(qos), ..Default::default() };
    Anabranch::builder()
        .runtime(TokioAdapter::current().unwrap())
        .with_connector(connector)
        .configure::<String>("values", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 64, consumers: 1 });
            r.link_from("mqtt://in/{name}").with_config(config).with_deserializer(|bytes, _| text(bytes));
            r.link_to(format!("mqtt://out/{qos}"))
                .with_config(config)
                .with_serializer(|value: &String, out| out.push(value.as_bytes()));
        })
        .build()
        .await
        .unwrap()
}

#[test]
fn values_pass_both_ways_at_each_quality_of_service() {
    let broker = Mosquitto::start("both-ways", "allow_anonymous true");
    on_tokio(async {
        for qos in 0..=2 {
            let db = bridge(MqttConnector::new(broker.url()), qos).await;
            db.start();
            online(&mut db.connection("mqtt").unwrap()).await;
            // Not with QoS 2: Mosquitto's own subscriber breaks such a connection off now and then, as against the protocol.
            let out = broker.subscriber("out/+", 1);
            let mut values = broker.publisher("in/x", qos);
            for i in 0..1000 {
                values.say(&format!("value {i}"));
            }
            for i in 0..1000 {
                assert_eq!(out.got(), format!("{} 0 out/{qos} value {i}", qos.min(1)));
            }
            assert_eq!(db.connectors()[0].last_error, None);
            let end = db.shutdown(PATIENCE).await;
            assert!(end.aborted.is_empty(), "{end:?}");
        }
    });
}
