//! What a mailbox promises: one consumer takes each value, and the newest replaces one that waits.

use super::{Ends, consumes, produces, takes};
use crate::{
    Fault,
    report::{expect, expect_equal},
};
use anabranch_core::{ClaimError, TryRecvError};

pub(super) fn the_newest_replaces(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 1..=5 {
        producer.produce(value);
        expect_equal(1, record.status().held as u64, "one value to wait")?;
    }
    takes(&mut consumer, &[5], "the newest to replace what waited")?;
    expect_equal(0, record.status().held as u64, "a value that was taken to be gone")
}

pub(super) fn a_value_is_taken_once(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    let mut copy = consumer.clone();
    producer.produce(1);
    expect(copy.try_recv() == Ok(1), "one of two handles to take the value")?;
    expect(consumer.try_recv() == Err(TryRecvError::Empty), "the other one to find it taken")?;
    producer.produce(2);
    takes(&mut consumer, &[2], "the next value for who asks first")?;
    expect(copy.try_recv() == Err(TryRecvError::Empty), "the other one to find it taken, too")
}

pub(super) fn one_consumer_only(record: &impl Ends) -> Result<(), Fault> {
    let consumer = consumes(record)?;
    expect(record.consumer().err() == Some(ClaimError::ConsumerTaken), "a second consumer to be refused")?;
    let copy = consumer.clone();
    drop(consumer);
    expect(record.consumer().err() == Some(ClaimError::ConsumerTaken), "its place to be taken while a clone is left")?;
    drop(copy);
    expect(record.consumer().is_ok(), "its place to be free again")
}

pub(super) fn what_waits_is_there_for_who_comes_later(record: &impl Ends) -> Result<(), Fault> {
    let producer = produces(record)?;
    producer.produce(1);
    drop(consumes(record)?);
    takes(&mut consumes(record)?, &[1], "a consumer that comes later to take what waits")
}
