//! The program and the configuration beside it do the same: given the same values, a broker gets the same from both.

use anabranch::TokioAdapter;
use anabranch_brokers::{Mosquitto, Observed, Observer, Process, QoS, Setup, on_two_threads};
use anabranch_node::{Config, Node};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{process::Command, sync::Arc};

const CONFIG: &str = include_str!("../anabranch.toml");

/// Sends readings to a broker, and gives what comes out of the bridge at its other end.
async fn through(broker: &Mosquitto) -> Vec<(String, u8, bool, Value)> {
    let mut observer = Observer::connect(broker.port()).await;
    observer.subscribe("copy/#", QoS::ExactlyOnce).await.unwrap();
    // Kept by the broker, so it comes through as soon as the bridge has subscribed.
    observer.publish_retained("sensors/first/temp", QoS::AtLeastOnce, r#"{"celsius":1.5}"#).await.unwrap();
    let mut seen = vec![observer.next().await.unwrap()];
    for (topic, payload) in [
        ("sensors/kitchen/temp", r#"{"celsius":21.5}"#),
        ("sensors/kitchen/humidity", r#"{"percent":40}"#),
        ("sensors/cellar/temp", "nonsense"),
        ("sensors/küche/temp", r#"{ "celsius" : -3.25 }"#),
        ("sensors/cellar/temp", r#"{"device":"of the payload","celsius":11.0}"#),
    ] {
        observer.publish(topic, QoS::ExactlyOnce, payload).await.unwrap();
    }
    while seen.len() < 4 {
        seen.push(observer.next().await.unwrap());
    }
    // The order of keys means nothing in JSON: a struct has its own, a value that of its payload.
    let read =
        |value: Observed| (value.topic, value.qos, value.retained, serde_json::from_slice(&value.payload).unwrap());
    seen.into_iter().map(read).collect()
}

#[test]
fn the_program_and_the_configuration_do_the_same() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut program = Command::new(env!("CARGO_BIN_EXE_mqtt-bridge"));
        program.arg(format!("mqtt://127.0.0.1:{}", broker.port()));
        let mut program = Process::spawn(program).unwrap();
        let by_program = through(&broker).await;
        program.end(Signal::INT).await;
        let log = program.log().join("\n");
        assert!(log.contains("mqtt+plant://sensors/{device}/temp: 4 values, 1 failed, 0 dropped"), "{log}");

        let broker = Mosquitto::start(Setup::default()).await;
        assert!(CONFIG.contains("mqtt://127.0.0.1:1883"));
        let text = CONFIG.replace(":1883", &format!(":{}", broker.port()));
        // The node's directory is made beside its configuration.
        let place = tempfile::tempdir().unwrap();
        let config = Config::parse(&place.path().join("anabranch.toml"), &text);
        let node = Node::from_config(config, TokioAdapter::current().unwrap());
        let node = node.await.unwrap_or_else(|faults| panic!("{faults}"));
        let stop = Arc::new(tokio::sync::Notify::new());
        let stopped = stop.clone();
        let running = tokio::spawn(async move { node.run(async move { stopped.notified().await }).await });
        let by_config = through(&broker).await;
        stop.notify_one();
        running.await.unwrap().unwrap();
        assert!(place.path().join("data").is_dir());

        let expected = [("first", 1.5), ("kitchen", 21.5), ("küche", -3.25), ("cellar", 11.0)];
        let expected = expected.map(|(device, celsius)| {
            (format!("copy/{device}"), 1, false, json!({ "device": device, "celsius": celsius }))
        });
        assert_eq!(by_program, expected);
        assert_eq!(by_config, expected);
    });
}
