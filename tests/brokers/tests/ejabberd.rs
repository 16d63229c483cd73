//! Another broker that Debian has: ejabberd, in Erlang. It runs with `cargo xtask test --only brokers`, which installs it.

use anabranch_brokers::{Ejabberd, Observer, Persistence, QoS, on_both_flavours};
use anabranch_core::{Anabranch, BufferCfg, ConnectionState, ConnectorConfig};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use std::time::Duration;

async fn observer(broker: &Ejabberd) -> Observer {
    Observer::with(broker.port(), Persistence::None, |options| {
        options.set_credentials(Ejabberd::USER, Ejabberd::PASSWORD);
    })
    .await
}

fn connector(broker: &Ejabberd, password: &str) -> MqttConnector {
    MqttConnector::new(format!("mqtt://127.0.0.1:{}", broker.port()))
        .credentials(Ejabberd::USER, password)
        .client_id("tested")
        .backoff(Duration::from_millis(10), Duration::from_millis(200))
}

#[test]
#[ignore = "needs ejabberd: cargo xtask test --only brokers"]
fn values_pass_through_ejabberd_both_ways_at_each_quality_of_service_and_again_after_it_was_killed() {
    on_both_flavours(async || {
        let mut broker = Ejabberd::start().await;
        for quality in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let config = ConnectorConfig { qos: Some(quality as u8), ..Default::default() };
            let (from, to) = (format!("in/{}", quality as u8), format!("out/{}", quality as u8));
            let db = Anabranch::builder()
                .runtime(TokioAdapter::current().unwrap())
                .with_connector(connector(&broker, Ejabberd::PASSWORD))
                .configure::<u64>("in", |r| {
                    r.with_buffer(BufferCfg::SpmcRing { capacity: 1000 });
                    r.link_from(format!("mqtt://{from}")).with_json().with_config(config);
                })
                .configure::<u64>("out", |r| {
                    r.with_buffer(BufferCfg::Queue { capacity: 8, consumers: 1 });
                    r.link_to(format!("mqtt://{to}")).with_json().with_config(config);
                })
                .build()
                .await
                .unwrap();
            let (mut values, out) = (db.consumer::<u64>("in").unwrap(), db.producer::<u64>("out").unwrap());
            let mut connection = db.connection("mqtt").unwrap();
            db.start();
            for round in 0..2 {
                let mut observer = observer(&broker).await;
                observer.subscribe(&to, quality).await.unwrap();
                while connection.next().await != Some(ConnectionState::Online) {}
                for value in 0..100 {
                    out.send(round * 100 + value).await.unwrap();
                }
                for value in 0..100 {
                    assert_eq!(observer.text().await, (to.clone(), (round * 100 + value).to_string()));
                }
                let sent = (0..100).map(|value| (from.clone(), (round * 100 + value).to_string()));
                observer.publish_all(quality, sent).await.unwrap();
                for value in 0..100 {
                    assert_eq!(values.next().await, Some(round * 100 + value));
                }
                if round == 0 {
                    broker.kill().await;
                    while connection.next().await != Some(ConnectionState::Offline) {}
                    broker.start_again().await;
                }
            }
            let shutdown = db.shutdown(Duration::from_secs(10)).await;
            assert!(shutdown.aborted.is_empty(), "{shutdown:?}");
        }
    });
}

#[test]
#[ignore = "needs ejabberd: cargo xtask test --only brokers"]
fn ejabberd_refuses_a_wrong_password() {
    on_both_flavours(async || {
        let broker = Ejabberd::start().await;
        let db = Anabranch::builder()
            .runtime(TokioAdapter::current().unwrap())
            .with_connector(connector(&broker, "wrong"))
            .build()
            .await
            .unwrap();
        db.start();
        let why = || db.connectors()[0].last_error.clone().unwrap_or_default();
        while why().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(why().contains("not authori"), "{}", why());
        let _aborted = db.shutdown(Duration::ZERO).await;
    });
}
