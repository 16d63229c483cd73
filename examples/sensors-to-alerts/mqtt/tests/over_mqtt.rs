//! The alerts that a broker gets are those of every other `main`, in their order.

use anabranch_brokers::{Mosquitto, Observer, Process, QoS, Setup, on_two_threads};
use std::{process::Command, time::Duration};

#[test]
fn the_alerts_at_the_broker_are_those_of_every_other_main() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("sensors-to-alerts/alert", QoS::ExactlyOnce).await.unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_sensors-to-alerts-mqtt"));
        program.arg(format!("mqtt://127.0.0.1:{}", broker.port()));
        let program = Process::spawn(program).unwrap();
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
