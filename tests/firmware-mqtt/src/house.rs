//! A house: it shows readings, obeys commands, raises alerts, and reports on itself.
//!
//! ```text
//!  house/meter ──▶ METER ──▶ meter ──▶ TELEMETRY ──▶ house/telemetry/{number}   512 are kept without a connection
//!                                              └───▶ house/newest               8 are
//!  house/switch ─▶ SWITCH ─▶ actuator ─▶ ACTUATOR ─▶ house/actuator
//!  house/edge ───▶ EDGE ───▶ alarm ────▶ ALERT ────▶ house/alert
//!  house/ask ────▶ ASK ────▶ clerk ────▶ REPORT ───▶ house/report               what it sees of all the others
//!  house/end ────▶ END ────▶ end
//! ```

use crate::board::{Board, fault};
use anabranch::{
    Cbor, ConnectionState, ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links, Offline, Postcard, SendError,
    embassy::EmbassyAdapter,
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use board_mps2::{println, stack, wake_ups};
use core::convert::Infallible;
use firmware_mqtt::{Actuator, Alert, Ask, Counts, Edge, Meter, Reading, Report, Switch};

static METER: Record<Meter, Queue<2>> = Record::unnamed();
static TELEMETRY: Record<Reading, Queue<16, 2>> = Record::unnamed();
static SWITCH: Record<Switch, Queue<4>> = Record::unnamed();
static ACTUATOR: Record<Actuator, Latest> = Record::unnamed();
static EDGE: Record<Edge, Ring<16>> = Record::unnamed();
static ALERT: Record<Alert, Queue<8>> = Record::unnamed();
static ASK: Record<Ask, Mailbox> = Record::unnamed();
static REPORT: Record<Report, Queue<2>> = Record::unnamed();
static END: Record<u32, Mailbox> = Record::unnamed();

const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };
const NEWEST: usize = 8;

static METER_IN: LinkIn<Json, 2> = LinkIn::new("mqtt://house/meter").with_json().with_config(AT_LEAST_ONCE);
static TELEMETRY_OUT: LinkOut<Json, 512> =
    LinkOut::new("mqtt://house/telemetry/{number}").with_json().with_config(AT_LEAST_ONCE);
static NEWEST_OUT: LinkOut<Json, NEWEST> = LinkOut::new("mqtt://house/newest")
    .with_json()
    .with_config(ConnectorConfig { offline: Some(Offline::KeepNewest(NEWEST)), ..AT_LEAST_ONCE });
static SWITCH_IN: LinkIn<Json, 8> = LinkIn::new("mqtt://house/switch").with_json().with_config(AT_LEAST_ONCE);
static ACTUATOR_OUT: LinkOut<Json, 1> = LinkOut::new("mqtt://house/actuator").with_json().with_config(AT_LEAST_ONCE);
static EDGE_IN: LinkIn<Cbor> = LinkIn::new("mqtt://house/edge").with_cbor().with_config(AT_LEAST_ONCE);
static ALERT_OUT: LinkOut<Cbor, 8> = LinkOut::new("mqtt://house/alert").with_cbor().with_config(AT_LEAST_ONCE);
static ASK_IN: LinkIn<Postcard> = LinkIn::new("mqtt://house/ask").with_postcard().with_config(AT_LEAST_ONCE);
static REPORT_OUT: LinkOut<Postcard, 1> =
    LinkOut::new("mqtt://house/report").with_postcard().with_config(AT_LEAST_ONCE);
static END_IN: LinkIn<Json> = LinkIn::new("mqtt://house/end").with_json().with_config(AT_LEAST_ONCE);
static MQTT: StaticMqtt<16_384, 1024, 16> = StaticMqtt::new();

/// Until it is told to end. The word is how many seconds it waits before it asks whether the broker is there.
pub async fn run(board: &Board) -> bool {
    let keep_alive = Duration::from_secs(board.word.parse().unwrap_or(5));
    let broker = MqttConnector::new(board.url)
        .client_id("board")
        .keep_alive(keep_alive)
        .backoff(Duration::from_millis(50), Duration::from_secs(1))
        .answer_within(Duration::from_secs(2))
        .last_will("house/state", "gone", 1, true);
    let Some(links) = start(board.runtime) else { fault(format_args!("a service does not start")) };
    if let Err(error) = MQTT.run(board.runtime, &broker, &links).await {
        fault(format_args!("{error}"));
    }
    let status = MQTT.status();
    println!("{} connections, {} in flight", status.connects, status.in_flight);
    status.in_flight == 0
}

fn start(runtime: &'static EmbassyAdapter) -> Option<impl LinkSet + use<>> {
    let links = Links::new()
        .link_from(&METER_IN, METER.producer().ok()?)
        .link_to(&TELEMETRY_OUT, TELEMETRY.consumer().ok()?)
        .link_to(&NEWEST_OUT, TELEMETRY.consumer().ok()?)
        .link_from(&SWITCH_IN, SWITCH.producer().ok()?)
        .link_to(&ACTUATOR_OUT, ACTUATOR.consumer().ok()?)
        .link_from(&EDGE_IN, EDGE.producer().ok()?)
        .link_to(&ALERT_OUT, ALERT.consumer().ok()?)
        .link_from(&ASK_IN, ASK.producer().ok()?)
        .link_to(&REPORT_OUT, REPORT.consumer().ok()?)
        .link_from(&END_IN, END.producer().ok()?);
    Metering::spawn_static(runtime, METER.consumer().ok()?, TELEMETRY.producer().ok()?).ok()?;
    Acting::spawn_static(runtime, SWITCH.consumer().ok()?, ACTUATOR.producer().ok()?).ok()?;
    Alarm::spawn_static(runtime, EDGE.consumer().ok()?, ALERT.producer().ok()?).ok()?;
    Clerk::spawn_static(runtime, ASK.consumer().ok()?, REPORT.producer().ok()?).ok()?;
    Ending::spawn_static(runtime, END.consumer().ok()?).ok()?;
    Telling::spawn_static(runtime, MQTT.connection()?).ok()?;
    Some(links)
}

/// The first reading is taken before there is anybody to see it.
#[service]
async fn metering<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut orders: Consumer<Meter>,
    telemetry: Producer<Reading>,
) -> Result<(), SendError<Reading>> {
    let reading = |number| Reading { number, millicelsius: 20_000 + number as i32 % 1_000 };
    telemetry.send(reading(0)).await?;
    let mut number = 0;
    while let Some(Meter { count, every }) = orders.next().await {
        let mut every = ctx.interval(Duration::from_micros(every.into()));
        for _ in 0..count {
            every.tick().await;
            number += 1;
            telemetry.send(reading(number)).await?;
        }
        println!("metered {number}");
    }
    Ok(())
}

#[service]
async fn acting<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut commands: Consumer<Switch>,
    state: Producer<Actuator>,
) -> Result<(), Infallible> {
    while let Some(Switch { number, on }) = commands.next().await {
        state.produce(Actuator { number, on });
    }
    Ok(())
}

#[service]
async fn alarm<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut edges: Consumer<Edge>,
    alerts: Producer<Alert>,
) -> Result<(), SendError<Alert>> {
    let mut raised = false;
    while let Some(Edge { number, millicelsius }) = edges.next().await {
        let now = millicelsius > if raised { 24_000 } else { 26_000 };
        if now != raised {
            raised = now;
            alerts.send(Alert { number, raised }).await?;
        }
    }
    Ok(())
}

/// Reports what any service sees of the links, of the connection and of the board.
#[service]
async fn clerk<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut questions: Consumer<Ask>,
    reports: Producer<Report>,
) -> Result<(), SendError<Report>> {
    while let Some(Ask { number, seconds }) = questions.next().await {
        let mut before = (0, 0, 0);
        if seconds > 0 {
            ctx.sleep(Duration::from_secs(1)).await;
            before = woken();
            ctx.sleep(Duration::from_secs(seconds.into())).await;
        }
        let after = woken();
        let (status, counts) = (MQTT.status(), |counts: anabranch::LinkCounts| Counts {
            values: counts.values as u32,
            failed: counts.failed as u32,
            dropped: counts.dropped as u32,
            kept: counts.kept as u32,
        });
        let report = Report {
            number,
            stack: stack::high_water() as u32,
            wake_ups: after.0 - before.0,
            received: after.1 - before.1,
            sent: after.2 - before.2,
            connects: status.connects as u32,
            in_flight: status.in_flight as u32,
            unrouted: status.unrouted as u32,
            held: held(),
            telemetry: counts(TELEMETRY_OUT.counts()),
            newest: counts(NEWEST_OUT.counts()),
            switch: counts(SWITCH_IN.counts()),
        };
        reports.send(report).await?;
    }
    Ok(())
}

fn woken() -> (u32, u32, u32) {
    let frames = lan9118::counts();
    (wake_ups(), frames.received, frames.sent)
}

/// The values that records hold which are empty when nothing is to be done.
fn held() -> u32 {
    let held = [METER.status().held, TELEMETRY.status().held, SWITCH.status().held, ALERT.status().held];
    held.iter().sum::<usize>() as u32
}

#[service]
async fn ending<R: Runtime>(_ctx: RuntimeContext<R>, mut end: Consumer<u32>) -> Result<(), Infallible> {
    let _ended = end.next().await;
    MQTT.close();
    Ok(())
}

/// Says in the log when the connection comes and goes.
#[service]
async fn telling<R: Runtime>(_ctx: RuntimeContext<R>, mut states: Consumer<ConnectionState>) -> Result<(), Infallible> {
    let mut last = ConnectionState::Offline;
    while let Some(state) = states.next().await {
        if state != last {
            last = state;
            println!(
                "{state:?}: {} connections, last failure {:?}",
                MQTT.status().connects,
                MQTT.status().last_failure
            );
        }
    }
    Ok(())
}
