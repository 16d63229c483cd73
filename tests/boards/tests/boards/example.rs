//! The example `embassy-sensors-to-alerts` itself: its alerts are those of every other `main`.

use anabranch_boards::{Board, Clock, Wire, built, within};
use anabranch_brokers::{Mosquitto, Observer, QoS, Setup};
use std::time::Duration;

const EXAMPLE: &str = "embassy-sensors-to-alerts";

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn the_alerts_of_the_board_at_the_broker_are_those_of_every_other_main() {
    built(EXAMPLE);
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("sensors-to-alerts/alert", QoS::AtLeastOnce).await.unwrap();
        let board = Board::with(EXAMPLE, Wire::Network, Clock::Real, &[&Board::url(broker.port())]).await;
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
        assert_eq!(seen, include_str!("../../../../examples/sensors-to-alerts/alerts.txt"));
        let said = board.ends().await;
        assert!(said.iter().any(|line| line == "200 alerts acknowledged"), "{said:?}");
    });
}
