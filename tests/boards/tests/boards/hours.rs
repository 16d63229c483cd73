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

/// With each ping go the timer that says that it is time, and two frames that come: TCP's acknowledgement, and the answer. The
/// service that counts has one timer. Some of them may come together, so there may be fewer wake-ups, and never more. Where the
/// machine that emulates the board is busy, TCP sends a frame again, for which it has a timer, too.
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
        let again = report.sent.saturating_sub(2 * pings);
        let due = pings + report.received + 1 + again;
        println!(
            "{SECONDS} s at rest: {} wake-ups for {pings} pings' timers, {} frames and a service's timer; {} frames sent",
            report.wake_ups, report.received, report.sent
        );
        assert!((SECONDS / KEEP_ALIVE - 2..=SECONDS / KEEP_ALIVE + 1).contains(&pings), "{pings} pings");
        assert!(report.received <= 3 * pings && report.sent <= 3 * pings + 1, "{report:?}");
        assert!((pings..=due).contains(&report.wake_ups), "{due} were due: {report:?}");
        peer.ends().await;
        board.ends().await;
    });
}
