//! A minute under load, after which nothing has grown.

use anabranch_boards::{Board, Peer, within};
use anabranch_brokers::{Mosquitto, Setup};
use firmware_mqtt::{Edge, Meter, Report};
use std::time::{Duration, Instant};

/// An interrupt with its handler takes less than this of the stack, and may come at a deeper moment than before.
const INTERRUPT: u32 = 256;
const EVERY: Duration = Duration::from_millis(5);

/// Sends commands and edges until `time` has passed, each when the one before was answered.
async fn busy(peer: &mut Peer, time: Duration, number: &mut u32) {
    let began = Instant::now();
    while began.elapsed() < time {
        *number += 1;
        let even = number.is_multiple_of(2);
        peer.switches(*number, even).await;
        let millicelsius = if even { 23_000 } else { 27_000 };
        peer.edge.send(Edge { number: *number, millicelsius }).await.unwrap();
        assert_eq!(peer.alert.next().await.unwrap().number, *number);
    }
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn a_minute_under_load_grows_nothing() {
    within(150, async {
        let broker = Mosquitto::start(Setup::default().quiet()).await;
        let mut peer = Peer::connect(broker.port()).await;
        let board = Board::start(&[&Board::url(broker.port()), "house"]).await;
        board.says("Online").await;
        let (warm, minute) = (Duration::from_secs(6), Duration::from_secs(60));
        let count = ((warm + minute).as_micros() / EVERY.as_micros()) as u32;
        peer.meter.send(Meter { count, every: EVERY.as_micros() as u32 }).await.unwrap();
        let mut number = 0;
        busy(&mut peer, warm, &mut number).await;
        let (before, commands) = (peer.asks(0).await, number);
        busy(&mut peer, minute, &mut number).await;
        // Until the meter has ended, too.
        board.says(&format!("metered {count}")).await;
        while peer.telemetry.next().await.unwrap().number < count {}
        let after = peer.asks(0).await;
        println!(
            "a minute: {} readings, {} commands and as many alerts; {} wake-ups, {} frames came, {} went; the stack went {} \
             bytes deep before, {} by then",
            after.telemetry.values - before.telemetry.values,
            number - commands,
            after.wake_ups - before.wake_ups,
            after.received - before.received,
            after.sent - before.sent,
            before.stack,
            after.stack,
        );
        assert!(after.stack <= before.stack + INTERRUPT, "{before:?} {after:?}");
        let Report { telemetry, newest, switch, .. } = after;
        assert_eq!((telemetry.values, newest.values, switch.values), (count + 1, count + 1, number));
        assert_eq!((telemetry.failed, telemetry.dropped, newest.failed, switch.failed), (0, 0, 0, 0));
        assert_eq!((telemetry.kept, newest.kept, after.held), (0, 0, 0), "{after:?}");
        assert_eq!((after.connects, after.unrouted), (1, 0));
        peer.ends().await;
        board.ends().await;
    });
}
