//! The broker is killed in mid-run, and comes back on the same port.

use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Setup};
use firmware_mqtt::Meter;
use rustix::process::Signal;
use std::collections::BTreeSet;

const READINGS: u32 = 2_400;

/// The numbers of the readings that a broker's log tells of.
fn numbers(log: &[String]) -> impl Iterator<Item = u32> {
    log.iter().filter(|line| line.starts_with("Received PUBLISH from board")).filter_map(|line| {
        let (_, rest) = line.split_once("'house/telemetry/")?;
        rest.split_once('\'')?.0.parse().ok()
    })
}

/// Values of QoS 1 go on being numbered while there is no broker. The broker's own logs, of all its lives, tell what it got: it
/// remembers nothing, and so neither do they who look at what it passes on.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_broker_that_is_killed_three_times_gets_every_value_and_sends_commands_again() {
    within(90, async {
        let mut broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        assert_eq!(peer.telemetry.next().await.unwrap().number, 0);
        peer.meter.send(Meter { count: READINGS, every: 4_000 }).await.unwrap();
        let mut seen = BTreeSet::new();
        for round in 1..=3 {
            let midst = format!("'house/telemetry/{}'", round * 500);
            broker.process().says_after(0, |line| line.contains(&midst)).await.unwrap();
            seen.extend(numbers(&broker.end(Signal::KILL).await));
            broker.start_again().await;
            for who in ["peer", "board"] {
                let subscribed = format!("Sending SUBACK to {who}");
                broker.process().says_after(0, |line| line.starts_with(&subscribed)).await.unwrap();
            }
            peer.switches(round, round % 2 == 1).await;
        }
        let last = format!("'house/telemetry/{READINGS}'");
        broker.process().says_after(0, |line| line.contains(&last)).await.unwrap();
        let report = peer.asks(0).await;
        seen.extend(numbers(&broker.process().log()));
        assert_eq!(seen.len() as u32, READINGS + 1, "every value has come: {seen:?}");
        assert_eq!((report.telemetry.values, report.telemetry.dropped, report.telemetry.failed), (READINGS + 1, 0, 0));
        assert_eq!((report.connects, report.unrouted), (4, 0));
        peer.ends().await;
        board.ends().await;
    });
}
