//! What holds for all four buffers.

use super::{Ends, NAME, consumes, poll, produces, takes};
use crate::{
    Fault,
    report::{expect, expect_equal},
};
use anabranch_core::{RecvError, TryRecvError};
use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;

pub(super) fn a_new_record_is_open_and_empty(record: &impl Ends) -> Result<(), Fault> {
    let mut consumer = consumes(record)?;
    expect(consumer.try_recv() == Err(TryRecvError::Empty), "a record without a producer yet to be open and empty")?;
    let status = record.status();
    expect(!status.closed && status.held == 0 && status.produced == 0, "the status to say so")
}

pub(super) fn a_record_says_its_name(record: &impl Ends) -> Result<(), Fault> {
    let (producer, consumer) = (produces(record)?, consumes(record)?);
    let same = [record.name(), producer.record(), consumer.record()].iter().all(|name| *name == NAME);
    expect(same, "the record and its ends to say the record's name")
}

pub(super) fn values_are_numbered_by_their_place(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for place in 0..10 {
        expect_equal(place, consumer.position(), "a consumer's position to be the number of the value it expects")?;
        let number = producer.try_send(100).map_err(|_| Fault::new("room for one value"))?;
        expect_equal(place, number, "a value's number to be its place in the record")?;
        expect(consumer.try_recv() == Ok(100), "the value")?;
    }
    expect_equal(10, record.status().produced, "the status to count all values")?;
    expect_equal(10, producer.produce(101), "produce to number values, too")?;
    let mut received = pin!(consumer.recv());
    expect(poll(received.as_mut()) == Poll::Ready(Ok(101)), "the value to be received at once")
}

pub(super) fn the_record_closes_with_its_last_producer(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    expect(!record.status().closed, "a record with a producer to be open")?;
    drop(producer);
    expect(record.status().closed, "a record to close when its last producer has gone")?;
    expect(consumer.try_recv() == Err(TryRecvError::Closed), "try_recv to say so")?;
    expect(poll(pin!(consumer.recv())) == Poll::Ready(Err(RecvError::Closed)), "recv to say so")?;
    expect(poll(pin!(consumer.next())) == Poll::Ready(None), "next to end")
}

pub(super) fn what_was_produced_is_taken_before_the_end(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    producer.produce(7);
    drop(producer);
    expect(poll(pin!(consumer.next())) == Poll::Ready(Some(7)), "the last value to come before the end")?;
    expect(poll(pin!(consumer.next())) == Poll::Ready(None), "the end after the last value")
}

pub(super) fn a_new_producer_opens_it_again(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    producer.produce(1);
    drop(producer);
    takes(&mut consumer, &[1], "the value of the first producer")?;
    let producer = produces(record)?;
    expect(!record.status().closed, "a record to be open again with a new producer")?;
    expect(consumer.try_recv() == Err(TryRecvError::Empty), "the consumer to see that it is open again")?;
    expect_equal(1, producer.produce(2), "the numbers to go on")?;
    takes(&mut consumer, &[2], "the value of the second producer")
}

pub(super) fn a_dropped_wait_loses_nothing(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 0..5 {
        expect(poll(pin!(consumer.recv())).is_pending(), "recv to wait")?;
        expect(poll(pin!(consumer.next())).is_pending(), "next to wait")?;
        producer.produce(value);
        takes(&mut consumer, &[value], "the value after waits that were dropped")?;
    }
    Ok(())
}

pub(super) fn a_woken_wait_that_is_dropped_loses_nothing(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 0..5 {
        {
            let mut wait = pin!(consumer.recv());
            expect(poll(wait.as_mut()).is_pending(), "recv to wait")?;
            producer.produce(value);
        }
        takes(&mut consumer, &[value], "the value after a wait that was woken and dropped")?;
    }
    Ok(())
}

pub(super) fn a_waiting_consumer_ends_with_the_record(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    let mut wait = pin!(consumer.recv());
    expect(poll(wait.as_mut()).is_pending(), "recv to wait")?;
    drop(producer);
    expect(poll(wait) == Poll::Ready(Err(RecvError::Closed)), "a wait to end when the record closes")
}

pub(super) fn a_stream_ends_with_the_record(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    let mut stream = pin!(consumer.stream());
    let mut cx = Context::from_waker(Waker::noop());
    expect(stream.as_mut().poll_next(&mut cx).is_pending(), "a stream to wait")?;
    for value in 0..3 {
        producer.produce(value);
        expect(stream.as_mut().poll_next(&mut cx) == Poll::Ready(Some(value)), "a stream to give each value")?;
        expect(stream.as_mut().poll_next(&mut cx).is_pending(), "a stream to wait for the next value")?;
    }
    drop(producer);
    expect(stream.as_mut().poll_next(&mut cx) == Poll::Ready(None), "a stream to end with the record")
}

pub(super) fn consumers_and_producers_are_counted(record: &impl Ends) -> Result<(), Fault> {
    let (producer, consumer) = (produces(record)?, consumes(record)?);
    let copy = consumer.clone();
    let status = consumer.status();
    expect(status.producers == 1 && status.consumers == 2, "one producer and two consumers to be counted")?;
    drop((copy, consumer));
    expect_equal(0, producer.status().consumers as u64, "consumers that have gone not to be counted")
}

/// AimDB's README loses its first value, since the source runs before the consumer subscribes. Here a consumer exists
/// from when it was declared, whether its task runs or not.
pub(super) fn the_first_value_is_not_lost(record: &impl Ends) -> Result<(), Fault> {
    let mut declared = consumes(record)?;
    produces(record)?.produce(1);
    expect(poll(pin!(declared.next())) == Poll::Ready(Some(1)), "the first value for a consumer declared before it")
}
