//! A board boots, gets an address, connects, and lives with its peer.

use anabranch::{BufferCfg, ConnectorConfig, Decode, Encode, TokioAdapter, mqtt::MqttConnector, prelude::*};
use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Observer, QoS, Setup};
use firmware_mqtt::{Edge, Meter, Reading};

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn readings_go_out_commands_come_in_and_alerts_go_round() {
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
        // At QoS 1, and acknowledged.
        let log = broker.process().log();
        let at =
            |line: &&String| line.starts_with("Received PUBLISH from board (d0, q1,") && line.contains("/telemetry/");
        assert_eq!(log.iter().filter(at).count(), 201);
        peer.ends().await;
        board.ends().await;
    });
}

/// A peer that sends numbers to the board by one link, and gets them back by another.
struct Echo {
    sends: Producer<Reading>,
    hears: Consumer<Reading>,
    qos: u8,
    name: String,
}

type Db = Anabranch<TokioAdapter>;

async fn echoes(port: u16) -> (Db, Vec<Echo>) {
    fn both<F>(
        builder: anabranch::Builder<TokioAdapter>,
        name: &str,
        qos: u8,
        format: F,
    ) -> anabranch::Builder<TokioAdapter>
    where
        F: Encode<Reading> + Decode<Reading> + Copy + Send + Sync + 'static,
    {
        let config = ConnectorConfig { qos: Some(qos), ..Default::default() };
        builder
            .configure::<Reading>(&*format!("to/{name}"), |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 8, consumers: 1 });
                r.link_to(format!("mqtt://in/{name}")).with_encode(format).with_config(config);
            })
            .configure::<Reading>(&*format!("from/{name}"), |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
                r.link_from(format!("mqtt://out/{name}")).with_decode(format).with_config(config);
            })
    }
    let connector = MqttConnector::new(format!("mqtt://127.0.0.1:{port}")).client_id("peer");
    let mut builder = Anabranch::builder().runtime(TokioAdapter::current().unwrap()).with_connector(connector);
    let mut names = Vec::new();
    for qos in 0..=2 {
        builder = both(builder, &format!("json/{qos}"), qos, anabranch::Json);
        builder = both(builder, &format!("cbor/{qos}"), qos, anabranch::Cbor);
        builder = both(builder, &format!("postcard/{qos}"), qos, anabranch::Postcard);
        names.extend(["json", "cbor", "postcard"].map(|format| (format!("{format}/{qos}"), qos)));
    }
    let db = builder.build().await.unwrap();
    let ends = |(name, qos): (String, u8)| Echo {
        sends: db.producer(&*format!("to/{name}")).unwrap(),
        hears: db.consumer(&*format!("from/{name}")).unwrap(),
        qos,
        name,
    };
    let echoes = names.into_iter().map(ends).collect();
    db.start();
    (db, echoes)
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn json_cbor_and_postcard_pass_both_ways_at_each_quality_of_service() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let (db, mut echoes) = echoes(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "echoes"]).await;
        for who in ["peer", "board"] {
            let subscribed = format!("Sending SUBACK to {who}");
            broker.process().says_after(0, |line| line.starts_with(&subscribed)).await.unwrap();
        }
        for number in 0..20 {
            let reading = Reading { number, millicelsius: -273_150 + 500_000 * (number as i32 % 2) };
            for echo in &echoes {
                echo.sends.send(reading).await.unwrap();
            }
            for echo in &mut echoes {
                assert_eq!(echo.hears.next().await, Some(reading), "{}", echo.name);
            }
        }
        let log = broker.process().log();
        for Echo { qos, name, .. } in &echoes {
            for (begin, end) in
                [("Sending PUBLISH to", format!("'in/{name}'")), ("Received PUBLISH from", format!("'out/{name}'"))]
            {
                let begin = format!("{begin} board (d0, q{qos},");
                let count = log.iter().filter(|line| line.starts_with(&begin) && line.contains(&end)).count();
                assert_eq!(count, 20, "{begin} … {end}");
            }
        }
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("end", QoS::AtLeastOnce, "0").await.unwrap();
        board.ends().await;
        drop(echoes);
        assert!(db.shutdown(Duration::from_secs(5)).await.aborted.is_empty());
    });
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_board_that_loses_its_power_leaves_its_will_and_one_that_ends_does_not() {
    within(60, async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("house/#", QoS::AtLeastOnce).await.unwrap();
        let peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        board.says("Online").await;
        peer.ends().await;
        board.ends().await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        board.says("Online").await;
        let readings = |topic: &str| topic == "house/telemetry/0" || topic == "house/newest" || topic == "house/end";
        board.dies().await;
        let will = loop {
            let value = observer.next().await.unwrap();
            if !readings(&value.topic) {
                break value;
            }
        };
        assert_eq!((will.topic.as_str(), will.text(), will.qos), ("house/state", "gone", 1));
        let wills = broker.process().log().iter().filter(|line| line.contains("'house/state'")).count();
        assert_eq!(wills, 1, "it was passed on once");
    });
}
