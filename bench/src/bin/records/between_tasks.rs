//! A ring between tasks on Tokio's current-thread flavour: push, wake, receive, in bursts of 1 and of 64.

use crate::{CAPACITY, ROUNDS, Value, asked};
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_core::{BufferCfg, HeapRecord};
use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};
use tokio::{
    runtime::Runtime,
    sync::broadcast::{self, error::RecvError as BroadcastError},
};

/// Takes a little memory, another amount each time, so that what a round allocates lies elsewhere than in the round before:
/// the median is then over places in the cache as well, and not that of one lucky or unlucky place.
fn elsewhere() -> Vec<u8> {
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    Vec::with_capacity(16 + 80 * (ROUND.fetch_add(7, Ordering::Relaxed) % 61))
}

/// Gives way to the other ready tasks, on both sides: as `RuntimeExt::yield_now`, the task stays ready. (Tokio's own
/// `yield_now` sends the scheduler through parking and its clock first, which costs more than either channel.)
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

const VALUES: u64 = 64 * 1024;

/// Time a value; panics when a receiver missed one, since nothing may be missed at these bursts.
fn ours(runtime: &Runtime, receivers: usize, burst: u64) -> f64 {
    let _place = black_box(elsewhere());
    runtime.block_on(async {
        let record = HeapRecord::<Value>::new("bench", BufferCfg::SpmcRing { capacity: CAPACITY }).expect("above 0");
        let producer = record.producer().expect("the first");
        let tasks: Vec<_> = (0..receivers)
            .map(|_| {
                let mut consumer = record.consumer().expect("any number");
                tokio::spawn(async move {
                    let mut got = 0;
                    while let Some(value) = consumer.next().await {
                        black_box(value);
                        got += 1;
                    }
                    got
                })
            })
            .collect();
        let begun = Instant::now();
        let sending = tokio::spawn(async move {
            for i in 0..VALUES {
                producer.produce([i; 4]);
                if i % burst == burst - 1 {
                    yield_now().await;
                }
            }
        });
        sending.await.expect("the sender ends");
        for task in tasks {
            assert_eq!(task.await.expect("the receiver ends"), VALUES, "nothing was missed");
        }
        begun.elapsed().as_nanos() as f64 / VALUES as f64
    })
}

fn tokio_broadcast(runtime: &Runtime, receivers: usize, burst: u64) -> f64 {
    let _place = black_box(elsewhere());
    runtime.block_on(async {
        let (sender, first) = broadcast::channel::<Value>(CAPACITY);
        let tasks: Vec<_> = (0..receivers)
            .map(|_| {
                let mut receiver = sender.subscribe();
                tokio::spawn(async move {
                    let mut got = 0;
                    loop {
                        match receiver.recv().await {
                            Ok(value) => {
                                black_box(value);
                                got += 1;
                            }
                            Err(BroadcastError::Lagged(_)) => {}
                            Err(BroadcastError::Closed) => return got,
                        }
                    }
                })
            })
            .collect();
        drop(first);
        let begun = Instant::now();
        let sending = tokio::spawn(async move {
            for i in 0..VALUES {
                let _ = sender.send([i; 4]);
                if i % burst == burst - 1 {
                    yield_now().await;
                }
            }
        });
        sending.await.expect("the sender ends");
        for task in tasks {
            assert_eq!(task.await.expect("the receiver ends"), VALUES, "nothing was missed");
        }
        begun.elapsed().as_nanos() as f64 / VALUES as f64
    })
}

pub fn run(report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for receivers in [1, 4] {
        for burst in [1, 64] {
            let case = format!("ring, tasks on current-thread, bursts of {burst}, 1→{receivers}");
            if !asked(&case) {
                continue;
            }
            let (ours, theirs) = interleaved(
                ROUNDS,
                || ours(&runtime, receivers, burst),
                || tokio_broadcast(&runtime, receivers, burst),
            );
            let peer = ("tokio broadcast", theirs);
            let (bound, note) = (Bound::AtMost(0.6), String::new());
            report.add(Row { case, unit: "ns/value", ours, peer, bound, note, also: true });
        }
    }
}
