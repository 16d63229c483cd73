//! What goes wrong is a typed failure, or a counted event, that a service on the board sees; and the board goes on.

use anabranch_boards::{Board, Clock, FIRMWARE, Wire, within};
use anabranch_brokers::{Mosquitto, Observer, QoS, Setup, free_port};
use rustix::process::Signal;

/// It ends when its service has seen this.
async fn meets(wire: Wire, url: &str, failure: &str) {
    let board = Board::with(FIRMWARE, wire, Clock::Real, &[url, "meets", failure]).await;
    board.says(&format!("Offline, last failure Some({failure})")).await;
    board.ends().await;
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_wrong_broker_address() {
    within(60, meets(Wire::Network, "mqtt://10.0.2.77:1883", "Silent"));
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_address_that_cannot_be_one() {
    within(60, async {
        let board = Board::start(&["mqtt://10.0.2.2:1883", "refusals"]).await;
        let said = board.ends().await;
        assert_eq!(said.iter().filter(|line| line.starts_with("ok ")).count(), 6, "{said:?}");
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_refused_connection() {
    within(60, async { meets(Wire::Network, &Board::url(free_port()), "NothingListens").await });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_wrong_password() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default().password("board", "secret")).await;
        let url = format!("mqtt://board:guessed@10.0.2.2:{}", broker.guarded_port());
        meets(Wire::Network, &url, "Refused(Reason(0x87))").await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_link_that_is_down_at_boot() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let url = Board::url(broker.port());
        let mut board = Board::with(FIRMWARE, Wire::Unplugged, Clock::Real, &[&url, "meets", "Online"]).await;
        board.says("Offline, last failure Some(NoNetwork)").await;
        board.monitor.plug_the_cable_in().await;
        board.says("Online").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("fault/in", QoS::AtLeastOnce, r#"{"number":7,"millicelsius":1}"#).await.unwrap();
        board.says("value 7").await;
        board.ends().await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn dhcp_that_is_silent() {
    within(60, meets(Wire::Silence, "mqtt://10.0.2.2:1883", "NoNetwork"));
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_topic_that_is_longer_than_the_buffer() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("names/#", QoS::AtLeastOnce).await.unwrap();
        let board = Board::start(&[&Board::url(broker.port()), "long-topics"]).await;
        for name in ["ab", "yz"] {
            assert_eq!(observer.text().await.0, format!("names/{name}"));
        }
        let said = board.ends().await;
        assert!(said.iter().any(|line| line.contains("`BUFFER`")), "{said:?}");
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_offline_store_that_is_full() {
    within(60, async {
        let mut broker = Mosquitto::start(Setup::default()).await;
        broker.end(Signal::KILL).await;
        let board = Board::start(&[&Board::url(broker.port()), "overflows", "Online"]).await;
        board.says("0 passed, 5 kept, 7 dropped").await;
        broker.start_again().await;
        board.says("5 passed, 0 kept, 7 dropped").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("fault/in", QoS::AtLeastOnce, r#"{"number":7,"millicelsius":1}"#).await.unwrap();
        board.ends().await;
        let log = broker.process().log();
        let came = log.iter().filter(|line| line.starts_with("Received PUBLISH from board (d0, q1,"));
        assert_eq!(came.count(), 5);
    });
}
