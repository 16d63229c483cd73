//! What a channel between tasks promises on every runtime: when either side goes, the other learns of it.

use crate::{
    Fault, LIMIT, Platform, Report, Signal, poll_once,
    report::{expect, expect_equal},
    run_cases,
};
use alloc::sync::Arc;
use anabranch_core::{Consumer, Producer};
use anabranch_executor::{JoinError, JoinHandle, RuntimeExt, SpawnDynamically, TimeSource};
use core::{future::pending, pin::pin};

/// Runs the cases of `anabranch_core::channel` between tasks.
pub async fn run_channels<R: TimeSource + SpawnDynamically>(rt: &R, platform: Platform, report: &mut impl Report) {
    run_cases!(
        rt,
        report,
        [
            every_value_arrives_before_a_channel_closes(rt),
            a_consumer_that_waits_learns_that_the_producer_is_gone(rt),
            a_producer_that_waits_learns_that_the_consumer_is_gone(rt),
            an_aborted_producer_closes_its_channel(rt),
            an_aborted_consumer_closes_its_channel(rt),
        ]
    );
    if platform.unwinds {
        run_cases!(rt, report, [a_panicked_producer_closes_its_channel(rt)]);
    }
}

/// A channel for `capacity` values.
fn channel(capacity: usize) -> Result<(Producer<u64>, Consumer<u64>), Fault> {
    anabranch_core::channel(capacity).map_err(|_| Fault::new("a channel to be made"))
}

/// Waits for the rest of what `handle`'s task gives, but not for ever.
async fn joined<R: TimeSource, T>(rt: &R, handle: impl JoinHandle<T>) -> Option<Result<T, JoinError>> {
    rt.timeout(LIMIT / 2, handle).await.ok()
}

/// A task that adds up what arrives until the channel closes, and says through `waits` that it is about to wait.
fn adding_up<R: SpawnDynamically>(rt: &R, mut consumer: Consumer<u64>, waits: &Arc<Signal>) -> R::JoinHandle<u64> {
    let waits = waits.clone();
    rt.spawn(async move {
        let mut sum = 0;
        waits.raise();
        while let Some(value) = consumer.next().await {
            sum += value;
        }
        sum
    })
}

async fn every_value_arrives_before_a_channel_closes<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (producer, consumer) = channel(3)?;
    let sum = adding_up(rt, consumer, &Arc::default());
    for value in 1..=100 {
        let sent = rt.timeout(LIMIT / 4, producer.send(value)).await;
        expect(matches!(sent, Ok(Ok(_))), "a channel with a consumer to take every value")?;
    }
    drop(producer);
    let Some(Ok(sum)) = joined(rt, sum).await else {
        return Err(Fault::new("the consumer to end when the producer is gone"));
    };
    expect_equal(5_050, sum, "every value to arrive before the channel closes (their sum)")
}

async fn a_consumer_that_waits_learns_that_the_producer_is_gone<R: TimeSource + SpawnDynamically>(
    rt: &R,
) -> Result<(), Fault> {
    let (producer, consumer) = channel(1)?;
    let waits = Arc::new(Signal::new());
    let sum = adding_up(rt, consumer, &waits);
    waits.reaches(1).await;
    drop(producer);
    expect(joined(rt, sum).await == Some(Ok(0)), "a consumer that waits to end when the producer is gone")
}

async fn a_producer_that_waits_learns_that_the_consumer_is_gone<R: TimeSource + SpawnDynamically>(
    rt: &R,
) -> Result<(), Fault> {
    let (producer, consumer) = channel(1)?;
    let full = Arc::new(Signal::new());
    let fills = full.clone();
    let refused = rt.spawn(async move {
        let first = producer.send(1).await.is_ok();
        let mut second = pin!(producer.send(2));
        let waits = poll_once(second.as_mut()).await.is_pending();
        fills.raise();
        first && waits && second.await.is_err()
    });
    full.reaches(1).await;
    drop(consumer);
    expect(joined(rt, refused).await == Some(Ok(true)), "a producer that waits to be refused when the consumer is gone")
}

async fn an_aborted_producer_closes_its_channel<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (producer, consumer) = channel(1)?;
    let waits = Arc::new(Signal::new());
    let sum = adding_up(rt, consumer, &waits);
    waits.reaches(1).await;
    let holds = rt.spawn(async move {
        pending::<()>().await;
        drop(producer);
    });
    holds.abort();
    expect(joined(rt, sum).await == Some(Ok(0)), "a consumer to end when the producer's task is aborted")
}

async fn an_aborted_consumer_closes_its_channel<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (producer, consumer) = channel(1)?;
    let waits = Arc::new(Signal::new());
    let waiting = adding_up(rt, consumer, &waits);
    waits.reaches(1).await;
    waiting.abort();
    expect(joined(rt, waiting).await == Some(Err(JoinError::Aborted)), "the consumer's task to be aborted")?;
    let sent = rt.timeout(LIMIT / 2, producer.send(1)).await;
    expect(matches!(sent, Ok(Err(_))), "a producer to be refused when the consumer's task was aborted")
}

async fn a_panicked_producer_closes_its_channel<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (producer, consumer) = channel(1)?;
    let waits = Arc::new(Signal::new());
    let sum = adding_up(rt, consumer, &waits);
    waits.reaches(1).await;
    let panics: R::JoinHandle<()> = rt.spawn(async move {
        let _producer = producer;
        panic!("a producer that was asked to panic");
    });
    expect(joined(rt, sum).await == Some(Ok(0)), "a consumer to end when the producer's task panics")?;
    expect(joined(rt, panics).await == Some(Err(JoinError::Panicked)), "the panic to arrive as Panicked")
}
