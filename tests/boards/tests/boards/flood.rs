//! Thousands of commands, and payloads that are none.

use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Observer, QoS, Setup};

const SURE: usize = 4_000;
const QUICK: usize = 4_000;
const LAGGING: usize = 1_000;

fn command(number: usize, on: bool) -> String {
    format!(r#"{{"number":{number},"on":{on}}}"#)
}

/// So many commands to switch it on.
async fn floods(port: u16, topic: &'static str, qos: QoS, count: usize) {
    let mut observer = Observer::connect(port).await;
    observer.publish_all(qos, (0..count).map(|number| (topic, command(number, true)))).await.unwrap();
    // And the last one, for which there has to be room: what is not acknowledged comes in its order before it.
    observer.publish("flood/mark", QoS::AtLeastOnce, "").await.unwrap();
}

/// The number before a word.
fn before(line: &str, word: &str) -> usize {
    let words: Vec<&str> = line.split(' ').collect();
    let place = words.iter().position(|said| said.trim_end_matches(',') == word).unwrap();
    words[place - 1].parse().unwrap()
}

/// Mosquitto 2.0.11 sends more at once than its client has allowed, as soon as it has had to wait once: here, hundreds.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_flood_of_commands_loses_none_that_are_acknowledged_and_counts_each_of_the_others() {
    within(90, async {
        let broker = Mosquitto::start(Setup::default().quiet()).await;
        let port = broker.port();
        let board = Board::start(&[&Board::url(port), "flood"]).await;
        board.says("ready").await;
        tokio::join!(
            floods(port, "flood/sure", QoS::AtLeastOnce, SURE),
            floods(port, "flood/quick", QoS::AtMostOnce, QUICK),
            floods(port, "flood/newest", QoS::AtMostOnce, QUICK),
            floods(port, "flood/lagging", QoS::AtLeastOnce, LAGGING),
        );
        let mut observer = Observer::connect(port).await;
        // Those of QoS 1 first: when their last has come, the flood is over, and there is room for one more of QoS 0.
        for (name, number) in [("sure", SURE), ("lagging", LAGGING), ("quick", QUICK), ("newest", QUICK)] {
            let topic = format!("flood/{name}");
            observer.publish(&topic, QoS::AtLeastOnce, command(number, false)).await.unwrap();
            let said = board.says(&format!("{name}: last")).await;
            assert_eq!(before(&said, "out"), 0, "{said}");
            match name {
                "sure" => assert_eq!((before(&said, "commands"), before(&said, "lost")), (SURE, 0), "{said}"),
                "lagging" => {
                    assert!(before(&said, "lost") > 0, "it lagged behind: {said}");
                    assert_eq!(before(&said, "commands") + before(&said, "lost"), LAGGING, "and went on: {said}");
                }
                _ => {}
            }
        }
        observer.publish("flood/end", QoS::AtLeastOnce, command(0, false)).await.unwrap();
        let said = board.ends().await;
        let counted = |name: &str| {
            let begin = format!("{name} link: ");
            let line = said.iter().find(|line| line.starts_with(&begin)).unwrap();
            (before(line, "values"), before(line, "failed"), line.clone())
        };
        let (values, failed, line) = counted("quick");
        assert_eq!(values + failed, QUICK + 1, "each is counted: {line}");
        assert!(failed == 0 || line.contains("NoRoom"), "{line}");
        let (values, failed, line) = counted("sure");
        assert!(values == SURE + 1 && (failed == 0 || line.contains("NoRoom")), "{line}");
        assert_eq!(counted("newest").0, QUICK + 1);
        assert!(said.iter().any(|line| line.contains("connects: 1,")), "{said:?}");
        println!("{}", said.join("\n"));
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_malformed_and_an_oversized_payload_are_counted_and_the_link_goes_on() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        board.says("Online").await;
        peer.switches(1, true).await;
        let mut observer = Observer::connect(broker.port()).await;
        let deep = "[".repeat(900);
        let malformed: [&[u8]; 7] =
            [b"", b"{{{", br#"{"number":1}"#, br#"{"number":-1,"on":true}"#, b"\xff\xfe\0", deep.as_bytes(), b"null"];
        for payload in malformed {
            observer.publish("house/switch", QoS::AtLeastOnce, payload).await.unwrap();
        }
        // Of the packet that is too large the broker was told; it keeps it back.
        let large = format!(r#"{{"number":2,"on":{}true}}"#, " ".repeat(4_000));
        observer.publish("house/switch", QoS::AtLeastOnce, large).await.unwrap();
        observer.publish("house/unknown", QoS::AtLeastOnce, "1").await.unwrap();
        peer.switches(3, false).await;
        let report = peer.asks(0).await;
        assert_eq!((report.switch.values, report.switch.failed), (2, malformed.len() as u32));
        assert_eq!((report.connects, report.unrouted), (1, 0));
        peer.ends().await;
        board.ends().await;
    });
}

/// In version 3.1.1 a client cannot say how large a packet may be.
#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn an_oversized_packet_that_comes_all_the_same_is_counted_at_its_link_and_the_connection_stays() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish_retained("fault/in", QoS::AtLeastOnce, " ".repeat(3_000)).await.unwrap();
        let board = Board::start(&[&Board::url(broker.port()), "meets-3.1.1", "Online"]).await;
        board.says("1 came wrong: Some(TooLarge)").await;
        observer.publish("fault/in", QoS::AtMostOnce, " ".repeat(2_000)).await.unwrap();
        observer.publish("fault/in", QoS::AtLeastOnce, " ".repeat(100_000)).await.unwrap();
        board.says("3 came wrong: Some(TooLarge)").await;
        observer.publish("fault/in", QoS::AtLeastOnce, r#"{"number":7,"millicelsius":1}"#).await.unwrap();
        board.says("value 7").await;
        let said = board.ends().await;
        assert_eq!(said.iter().filter(|line| line.starts_with("Online")).count(), 1, "{said:?}");
    });
}
