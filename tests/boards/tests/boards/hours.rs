//! Hours without a network, in virtual time; and a connection at which nothing happens, in real time.

use anabranch_boards::{Board, Clock, FIRMWARE, Peer, Wire, within};
use anabranch_brokers::{Mosquitto, Setup};

async fn an_hour_at(wire: Wire) {
    let words = ["mqtt://10.0.2.2:1883", "alone"];
    let board = Board::with(FIRMWARE, wire, Clock::Virtual, &words).await;
    let said = board.says("an hour: ").await;
    println!("{wire:?}: {said}");
    board.ends().await;
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_hour_without_a_cable_grows_nothing_and_no_pause_is_longer_than_the_longest() {
    within(120, an_hour_at(Wire::Unplugged));
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_hour_in_which_dhcp_is_silent_grows_nothing_and_no_pause_is_longer_than_the_longest() {
    within(120, an_hour_at(Wire::Silence));
}

const SECONDS: u32 = 20;
const KEEP_ALIVE: u32 = 2;

/// Each frame that is sent had a timer: the ping's, that of TCP's delayed acknowledgement of the answer, and, where the machine
/// that emulates the board is busy, that of what is sent again. Each frame that comes interrupts, and the service that counts has
/// a timer. Some of them may come together, so there may be fewer wake-ups, and never more.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_connection_at_which_nothing_happens_wakes_the_core_for_its_pings_alone() {
    within(90, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house", &KEEP_ALIVE.to_string()]).await;
        board.says("Online").await;
        let report = peer.asks(SECONDS).await;
        let pings = broker.process().log().iter().filter(|line| *line == "Received PINGREQ from board").count() as u32;
        let due = report.sent + report.received + 1;
        println!(
            "{SECONDS} s at rest: {} wake-ups for {pings} pings: {} frames sent, {} received, and a service's timer",
            report.wake_ups, report.sent, report.received
        );
        assert!((SECONDS / KEEP_ALIVE - 2..=SECONDS / KEEP_ALIVE + 1).contains(&pings), "{pings} pings");
        assert!(report.received <= 3 * pings && report.sent <= 3 * pings + 1, "{report:?}");
        assert!((pings..=due).contains(&report.wake_ups), "{due} were due: {report:?}");
        peer.ends().await;
        board.ends().await;
    });
}
