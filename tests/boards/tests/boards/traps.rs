//! What went wrong on boards elsewhere, one test each, named after it.

use anabranch_boards::{Board, Clock, FIRMWARE, Peer, Wire, built, within};
use anabranch_brokers::{Mosquitto, Observer, Persistence, QoS, Setup};
use firmware_mqtt::Edge;
use rustix::process::Signal;
use std::fs;

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn two_mailbox_taps_spin_without_sleeping() {
    within(60, async {
        let board = Board::with(FIRMWARE, Wire::Unplugged, Clock::Virtual, &["mqtt://10.0.2.2", "taps"]).await;
        println!("{}", board.says("wake-ups in a minute").await);
        board.ends().await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn alloc_is_mandatory() {
    for image in [FIRMWARE, "embassy-sensors-to-alerts"] {
        let image = fs::read(built(image)).unwrap();
        let names = |symbol: &str| image.windows(symbol.len()).any(|bytes| bytes == symbol.as_bytes());
        assert!(names("DUAL_TIMER"), "the image has the names of its symbols");
        assert!(!names("__rust_alloc") && !names("__rust_realloc"), "an allocator is linked");
    }
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn after_a_broker_restart_nothing_subscribes_again_and_inbound_is_dead() {
    within(60, async {
        let mut broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        board.says("Online").await;
        peer.switches(1, true).await;
        broker.end(Signal::KILL).await;
        broker.start_again().await;
        for who in ["peer", "board"] {
            let subscribed = format!("Sending SUBACK to {who}");
            broker.process().says_after(0, |line| line.starts_with(&subscribed)).await.unwrap();
        }
        peer.switches(2, false).await;
        peer.edge.send(Edge { number: 1, millicelsius: 30_000 }).await.unwrap();
        assert!(peer.alert.next().await.unwrap().raised);
        peer.ends().await;
        board.ends().await;
    });
}

/// Eighteen, and one more.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn more_than_ten_topics_deadlock() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("out/#", QoS::ExactlyOnce).await.unwrap();
        let board = Board::start(&[&Board::url(broker.port()), "echoes"]).await;
        broker.process().says_after(0, |line| line.starts_with("Sending SUBACK to board")).await.unwrap();
        // All at once, and many times: none holds another up.
        let topics = ["json/0", "json/1", "json/2"];
        for number in 0..50 {
            let payload = format!(r#"{{"number":{number},"millicelsius":0}}"#);
            let all = topics.map(|topic| (format!("in/{topic}"), payload.clone()));
            observer.publish_all(QoS::AtLeastOnce, all).await.unwrap();
            for _ in topics {
                assert!(observer.text().await.1.contains(&format!(":{number},")));
            }
        }
        observer.publish("end", QoS::AtLeastOnce, "0").await.unwrap();
        board.ends().await;
    });
}

/// A place for no value is a choice of a link, whose other values are counted; a board goes on.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn capacity_0_panics() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let board = Board::start(&[&Board::url(broker.port()), "no-places"]).await;
        let mut observer = Observer::connect(broker.port()).await;
        board.says("ready").await;
        let commands = (0..20).map(|number| ("places/in", format!(r#"{{"number":{number},"millicelsius":0}}"#)));
        observer.publish_all(QoS::AtMostOnce, commands).await.unwrap();
        println!("{}", board.says("20 came, ").await);
        board.ends().await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn inbound_qos_is_ignored() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let board = Board::start(&[&Board::url(broker.port()), "echoes"]).await;
        broker.process().says_after(0, |line| line.starts_with("Sending SUBACK to board")).await.unwrap();
        let log = broker.process().log();
        for qos in 0..=2 {
            for format in ["json", "cbor", "postcard"] {
                let asked = format!("in/{format}/{qos} (QoS {qos})");
                assert!(log.iter().any(|line| line.trim() == asked), "it asks for {asked}: {log:#?}");
            }
        }
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("end", QoS::AtLeastOnce, "0").await.unwrap();
        board.ends().await;
    });
}

/// The source runs before anybody listens.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn the_first_value_is_lost() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("house/telemetry/+", QoS::AtLeastOnce).await.unwrap();
        let peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        assert_eq!(observer.text().await.0, "house/telemetry/0");
        peer.ends().await;
        board.ends().await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn the_documented_loop_ends_for_ever_at_the_first_lag() {
    within(60, async {
        let board = Board::with(FIRMWARE, Wire::Unplugged, Clock::Virtual, &["mqtt://10.0.2.2", "lags"]).await;
        board.says("seen 6789a, lost 6").await;
        board.ends().await;
    });
}

/// The broker asks for them.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_auth_token_that_nothing_reads() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default().password("board", "secret")).await;
        let url = format!("mqtt://board:secret@10.0.2.2:{}", broker.guarded_port());
        let board = Board::start(&[&url, "meets", "Online"]).await;
        board.says("Online").await;
        let observer = Observer::with(broker.guarded_port(), Persistence::None, |options| {
            options.set_credentials("board", "secret");
        });
        let mut observer = observer.await;
        observer.publish("fault/in", QoS::AtLeastOnce, r#"{"number":7,"millicelsius":1}"#).await.unwrap();
        board.says("value 7").await;
        board.ends().await;
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn two_brokers_are_impossible() {
    within(60, async {
        let (one, two) = (Mosquitto::start(Setup::default()).await, Mosquitto::start(Setup::default()).await);
        let (mut here, mut there) = (Observer::connect(one.port()).await, Observer::connect(two.port()).await);
        here.subscribe("both/out", QoS::AtLeastOnce).await.unwrap();
        there.subscribe("both/out", QoS::AtLeastOnce).await.unwrap();
        let board = Board::start(&[&Board::url(one.port()), "brokers", &Board::url(two.port())]).await;
        for broker in [&one, &two] {
            broker.process().says_after(0, |line| line.starts_with("Sending SUBACK to board")).await.unwrap();
        }
        for number in 0..10 {
            let (this, other) = (
                format!(r#"{{"number":{number},"millicelsius":1}}"#),
                format!(r#"{{"number":{number},"millicelsius":2}}"#),
            );
            here.publish("both/in", QoS::AtLeastOnce, &this).await.unwrap();
            there.publish("both/in", QoS::AtLeastOnce, &other).await.unwrap();
            assert_eq!(there.text().await.1, this, "from the first to the second");
            assert_eq!(here.text().await.1, other, "and from the second to the first");
        }
        board.ends().await;
    });
}
