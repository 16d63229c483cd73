//! What a latest promises: the newest value, and nothing else.

use super::{Ends, consumes, produces, takes};
use crate::{
    Fault,
    report::{expect, expect_equal},
};
use anabranch_core::TryRecvError;

pub(super) fn only_the_newest_is_seen(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 1..=5 {
        producer.produce(value);
    }
    takes(&mut consumer, &[5], "the newest value only")?;
    expect_equal(5, consumer.position(), "the consumer to stand after the newest")
}

pub(super) fn a_new_consumer_starts_with_the_current_value(record: &impl Ends) -> Result<(), Fault> {
    let producer = produces(record)?;
    let mut early = consumes(record)?;
    expect(early.try_recv() == Err(TryRecvError::Empty), "nothing before the first value")?;
    producer.produce(1);
    producer.produce(2);
    takes(&mut consumes(record)?, &[2], "a new consumer to start with the current value")?;
    takes(&mut consumes(record)?, &[2], "every new consumer to start with the current value")
}

pub(super) fn a_value_is_seen_once_by_each(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    for value in 1..5 {
        producer.produce(value);
        takes(&mut first, &[value], "the first consumer to see a value once")?;
        takes(&mut second, &[value], "the second consumer to see a value once")?;
    }
    Ok(())
}

pub(super) fn the_current_value_outlives_its_producer(record: &impl Ends) -> Result<(), Fault> {
    produces(record)?.produce(3);
    let mut late = consumes(record)?;
    expect(late.try_recv() == Ok(3), "the current value for who comes after the end")?;
    expect(late.try_recv() == Err(TryRecvError::Closed), "and then the end")
}

pub(super) fn nothing_counts_as_missed(record: &impl Ends) -> Result<(), Fault> {
    let (mut consumer, producer) = (consumes(record)?, produces(record)?);
    for value in 0..9 {
        producer.produce(value);
    }
    takes(&mut consumer, &[8], "the newest value, and no lag")?;
    expect_equal(0, consumer.lagged() + record.status().lost, "nothing to count as missed")
}
