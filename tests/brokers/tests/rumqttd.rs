//! Another broker in Rust: rumqttd, in this process.

use anabranch_brokers::{Line, Observer, QoS, free_port, on_both_flavours};
use anabranch_core::{Anabranch, BufferCfg, ConnectionState, ConnectorConfig};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::{collections::HashMap, thread, time::Duration};

/// Starts one; it ends with the process.
fn start() -> u16 {
    let port = free_port();
    let connections = ConnectionSettings {
        connection_timeout_ms: 60_000,
        max_payload_size: 20_480,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "v5".to_owned(),
        listen: ([127, 0, 0, 1], port).into(),
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let config = Config { router, v5: Some(HashMap::from([("1".to_owned(), server)])), ..Config::default() };
    thread::spawn(move || Broker::new(config).start().expect("it listens"));
    port
}

#[test]
fn values_pass_through_rumqttd_both_ways_at_each_quality_of_service_it_has_and_again_after_a_cut() {
    on_both_flavours(async || {
        let port = start();
        // Until it listens.
        let mut observer = Observer::connect(port).await;
        let line = Line::to(port).await;
        for quality in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let config = ConnectorConfig { qos: Some(quality as u8), ..Default::default() };
            let (from, to) = (format!("in/{}", quality as u8), format!("out/{}", quality as u8));
            let pauses = (Duration::from_millis(10), Duration::from_millis(200));
            let connector = MqttConnector::new(line.url())
                .client_id(format!("tested{}", quality as u8))
                .backoff(pauses.0, pauses.1);
            let db = Anabranch::builder()
                .runtime(TokioAdapter::current().unwrap())
                .with_connector(connector)
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
            observer.subscribe(&to, quality).await.unwrap();
            db.start();
            // Of QoS 2 it forgets over a cut what it has to release, and gives its identifiers to other values.
            let rounds = if quality == QoS::ExactlyOnce { 1 } else { 3 };
            for round in 0..rounds {
                while connection.next().await != Some(ConnectionState::Online) {}
                for value in 0..50 {
                    out.send(round * 50 + value).await.unwrap();
                }
                for value in 0..50 {
                    let mut came: u64 = observer.text().await.1.parse().unwrap();
                    // What was not acknowledged before the cut is sent again.
                    while came < round * 50 {
                        came = observer.text().await.1.parse().unwrap();
                    }
                    assert_eq!(came, round * 50 + value, "at quality {quality:?}");
                }
                let sent = (0..50).map(|value| (from.clone(), (round * 50 + value).to_string()));
                observer.publish_all(quality, sent).await.unwrap();
                for value in 0..50 {
                    let mut came = values.next().await.unwrap();
                    // To who comes back it sends again what it has sent already.
                    while came < round * 50 {
                        came = values.next().await.unwrap();
                    }
                    assert_eq!(came, round * 50 + value, "at quality {quality:?}");
                }
                // A session of which nothing is under way: rumqttd is not to be asked for more than it promises.
                while db.connectors()[0].in_flight > 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                line.cut();
                while connection.next().await != Some(ConnectionState::Offline) {}
                line.mend();
            }
            let shutdown = db.shutdown(Duration::from_secs(10)).await;
            assert!(shutdown.aborted.is_empty(), "{shutdown:?}");
        }
    });
}
