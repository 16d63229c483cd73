//! From a sensor to the bytes that the network is given: sensor, service, encoding and MQTT, each in its task, one value
//! after the other.

use crate::{
    broker::{self, ACKNOWLEDGED, BYTES, PUBLISHED},
    by_hand,
    firmware::VALUES,
    in_one_task::Taken,
    linked,
    report::{Report, Thousandths},
};
use board_mps2::{InstructionCounter, SteppedExecutor};
use core::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use embassy_executor::Spawner;
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use sensors_to_alerts::Reading;

/// What a sensor's interrupt tells its task.
pub type Sample = Signal<CriticalSectionRawMutex, Reading>;

/// A program that does it.
pub struct Way {
    pub sample: &'static Sample,
    /// Starts the sensor and the smoother.
    pub start: fn(Spawner) -> Result<(), Taken>,
    /// Connects to the broker, and publishes with this quality of service.
    pub publish: fn(Spawner, usize) -> Result<(), Taken>,
    /// Publishes no more.
    pub stop: fn(usize),
}

/// More turns than any connection needs to be made, or to end, or any value to be published.
const TURNS: u32 = 64;

/// Counts every case.
pub fn run(counter: &InstructionCounter, executor: &mut SteppedExecutor, report: &mut Report) -> Result<(), Taken> {
    (linked::WAY.start)(executor.spawner())?;
    (by_hand::WAY.start)(executor.spawner())?;
    for (qos, case, answers) in
        [(0, "sensor → service → MQTT, QoS 0", None), (1, "sensor → service → MQTT, QoS 1", Some(&ACKNOWLEDGED))]
    {
        let (ours, bytes) = count(&linked::WAY, qos, answers, executor, counter)?;
        let (peer, same) = count(&by_hand::WAY, qos, answers, executor, counter)?;
        assert!(bytes == same, "one of them publishes something else");
        report.beside("embassy-sync, rust-mqtt", case, VALUES, ours, peer, Some(Thousandths(1_300)));
    }
    Ok(())
}

/// The instructions until all values are published, each when the one before is, and acknowledged if there are `answers`;
/// and how many bytes they took.
fn count(
    way: &Way,
    qos: usize,
    answers: Option<&AtomicU32>,
    executor: &mut SteppedExecutor,
    counter: &InstructionCounter,
) -> Result<(u32, u32), Taken> {
    let turn = |executor: &mut SteppedExecutor| {
        executor.step();
        broker::pass();
    };
    (way.publish)(executor.spawner(), qos)?;
    (0..TURNS).for_each(|_| turn(executor));
    let before = PUBLISHED.load(Relaxed);
    let bytes = BYTES.load(Relaxed);
    let counted = answers.unwrap_or(&PUBLISHED);
    let instructions = counter.of(|| {
        for n in 0..VALUES {
            let millicelsius = 25_000 + n as i32;
            way.sample.signal(black_box(Reading { millicelsius, edge: Duration::from_millis(n.into()) }));
            let all = counted.load(Relaxed) + 1;
            let mut turns = 0;
            while counted.load(Relaxed) < all {
                assert!(turns < TURNS, "a value was not published");
                turn(executor);
                turns += 1;
            }
        }
    });
    assert!(PUBLISHED.load(Relaxed) - before == VALUES, "a value was not published, or twice");
    let bytes = BYTES.load(Relaxed) - bytes;
    (way.stop)(qos);
    (0..TURNS).for_each(|_| turn(executor));
    Ok((instructions, bytes))
}
