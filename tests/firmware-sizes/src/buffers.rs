//! Each buffer alone: a value goes in, and is waited for and taken.

#[cfg(feature = "latest")]
use anabranch::Latest;
#[cfg(feature = "mailbox")]
use anabranch::Mailbox;
#[cfg(feature = "queue")]
use anabranch::Queue;
use anabranch::Record;
#[cfg(feature = "ring")]
use anabranch::Ring;
use core::hint::black_box;

/// A reading of 24 bytes.
type Reading = [u32; 6];

/// What goes in has come out.
fn same(came: Reading) -> Option<()> {
    (came == [7; 6]).then_some(())
}

#[cfg(feature = "ring")]
pub async fn ring() -> Option<()> {
    static RECORD: Record<Reading, Ring<16>> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer().ok()?, RECORD.consumer().ok()?);
    producer.produce(black_box([7; 6]));
    same(consumer.next().await?)
}

#[cfg(feature = "latest")]
pub async fn latest() -> Option<()> {
    static RECORD: Record<Reading, Latest> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer().ok()?, RECORD.consumer().ok()?);
    producer.produce(black_box([7; 6]));
    same(consumer.next().await?)
}

#[cfg(feature = "mailbox")]
pub async fn mailbox() -> Option<()> {
    static RECORD: Record<Reading, Mailbox> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer().ok()?, RECORD.consumer().ok()?);
    producer.produce(black_box([7; 6]));
    same(consumer.next().await?)
}

#[cfg(feature = "queue")]
pub async fn queue() -> Option<()> {
    static RECORD: Record<Reading, Queue<16>> = Record::unnamed();
    let (producer, mut consumer) = (RECORD.producer().ok()?, RECORD.consumer().ok()?);
    producer.send(black_box([7; 6])).await.ok()?;
    same(consumer.next().await?)
}
