//! Thousands of commands at once: into a queue whose reader is slow, at QoS 1 and 0, into a latest, and into a ring whose
//! reader lags behind.

use crate::board::{Board, fault};
use anabranch::{
    ConnectionState, ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links,
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use board_mps2::{println, stack};
use core::convert::Infallible;
use firmware_mqtt::{Reading, Switch};

static SURE: Record<Switch, Queue<8>> = Record::unnamed();
static QUICK: Record<Switch, Queue<8>> = Record::unnamed();
static NEWEST: Record<Switch, Latest> = Record::unnamed();
static LAGGING: Record<Switch, Ring<4>> = Record::unnamed();
static END: Record<Switch, Mailbox> = Record::unnamed();

const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };

static SURE_IN: LinkIn<Json, 16> = LinkIn::new("mqtt://flood/sure").with_json().with_config(AT_LEAST_ONCE);
static QUICK_IN: LinkIn<Json, 4> = LinkIn::new("mqtt://flood/quick").with_json();
static NEWEST_IN: LinkIn<Json> = LinkIn::new("mqtt://flood/newest").with_json();
static LAGGING_IN: LinkIn<Json> = LinkIn::new("mqtt://flood/lagging").with_json().with_config(AT_LEAST_ONCE);
static END_IN: LinkIn<Json> = LinkIn::new("mqtt://flood/end").with_json().with_config(AT_LEAST_ONCE);
static MQTT: StaticMqtt<1024, 512, 16> = StaticMqtt::new();

/// Takes its time over each sixteenth value, and says when the last has come: one that is off.
async fn obey(ctx: RuntimeContext<impl Runtime>, mut commands: Consumer<Switch>, name: &str, pause: Duration) {
    let (mut count, mut next, mut out_of_order) = (0_u32, 0, 0_u32);
    while let Some(Switch { number, on }) = commands.next().await {
        out_of_order += u32::from(number < next);
        next = number + 1;
        count += u32::from(on);
        if !on {
            let lost = commands.status().lost;
            println!("{name}: last: {count} commands, {out_of_order} out of order, {lost} lost by lag");
        }
        if number % 16 == 0 && !pause.is_zero() {
            ctx.sleep(pause).await;
        }
    }
}

#[service]
async fn sure<R: Runtime>(ctx: RuntimeContext<R>, commands: Consumer<Switch>) -> Result<(), Infallible> {
    obey(ctx, commands, "sure", Duration::from_millis(2)).await;
    Ok(())
}

#[service]
async fn quick<R: Runtime>(ctx: RuntimeContext<R>, commands: Consumer<Switch>) -> Result<(), Infallible> {
    obey(ctx, commands, "quick", Duration::from_millis(2)).await;
    Ok(())
}

#[service]
async fn newest<R: Runtime>(ctx: RuntimeContext<R>, commands: Consumer<Switch>) -> Result<(), Infallible> {
    obey(ctx, commands, "newest", Duration::ZERO).await;
    Ok(())
}

#[service]
async fn lagging<R: Runtime>(ctx: RuntimeContext<R>, commands: Consumer<Switch>) -> Result<(), Infallible> {
    obey(ctx, commands, "lagging", Duration::from_millis(20)).await;
    Ok(())
}

#[service]
async fn ending<R: Runtime>(_ctx: RuntimeContext<R>, mut end: Consumer<Switch>) -> Result<(), Infallible> {
    let _ended = end.next().await;
    MQTT.close();
    Ok(())
}

#[service]
async fn greeting<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut states: Consumer<ConnectionState>,
) -> Result<(), Infallible> {
    let mut last = ConnectionState::Offline;
    while let Some(state) = states.next().await {
        if state != last {
            last = state;
            let why = MQTT.status().last_failure;
            println!("{}, last failure {why:?}", if state == ConnectionState::Online { "ready" } else { "gone" });
        }
    }
    Ok(())
}

/// Until it is told to end; then it says what was counted.
pub async fn run(board: &Board) -> bool {
    let Some(links) = start(board) else { fault(format_args!("a service does not start")) };
    let broker = MqttConnector::new(board.url).client_id("board");
    let ended = MQTT.run(board.runtime, &broker, &links).await;
    let links = [("sure", SURE_IN.counts()), ("quick", QUICK_IN.counts())];
    for (name, counts) in links.into_iter().chain([("newest", NEWEST_IN.counts()), ("lagging", LAGGING_IN.counts())]) {
        println!("{name} link: {} values, {} failed, {:?}", counts.values, counts.failed, counts.last_failure);
    }
    println!("{:?}, the stack went {} bytes deep", MQTT.status(), stack::high_water());
    ended.is_ok()
}

fn start(board: &Board) -> Option<impl LinkSet + use<>> {
    let links = Links::new()
        .link_from(&SURE_IN, SURE.producer().ok()?)
        .link_from(&QUICK_IN, QUICK.producer().ok()?)
        .link_from(&NEWEST_IN, NEWEST.producer().ok()?)
        .link_from(&LAGGING_IN, LAGGING.producer().ok()?)
        .link_from(&END_IN, END.producer().ok()?);
    Sure::spawn_static(board.runtime, SURE.consumer().ok()?).ok()?;
    Quick::spawn_static(board.runtime, QUICK.consumer().ok()?).ok()?;
    Newest::spawn_static(board.runtime, NEWEST.consumer().ok()?).ok()?;
    Lagging::spawn_static(board.runtime, LAGGING.consumer().ok()?).ok()?;
    Greeting::spawn_static(board.runtime, MQTT.connection()?).ok()?;
    Ending::spawn_static(board.runtime, END.consumer().ok()?).ok()?;
    Some(links)
}

static PLACES: Record<Reading, Queue<2>> = Record::unnamed();
static OFFLINE: Record<Reading, Queue<2>> = Record::unnamed();
static PLACES_IN: LinkIn<Json, 0> = LinkIn::new("mqtt://places/in").with_json();
static OFFLINE_OUT: LinkOut<Json, 0> = LinkOut::new("mqtt://places/out").with_json().with_config(AT_LEAST_ONCE);

/// Takes its time, until all twenty were counted.
#[service]
async fn taking<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut values: Consumer<Reading>,
    offline: Producer<Reading>,
) -> Result<(), Infallible> {
    let _open = offline.send(Reading { number: 0, millicelsius: 0 }).await;
    let mut before = 0;
    loop {
        ctx.sleep(Duration::from_millis(5)).await;
        let _taken = values.try_recv();
        let counts = PLACES_IN.counts();
        if counts.values + counts.failed != before {
            before = counts.values + counts.failed;
            println!(
                "{before} came, {} of them had no place; {} were dropped",
                counts.failed,
                OFFLINE_OUT.counts().dropped
            );
        }
        if before == 20 {
            MQTT.close();
            return Ok(());
        }
    }
}

/// Links with a place for no value, where values come faster than they are taken, and before there is a connection.
pub async fn no_places(board: &Board) -> bool {
    let start = || {
        let links =
            Links::new().link_from(&PLACES_IN, PLACES.producer().ok()?).link_to(&OFFLINE_OUT, OFFLINE.consumer().ok()?);
        Greeting::spawn_static(board.runtime, MQTT.connection()?).ok()?;
        Taking::spawn_static(board.runtime, PLACES.consumer().ok()?, OFFLINE.producer().ok()?).ok()?;
        Some(links)
    };
    let Some(links) = start() else { fault(format_args!("a service does not start")) };
    let broker = MqttConnector::new(board.url).client_id("board");
    MQTT.run(board.runtime, &broker, &links).await.is_ok() && OFFLINE_OUT.counts().dropped == 1
}
