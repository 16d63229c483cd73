//! Where others' records go wrong: a test for each trap, named after it; and what hostile values and threads do.

use anabranch_core::{
    BufferCfg, BufferCfgError, ClaimError, Consumer, HeapRecord, Mailbox, Producer, Record, RecvError, Ring,
    TryRecvError, channel,
};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

/// Counts how often it was woken, and unparks its thread.
struct Counting {
    woken: AtomicU32,
    thread: thread::Thread,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Counting { woken: AtomicU32::new(0), thread: thread::current() })
    }
    fn woken(&self) -> u32 {
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Counting::new().into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn ring(capacity: usize) -> HeapRecord<u32> {
    HeapRecord::new("ring", BufferCfg::SpmcRing { capacity }).unwrap()
}

fn produce(producer: &Producer<u32>, values: std::ops::Range<u32>) {
    for value in values {
        producer.produce(value);
    }
}

#[test]
fn the_first_value_is_not_lost_when_the_source_runs_first() {
    let record = ring(4);
    let mut declared = record.consumer().unwrap();
    let source = thread::spawn({
        let producer = record.producer().unwrap();
        move || producer.produce(1)
    });
    source.join().unwrap(); // the source is done before the consumer's task begins
    assert_eq!(block_on(declared.next()), Some(1));
    assert_eq!(block_on(declared.next()), None);
}

#[test]
fn the_documented_loop_does_not_end_at_the_first_lag() {
    let record = ring(2);
    let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
    produce(&producer, 0..10);
    let mut seen = Vec::new();
    while let Poll::Ready(Some(value)) = pin!(consumer.next()).poll(&mut Context::from_waker(Waker::noop())) {
        seen.push(value);
        if value == 9 {
            produce(&producer, 10..20);
        }
    }
    assert_eq!((seen, consumer.lagged()), (vec![8, 9, 18, 19], 16));
}

#[test]
fn two_mailbox_consumers_do_not_spin() {
    let record = HeapRecord::new("mailbox", BufferCfg::Mailbox).unwrap();
    let (producer, mut first) = (record.producer().unwrap(), record.consumer().unwrap());
    let mut second = first.clone();
    let wakers = [Counting::new(), Counting::new()];
    let [one, two] = wakers.clone().map(Waker::from);
    {
        let (mut first, mut second) = (pin!(first.recv()), pin!(second.recv()));
        assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_pending());
        assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_pending());
        producer.produce(1);
        assert_eq!(first.as_mut().poll(&mut Context::from_waker(&one)), Poll::Ready(Ok(1)));
        // The other finds nothing and waits again: that wakes nobody, so both sleep until there is a value.
        assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_pending());
        assert_eq!(wakers.each_ref().map(|waker| waker.woken()), [1, 1]);
    }
    producer.produce(2);
    assert_eq!(second.try_recv(), Ok(2));
    assert_eq!(wakers.map(|waker| waker.woken()), [1, 1], "waits that were dropped are not woken");
}

#[test]
fn capacity_0_is_an_error_that_says_how_to_mend_it() {
    let refused = |buffer| HeapRecord::<u32>::new("record", buffer).unwrap_err();
    assert_eq!(refused(BufferCfg::SpmcRing { capacity: 0 }), BufferCfgError::Capacity);
    assert_eq!(refused(BufferCfg::Queue { capacity: 0, consumers: 1 }), BufferCfgError::Capacity);
    assert_eq!(refused(BufferCfg::Queue { capacity: 1, consumers: 0 }), BufferCfgError::Consumers);
    assert_eq!(refused(BufferCfg::Queue { capacity: 1, consumers: 65_536 }), BufferCfgError::TooManyConsumers);
    assert_eq!(refused(BufferCfg::SpmcRing { capacity: usize::MAX }), BufferCfgError::TooLarge);
    assert_eq!(channel::<u32>(0).unwrap_err(), BufferCfgError::Capacity);
    assert!(BufferCfgError::Capacity.to_string().ends_with("give it at least 1"));
}

#[test]
fn a_second_producer_is_an_error_that_says_how_to_mend_it() {
    let record = ring(1);
    let _producer = record.producer().unwrap();
    let error = record.producer().unwrap_err();
    assert_eq!(error, ClaimError::ProducerTaken);
    assert!(error.to_string().contains("declare the record `.shared()`"));
}

/// What is taken with `unsafe impl Send` elsewhere is a bound here: see the compile-fail example of `Record`.
#[test]
fn ends_can_be_sent_and_shared_since_their_values_can_be_sent() {
    fn sent<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>(_: &T) {}
    // A `Cell` is `Send` and not `Sync`: it is passed on, never seen by two threads at once.
    let record = HeapRecord::new("cells", BufferCfg::Mailbox).unwrap();
    let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
    shared(&record);
    shared(&producer);
    shared(&consumer);
    let sends = producer.send(std::cell::Cell::new(1));
    sent(&sends);
    drop(sends);
    sent(&consumer.recv());
    sent(&consumer.next());
    sent(&consumer.stream());
}

/// A value whose clone panics while `armed` is not 0.
#[derive(Debug)]
struct Touchy {
    number: u32,
    armed: Arc<AtomicU32>,
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        assert!(self.armed.load(Ordering::SeqCst) == 0, "a clone that was asked to panic");
        Touchy { number: self.number, armed: self.armed.clone() }
    }
}

fn panics<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

#[test]
fn a_clone_that_panics_leaves_the_record_as_it_was() {
    let armed = Arc::new(AtomicU32::new(0));
    for buffer in
        [BufferCfg::SpmcRing { capacity: 2 }, BufferCfg::SingleLatest, BufferCfg::Queue { capacity: 2, consumers: 2 }]
    {
        let record = HeapRecord::new("touchy", buffer).unwrap();
        let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
        producer.produce(Touchy { number: 7, armed: armed.clone() });
        armed.store(1, Ordering::SeqCst);
        assert!(panics(|| consumer.try_recv()));
        assert!(panics(|| block_on(consumer.recv())));
        armed.store(0, Ordering::SeqCst);
        assert_eq!(consumer.try_recv().unwrap().number, 7, "the value is still there, and the lock was given back");
        let mut waiting = pin!(consumer.recv());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        producer.produce(Touchy { number: 8, armed: armed.clone() });
        armed.store(1, Ordering::SeqCst);
        assert!(panics(|| waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
        armed.store(0, Ordering::SeqCst);
        match waiting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(value)) => assert_eq!(value.number, 8),
            other => panic!("{other:?}"),
        }
        drop((producer, record));
    }
    assert_eq!(Arc::strong_count(&armed), 1, "no value is leaked");
}

/// A value whose drop panics if it says so.
#[derive(Clone)]
struct Explosive(bool);
impl Drop for Explosive {
    fn drop(&mut self) {
        if std::mem::take(&mut self.0) && !thread::panicking() {
            panic!("a drop that was asked to panic");
        }
    }
}

#[test]
fn a_drop_that_panics_keeps_no_consumer_from_being_woken() {
    let record = HeapRecord::new("explosive", BufferCfg::SpmcRing { capacity: 1 }).unwrap();
    let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
    producer.produce(Explosive(true));
    assert!(panics(|| drop(consumer.try_recv())));
    let counting = Counting::new();
    let waker = counting.clone().into();
    let mut waiting = pin!(consumer.recv());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(panics(|| producer.produce(Explosive(false))), "the old value goes, and panics");
    assert_eq!(counting.woken(), 1);
    assert!(matches!(waiting.poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(_))));
}

#[test]
fn more_than_65535_handles_close_nothing() {
    let handles = if cfg!(miri) { 300 } else { 70_000 };
    let record = HeapRecord::new_shared("many", BufferCfg::Queue { capacity: 1, consumers: 1 }).unwrap();
    let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
    drop((0..handles).map(|_| (producer.try_clone().unwrap(), consumer.clone())).collect::<Vec<_>>());
    assert!(!record.status().closed);
    producer.try_send(1).unwrap();
    assert_eq!(consumer.try_recv(), Ok(1));
}

#[test]
fn a_mailboxs_position_follows_its_values() {
    static COMMANDS: Record<u32, Mailbox> = Record::unnamed();
    let (producer, mut consumer) = (COMMANDS.producer().unwrap(), COMMANDS.consumer().unwrap());
    for value in 0..3 {
        let place = producer.produce(value);
        assert_eq!(consumer.try_recv(), Ok(value));
        assert_eq!(consumer.position(), place + 1);
    }
    assert_eq!(COMMANDS.name(), "unnamed");
}

#[test]
fn wakers_that_change_are_renewed_and_the_old_ones_let_go() {
    let record = ring(2);
    let (producer, mut consumer) = (record.producer().unwrap(), record.consumer().unwrap());
    let (old, new) = (Counting::new(), Counting::new());
    {
        let mut waiting = pin!(consumer.recv());
        for counting in [&old, &new, &new] {
            let waker = counting.clone().into();
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&old), 1, "a waker that was replaced is dropped");
        producer.produce(1);
    }
    assert_eq!((old.woken(), new.woken()), (0, 1));
    assert_eq!(Arc::strong_count(&new), 1);
    assert_eq!(consumer.try_recv(), Ok(1));
}

/// What one consumer saw of `values` values: in order, and each either seen or counted.
fn follow(mut consumer: Consumer<u32>, values: u32) {
    let (mut seen, mut lagged, mut next) = (0, 0, 0);
    loop {
        match block_on(consumer.recv()) {
            Ok(value) => {
                assert_eq!(value, next, "in order, without a gap that was not told");
                (seen, next) = (seen + 1, next + 1);
            }
            Err(RecvError::Lagged(missed)) => {
                lagged += missed;
                next += u32::try_from(missed).unwrap();
            }
            Err(RecvError::Closed) => break,
        }
    }
    assert_eq!(seen + lagged, u64::from(values));
    assert_eq!(consumer.lagged(), lagged);
    assert_eq!(consumer.position(), u64::from(values));
}

#[test]
fn four_threads_see_or_count_every_value_of_a_fifth() {
    let values = if cfg!(miri) { 60 } else { 100_000 };
    static RECORD: Record<u32, Ring<32>> = Record::new("contended");
    let consumers: Vec<_> = (0..4).map(|_| RECORD.consumer().unwrap()).collect();
    let producer = RECORD.producer().unwrap();
    thread::scope(|scope| {
        for consumer in consumers {
            scope.spawn(move || follow(consumer, values));
        }
        produce(&producer, 0..values);
        drop(producer);
    });
    assert_eq!(RECORD.status().produced, u64::from(values));
}

#[test]
fn a_queue_between_threads_loses_nothing_and_waits() {
    let values: u32 = if cfg!(miri) { 20 } else { 5_000 };
    let record = HeapRecord::new("contended", BufferCfg::Queue { capacity: 4, consumers: 2 }).unwrap();
    let consumers = [record.consumer().unwrap(), record.consumer().unwrap()];
    let producers = [record.producer().unwrap(), record.producer().unwrap()];
    thread::scope(|scope| {
        for mut consumer in consumers {
            scope.spawn(move || {
                let mut sum = 0;
                while let Some(value) = block_on(consumer.next()) {
                    sum += u64::from(value);
                }
                assert_eq!(sum, u64::from(values) * u64::from(values - 1));
            });
        }
        for producer in producers {
            scope.spawn(move || (0..values).for_each(|value| assert!(block_on(producer.send(value)).is_ok())));
        }
    });
    assert_eq!(record.status().held, 0);
    assert_eq!(record.consumer().unwrap().try_recv(), Err(TryRecvError::Closed));
}
