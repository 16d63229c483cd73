//! Values that flow, and who is woken by them: with everything in one task and no heap, and between tasks.

use super::{Ends, NAME, consumes, produces};
use crate::{
    Fault, Report,
    report::{expect, expect_equal},
    run_cases,
};
#[cfg(feature = "alloc")]
use anabranch_core::{BufferCfg, HeapRecord};
use anabranch_core::{Consumer, Latest, Mailbox, Producer, Queue, Record, Ring, SendError};
#[cfg(feature = "alloc")]
use anabranch_executor::SpawnDynamically;
use anabranch_executor::{Duration, MaybeSend, MaybeSync, RuntimeExt, TimeSource};
use core::{
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

/// How many values flow in a case.
const VALUES: u32 = 100;

/// Long enough that the other side waits by then, on any clock.
const A_WHILE: Duration = Duration::from_millis(2);

/// How two futures of a case run beside each other.
trait Beside: MaybeSend + MaybeSync {
    fn both<A, B>(&self, other: A, this: B) -> impl Future<Output = Result<(A::Output, B::Output), Fault>> + MaybeSend
    where
        A: Future + MaybeSend + 'static,
        A::Output: MaybeSend + 'static,
        B: Future + MaybeSend,
        B::Output: MaybeSend;
}

/// Both in the task that asks: no heap, and one waker for both.
struct InATask;
impl Beside for InATask {
    async fn both<A, B>(&self, other: A, this: B) -> Result<(A::Output, B::Output), Fault>
    where
        A: Future + MaybeSend + 'static,
        A::Output: MaybeSend + 'static,
        B: Future + MaybeSend,
        B::Output: MaybeSend,
    {
        let (mut other, mut this) = (pin!(other), pin!(this));
        let (mut left, mut right) = (None, None);
        poll_fn(|cx| {
            if left.is_none()
                && let Poll::Ready(value) = other.as_mut().poll(cx)
            {
                left = Some(value);
            }
            if right.is_none()
                && let Poll::Ready(value) = this.as_mut().poll(cx)
            {
                right = Some(value);
            }
            match (left.take(), right.take()) {
                (Some(left), Some(right)) => Poll::Ready(Ok((left, right))),
                (first, second) => {
                    (left, right) = (first, second);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Each in a task of its own.
#[cfg(feature = "alloc")]
struct InTasks<R>(R);
#[cfg(feature = "alloc")]
impl<R: SpawnDynamically> Beside for InTasks<R> {
    async fn both<A, B>(&self, other: A, this: B) -> Result<(A::Output, B::Output), Fault>
    where
        A: Future + MaybeSend + 'static,
        A::Output: MaybeSend + 'static,
        B: Future + MaybeSend,
        B::Output: MaybeSend,
    {
        let other = self.0.spawn(other);
        let this = this.await;
        match other.await {
            Ok(other) => Ok((other, this)),
            Err(_) => Err(Fault::new("the other task to end")),
        }
    }
}

/// Runs the cases with both ends in the task that asks: for runtimes with nothing but time. No heap. Once in a program,
/// since the records are statics.
pub async fn run_records_in_a_task<R: TimeSource>(rt: &R, report: &mut impl Report) {
    static RAN: AtomicBool = AtomicBool::new(false);
    if RAN.swap(true, Ordering::Relaxed) {
        let fault = Fault::new("run_records_in_a_task to be called once: its records are statics");
        report.case("records in a task", Err(fault));
        return;
    }
    static RINGS: [Record<u32, Ring<4>>; 3] = [const { Record::new(NAME) }; 3];
    static LATEST: [Record<u32, Latest>; 3] = [const { Record::new(NAME) }; 3];
    static MAILBOXES: [Record<u32, Mailbox>; 3] = [const { Record::new(NAME) }; 3];
    static QUEUES: [Record<u32, Queue<4>>; 3] = [const { Record::new(NAME) }; 3];
    static NARROW: [Record<u32, Queue<1>>; 3] = [const { Record::new(NAME) }; 3];
    let here = &InATask;
    run_cases!(
        rt,
        report,
        [
            values_flow_and_end(rt, here, &RINGS[0]),
            values_flow_and_end(rt, here, &LATEST[0]),
            values_flow_and_end(rt, here, &MAILBOXES[0]),
            values_flow_and_end(rt, here, &QUEUES[0]),
            a_value_wakes_who_waits(rt, here, &RINGS[1]),
            a_value_wakes_who_waits(rt, here, &LATEST[1]),
            a_value_wakes_who_waits(rt, here, &MAILBOXES[1]),
            a_value_wakes_who_waits(rt, here, &QUEUES[1]),
            the_end_wakes_who_waits(rt, here, &RINGS[2]),
            the_end_wakes_who_waits(rt, here, &LATEST[2]),
            the_end_wakes_who_waits(rt, here, &MAILBOXES[2]),
            the_end_wakes_who_waits(rt, here, &QUEUES[2]),
            a_sender_waits_for_its_consumer(here, &NARROW[0]),
            room_wakes_who_sends(rt, here, &NARROW[1]),
            a_consumer_that_leaves_wakes_who_sends(rt, here, &NARROW[2]),
        ]
    );
}

/// Runs the cases with each end in a task of its own, over records on the heap.
#[cfg(feature = "alloc")]
pub async fn run_records_between_tasks<R: TimeSource + SpawnDynamically>(rt: &R, report: &mut impl Report) {
    const BUFFERS: [BufferCfg; 4] = [
        BufferCfg::SpmcRing { capacity: 4 },
        BufferCfg::SingleLatest,
        BufferCfg::Mailbox,
        BufferCfg::Queue { capacity: 4, consumers: 1 },
    ];
    const NARROW: BufferCfg = BufferCfg::Queue { capacity: 1, consumers: 1 };
    let there = &InTasks(rt.clone());
    for buffer in BUFFERS {
        run_cases!(
            rt,
            report,
            [
                values_flow_and_end(rt, there, on_heap(buffer)),
                a_value_wakes_who_waits(rt, there, on_heap(buffer)),
                the_end_wakes_who_waits(rt, there, on_heap(buffer)),
            ]
        );
    }
    run_cases!(
        rt,
        report,
        [
            a_sender_waits_for_its_consumer(there, on_heap(NARROW)),
            room_wakes_who_sends(rt, there, on_heap(NARROW)),
            a_consumer_that_leaves_wakes_who_sends(rt, there, on_heap(NARROW)),
            many_who_wait_are_all_woken(rt, on_heap(BUFFERS[0])),
            many_who_send_are_all_served(rt, on_heap(NARROW)),
        ]
    );
}

#[cfg(feature = "alloc")]
fn on_heap(buffer: BufferCfg) -> Result<HeapRecord<u32>, Fault> {
    HeapRecord::new(NAME, buffer).map_err(|_| Fault::new("a record on the heap with a capacity"))
}

/// A record for a case, or why there is none.
trait Given: MaybeSend {
    type Record: Ends + MaybeSend + MaybeSync;
    fn given(self) -> Result<Self::Record, Fault>;
}
impl<T: MaybeSync> Given for &'static T
where
    &'static T: Ends + MaybeSend + MaybeSync,
{
    type Record = &'static T;
    fn given(self) -> Result<Self::Record, Fault> {
        Ok(self)
    }
}
#[cfg(feature = "alloc")]
impl Given for Result<HeapRecord<u32>, Fault> {
    type Record = HeapRecord<u32>;
    fn given(self) -> Result<Self::Record, Fault> {
        self
    }
}

/// Produces all values, waiting for room where there has to be room, and gives up the producer.
async fn produce_all(producer: Producer<u32>, rt: impl TimeSource) -> bool {
    for value in 0..VALUES {
        if producer.send(value).await.is_err() {
            return false;
        }
        if value % 3 == 0 {
            rt.yield_now().await;
        }
    }
    true
}

/// What a consumer saw until its record closed.
#[derive(Default)]
struct Seen {
    count: u64,
    lagged: u64,
    last: Option<u32>,
    in_order: bool,
}

async fn consume_all(mut consumer: Consumer<u32>) -> Seen {
    let mut seen = Seen { in_order: true, ..Seen::default() };
    while let Some(value) = consumer.next().await {
        seen.in_order &= seen.last < Some(value);
        seen.last = Some(value);
        seen.count += 1;
    }
    seen.lagged = consumer.lagged();
    seen
}

async fn values_flow_and_end<R: TimeSource>(rt: &R, beside: &impl Beside, record: impl Given) -> Result<(), Fault> {
    use anabranch_core::BufferKind;
    let record = record.given()?;
    let (producer, consumer) = (produces(&record)?, consumes(&record)?);
    let (sent, seen) = beside.both(produce_all(producer, rt.clone()), consume_all(consumer)).await?;
    expect(sent, "every value to be taken by the record")?;
    expect(seen.in_order, "the values to come in order, none twice")?;
    expect(seen.last == Some(VALUES - 1), "the last value to come before the end")?;
    match record.status().kind {
        BufferKind::SpmcRing => {
            expect_equal(VALUES.into(), seen.count + seen.lagged, "each value to be seen or counted")
        }
        BufferKind::Queue => expect_equal(VALUES.into(), seen.count, "every value"),
        BufferKind::SingleLatest | BufferKind::Mailbox => expect_equal(0, seen.lagged, "no lag"),
    }
}

async fn a_value_wakes_who_waits<R: TimeSource>(rt: &R, beside: &impl Beside, record: impl Given) -> Result<(), Fault> {
    let record = record.given()?;
    let (producer, mut consumer) = (produces(&record)?, consumes(&record)?);
    let within = rt.clone();
    let produces = async move {
        for value in 0..5 {
            within.sleep(A_WHILE).await;
            if producer.send(value).await.is_err() {
                break;
            }
        }
        producer
    };
    let consumes = async {
        let mut last = None;
        while last < Some(4) {
            // On a busy machine it may be woken so late that there is a newer value already.
            let value = consumer.next().await;
            expect(value > last, "a new value each time that the consumer is woken")?;
            last = value;
        }
        Ok(())
    };
    beside.both(produces, consumes).await?.1
}

async fn the_end_wakes_who_waits<R: TimeSource>(rt: &R, beside: &impl Beside, record: impl Given) -> Result<(), Fault> {
    let record = record.given()?;
    let (producer, mut consumer) = (produces(&record)?, consumes(&record)?);
    let within = rt.clone();
    let ends = async move {
        within.sleep(A_WHILE).await;
        drop(producer);
    };
    let (_, end) = beside.both(ends, consumer.next()).await?;
    expect(end.is_none(), "a consumer that waits to end when the last producer has gone")
}

async fn a_sender_waits_for_its_consumer(beside: &impl Beside, record: impl Given) -> Result<(), Fault> {
    let record = record.given()?;
    let (producer, consumer) = (produces(&record)?, consumes(&record)?);
    let sends = async move {
        for value in 0..VALUES {
            if producer.send(value).await != Ok(value.into()) {
                return false;
            }
        }
        true
    };
    let (sent, seen) = beside.both(sends, consume_all(consumer)).await?;
    expect(sent, "every value to be sent and numbered")?;
    expect(seen.in_order, "the values to come in order")?;
    expect_equal(VALUES.into(), seen.count, "a queue of one place to lose nothing")
}

async fn room_wakes_who_sends<R: TimeSource>(rt: &R, beside: &impl Beside, record: impl Given) -> Result<(), Fault> {
    let record = record.given()?;
    let (producer, mut consumer) = (produces(&record)?, consumes(&record)?);
    let within = rt.clone();
    let takes = async move {
        within.sleep(A_WHILE).await;
        (consumer.try_recv(), consumer)
    };
    let ((taken, _consumer), sent) = beside
        .both(takes, async {
            producer.produce(1);
            producer.send(2).await
        })
        .await?;
    expect(taken == Ok(1) && sent == Ok(1), "a sender that waits to go on when there is room")
}

async fn a_consumer_that_leaves_wakes_who_sends<R: TimeSource>(
    rt: &R,
    beside: &impl Beside,
    record: impl Given,
) -> Result<(), Fault> {
    let record = record.given()?;
    let (producer, consumer) = (produces(&record)?, consumes(&record)?);
    let within = rt.clone();
    let leaves = async move {
        within.sleep(A_WHILE).await;
        drop(consumer);
    };
    let (_, sent) = beside
        .both(leaves, async {
            producer.produce(1);
            producer.send(2).await
        })
        .await?;
    expect(sent == Err(SendError(2)), "a sender that waits to get its value back when the consumers leave")
}

#[cfg(feature = "alloc")]
async fn many_who_wait_are_all_woken<R: TimeSource + SpawnDynamically>(
    rt: &R,
    record: Result<HeapRecord<u32>, Fault>,
) -> Result<(), Fault> {
    let record = record?;
    let producer = produces(&record)?;
    let mut tasks = alloc::vec::Vec::new();
    for _ in 0..50 {
        let mut consumer = consumes(&record)?;
        tasks.push(rt.spawn(async move { (consumer.next().await, consumer.next().await) }));
    }
    rt.sleep(A_WHILE).await;
    producer.produce(9);
    rt.sleep(A_WHILE).await;
    drop(producer);
    for task in tasks {
        expect(task.await == Ok((Some(9), None)), "each of 50 tasks to be woken by the value, and by the end")?;
    }
    Ok(())
}

#[cfg(feature = "alloc")]
async fn many_who_send_are_all_served<R: TimeSource + SpawnDynamically>(
    rt: &R,
    record: Result<HeapRecord<u32>, Fault>,
) -> Result<(), Fault> {
    let record = record?;
    let mut consumer = consumes(&record)?;
    let mut tasks = alloc::vec::Vec::new();
    for value in 0..50 {
        let producer = produces(&record)?;
        tasks.push(rt.spawn(async move { producer.send(value).await.is_ok() }));
    }
    let mut sum = 0;
    while let Some(value) = consumer.next().await {
        sum += u64::from(value);
    }
    expect_equal(1_225, sum, "the value of each of 50 senders at a queue of one place")?;
    for task in tasks {
        expect(task.await == Ok(true), "each of 50 senders to be served")?;
    }
    Ok(())
}
