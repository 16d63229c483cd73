//! What records promise, whatever holds them: the four buffers, as statics and on the heap, through their two ends.

mod every_buffer;
mod flow;
mod latest;
mod mailbox;
mod memory;
mod queue;
mod ring;

#[cfg(feature = "alloc")]
pub use flow::run_records_between_tasks;
pub use flow::run_records_in_a_task;
pub use memory::{Place, run_memory};

use crate::{Fault, Report, report::expect};
#[cfg(feature = "alloc")]
use anabranch_core::{BufferCfg, HeapRecord};
use anabranch_core::{BufferStatus, ClaimError, ConstBuffer, Consumer, Latest, Mailbox, Producer, Queue, Record, Ring};
use core::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

/// What the cases need of a record: its two ends, and what it says of itself.
pub(crate) trait Ends {
    fn producer(&self) -> Result<Producer<u32>, ClaimError>;
    fn consumer(&self) -> Result<Consumer<u32>, ClaimError>;
    fn status(&self) -> BufferStatus;
    fn name(&self) -> &str;
}

impl<B: ConstBuffer<u32>> Ends for &'static Record<u32, B>
where
    B::Store: Send,
{
    fn producer(&self) -> Result<Producer<u32>, ClaimError> {
        Record::producer(self)
    }
    fn consumer(&self) -> Result<Consumer<u32>, ClaimError> {
        Record::consumer(self)
    }
    fn status(&self) -> BufferStatus {
        Record::status(self)
    }
    fn name(&self) -> &str {
        Record::name(self)
    }
}

#[cfg(feature = "alloc")]
impl Ends for HeapRecord<u32> {
    fn producer(&self) -> Result<Producer<u32>, ClaimError> {
        HeapRecord::producer(self)
    }
    fn consumer(&self) -> Result<Consumer<u32>, ClaimError> {
        HeapRecord::consumer(self)
    }
    fn status(&self) -> BufferStatus {
        HeapRecord::status(self)
    }
    fn name(&self) -> &str {
        HeapRecord::name(self)
    }
}

/// The name that every record here has.
const NAME: &str = "conformance/values";

/// Runs each case over a static of its own, which is empty and open.
macro_rules! over_statics {
    ($report:expr, $buffer:ty, $record:expr => $($part:ident :: $case:ident)*) => { $({
        static RECORD: Record<u32, $buffer> = $record;
        $report.case(concat!(stringify!($part), "/", stringify!($case)), $part::$case(&&RECORD));
    })* };
}

/// Runs each case over a record of its own on the heap.
#[cfg(feature = "alloc")]
macro_rules! over_the_heap {
    ($report:expr, $new:ident $buffer:expr => $($part:ident :: $case:ident)*) => { $(
        let outcome = match HeapRecord::$new(NAME, $buffer) {
            Ok(record) => $part::$case(&record),
            Err(_) => Err(Fault::new("a record on the heap with a capacity")),
        };
        $report.case(concat!("heap/", stringify!($part), "/", stringify!($case)), outcome);
    )* };
}

/// The cases, once: the same lists for statics and for the heap. Rings have room for 4 values, queues for 2 values and 2
/// consumers, unless the list says otherwise.
macro_rules! all_cases {
    ($ring:ident $latest:ident $mailbox:ident $queue:ident $shared_ring:ident $shared_latest:ident $single:ident) => {
        $ring! { every_buffer::a_new_record_is_open_and_empty every_buffer::a_record_says_its_name
        every_buffer::values_are_numbered_by_their_place every_buffer::the_record_closes_with_its_last_producer
        every_buffer::what_was_produced_is_taken_before_the_end every_buffer::a_new_producer_opens_it_again
        every_buffer::a_dropped_wait_loses_nothing every_buffer::a_woken_wait_that_is_dropped_loses_nothing
        every_buffer::a_waiting_consumer_ends_with_the_record every_buffer::a_stream_ends_with_the_record
        every_buffer::consumers_and_producers_are_counted every_buffer::the_first_value_is_not_lost
        ring::every_consumer_sees_every_value ring::a_new_consumer_sees_what_comes_from_now_on
        ring::a_slow_consumer_is_told_and_goes_on_at_the_oldest_kept ring::next_runs_on_after_a_lag
        ring::a_stream_runs_on_after_a_lag ring::a_lag_is_told_before_the_end ring::a_clone_goes_its_own_way
        ring::one_producer_only ring::send_does_not_wait }
        $shared_ring! { ring::several_producers_if_shared }
        $latest! { every_buffer::a_new_record_is_open_and_empty every_buffer::a_record_says_its_name
        every_buffer::values_are_numbered_by_their_place every_buffer::the_record_closes_with_its_last_producer
        every_buffer::what_was_produced_is_taken_before_the_end every_buffer::a_new_producer_opens_it_again
        every_buffer::a_dropped_wait_loses_nothing every_buffer::a_woken_wait_that_is_dropped_loses_nothing
        every_buffer::a_waiting_consumer_ends_with_the_record every_buffer::a_stream_ends_with_the_record
        every_buffer::consumers_and_producers_are_counted every_buffer::the_first_value_is_not_lost
        latest::only_the_newest_is_seen latest::a_new_consumer_starts_with_the_current_value
        latest::a_value_is_seen_once_by_each latest::the_current_value_outlives_its_producer
        latest::nothing_counts_as_missed ring::one_producer_only }
        $shared_latest! { ring::several_producers_if_shared }
        $mailbox! { every_buffer::a_new_record_is_open_and_empty every_buffer::a_record_says_its_name
        every_buffer::values_are_numbered_by_their_place every_buffer::the_record_closes_with_its_last_producer
        every_buffer::what_was_produced_is_taken_before_the_end every_buffer::a_new_producer_opens_it_again
        every_buffer::a_dropped_wait_loses_nothing every_buffer::a_woken_wait_that_is_dropped_loses_nothing
        every_buffer::a_waiting_consumer_ends_with_the_record every_buffer::a_stream_ends_with_the_record
        every_buffer::consumers_and_producers_are_counted every_buffer::the_first_value_is_not_lost
        mailbox::the_newest_replaces mailbox::a_value_is_taken_once mailbox::one_consumer_only
        mailbox::what_waits_is_there_for_who_comes_later ring::several_producers_if_shared }
        $single! { every_buffer::a_new_record_is_open_and_empty every_buffer::a_record_says_its_name
        every_buffer::values_are_numbered_by_their_place every_buffer::the_record_closes_with_its_last_producer
        every_buffer::what_was_produced_is_taken_before_the_end every_buffer::a_new_producer_opens_it_again
        every_buffer::a_dropped_wait_loses_nothing every_buffer::a_woken_wait_that_is_dropped_loses_nothing
        every_buffer::a_waiting_consumer_ends_with_the_record every_buffer::a_stream_ends_with_the_record
        every_buffer::consumers_and_producers_are_counted every_buffer::the_first_value_is_not_lost
        ring::several_producers_if_shared }
        $queue! { queue::every_consumer_sees_every_value queue::it_is_full_for_the_slowest_consumer
        queue::a_waiting_sender_goes_on_when_there_is_room queue::an_awaited_seat_keeps_everything
        queue::a_left_seat_keeps_nothing queue::a_left_seat_is_taken_again_from_now_on
        queue::a_sender_gets_its_value_back_when_all_have_left
        queue::a_waiting_sender_gets_its_value_back_when_all_leave queue::there_are_as_many_seats_as_declared
        queue::clones_share_their_seat queue::a_send_that_is_dropped_sent_nothing
        queue::a_woken_send_that_is_dropped_leaves_the_room_to_others queue::what_produce_cannot_place_counts_as_lost
        queue::nothing_is_missed }
    };
}

/// Runs the cases of every buffer over statics, with no heap, no runtime and no waker. Once in a program, since the
/// records are statics.
pub fn run_records(report: &mut impl Report) {
    static RAN: AtomicBool = AtomicBool::new(false);
    if RAN.swap(true, Ordering::Relaxed) {
        report.case("records", Err(Fault::new("run_records to be called once: its records are statics")));
        return;
    }
    macro_rules! ring { ($($cases:tt)*) => { over_statics!(report, Ring<4>, Record::new(NAME) => $($cases)*) }; }
    macro_rules! shared_ring { ($($cases:tt)*) => { over_statics!(report, Ring<4>, Record::new(NAME).shared() => $($cases)*) }; }
    macro_rules! latest { ($($cases:tt)*) => { over_statics!(report, Latest, Record::new(NAME) => $($cases)*) }; }
    macro_rules! shared_latest { ($($cases:tt)*) => { over_statics!(report, Latest, Record::new(NAME).shared() => $($cases)*) }; }
    macro_rules! mailbox { ($($cases:tt)*) => { over_statics!(report, Mailbox, Record::new(NAME) => $($cases)*) }; }
    macro_rules! single { ($($cases:tt)*) => { over_statics!(report, Queue<3>, Record::new(NAME) => $($cases)*) }; }
    macro_rules! queue { ($($cases:tt)*) => { over_statics!(report, Queue<2, 2>, Record::new(NAME) => $($cases)*) }; }
    all_cases!(ring latest mailbox queue shared_ring shared_latest single);
}

/// Runs the same cases over records on the heap.
#[cfg(feature = "alloc")]
pub fn run_heap_records(report: &mut impl Report) {
    const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 4 };
    const SINGLE: BufferCfg = BufferCfg::Queue { capacity: 3, consumers: 1 };
    const QUEUE: BufferCfg = BufferCfg::Queue { capacity: 2, consumers: 2 };
    macro_rules! ring { ($($cases:tt)*) => { over_the_heap!(report, new RING => $($cases)*) }; }
    macro_rules! shared_ring { ($($cases:tt)*) => { over_the_heap!(report, new_shared RING => $($cases)*) }; }
    macro_rules! latest { ($($cases:tt)*) => { over_the_heap!(report, new BufferCfg::SingleLatest => $($cases)*) }; }
    macro_rules! shared_latest {
        ($($cases:tt)*) => { over_the_heap!(report, new_shared BufferCfg::SingleLatest => $($cases)*) };
    }
    macro_rules! mailbox { ($($cases:tt)*) => { over_the_heap!(report, new BufferCfg::Mailbox => $($cases)*) }; }
    macro_rules! single { ($($cases:tt)*) => { over_the_heap!(report, new SINGLE => $($cases)*) }; }
    macro_rules! queue { ($($cases:tt)*) => { over_the_heap!(report, new QUEUE => $($cases)*) }; }
    all_cases!(ring latest mailbox queue shared_ring shared_latest single);
}

/// A producer, or the fault that there was none.
fn produces(record: &impl Ends) -> Result<Producer<u32>, Fault> {
    record.producer().map_err(|_| Fault::new("the record to have a producer free"))
}

/// A consumer, or the fault that there was none.
fn consumes(record: &impl Ends) -> Result<Consumer<u32>, Fault> {
    record.consumer().map_err(|_| Fault::new("the record to have a consumer free"))
}

/// Fails with `expected` unless exactly `values` can be taken, in this order, and nothing after them.
fn takes(consumer: &mut Consumer<u32>, values: &[u32], expected: &'static str) -> Result<(), Fault> {
    for value in values {
        match consumer.try_recv() {
            Ok(got) => crate::report::expect_equal((*value).into(), got.into(), expected)?,
            Err(_) => return Err(Fault { expected, numbers: None }),
        }
    }
    expect(consumer.try_recv().is_err(), expected)
}

/// Polls as a task would that nobody can wake.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
