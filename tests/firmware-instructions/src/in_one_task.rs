//! Push and receive in one task: no waiting, no waking, nothing but the buffers.

use crate::{
    firmware::{Reading, VALUES},
    report::{Report, Thousandths},
};
use anabranch_core::{ClaimError, Consumer, Latest, Mailbox, Queue, Record, Ring};
use board_mps2::InstructionCounter;
use core::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Cs,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber},
    signal::Signal,
    watch::Watch,
};

type Topic = PubSubChannel<Cs, Reading, 64, 4, 1>;
type Readers = Subscriber<'static, Cs, Reading, 64, 4, 1>;

/// What a case needs was taken already: a fault of this program.
pub struct Taken;
impl From<ClaimError> for Taken {
    fn from(_: ClaimError) -> Self {
        Taken
    }
}

/// The instructions of [`VALUES`] rounds, each of which sends a value and says how many consumers got it.
fn count(counter: &InstructionCounter, consumers: u32, mut round: impl FnMut(Reading) -> u32) -> u32 {
    let mut received = 0;
    let mut rounds = || (0..VALUES).for_each(|n| received += round(black_box(Reading::number(n))));
    rounds(); // fills the buffers
    let instructions = counter.of(rounds);
    assert!(received == 2 * VALUES * consumers, "a value was not received");
    instructions
}

/// Uses a value that came.
#[inline]
fn got(value: Option<Reading>) -> u32 {
    match value {
        Some(value) => {
            black_box(&value);
            1
        }
        None => 0,
    }
}

/// The value of a future that has it at once.
#[inline]
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Counts every case.
pub fn run(counter: &InstructionCounter, report: &mut Report) -> Result<(), Taken> {
    const RING: Option<Thousandths> = Some(Thousandths(1_500));
    const LATEST: Option<Thousandths> = Some(Thousandths(1_200));
    let values = VALUES;

    let (ours, peer) = (ring::<1>(counter)?, topic::<1>(counter)?);
    report.case("ring 1→1, push + try_recv", values, ours.0, peer.0, RING);
    report.case("ring 1→1, push + next().await", values, ours.1, peer.1, RING);
    let (ours, peer) = (ring::<4>(counter)?, topic::<4>(counter)?);
    report.case("ring 1→4, push + try_recv", values, ours.0, peer.0, RING);
    report.case("ring 1→4, push + next().await", values, ours.1, peer.1, RING);
    let (ours, peer) = (latest(counter)?, watch(counter)?);
    report.case("latest, push + try_recv", values, ours.0, peer.0, LATEST);
    report.case("latest, push + next().await", values, ours.1, peer.1, LATEST);
    let (ours, peer) = (mailbox(counter)?, signal(counter));
    report.case("mailbox, push + try_recv", values, ours.0, peer.0, None);
    report.case("mailbox, push + next().await", values, ours.1, peer.1, None);
    let (ours, peer) = (queue(counter)?, channel(counter));
    report.case("queue, try_send + try_recv", values, ours.0, peer.0, None);
    report.case("queue, send().await + next().await", values, ours.1, peer.1, None);
    Ok(())
}

/// Instructions without and with awaiting.
type Counts = (u32, u32);

fn ring<const CONSUMERS: usize>(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static RECORD: Record<Reading, Ring<64>> = Record::unnamed();
    let producer = RECORD.producer()?;
    let first = RECORD.consumer()?;
    let mut consumers: [Consumer<Reading>; CONSUMERS] = core::array::from_fn(|_| first.clone());
    let trying = count(counter, CONSUMERS as u32, |value| {
        producer.produce(value);
        consumers.iter_mut().map(|consumer| got(consumer.try_recv().ok())).sum()
    });
    let awaiting = count(counter, CONSUMERS as u32, |value| {
        producer.produce(value);
        consumers.iter_mut().map(|consumer| got(at_once(consumer.next()).flatten())).sum()
    });
    Ok((trying, awaiting))
}

fn topic<const CONSUMERS: usize>(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static TOPIC: Topic = PubSubChannel::new();
    let producer = TOPIC.immediate_publisher();
    let mut consumers: [Option<Readers>; CONSUMERS] = core::array::from_fn(|_| TOPIC.subscriber().ok());
    let mut consumers = consumers.each_mut().map(|consumer| consumer.take().ok_or(Taken));
    if consumers.iter().any(Result::is_err) {
        return Err(Taken);
    }
    let trying = count(counter, CONSUMERS as u32, |value| {
        producer.publish_immediate(value);
        consumers.iter_mut().flatten().map(|consumer| got(consumer.try_next_message_pure())).sum()
    });
    let awaiting = count(counter, CONSUMERS as u32, |value| {
        producer.publish_immediate(value);
        consumers.iter_mut().flatten().map(|consumer| got(at_once(consumer.next_message_pure()))).sum()
    });
    Ok((trying, awaiting))
}

fn latest(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static RECORD: Record<Reading, Latest> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer()?, RECORD.consumer()?);
    let trying = count(counter, 1, |value| {
        producer.produce(value);
        got(consumer.try_recv().ok())
    });
    let awaiting = count(counter, 1, |value| {
        producer.produce(value);
        got(at_once(consumer.next()).flatten())
    });
    Ok((trying, awaiting))
}

fn watch(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static WATCH: Watch<Cs, Reading, 4> = Watch::new();
    let (producer, mut consumer) = (WATCH.sender(), WATCH.receiver().ok_or(Taken)?);
    let trying = count(counter, 1, |value| {
        producer.send(value);
        got(consumer.try_changed())
    });
    let awaiting = count(counter, 1, |value| {
        producer.send(value);
        got(at_once(consumer.changed()))
    });
    Ok((trying, awaiting))
}

fn mailbox(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static RECORD: Record<Reading, Mailbox> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer()?, RECORD.consumer()?);
    let trying = count(counter, 1, |value| {
        producer.produce(value);
        got(consumer.try_recv().ok())
    });
    let awaiting = count(counter, 1, |value| {
        producer.produce(value);
        got(at_once(consumer.next()).flatten())
    });
    Ok((trying, awaiting))
}

fn signal(counter: &InstructionCounter) -> Counts {
    static SIGNAL: Signal<Cs, Reading> = Signal::new();
    let trying = count(counter, 1, |value| {
        SIGNAL.signal(value);
        got(SIGNAL.try_take())
    });
    let awaiting = count(counter, 1, |value| {
        SIGNAL.signal(value);
        got(at_once(SIGNAL.wait()))
    });
    (trying, awaiting)
}

fn queue(counter: &InstructionCounter) -> Result<Counts, Taken> {
    static RECORD: Record<Reading, Queue<16>> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer()?, RECORD.consumer()?);
    let trying = count(counter, 1, |value| match producer.try_send(value) {
        Ok(_) => got(consumer.try_recv().ok()),
        Err(_) => 0,
    });
    let awaiting = count(counter, 1, |value| match at_once(producer.send(value)) {
        Some(Ok(_)) => got(at_once(consumer.next()).flatten()),
        _ => 0,
    });
    Ok((trying, awaiting))
}

fn channel(counter: &InstructionCounter) -> Counts {
    static CHANNEL: Channel<Cs, Reading, 16> = Channel::new();
    let trying = count(counter, 1, |value| match CHANNEL.try_send(value) {
        Ok(()) => got(CHANNEL.try_receive().ok()),
        Err(_) => 0,
    });
    let awaiting = count(counter, 1, |value| match at_once(CHANNEL.send(value)) {
        Some(()) => got(at_once(CHANNEL.receive())),
        None => 0,
    });
    (trying, awaiting)
}
