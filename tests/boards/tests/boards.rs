//! Boards in QEMU, a real Mosquitto, and a peer on Tokio.

use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Setup};
use firmware_mqtt::{Edge, Meter};

/// Telemetry goes out, a command comes in, an alert goes round.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_board_boots_gets_an_address_connects_and_lives_with_its_peer() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        // The first reading was taken before there was a connection, or a network.
        assert_eq!(peer.telemetry.next().await.unwrap().number, 0);
        peer.meter.send(Meter { count: 200, every: 2_000 }).await.unwrap();
        for number in 1..=200 {
            let reading = peer.telemetry.next().await.unwrap();
            assert_eq!((reading.number, reading.millicelsius), (number, 20_000 + number as i32));
        }
        for number in 1..=10 {
            peer.switches(number, number % 2 == 1).await;
        }
        for (number, millicelsius) in (1..=10).zip([27_000, 23_000].into_iter().cycle()) {
            peer.edge.send(Edge { number, millicelsius }).await.unwrap();
            let alert = peer.alert.next().await.unwrap();
            assert_eq!((alert.number, alert.raised), (number, millicelsius > 26_000));
        }
        let report = peer.asks(0).await;
        assert_eq!((report.connects, report.telemetry.values, report.telemetry.failed), (1, 201, 0));
        peer.ends().await;
        board.ends().await;
    });
}
