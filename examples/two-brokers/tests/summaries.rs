//! What the plant's broker gets arrives as a summary at head office, even when head office was away meanwhile.

use anabranch_brokers::{Mosquitto, Observer, Process, QoS, Setup, on_two_threads};
use rustix::process::Signal;
use std::process::Command;

#[test]
fn ten_readings_become_a_summary_at_the_other_broker() {
    on_two_threads(async {
        let plant = Mosquitto::start(Setup::default()).await;
        let mut office = Mosquitto::start(Setup::default()).await;
        let mut program = Command::new(env!("CARGO_BIN_EXE_two-brokers"));
        program.args([plant.port(), office.port()].map(|port| format!("mqtt://127.0.0.1:{port}")));
        let mut program = Process::spawn(program).unwrap();

        let mut machine = Observer::connect(plant.port()).await;
        let mut reader = Observer::connect(office.port()).await;
        reader.subscribe("plants/north/#", QoS::AtLeastOnce).await.unwrap();
        // The program's own subscription, after that of nobody: the plant's broker says so.
        plant.process().says_after(0, |line| line.contains("machines/+/temp")).await.unwrap();
        for _ in 0..10 {
            machine.publish("machines/press/temp", QoS::AtLeastOnce, r#"{"celsius":10}"#).await.unwrap();
        }
        let summary = reader.next().await.unwrap();
        assert_eq!(summary.topic, "plants/north/press");
        let value: serde_json::Value = serde_json::from_slice(&summary.payload).unwrap();
        assert_eq!(value, serde_json::json!({ "machine": "press", "lowest": 10.0, "mean": 10.0, "highest": 10.0 }));

        office.stop().await;
        for celsius in 1..=20 {
            let payload = format!(r#"{{"celsius":{celsius}}}"#);
            machine.publish("machines/lathe/temp", QoS::AtLeastOnce, payload).await.unwrap();
        }
        office.start_again().await;
        let mut reader = Observer::connect(office.port()).await;
        reader.subscribe("plants/north/lathe", QoS::AtLeastOnce).await.unwrap();
        // The newest is kept by the broker, so one who comes late sees it, too.
        loop {
            let value: serde_json::Value = serde_json::from_slice(&reader.next().await.unwrap().payload).unwrap();
            if value["highest"] == 20.0 {
                assert_eq!(value["mean"], 15.5);
                break;
            }
        }
        program.end(Signal::INT).await;
        let log = program.log().join("\n");
        assert!(log.contains("mqtt+office at") && log.contains("connected 2 times"), "{log}");
    });
}
