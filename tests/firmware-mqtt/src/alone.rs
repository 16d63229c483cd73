//! A board that nobody answers, for an hour of its own time: the cable is out, or there is nobody at its other end. And
//! what waits, waits asleep.

use crate::board::{Board, fault};
use anabranch::{
    ClaimError, ConnectError, ConnectorConfig, Endpoint, Json, LinkOut, Links, Network, Offline,
    embassy::{EmbassyAdapter, EmbassyStream, Instant, Sleep},
    mqtt::{MqttConnector, MqttFailure, StaticMqtt},
    prelude::*,
};
use board_mps2::{println, stack, wake_ups};
use core::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use firmware_mqtt::Reading;

const KEPT: usize = 16;
/// The longest pause between two attempts, which vary by half as much again.
const LONGEST: Duration = Duration::from_secs(60);
/// An interrupt with its handler takes less than this of the stack, and may come at a deeper moment than before.
const INTERRUPT: usize = 256;

static READINGS: Record<Reading, Queue<8>> = Record::unnamed();
static OUT: LinkOut<Json, KEPT> = LinkOut::new("mqtt://alone/readings").with_json().with_config(ConnectorConfig {
    qos: Some(1),
    offline: Some(Offline::KeepNewest(KEPT)),
    ..ConnectorConfig::DEFAULT
});
static MQTT: StaticMqtt<1024, 512, 4> = StaticMqtt::new();

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
static LAST_ATTEMPT: AtomicU32 = AtomicU32::new(0);
static LONGEST_PAUSE: AtomicU32 = AtomicU32::new(0);

/// The board's adapter, which notes when somebody wants to connect.
#[derive(Debug, Clone, Copy)]
struct Noting {
    inner: EmbassyAdapter,
    start: Instant,
}

impl RuntimeAdapter for Noting {
    fn runtime_name(&self) -> &'static str {
        self.inner.runtime_name()
    }
}

impl TimeSource for Noting {
    type Instant = Instant;
    type Sleep = Sleep;
    fn now(&self) -> Instant {
        self.inner.now()
    }
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.inner.sleep_until(deadline)
    }
    fn unix_time(&self) -> Option<Duration> {
        self.inner.unix_time()
    }
}

impl Network for Noting {
    type Stream = EmbassyStream;

    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<EmbassyStream, ConnectError> {
        let now = self.now().since(self.start).as_millis() as u32;
        let pause = now - LAST_ATTEMPT.swap(now, Relaxed);
        LONGEST_PAUSE.fetch_max(pause, Relaxed);
        ATTEMPTS.fetch_add(1, Relaxed);
        self.inner.connect(endpoint).await
    }

    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        self.inner.check(endpoint)
    }
}

/// A reading a second.
#[service]
async fn metering<R: Runtime>(ctx: RuntimeContext<R>, readings: Producer<Reading>) -> Result<(), Infallible> {
    let mut every = ctx.interval(Duration::from_secs(1));
    for number in 0.. {
        every.tick().await;
        let _open = readings.send(Reading { number, millicelsius: 0 }).await;
    }
    Ok(())
}

/// Looks around after ten minutes, and an hour later.
#[service]
async fn judging<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    ctx.sleep(Duration::from_millis(600_500)).await;
    let before = (stack::high_water(), wake_ups(), ATTEMPTS.load(Relaxed), OUT.counts(), lan9118::counts());
    ctx.sleep(Duration::from_secs(3_600)).await;
    let after = (stack::high_water(), wake_ups(), ATTEMPTS.load(Relaxed), OUT.counts(), lan9118::counts());
    let (woken, attempts) = (after.1 - before.1, after.2 - before.2);
    let (sent, longest) = (after.4.sent - before.4.sent, LONGEST_PAUSE.load(Relaxed));
    println!(
        "an hour: {woken} wake-ups, {attempts} attempts at most {longest} ms apart, {sent} frames sent, the stack went {} \
         bytes deep before and {} by then; {} kept, {} dropped",
        before.0, after.0, after.3.kept, after.3.dropped
    );
    let status = MQTT.status();
    // The timers that are due: the meter's, one for each attempt, one for each frame in which an address is asked for, and
    // this service's own.
    let timers = 3_600 + attempts + sent + 1;
    let checks = [
        ("the stack", after.0 <= before.0 + INTERRUPT),
        ("kept", after.3.kept == KEPT && before.3.kept == KEPT),
        ("dropped", after.3.dropped - before.3.dropped == 3_600),
        ("pauses", Duration::from_millis(longest.into()) <= LONGEST * 3 / 2 && attempts >= 3_600 / 90),
        ("wake-ups", woken == timers),
        ("records", READINGS.status().held == 0),
        ("a typed failure", status.last_failure == Some(MqttFailure::NoNetwork) && status.connects == 0),
    ];
    if let Some((what, _)) = checks.iter().find(|(_, holds)| !holds) {
        fault(format_args!("FAIL {what}: {timers} timers were due; {status:?}"));
    }
    MQTT.close();
    Ok(())
}

pub async fn run(board: &Board) -> bool {
    let runtime = board.runtime;
    let start = || {
        let links = Links::new().link_to(&OUT, READINGS.consumer().ok()?);
        Metering::spawn_static(runtime, READINGS.producer().ok()?).ok()?;
        Judging::spawn_static(runtime).ok()?;
        Some(links)
    };
    let Some(links) = start() else { fault(format_args!("a service does not start")) };
    let broker = MqttConnector::new(board.url).client_id("board").backoff(Duration::from_millis(100), LONGEST);
    let noting = Noting { inner: *runtime, start: runtime.now() };
    MQTT.run(&noting, &broker, &links).await.is_ok()
}

static MAIL: Record<u32, Mailbox> = Record::unnamed();

#[service(instances = 2)]
async fn tap<R: Runtime>(_ctx: RuntimeContext<R>, mut mail: Consumer<u32>) -> Result<(), Infallible> {
    while mail.next().await.is_some() {}
    Ok(())
}

/// Two who wait at one mailbox: the core sleeps until a value comes, which one of them takes.
pub async fn taps(board: &Board) -> bool {
    let runtime = board.runtime;
    let start = || {
        // Two instances, which share the mailbox's one consumer; another one is refused.
        Tap::spawn_static(runtime, MAIL.consumer().ok()?).ok()?;
        matches!(MAIL.consumer(), Err(ClaimError::ConsumerTaken)).then(|| MAIL.producer().ok())?
    };
    let Some(mail) = start() else { fault(format_args!("a service does not start")) };
    runtime.sleep(Duration::from_secs(1)).await;
    let before = (wake_ups(), lan9118::counts());
    for number in 0..60 {
        mail.produce(number);
        runtime.sleep(Duration::from_secs(1)).await;
    }
    let woken = wake_ups() - before.0;
    println!("{woken} wake-ups in a minute with a value a second");
    // One for each second, and one, once, for the clock's own alarm; there is no network to wake it.
    (60..=61).contains(&woken) && lan9118::counts() == before.1 && MAIL.status().held == 0
}

static LAGGED: Record<u32, Ring<4>> = Record::unnamed();
static SEEN: AtomicU32 = AtomicU32::new(0);

/// The loop of the documentation.
#[service]
async fn lagging<R: Runtime>(_ctx: RuntimeContext<R>, mut values: Consumer<u32>) -> Result<(), Infallible> {
    while let Some(value) = values.next().await {
        SEEN.store(SEEN.load(Relaxed) * 16 + value, Relaxed);
    }
    Ok(())
}

/// A reader that lags misses the oldest values, and goes on.
pub async fn lags(board: &Board) -> bool {
    let start = || {
        Lagging::spawn_static(board.runtime, LAGGED.consumer().ok()?).ok()?;
        LAGGED.producer().ok()
    };
    let Some(values) = start() else { fault(format_args!("a service does not start")) };
    for value in 0..10 {
        values.produce(value);
    }
    board.runtime.sleep(Duration::from_millis(1)).await;
    values.produce(10);
    board.runtime.sleep(Duration::from_millis(1)).await;
    println!("seen {:x}, lost {}", SEEN.load(Relaxed), LAGGED.status().lost);
    SEEN.load(Relaxed) == 0x6789a && LAGGED.status().lost == 6
}
