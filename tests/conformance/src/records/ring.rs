//! What a ring promises: every value since a consumer was declared, and the truth about those that it missed.

use super::{Ends, consumes, poll, produces, takes};
use crate::{
    Fault,
    report::{expect, expect_equal},
};
use anabranch_core::{ClaimError, RecvError, TryRecvError};
use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;

pub(super) fn every_consumer_sees_every_value(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    for round in 0..5 {
        let values = [round, round + 1, round + 2, round + 3];
        for value in values {
            producer.produce(value);
        }
        takes(&mut first, &values, "the first consumer to see every value")?;
        takes(&mut second, &values, "the second consumer to see every value")?;
    }
    Ok(())
}

pub(super) fn a_new_consumer_sees_what_comes_from_now_on(record: &impl Ends) -> Result<(), Fault> {
    let producer = produces(record)?;
    producer.produce(1);
    let mut late = consumes(record)?;
    producer.produce(2);
    takes(&mut late, &[2], "a new consumer to see what comes from now on")
}

pub(super) fn a_slow_consumer_is_told_and_goes_on_at_the_oldest_kept(record: &impl Ends) -> Result<(), Fault> {
    let (mut slow, producer) = (consumes(record)?, produces(record)?);
    for value in 0..9 {
        producer.produce(value);
    }
    expect(slow.try_recv() == Err(TryRecvError::Lagged(5)), "a ring of 4 to tell that 5 of 9 values were missed")?;
    expect_equal(5, slow.position(), "the consumer to go on at the oldest kept")?;
    takes(&mut slow, &[5, 6, 7, 8], "the four values that were kept")?;
    expect_equal(5, slow.lagged(), "the consumer to count what it missed")?;
    expect_equal(5, record.status().lost, "the record to count what was missed")?;
    for value in 0..5 {
        producer.produce(value);
    }
    expect(poll(pin!(slow.recv())) == Poll::Ready(Err(RecvError::Lagged(1))), "recv to tell of the next gap")?;
    takes(&mut slow, &[1, 2, 3, 4], "the four values that were kept after the second gap")?;
    expect_equal(6, slow.lagged(), "both gaps to be counted")
}

/// AimDB's documented `while let Ok(v)` loop ends for ever at the first lag; here `while let Some(v)` does not.
pub(super) fn next_runs_on_after_a_lag(record: &impl Ends) -> Result<(), Fault> {
    let (mut slow, producer) = (consumes(record)?, produces(record)?);
    for value in 0..9 {
        producer.produce(value);
    }
    drop(producer);
    let mut seen = 0;
    while let Poll::Ready(Some(value)) = poll(pin!(slow.next())) {
        expect_equal(5 + seen, value.into(), "the loop to go on at the oldest kept")?;
        seen += 1;
    }
    expect_equal(4, seen, "the loop to see all that was kept")?;
    expect_equal(5, slow.lagged(), "the gap to be counted")
}

pub(super) fn a_stream_runs_on_after_a_lag(record: &impl Ends) -> Result<(), Fault> {
    let (mut slow, producer) = (consumes(record)?, produces(record)?);
    {
        let mut stream = pin!(slow.stream());
        let mut cx = Context::from_waker(Waker::noop());
        expect(stream.as_mut().poll_next(&mut cx).is_pending(), "a stream to wait")?;
        for value in 0..6 {
            producer.produce(value);
        }
        for value in 2..6 {
            let next = stream.as_mut().poll_next(&mut cx);
            expect(next == Poll::Ready(Some(value)), "a stream to pass over what was missed")?;
        }
        expect(stream.as_mut().poll_next(&mut cx).is_pending(), "a stream to wait after the last")?;
    }
    expect_equal(2, slow.lagged(), "what a stream missed to be counted")
}

pub(super) fn a_lag_is_told_before_the_end(record: &impl Ends) -> Result<(), Fault> {
    let (mut slow, producer) = (consumes(record)?, produces(record)?);
    for value in 0..5 {
        producer.produce(value);
    }
    drop(producer);
    expect(slow.try_recv() == Err(TryRecvError::Lagged(1)), "the lag before the end")?;
    takes(&mut slow, &[1, 2, 3, 4], "what was kept before the end")?;
    expect(slow.try_recv() == Err(TryRecvError::Closed), "the end")
}

pub(super) fn a_clone_goes_its_own_way(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    producer.produce(1);
    producer.produce(2);
    expect(consumer.try_recv() == Ok(1), "the first value")?;
    let mut copy = consumer.clone();
    takes(&mut consumer, &[2], "what is left for the consumer")?;
    takes(&mut copy, &[2], "a clone to start where its original stood")
}

pub(super) fn one_producer_only(record: &impl Ends) -> Result<(), Fault> {
    let producer = produces(record)?;
    expect(record.producer().err() == Some(ClaimError::ProducerTaken), "a second producer to be refused")?;
    expect(producer.try_clone().err() == Some(ClaimError::ProducerTaken), "a producer not to be doubled")?;
    drop(producer);
    expect(record.producer().is_ok(), "the producer to be free again when it was dropped")
}

pub(super) fn several_producers_if_shared(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, first) = (consumes(record)?, produces(record)?);
    let second = produces(record)?;
    let third = first.try_clone().map_err(|_| Fault::new("a producer to be doubled"))?;
    for (value, producer) in (1..).zip([&first, &second, &third]) {
        producer.produce(value);
        takes(&mut consumer, &[value], "the values of all producers")?;
    }
    drop((first, third));
    expect(!record.status().closed, "the record to be open while one producer is left")?;
    drop(second);
    expect(record.status().closed, "the record to close with the last producer")
}

pub(super) fn send_does_not_wait(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 0..6 {
        let sent = poll(pin!(producer.send(value)));
        expect(sent == Poll::Ready(Ok(value.into())), "send to place a value in a full ring at once")?;
    }
    expect(consumer.try_recv() == Err(TryRecvError::Lagged(2)), "the oldest two to have gone")
}
