//! The demo's services: two that measure, one that watches, one that takes commands, and one that times what comes back.
//! They know their records' types, and no runtime.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use anabranch::{JoinError, prelude::*};

use crate::{
    machine::{Machine, MachineError, Readings, Sensors},
    readings::{Alert, Command, Cpu, Crossing, Disk, Level, Limits, Memory, Network, Quantity, Reading, Temperature},
    smoothing::{Guard, Smoother},
    timestamp::Timestamp,
};

/// The least time in which the system's processor counters move enough to be read.
pub const LEAST_PERIOD: Duration = Duration::from_millis(200);

/// Why a service could not measure.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("reading the system panicked; please report it with what this machine is")]
    Panicked(#[from] JoinError),
    #[error("this machine does not know the time; set its clock")]
    NoClock,
    #[error("no temperature sensor answers any more; plug it in again")]
    NoSensor,
}

/// Measures the machine, the first time as soon as its counters have moved, then `every` so often.
#[service(restart = "on-failure", limit = 5)]
pub async fn measure<R: Runtime + SpawnBlocking>(
    ctx: RuntimeContext<R>,
    every: Duration,
    cpu: Producer<Reading<Cpu>>,
    memory: Producer<Reading<Memory>>,
    disk: Producer<Reading<Disk>>,
    network: Producer<Reading<Network>>,
) -> Result<(), MeasureError> {
    let mut machine = ctx.spawn_blocking(Machine::open).await??;
    ctx.sleep(LEAST_PERIOD).await;
    let mut every = ctx.interval(every);
    loop {
        // The machine goes to the thread that may wait for the system, and comes back with what it read.
        let reading = ctx.spawn_blocking(move || {
            let readings = machine.read();
            (machine, readings)
        });
        let readings: Readings;
        (machine, readings) = reading.await?;
        let time = now(&ctx)?;
        cpu.produce(Reading { time, value: readings.cpu });
        memory.produce(Reading { time, value: readings.memory });
        if let Some(value) = readings.disk {
            disk.produce(Reading { time, value });
        }
        network.produce(Reading { time, value: readings.network });
        every.skip_missed();
        every.tick().await;
    }
}

/// Measures the hottest sensor, on a machine that has some.
#[service(restart = "on-failure", limit = 5)]
pub async fn thermometer<R: Runtime + SpawnBlocking>(
    ctx: RuntimeContext<R>,
    every: Duration,
    temperature: Producer<Reading<Temperature>>,
) -> Result<(), MeasureError> {
    let mut sensors = ctx.spawn_blocking(Sensors::open).await?.ok_or(MeasureError::NoSensor)?;
    let mut every = ctx.interval(every);
    loop {
        let reading = ctx.spawn_blocking(move || {
            let hottest = sensors.read();
            (sensors, hottest)
        });
        let hottest: Option<Temperature>;
        (sensors, hottest) = reading.await?;
        temperature.produce(Reading { time: now(&ctx)?, value: hottest.ok_or(MeasureError::NoSensor)? });
        every.skip_missed();
        every.tick().await;
    }
}

fn now<R: Runtime>(ctx: &RuntimeContext<R>) -> Result<Timestamp, MeasureError> {
    ctx.unix_time().map(Timestamp::from_unix).ok_or(MeasureError::NoClock)
}

/// How levels are smoothed, and how far below its limit one has to come for its alert to clear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watching {
    pub smooth_over: Duration,
    pub hysteresis: f64,
}

/// Smooths the levels, and raises an alert when one goes over its limit and another when it is well below again.
#[service(restart = "on-failure")]
pub async fn watch<R: Runtime>(
    _ctx: RuntimeContext<R>,
    watching: Watching,
    levels: &mut Consumer<Reading<Level>>,
    smooth: Producer<Reading<Level>>,
    alerts: Producer<Reading<Alert>>,
) -> Result<(), Infallible> {
    let mut watched = Quantity::ALL.map(|of| (of, Smoother::new(watching.smooth_over), Guard::default()));
    while let Some(Reading { time, value: level }) = levels.next().await {
        for (_, smoother, guard) in watched.iter_mut().filter(|(of, ..)| *of == level.of) {
            let value = smoother.push(time, level.value);
            smooth.produce(Reading { time, value: Level { value, ..level } });
            if let Some((state, line)) = guard.look(value, level.limit, watching.hysteresis) {
                let alert = Alert { of: level.of, state, value, line };
                let _nobody_listens = alerts.send(Reading { time, value: alert }).await;
            }
        }
    }
    Ok(())
}

/// Says which limits hold: those of the start, and after each command what it makes of them.
#[service(restart = "on-failure", limit = 5)]
pub async fn steer<R: Runtime>(
    ctx: RuntimeContext<R>,
    begun: Limits,
    commands: &mut Consumer<Command>,
    limits: Producer<Reading<Limits>>,
) -> Result<(), MeasureError> {
    limits.produce(Reading { time: now(&ctx)?, value: begun });
    while let Some(command) = commands.next().await {
        limits.produce(Reading { time: now(&ctx)?, value: command.applied_to(begun) });
    }
    Ok(())
}

/// Among how many of the newest a crossing is placed.
const NEWEST: usize = 100;

/// Times the readings that come back: how long each took from where it was measured.
#[service(restart = "on-failure", limit = 5)]
pub async fn time_crossings<R: Runtime>(
    ctx: RuntimeContext<R>,
    returned: &mut Consumer<Reading<Cpu>>,
    crossing: Producer<Reading<Crossing>>,
) -> Result<(), MeasureError> {
    let mut newest = VecDeque::with_capacity(NEWEST);
    while let Some(reading) = returned.next().await {
        let time = now(&ctx)?;
        if newest.len() == NEWEST {
            newest.pop_front();
        }
        let milliseconds = time.since(reading.time).as_secs_f64() * 1e3;
        newest.push_back(milliseconds);
        let mut sorted = Vec::from_iter(newest.iter().copied());
        sorted.sort_unstable_by(f64::total_cmp);
        // The smallest that this part of them does not pass.
        let within = |hundredths: usize| sorted[(sorted.len() * hundredths).div_ceil(100).max(1) - 1];
        let value =
            Crossing { milliseconds, p50_milliseconds: within(50), p99_milliseconds: within(99), among: sorted.len() };
        crossing.produce(Reading { time, value });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anabranch::ConnectionState;
    use anabranch_sim::check;

    use super::*;
    use crate::{
        flow::{self, ALERTS, CPU, CROSSING, LIMITS, LOAD, Options},
        mqtt::{self, Topics},
        readings::{AlertState, Load},
        scripted::{self, OPTIONS, Written},
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// A processor that is busy by these, second by second, and calm otherwise.
    fn busy(percent: &[f64]) -> impl Iterator<Item = Written> {
        percent.iter().map(|percent| Written { cpu: *percent, memory: 20.0, celsius: 40.0 })
    }

    #[test]
    fn a_busy_processor_raises_one_alert_when_its_average_is_over_the_limit_and_clears_it_well_below() {
        check(0..100, |sim| {
            let adapter = sim.adapter();
            let alerts = sim.block_on(async move {
                let begin = Timestamp::from_unix(adapter.unix_time().unwrap_or_default());
                let machine = scripted::Machine::new(Anabranch::builder().runtime(adapter), OPTIONS).await?;
                let mut alerts = machine.db.consumer::<Reading<Alert>>(ALERTS)?;
                machine.db.start();
                // Ten seconds calm, twenty busy, calm again: the average passes 80 % after 5 s · ln(90 / 20) = 7.5 s, and
                // 75 % on its way down after 5 s · ln(88.35 / 65) = 1.5 s.
                for written in busy(&[[10.0; 10], [100.0; 10], [100.0; 10], [10.0; 10]].concat()) {
                    machine.measure(written).await;
                }
                assert_eq!(machine.db.shutdown(SECOND).await.aborted, [""; 0]);
                let mut seen = Vec::new();
                while let Some(Reading { time, value }) = alerts.next().await {
                    seen.push((value.of, value.state, time.since(begin).as_secs()));
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(seen)
            })??;
            let expected = [(Quantity::Cpu, AlertState::Raised, 18), (Quantity::Cpu, AlertState::Cleared, 32)];
            assert_eq!(alerts, expected);
            Ok(())
        });
    }

    #[test]
    fn no_alert_is_lost_when_nobody_reads_them_for_a_while() {
        check(0..100, |sim| {
            let adapter = sim.adapter();
            let count = sim.block_on(async move {
                let watching = Watching { smooth_over: Duration::ZERO, hysteresis: 0.0 };
                let options = Options { watching, ..OPTIONS };
                let machine = scripted::Machine::new(Anabranch::builder().runtime(adapter.clone()), options).await?;
                let mut alerts = machine.db.consumer::<Reading<Alert>>(ALERTS)?;
                machine.db.start();
                // An alert a second: the queue's 16, and then the levels wait in their ring, which has room for 16 moments.
                let reader = adapter.spawn_after(26 * SECOND, async move {
                    let mut count = 0;
                    while alerts.next().await.is_some() {
                        count += 1;
                    }
                    count
                });
                for written in busy(&[[90.0, 10.0]; 12].concat()) {
                    machine.measure(written).await;
                }
                assert_eq!(machine.db.shutdown(60 * SECOND).await.aborted, [""; 0]);
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(reader.await?)
            })??;
            assert_eq!(count, 24);
            Ok(())
        });
    }

    #[test]
    fn readings_cross_a_broker_and_a_command_from_there_moves_a_limit() {
        check(0..50, |sim| {
            let adapter = sim.adapter();
            sim.block_on(async move {
                let (broker, topics) = (scripted::broker(&adapter), Topics::of("workshop"));
                let builder = Anabranch::builder().runtime(adapter.clone()).with_connector(scripted::connector());
                let watching = Watching { smooth_over: Duration::ZERO, hysteresis: 5.0 };
                let machine =
                    scripted::Machine::with_links(builder, Options { watching, ..OPTIONS }, Some(&topics)).await?;
                let db = &machine.db;
                let mut alerts = db.consumer::<Reading<Alert>>(ALERTS)?;
                let mut crossing = db.consumer::<Reading<Crossing>>(CROSSING)?;
                let mut limits = db.consumer::<Reading<Limits>>(LIMITS)?;
                let mut connection = db.connection("mqtt").ok_or("no connector")?;
                db.start();
                assert_eq!(limits.next().await.map(|limits| limits.value), Some(OPTIONS.limits));
                while connection.next().await != Some(ConnectionState::Online) {}
                for (number, written) in busy(&[60.0; 3]).enumerate() {
                    machine.measure(written).await;
                    let crossing = crossing.next().await.ok_or("nothing came back")?.value;
                    assert!(crossing.milliseconds > 0.0 && crossing.among == number + 1, "{crossing:?}");
                }
                // Nothing is measured meanwhile: the command by itself raises the alert, and another clears it.
                let set = topics.topic(mqtt::COMMANDS);
                let steps = [
                    (r#"{"cpu":50}"#, 50.0, AlertState::Raised),
                    (r#"{"cpu":501}"#, 50.0, AlertState::Raised),
                    ("", 80.0, AlertState::Cleared),
                ];
                for (command, limit, state) in steps {
                    broker.publish(&set, command, 1, true)?;
                    if command.contains("501") {
                        continue;
                    }
                    assert_eq!(limits.next().await.map(|limits| limits.value.cpu_percent), Some(limit));
                    let alert = alerts.next().await.ok_or("no alert")?.value;
                    assert_eq!((alert.of, alert.state), (Quantity::Cpu, state));
                }
                assert_eq!(db.shutdown(SECOND).await.aborted, [""; 0]);
                let refused = db.links().into_iter().filter_map(|link| link.last_error).collect::<Vec<_>>();
                assert_eq!(refused.len(), 1);
                assert!(refused[0].contains("cpu cannot be limited to 501"), "{refused:?}");
                let published = broker.published();
                let of = |leaf: &str| published.iter().filter(|one| *one.topic == *topics.topic(leaf)).count();
                assert_eq!([of("cpu"), of("memory"), of("level/cpu"), of("alerts"), of("limits")], [3, 3, 5, 2, 3]);
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            })??;
            Ok(())
        });
    }

    #[test]
    fn load_is_made_of_readings_of_one_moment() {
        check(0..100, |sim| {
            let adapter = sim.adapter();
            let loads = sim.block_on(async move {
                let machine = scripted::Machine::new(Anabranch::builder().runtime(adapter), OPTIONS).await?;
                let mut load = machine.db.consumer::<Reading<Load>>(LOAD)?;
                machine.db.start();
                let mut loads = Vec::new();
                for written in busy(&[5.0, 50.0, 15.0]) {
                    machine.measure(written).await;
                    loads.extend(load.next().await.map(|load| load.value.percent));
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(loads)
            })??;
            assert_eq!(loads, [20.0, 50.0, 20.0]);
            Ok(())
        });
    }

    #[test]
    fn measuring_keeps_its_period() {
        check(0..2, |sim| {
            let adapter = sim.adapter();
            let times = sim.block_on(async move {
                let options = Options { temperature: false, ..OPTIONS };
                let db = flow::of_this_machine(adapter, options, SECOND, None, None).await?;
                let mut cpu = db.consumer::<Reading<Cpu>>(CPU)?;
                db.start();
                let mut times = Vec::new();
                for _ in 0..10 {
                    times.extend(cpu.next().await.map(|reading| reading.time));
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
            })??;
            // Reading takes its time, a millisecond here; that does not add up.
            for (second, time) in (0_u32..).zip(&times) {
                let off = time.since(times[0]).abs_diff(SECOND * second);
                assert!(off <= Duration::from_millis(2), "reading {second} is off by {off:?}");
            }
            assert_eq!(times.len(), 10);
            Ok(())
        });
    }
}
