//! The alerts that a broker gets are those of every other `main`, in their order; and a limit from there holds.

use anabranch_brokers::{Mosquitto, Observer, Process, QoS, Setup, on_two_threads};
use std::{process::Command, time::Duration};

fn program(broker: &Mosquitto) -> Process {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sensors-to-alerts-mqtt"));
    program.arg(format!("mqtt://127.0.0.1:{}", broker.port()));
    Process::spawn(program).unwrap()
}

#[test]
fn the_alerts_at_the_broker_are_those_of_every_other_main() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("sensors-to-alerts/alert", QoS::ExactlyOnce).await.unwrap();
        let program = program(&broker);
        let mut seen = String::new();
        for _ in 0..200 {
            let alert: serde_json::Value = serde_json::from_slice(&observer.next().await.unwrap().payload).unwrap();
            let edge = Duration::new(
                alert["edge"]["secs"].as_u64().unwrap(),
                alert["edge"]["nanos"].as_u64().unwrap().try_into().unwrap(),
            );
            let what = if alert["raised"] == true { "raised " } else { "cleared" };
            let tenths = alert["millicelsius"].as_i64().unwrap() / 100;
            seen += &format!("{:5} ms  {what}  {}.{} °C\n", edge.as_millis(), tenths / 10, tenths % 10);
        }
        assert_eq!(seen, include_str!("../../alerts.txt"));
        program
            .says_after(0, |line| line.contains("sensors-to-alerts/alert: 200 values, 0 failed, 0 dropped"))
            .await
            .unwrap();
    });
}

#[test]
fn a_limit_that_comes_in_holds_from_then_on() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("sensors-to-alerts/alert", QoS::AtLeastOnce).await.unwrap();
        let program = program(&broker);
        observer.next().await.unwrap();
        // What is no limit changes nothing; what nothing passes ends the alerts, but for the one that is to be cleared.
        observer.publish("sensors-to-alerts/limit", QoS::AtLeastOnce, "high").await.unwrap();
        let limit = r#"{"raise_above":1000000,"clear_below":24000}"#;
        observer.publish("sensors-to-alerts/limit", QoS::AtLeastOnce, limit).await.unwrap();
        program
            .says_after(0, |line| line.contains("sensors-to-alerts/limit: 1 values, 1 failed, 0 dropped"))
            .await
            .unwrap();
        let alerts = program.says_after(0, |line| line.contains("sensors-to-alerts/alert: ")).await.unwrap();
        let count = alerts.split(' ').nth(1).and_then(|count| count.parse::<u32>().ok()).unwrap();
        assert!((1..200).contains(&count), "{alerts}");
    });
}
