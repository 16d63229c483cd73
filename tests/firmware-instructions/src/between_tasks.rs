//! From task to task on Embassy's executor: the producer sends, its consumers are woken, run, and wait again.

use crate::{
    firmware::{Reading, VALUES},
    in_one_task::Taken,
    report::{Report, Thousandths},
};
use anabranch_core::{Buffer, Consumer, Latest, Producer, Record, Ring};
use board_mps2::{InstructionCounter, SteppedExecutor};
use core::{
    future::poll_fn,
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::Poll,
};
use embassy_executor::{SpawnError, SpawnToken};
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Cs,
    pubsub::{ImmediatePublisher, PubSubChannel, Subscriber},
    watch::{Receiver, Sender, Watch},
};

static RING: Record<Reading, Ring<64>> = Record::unnamed();
static TOPIC: PubSubChannel<Cs, Reading, 64, 4, 1> = PubSubChannel::new();

static RECEIVED: AtomicU32 = AtomicU32::new(0);
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Says that a task runs, from when it is spawned to when it ends.
struct Running;
impl Running {
    fn new() -> Self {
        RUNNING.fetch_add(1, Relaxed);
        Running
    }
}
impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Relaxed);
    }
}

impl From<SpawnError> for Taken {
    fn from(_: SpawnError) -> Self {
        Taken
    }
}

/// Lets every other task that is ready run first.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Sends all values, `burst` at a time, the next burst when all consumers have got the last one.
async fn send_all(burst: u32, consumers: u32, mut send: impl FnMut(Reading)) {
    let mut n = 0;
    while n < VALUES {
        for _ in 0..burst {
            send(black_box(Reading::number(n)));
            n += 1;
        }
        while RECEIVED.load(Relaxed) < n * consumers {
            yield_now().await;
        }
    }
}

fn received(value: &Reading) {
    black_box(value);
    RECEIVED.store(RECEIVED.load(Relaxed) + 1, Relaxed);
}

#[embassy_executor::task]
async fn record_producer(producer: Producer<Reading>, burst: u32, consumers: u32, _running: Running) {
    send_all(burst, consumers, |value| _ = producer.produce(value)).await;
}

#[embassy_executor::task(pool_size = 4)]
async fn record_consumer(mut consumer: Consumer<Reading>, values: u32, _running: Running) {
    for _ in 0..values {
        let Some(value) = consumer.next().await else { return };
        received(&value);
    }
}

#[embassy_executor::task]
async fn topic_producer(
    producer: ImmediatePublisher<'static, Cs, Reading, 64, 4, 1>,
    burst: u32,
    consumers: u32,
    _running: Running,
) {
    send_all(burst, consumers, |value| producer.publish_immediate(value)).await;
}

#[embassy_executor::task(pool_size = 4)]
async fn topic_consumer(mut consumer: Subscriber<'static, Cs, Reading, 64, 4, 1>, _running: Running) {
    for _ in 0..VALUES {
        received(&consumer.next_message_pure().await);
    }
}

#[embassy_executor::task]
async fn watch_producer(producer: Sender<'static, Cs, Reading, 4>, consumers: u32, _running: Running) {
    send_all(1, consumers, |value| producer.send(value)).await;
}

#[embassy_executor::task(pool_size = 4)]
async fn watch_consumer(mut consumer: Receiver<'static, Cs, Reading, 4>, _running: Running) {
    for _ in 0..VALUES {
        received(&consumer.changed().await);
    }
}

/// Counts every case.
pub fn run(counter: &InstructionCounter, executor: &mut SteppedExecutor, report: &mut Report) -> Result<(), Taken> {
    for (case, consumers, burst) in [
        ("ring 1→1, task to task", 1, 1),
        ("ring 1→4, task to task", 4, 1),
        ("ring 1→1, task to task, bursts of 16", 1, 16),
        ("ring 1→4, task to task, bursts of 16", 4, 16),
    ] {
        let ours = record(&RING, consumers, burst, executor, counter)?;
        let peer = topic(consumers, burst, executor, counter)?;
        report.case(case, VALUES, ours, peer, Some(Thousandths(1_500)));
    }
    // one for each case: a new consumer starts with the value that is there
    static LATESTS: [Record<Reading, Latest>; 2] = [const { Record::unnamed() }; 2];
    static WATCHES: [Watch<Cs, Reading, 4>; 2] = [const { Watch::new() }; 2];
    let cases = [("latest 1→1, task to task", 1), ("latest 1→4, task to task", 4)];
    for ((case, consumers), (latest, channel)) in cases.into_iter().zip(LATESTS.iter().zip(&WATCHES)) {
        let ours = record(latest, consumers, 1, executor, counter)?;
        let peer = watch(channel, consumers, executor, counter)?;
        report.case(case, VALUES, ours, peer, Some(Thousandths(1_200)));
    }
    Ok(())
}

fn record<B: Buffer<Reading>>(
    record: &'static Record<Reading, B>,
    consumers: u32,
    burst: u32,
    executor: &mut SteppedExecutor,
    counter: &InstructionCounter,
) -> Result<u32, Taken>
where
    B::Store: Send,
{
    let producer = record.producer()?;
    for _ in 0..consumers {
        executor.spawner().spawn(record_consumer(record.consumer()?, VALUES, Running::new())?);
    }
    count(executor, counter, consumers, record_producer(producer, burst, consumers, Running::new())?)
}

fn topic(
    consumers: u32,
    burst: u32,
    executor: &mut SteppedExecutor,
    counter: &InstructionCounter,
) -> Result<u32, Taken> {
    for _ in 0..consumers {
        executor.spawner().spawn(topic_consumer(TOPIC.subscriber().map_err(|_| Taken)?, Running::new())?);
    }
    count(executor, counter, consumers, topic_producer(TOPIC.immediate_publisher(), burst, consumers, Running::new())?)
}

fn watch(
    channel: &'static Watch<Cs, Reading, 4>,
    consumers: u32,
    executor: &mut SteppedExecutor,
    counter: &InstructionCounter,
) -> Result<u32, Taken> {
    for _ in 0..consumers {
        executor.spawner().spawn(watch_consumer(channel.receiver().ok_or(Taken)?, Running::new())?);
    }
    count(executor, counter, consumers, watch_producer(channel.sender(), consumers, Running::new())?)
}

/// The instructions from the producer's start to the end of all tasks. The consumers wait already when it starts.
fn count<S>(
    executor: &mut SteppedExecutor,
    counter: &InstructionCounter,
    consumers: u32,
    producer: SpawnToken<S>,
) -> Result<u32, Taken> {
    executor.step();
    RECEIVED.store(0, Relaxed);
    executor.spawner().spawn(producer);
    let instructions = counter.of(|| {
        while RUNNING.load(Relaxed) > 0 {
            executor.step();
        }
    });
    assert!(RECEIVED.load(Relaxed) == consumers * VALUES, "a value was not received");
    Ok(instructions)
}
