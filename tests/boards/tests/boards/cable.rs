//! The cable is pulled out, and put back.

use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Setup};
use firmware_mqtt::Meter;

const READINGS: u32 = 3_000;

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn without_a_cable_the_newest_values_are_kept_and_the_others_counted_and_with_it_all_flows_again() {
    within(90, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let mut board = Board::start(&[&Board::url(broker.port()), "house", "1"]).await;
        assert_eq!(peer.newest.next().await.unwrap().number, 0);
        peer.meter.send(Meter { count: READINGS, every: 4_000 }).await.unwrap();
        while peer.newest.next().await.unwrap().number < 100 {}
        board.monitor.pull_the_cable().await;
        board.says("Offline").await;
        board.says(&format!("metered {READINGS}")).await;
        let said = board.said();
        board.monitor.plug_the_cable_in().await;
        board.says_after(said, "Online").await;
        // What was under way comes again, and then the newest eight.
        let mut last = Vec::new();
        while last.last() != Some(&READINGS) {
            last.push(peer.newest.next().await.unwrap().number);
        }
        let newest: Vec<u32> = (READINGS - 7..=READINGS).collect();
        assert!(last.ends_with(&newest) && !last.contains(&(READINGS - 8)), "{last:?}");
        peer.switches(1, true).await;
        let report = peer.asks(0).await;
        for link in [report.newest, report.telemetry] {
            assert_eq!(link.values + link.dropped, READINGS + 1, "each passed or was counted: {link:?}");
            assert!(link.dropped > 0 && link.failed == 0 && link.kept == 0, "{link:?}");
        }
        assert!(report.newest.dropped > report.telemetry.dropped, "one keeps 8, and the other 512: {report:?}");
        assert_eq!(report.connects, 2);
        peer.ends().await;
        board.ends().await;
    });
}
