//! A board in trouble: what a service sees of it. `meets FAILURE` ends when the connector has said so.

use crate::board::{Board, fault};
use anabranch::{
    ConnectionState, ConnectorConfig, Json, LinkFailure, LinkIn, LinkOut, LinkSet, Links, Offline,
    mqtt::{MqttConnector, StaticMqtt, StaticMqttError, Version},
    prelude::*,
};
use board_mps2::println;
use core::{convert::Infallible, fmt, fmt::Write};
use firmware_mqtt::Reading;

static OUT: Record<Reading, Queue<4>> = Record::unnamed();
static IN: Record<Reading, Queue<4>> = Record::unnamed();
const KEPT: usize = 5;
static OUT_LINK: LinkOut<Json, KEPT> = LinkOut::new("mqtt://fault/out").with_json().with_config(ConnectorConfig {
    qos: Some(1),
    offline: Some(Offline::KeepNewest(100)), // of which it has places for five
    ..ConnectorConfig::DEFAULT
});
static IN_LINK: LinkIn<Json, 2> = LinkIn::new("mqtt://fault/in")
    .with_json()
    .with_config(ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT });
static MQTT: StaticMqtt<1024, 256, 4> = StaticMqtt::new();

fn broker(board: &Board) -> MqttConnector {
    let broker = MqttConnector::new(board.url).client_id("board");
    broker.backoff(Duration::from_millis(50), Duration::from_secs(2)).answer_within(Duration::from_secs(2))
}

/// A service as anybody would write it: it looks at the connector, and says what is new.
#[service]
async fn watching<R: Runtime>(
    ctx: RuntimeContext<R>,
    expected: &'static str,
    mut values: Consumer<Reading>,
) -> Result<(), Infallible> {
    let mut every = ctx.interval(Duration::from_millis(20));
    let (mut before, mut kept, mut failed) = (None, None, None);
    loop {
        every.tick().await;
        let status = MQTT.status();
        if before != Some((status.state, status.last_failure)) {
            before = Some((status.state, status.last_failure));
            println!("{:?}, last failure {:?}", status.state, status.last_failure);
        }
        let counts = OUT_LINK.counts();
        if kept != Some((counts.values, counts.kept, counts.dropped)) {
            kept = Some((counts.values, counts.kept, counts.dropped));
            println!("{} passed, {} kept, {} dropped", counts.values, counts.kept, counts.dropped);
        }
        let counts = IN_LINK.counts();
        if failed != Some(counts.failed) {
            failed = Some(counts.failed);
            println!("{} came wrong: {:?}", counts.failed, counts.last_failure);
        }
        while let Ok(Reading { number, .. }) = values.try_recv() {
            println!("value {number}");
        }
        let failure = status.last_failure.is_some_and(|failure| Same::is(expected, format_args!("{failure:?}")));
        if failure || expected == "Online" && status.state == ConnectionState::Online && counts.values > 0 {
            MQTT.close();
            return Ok(());
        }
    }
}

/// Whether something is written with exactly these characters.
struct Same<'a>(&'a str);

impl Same<'_> {
    fn is(expected: &str, written: fmt::Arguments<'_>) -> bool {
        let mut same = Same(expected);
        same.write_fmt(written).is_ok() && same.0.is_empty()
    }
}

impl Write for Same<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn links(board: &Board) -> Option<impl LinkSet + use<>> {
    let links = Links::new().link_to(&OUT_LINK, OUT.consumer().ok()?).link_from(&IN_LINK, IN.producer().ok()?);
    Watching::spawn_static(board.runtime, board.word, IN.consumer().ok()?).ok()?;
    Some(links)
}

/// Meets a failure, which is the word it was given; or `Online`, with a value that comes in.
pub async fn meets(board: &Board, version: Version) -> bool {
    let Some(links) = links(board) else { fault(format_args!("a service does not start")) };
    MQTT.run(board.runtime, &broker(board).version(version), &links).await.is_ok()
}

/// Has more values than places while there is nobody to take them.
#[service]
async fn overflowing<R: Runtime>(ctx: RuntimeContext<R>, out: Producer<Reading>) -> Result<(), Infallible> {
    for number in 0..12 {
        let _open = out.send(Reading { number, millicelsius: 0 }).await;
        ctx.sleep(Duration::from_millis(5)).await;
    }
    // It stays open: the connector would end with it.
    loop {
        ctx.sleep(Duration::from_secs(3_600)).await;
    }
}

/// Twelve values, for five of which there is a place.
pub async fn overflows(board: &Board) -> bool {
    let producer = OUT.producer().ok().and_then(|out| Overflowing::spawn_static(board.runtime, out).ok());
    let Some(links) = links(board).filter(|_| producer.is_some()) else { fault(format_args!("it does not start")) };
    MQTT.run(board.runtime, &broker(board), &links).await.is_ok()
}

static NAMED: Record<Name, Queue<8>> = Record::unnamed();
static NAMED_OUT: LinkOut<Json, 8, 48> = LinkOut::new("mqtt://names/{name}").with_json();
static SMALL: StaticMqtt<256, 64, 2> = StaticMqtt::new();
static LONG_IN: LinkIn<Json> =
    LinkIn::new("mqtt://a/topic/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on/and/on").with_json();

/// A name of its own length.
#[derive(Debug, Clone, Copy)]
struct Name(&'static str);

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut name = serializer.serialize_struct("Name", 1)?;
        name.serialize_field("name", self.0)?;
        name.end()
    }
}

/// Topics that have no place: in the buffer of a link, in a packet, and in the packet that asks for them.
pub async fn long_topics(board: &Board) -> bool {
    let (Ok(names), Ok(ends)) = (NAMED.producer(), NAMED.consumer()) else { fault(format_args!("taken")) };
    let (Ok(long), Ok(ended)) = (IN.producer(), OUT.producer()) else { fault(format_args!("taken")) };
    drop(ended);
    let wrong = SMALL.run(board.runtime, &broker(board), &Links::new().link_from(&LONG_IN, long)).await;
    let Err(StaticMqttError::Link(error)) = wrong else { fault(format_args!("it was not refused: {wrong:?}")) };
    println!("{error}");
    // Short; longer than the packet, but not than the link's buffer; longer than that; short again.
    for name in ["ab", "0123456789012345678901234567", "0123456789012345678901234567890123456789ABCDEFGH", "yz"] {
        if names.try_send(Name(name)).is_err() {
            fault(format_args!("there is no room"));
        }
    }
    drop(names); // when all have gone, or were counted, it ends
    let ran = SMALL.run(board.runtime, &broker(board), &Links::new().link_to(&NAMED_OUT, ends)).await;
    let counts = NAMED_OUT.counts();
    println!("{} passed, {} failed: {:?}", counts.values, counts.failed, counts.last_failure);
    ran.is_ok() && (counts.failed, counts.last_failure) == (2, Some(LinkFailure::Address))
}

/// What is wrong with a configuration is said by a typed error, before anything is connected.
pub async fn refusals(board: &Board) -> bool {
    let mut right = true;
    let mut expect = |what: &str, result: Result<(), StaticMqttError>, holds: fn(&StaticMqttError) -> bool| {
        let refused = result.as_ref().err().is_some_and(holds);
        right &= refused;
        match result {
            Err(error) => println!("{} {what}: {error}", if refused { "ok  " } else { "FAIL" }),
            Ok(()) => println!("FAIL {what} ran"),
        }
    };
    let run = |connector: MqttConnector| async move { MQTT.run(board.runtime, &connector, &Links::new()).await };
    let to = |url| MqttConnector::new(url).client_id("board");
    use StaticMqttError as Wrong;
    expect("an address that is none", run(to("10.0.2.2:1883")).await, |e| matches!(e, Wrong::Config(_)));
    expect("a port that is none", run(to("mqtt://10.0.2.2:99999")).await, |e| matches!(e, Wrong::Config(_)));
    expect("a name without DNS", run(to("mqtt://broker.example")).await, |e| matches!(e, Wrong::Transport(_)));
    expect("TLS", run(to("mqtts://10.0.2.2")).await, |e| matches!(e, Wrong::Transport(_)));
    expect("no name of its own", run(MqttConnector::new(board.url)).await, |e| matches!(e, Wrong::NoClientId));
    let named = to("mqtt://10.0.2.2").name("plant");
    let Ok(producer) = IN.producer() else { fault(format_args!("taken")) };
    let other = MQTT.run(board.runtime, &named, &Links::new().link_from(&IN_LINK, producer)).await;
    expect("another broker's link", other, |e| matches!(e, Wrong::Link(_)));
    right
}
