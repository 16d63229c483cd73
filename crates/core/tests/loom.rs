//! Records on every interleaving of two or three threads that has few preemptions: no value and no wake-up is lost.
//!
//! A lost wake-up shows as a deadlock, which loom reports. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p anabranch-core --release --test loom`.
#![cfg(loom)]

use anabranch_core::{BufferCfg, Consumer, HeapRecord, Producer, RecvError, SendError, TryRecvError, channel};
use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Explores `case` with at most `preemptions` places where a thread that could go on is stopped.
fn explore(preemptions: usize, case: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    model.check(case);
}

/// Wakes a thread of the model. It notes that it did, since loom forgets to unpark a thread that just yields.
struct Unpark {
    thread: thread::Thread,
    woken: AtomicBool,
}

impl Unpark {
    fn this_thread() -> Arc<Self> {
        Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) })
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.swap(true, Ordering::AcqRel);
        self.thread.unpark();
    }
}

fn waker() -> Waker {
    Unpark::this_thread().into()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Unpark::this_thread();
    let waker = unpark.clone().into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => {
                while !unpark.woken.swap(false, Ordering::AcqRel) {
                    thread::park();
                }
            }
        }
    }
}

fn record(buffer: BufferCfg) -> (Producer<u32>, Consumer<u32>) {
    let record = HeapRecord::new("loom", buffer).unwrap();
    (record.producer().unwrap(), record.consumer().unwrap())
}

const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 2 };

/// All that a consumer sees until its record closes, and how much it missed.
fn gather(mut consumer: Consumer<u32>) -> (Vec<u32>, u64) {
    let mut seen = Vec::new();
    while let Some(value) = block_on(consumer.next()) {
        seen.push(value);
    }
    (seen, consumer.lagged())
}

#[test]
fn a_ring_wakes_its_consumer_for_each_value_and_for_the_end() {
    explore(3, || {
        let (producer, consumer) = record(RING);
        let consumes = thread::spawn(move || gather(consumer));
        producer.produce(1);
        producer.produce(2);
        drop(producer);
        assert_eq!(consumes.join().unwrap(), (vec![1, 2], 0));
    });
}

#[test]
fn two_consumers_of_a_ring_each_see_or_miss_every_value() {
    explore(2, || {
        let (producer, first) = record(BufferCfg::SpmcRing { capacity: 1 });
        let second = first.clone();
        let consumes = [first, second].map(|consumer| thread::spawn(move || gather(consumer)));
        producer.produce(1);
        producer.produce(2);
        drop(producer);
        for consumer in consumes {
            let (seen, missed) = consumer.join().unwrap();
            assert_eq!(seen.last(), Some(&2));
            assert_eq!(seen.len() as u64 + missed, 2);
        }
    });
}

#[test]
fn a_wait_that_is_cancelled_while_it_is_woken_leaves_nothing_behind() {
    explore(3, || {
        let (producer, mut consumer) = record(RING);
        let produces = thread::spawn(move || {
            producer.produce(7);
            producer
        });
        let early = pin!(consumer.recv()).poll(&mut Context::from_waker(&waker()));
        // It is dropped now, perhaps at the very moment at which it is woken.
        match early {
            Poll::Ready(value) => assert_eq!(value, Ok(7)),
            Poll::Pending => assert_eq!(block_on(consumer.recv()), Ok(7)),
        }
        drop(produces.join().unwrap());
        assert_eq!(block_on(consumer.recv()), Err(RecvError::Closed));
    });
}

#[test]
fn one_of_two_who_wait_is_cancelled_and_the_other_is_woken() {
    explore(2, || {
        let (producer, mut first) = record(RING);
        let second = first.clone();
        let consumes = thread::spawn(move || gather(second).0);
        let cancels = thread::spawn(move || {
            let _ = pin!(first.recv()).poll(&mut Context::from_waker(&waker()));
        });
        producer.produce(1);
        drop(producer);
        cancels.join().unwrap();
        assert_eq!(consumes.join().unwrap(), [1]);
    });
}

#[test]
fn the_end_wakes_whoever_waits() {
    explore(2, || {
        let (producer, first) = record(RING);
        let second = first.clone();
        let consumes = [first, second].map(|consumer| thread::spawn(move || gather(consumer).0));
        drop(producer);
        for consumer in consumes {
            assert!(consumer.join().unwrap().is_empty());
        }
    });
}

#[test]
fn two_producers_of_a_shared_ring_lose_nothing() {
    explore(2, || {
        let record = HeapRecord::new_shared("loom", RING).unwrap();
        let mut consumer = record.consumer().unwrap();
        let producers = [1, 2].map(|value| {
            let producer = record.producer().unwrap();
            thread::spawn(move || producer.produce(value))
        });
        let mut seen = [block_on(consumer.next()), block_on(consumer.next())];
        seen.sort_unstable();
        assert_eq!(seen, [Some(1), Some(2)]);
        let mut places = producers.map(|producer| producer.join().unwrap());
        places.sort_unstable();
        assert_eq!(places, [0, 1]);
        assert_eq!(block_on(consumer.next()), None);
    });
}

#[test]
fn a_latest_ends_with_the_newest_value() {
    explore(3, || {
        let (producer, consumer) = record(BufferCfg::SingleLatest);
        let consumes = thread::spawn(move || gather(consumer).0);
        producer.produce(1);
        producer.produce(2);
        drop(producer);
        let seen = consumes.join().unwrap();
        assert!(seen == [2] || seen == [1, 2], "{seen:?}");
    });
}

#[test]
fn a_mailbox_gives_a_value_to_one_of_two() {
    explore(2, || {
        let (producer, first) = record(BufferCfg::Mailbox);
        let second = first.clone();
        let consumes = [first, second].map(|consumer| thread::spawn(move || gather(consumer).0));
        producer.produce(1);
        drop(producer);
        let seen: Vec<u32> = consumes.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
        assert_eq!(seen, [1]);
    });
}

#[test]
fn a_full_queue_wakes_its_sender_when_there_is_room() {
    explore(3, || {
        let (producer, consumer) = channel(1).unwrap();
        let consumes = thread::spawn(move || gather(consumer).0);
        for value in 0..3 {
            assert_eq!(block_on(producer.send(value)), Ok(value.into()));
        }
        drop(producer);
        assert_eq!(consumes.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn two_senders_at_a_full_queue_are_both_served() {
    explore(2, || {
        let (first, mut consumer) = channel(1).unwrap();
        let second = first.try_clone().unwrap();
        let senders = [(first, 1), (second, 2)].map(|(producer, value)| {
            thread::spawn(move || {
                block_on(producer.send(value)).unwrap();
            })
        });
        let mut seen = [block_on(consumer.next()), block_on(consumer.next())];
        seen.sort_unstable();
        assert_eq!(seen, [Some(1), Some(2)]);
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(block_on(consumer.next()), None);
    });
}

#[test]
fn a_send_that_is_cancelled_while_it_is_woken_leaves_the_room_to_the_other() {
    explore(2, || {
        let (first, mut consumer) = channel(1).unwrap();
        first.try_send(0).unwrap();
        let second = first.try_clone().unwrap();
        let cancels = thread::spawn(move || pin!(first.send(1)).poll(&mut Context::from_waker(&waker())).is_ready());
        let sends = thread::spawn(move || block_on(second.send(2)).is_ok());
        assert_eq!(block_on(consumer.next()), Some(0));
        let mut rest = Vec::new();
        while let Some(value) = block_on(consumer.next()) {
            rest.push(value);
        }
        assert!(sends.join().unwrap());
        rest.sort_unstable();
        let sent_too = cancels.join().unwrap();
        assert_eq!(rest, if sent_too { vec![1, 2] } else { vec![2] });
    });
}

#[test]
fn a_consumer_that_leaves_gives_the_waiting_sender_its_value_back() {
    explore(3, || {
        let (producer, consumer) = channel(1).unwrap();
        producer.try_send(1).unwrap();
        let leaves = thread::spawn(move || drop(consumer));
        assert_eq!(block_on(producer.send(2)), Err(SendError(2)));
        leaves.join().unwrap();
    });
}

/// A consumer that leaves lets go of its values one by one. Who takes a value meanwhile must not be given one of those.
#[test]
fn who_takes_while_another_leaves_gets_its_own_values() {
    explore(3, || {
        let record = HeapRecord::new("loom", BufferCfg::Queue { capacity: 3, consumers: 2 }).unwrap();
        let (leaves, mut stays) = (record.consumer().unwrap(), record.consumer().unwrap());
        let producer = record.producer().unwrap();
        for value in 0..3 {
            producer.try_send(value).unwrap();
        }
        assert_eq!(stays.try_recv(), Ok(0));
        let leaving = thread::spawn(move || drop(leaves));
        assert_eq!(stays.try_recv(), Ok(1));
        assert_eq!(stays.try_recv(), Ok(2));
        assert_eq!(stays.try_recv(), Err(TryRecvError::Empty));
        leaving.join().unwrap();
        assert_eq!(record.status().held, 0);
    });
}
