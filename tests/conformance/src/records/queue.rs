//! What a queue of 2 values and 2 consumers promises: each sees every value, and who sends waits for the slowest.

use super::{Ends, consumes, poll, produces, takes};
use crate::{
    Fault,
    report::{expect, expect_equal},
};
use anabranch_core::{ClaimError, SendError, TryRecvError, TrySendError};
use core::{pin::pin, task::Poll};

pub(super) fn every_consumer_sees_every_value(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    for value in 0..7 {
        expect(producer.try_send(value).is_ok(), "room for one value")?;
        takes(&mut first, &[value], "the first consumer to see every value")?;
        takes(&mut second, &[value], "the second consumer to see every value")?;
    }
    expect_equal(0, record.status().held as u64, "what all have seen to be let go")
}

pub(super) fn it_is_full_for_the_slowest_consumer(record: &impl Ends) -> Result<(), Fault> {
    let (mut fast, mut slow, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    for value in [1, 2] {
        expect(producer.try_send(value).is_ok(), "room for two values")?;
    }
    takes(&mut fast, &[1, 2], "the fast consumer to be done")?;
    expect(producer.try_send(3) == Err(TrySendError::Full(3)), "a queue to be full for its slowest consumer")?;
    expect(poll(pin!(producer.send(3))).is_pending(), "send to wait for the slowest consumer")?;
    expect(slow.try_recv() == Ok(1), "the slow consumer to see the oldest")?;
    expect(producer.try_send(3) == Ok(2), "room when the slowest has moved on")?;
    takes(&mut slow, &[2, 3], "the slow consumer to see every value")?;
    takes(&mut fast, &[3], "the fast consumer to see every value")
}

pub(super) fn a_waiting_sender_goes_on_when_there_is_room(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    let mut sending = pin!(producer.send(3));
    expect(poll(sending.as_mut()).is_pending(), "send to wait while the queue is full")?;
    expect(first.try_recv() == Ok(1), "the oldest")?;
    expect(poll(sending.as_mut()).is_pending(), "send to wait for the other consumer, too")?;
    expect(second.try_recv() == Ok(1), "the oldest")?;
    expect(poll(sending) == Poll::Ready(Ok(2)), "send to go on when there is room")?;
    takes(&mut first, &[2, 3], "all values in order")?;
    takes(&mut second, &[2, 3], "all values in order")
}

pub(super) fn an_awaited_seat_keeps_everything(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, producer) = (consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    takes(&mut first, &[1, 2], "the consumer that came to see all")?;
    expect(producer.try_send(3) == Err(TrySendError::Full(3)), "everything to be kept for the one that is awaited")?;
    takes(&mut consumes(record)?, &[1, 2], "the one that was awaited to see everything")?;
    expect(producer.try_send(3).is_ok(), "room after it came")
}

pub(super) fn a_left_seat_keeps_nothing(record: &impl Ends) -> Result<(), Fault> {
    let (mut stays, leaves, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    takes(&mut stays, &[1, 2], "the consumer that stays to see all")?;
    let mut sending = pin!(producer.send(3));
    expect(poll(sending.as_mut()).is_pending(), "send to wait for the one that will leave")?;
    drop(leaves);
    expect_equal(0, record.status().held as u64, "nothing to be kept for a consumer that has left")?;
    expect(poll(sending) == Poll::Ready(Ok(2)), "send to go on when the slowest has left")?;
    takes(&mut stays, &[3], "the next value")?;
    expect_equal(0, record.status().held as u64, "nothing to be kept for a consumer that has left")
}

pub(super) fn a_left_seat_is_taken_again_from_now_on(record: &impl Ends) -> Result<(), Fault> {
    let (mut stays, leaves, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    drop(leaves);
    producer.produce(1);
    let mut comes = consumes(record)?;
    producer.produce(2);
    takes(&mut comes, &[2], "who takes a seat that was left to see what comes from now on")?;
    takes(&mut stays, &[1, 2], "the one that stayed to see all")
}

pub(super) fn a_sender_gets_its_value_back_when_all_have_left(record: &impl Ends) -> Result<(), Fault> {
    let (first, second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    producer.produce(1);
    drop((first, second));
    expect_equal(0, record.status().held as u64, "a queue that all have left to hold nothing")?;
    expect(producer.try_send(2) == Err(TrySendError::Closed(2)), "try_send to give the value back")?;
    expect(poll(pin!(producer.send(3))) == Poll::Ready(Err(SendError(3))), "send to give the value back")?;
    let mut comes = consumes(record)?;
    expect(producer.try_send(4).is_ok(), "room when one has come back")?;
    takes(&mut comes, &[4], "the value for the one that came back")
}

pub(super) fn a_waiting_sender_gets_its_value_back_when_all_leave(record: &impl Ends) -> Result<(), Fault> {
    let (first, second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    let mut sending = pin!(producer.send(3));
    expect(poll(sending.as_mut()).is_pending(), "send to wait while the queue is full")?;
    drop((first, second));
    expect(poll(sending) == Poll::Ready(Err(SendError(3))), "send to give the value back when all leave")
}

pub(super) fn there_are_as_many_seats_as_declared(record: &impl Ends) -> Result<(), Fault> {
    let both = (consumes(record)?, consumes(record)?);
    expect(record.consumer().err() == Some(ClaimError::SeatsTaken), "a third consumer of two to be refused")?;
    drop(both);
    expect(record.consumer().is_ok(), "a seat that was left to be free again")
}

pub(super) fn clones_share_their_seat(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let mut copy = first.clone();
    let _ = (producer.produce(1), producer.produce(2));
    expect(copy.try_recv() == Ok(1), "one of two clones to get the first value")?;
    expect(first.try_recv() == Ok(2), "the other one to get the second")?;
    drop((first, second));
    expect(producer.try_send(3).is_ok(), "the seat to be taken while a clone is left")?;
    takes(&mut copy, &[3], "the clone that is left to get the next value")
}

pub(super) fn a_send_that_is_dropped_sent_nothing(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    drop(producer.send(0));
    let _ = (producer.produce(1), producer.produce(2));
    expect(poll(pin!(producer.send(3))).is_pending(), "send to wait while the queue is full")?;
    takes(&mut first, &[1, 2], "only what was sent")?;
    takes(&mut second, &[1, 2], "only what was sent")?;
    expect_equal(2, record.status().produced, "a send that was dropped to have no number")
}

pub(super) fn a_woken_send_that_is_dropped_leaves_the_room_to_others(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    let mut other = pin!(producer.send(4));
    {
        let mut dropped = pin!(producer.send(3));
        expect(poll(dropped.as_mut()).is_pending(), "the first send to wait")?;
        expect(poll(other.as_mut()).is_pending(), "the second send to wait")?;
        expect(first.try_recv() == Ok(1) && second.try_recv() == Ok(1), "the oldest")?;
    }
    expect(poll(other) == Poll::Ready(Ok(2)), "the room to be there for the other sender")?;
    takes(&mut first, &[2, 4], "only what was sent")
}

pub(super) fn what_produce_cannot_place_counts_as_lost(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, producer) = (consumes(record)?, produces(record)?);
    for value in 1..=5 {
        producer.produce(value);
    }
    expect_equal(3, record.status().lost, "what a full queue refuses to be counted")?;
    takes(&mut first, &[1, 2], "what was placed to be all there")
}

pub(super) fn nothing_is_missed(record: &impl Ends) -> Result<(), Fault> {
    let (mut first, mut second, producer) = (consumes(record)?, consumes(record)?, produces(record)?);
    let _ = (producer.produce(1), producer.produce(2));
    drop(producer);
    takes(&mut first, &[1, 2], "everything before the end")?;
    expect(first.try_recv() == Err(TryRecvError::Closed), "the end")?;
    takes(&mut second, &[1, 2], "everything before the end")?;
    expect_equal(0, first.lagged() + second.lagged(), "a queue never to lag")
}
