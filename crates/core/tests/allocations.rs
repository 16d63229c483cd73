//! No value costs an allocation, and a record costs its slots and a few words.

use anabranch_core::{BufferCfg, Consumer, HeapRecord, Latest, Mailbox, Producer, Queue, Record, Ring};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

#[path = "allocations/links.rs"]
mod links;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator; counting touches a thread-local that needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Reading = [u8; 24];

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The allocations of five hundred values: half of them awaited before they come, half there already.
fn allocations(producer: &Producer<Reading>, consumers: &mut [Consumer<Reading>]) -> u64 {
    let mut round = |number: u8| {
        for consumer in &mut *consumers {
            assert!(poll(consumer.recv()).is_pending());
        }
        assert!(matches!(poll(producer.send([number; 24])), Poll::Ready(Ok(_))));
        for consumer in &mut *consumers {
            assert_eq!(poll(consumer.recv()), Poll::Ready(Ok([number; 24])));
            assert!(consumer.try_recv().is_err());
        }
        producer.produce([number; 24]);
        for consumer in &mut *consumers {
            assert_eq!(poll(consumer.next()), Poll::Ready(Some([number; 24])));
        }
    };
    round(0);
    let before = ALLOCATIONS.get();
    (0..250).for_each(&mut round);
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

/// What a record is larger than its slots.
fn overhead<B: anabranch_core::ConstBuffer<Reading>>(slots: usize) -> usize {
    size_of::<Record<Reading, B>>() - slots * size_of::<Reading>()
}

/// With a name that may own its text.
#[test]
fn a_record_costs_its_slots_and_a_few_words() {
    let word = size_of::<usize>();
    assert_eq!(word, 8, "the figures below are for 64 bits");
    let words = [
        overhead::<Ring<64>>(64),
        overhead::<Latest>(1),
        overhead::<Mailbox>(1),
        overhead::<Queue<8>>(8),
        overhead::<Queue<8, 2>>(8),
    ]
    .map(|bytes| bytes / word);
    assert_eq!(words, [12, 12, 12, 14 + 2, 14 + 2 * 2], "a queue has two words more, and two a seat");
    assert_eq!((size_of::<Producer<Reading>>() / word, size_of::<Consumer<Reading>>() / word), (5, 8));
}

#[test]
fn a_value_costs_no_allocation_over_statics() {
    static RING: Record<Reading, Ring<64>> = Record::new("ring");
    static FOUR: Record<Reading, Ring<64>> = Record::new("ring to four");
    static LATEST: Record<Reading, Latest> = Record::new("latest");
    static MAILBOX: Record<Reading, Mailbox> = Record::new("mailbox");
    static QUEUE: Record<Reading, Queue<8>> = Record::new("queue");
    let mut one = [RING.consumer().unwrap()];
    assert_eq!(allocations(&RING.producer().unwrap(), &mut one), 0);
    let mut four = [(); 4].map(|()| FOUR.consumer().unwrap());
    assert_eq!(allocations(&FOUR.producer().unwrap(), &mut four), 0);
    assert_eq!(allocations(&LATEST.producer().unwrap(), &mut [LATEST.consumer().unwrap()]), 0);
    assert_eq!(allocations(&MAILBOX.producer().unwrap(), &mut [MAILBOX.consumer().unwrap()]), 0);
    assert_eq!(allocations(&QUEUE.producer().unwrap(), &mut [QUEUE.consumer().unwrap()]), 0);
}

#[test]
fn a_value_costs_no_allocation_over_the_heap() {
    for (buffer, readers) in [
        (BufferCfg::SpmcRing { capacity: 64 }, 1),
        (BufferCfg::SpmcRing { capacity: 64 }, 4),
        (BufferCfg::SingleLatest, 4),
        (BufferCfg::Mailbox, 1),
        (BufferCfg::Queue { capacity: 8, consumers: 4 }, 4),
    ] {
        let record = HeapRecord::new("heap", buffer).unwrap();
        let mut consumers: Vec<_> = (0..readers).map(|_| record.consumer().unwrap()).collect();
        assert_eq!(allocations(&record.producer().unwrap(), &mut consumers), 0, "{buffer:?}");
    }
}
