//! A ring across threads, one producer and four consumers: values delivered a second, with the loss counted on both
//! sides, since a throughput without its loss says nothing.

use crate::{CAPACITY, ROUNDS, Value, asked};
use anabranch_bench::{Bound, Report, Row, median};
use anabranch_core::{BufferCfg, HeapRecord};
use std::{hint::black_box, time::Instant};
use tokio::{
    runtime::Runtime,
    sync::broadcast::{self, error::RecvError as BroadcastError},
    task::yield_now,
};

const VALUES: u64 = 1_000_000;
const RECEIVERS: usize = 4;
/// The producer gives way after so many: a burst that fits into the ring.
const BURST: u64 = 256;

struct Outcome {
    /// Values received by all receivers together, a second.
    delivered: f64,
    /// The share that receivers missed.
    lost: f64,
}

impl Outcome {
    fn of(got: u64, begun: Instant) -> Self {
        let all = (VALUES * RECEIVERS as u64) as f64;
        Outcome { delivered: got as f64 / begun.elapsed().as_secs_f64(), lost: 1.0 - got as f64 / all }
    }
}

fn ours(runtime: &Runtime) -> Outcome {
    runtime.block_on(async {
        let record = HeapRecord::<Value>::new("bench", BufferCfg::SpmcRing { capacity: CAPACITY }).expect("above 0");
        let producer = record.producer().expect("the first");
        let tasks: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let mut consumer = record.consumer().expect("any number");
                tokio::spawn(async move {
                    let mut got = 0_u64;
                    while let Some(value) = consumer.next().await {
                        black_box(value);
                        got += 1;
                    }
                    assert_eq!(got + consumer.lagged(), VALUES, "every value was received, or counted as missed");
                    got
                })
            })
            .collect();
        let begun = Instant::now();
        tokio::spawn(async move {
            for i in 0..VALUES {
                producer.produce([i; 4]);
                if i % BURST == BURST - 1 {
                    yield_now().await;
                }
            }
        })
        .await
        .expect("the sender ends");
        let mut got = 0;
        for task in tasks {
            got += task.await.expect("the receiver ends");
        }
        Outcome::of(got, begun)
    })
}

fn tokio_broadcast(runtime: &Runtime) -> Outcome {
    runtime.block_on(async {
        let (sender, first) = broadcast::channel::<Value>(CAPACITY);
        let tasks: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let mut receiver = sender.subscribe();
                tokio::spawn(async move {
                    let (mut got, mut missed) = (0_u64, 0_u64);
                    loop {
                        match receiver.recv().await {
                            Ok(value) => {
                                black_box(value);
                                got += 1;
                            }
                            Err(BroadcastError::Lagged(n)) => missed += n,
                            Err(BroadcastError::Closed) => break,
                        }
                    }
                    assert_eq!(got + missed, VALUES, "every value was received, or counted as missed");
                    got
                })
            })
            .collect();
        drop(first);
        let begun = Instant::now();
        tokio::spawn(async move {
            for i in 0..VALUES {
                let _ = sender.send([i; 4]);
                if i % BURST == BURST - 1 {
                    yield_now().await;
                }
            }
        })
        .await
        .expect("the sender ends");
        let mut got = 0;
        for task in tasks {
            got += task.await.expect("the receiver ends");
        }
        Outcome::of(got, begun)
    })
}

pub fn run(report: &mut Report) {
    let case = format!("ring across threads, 1→{RECEIVERS}, bursts of {BURST}");
    if !asked(&case) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let mut ours_all = vec![];
    let mut theirs_all = vec![];
    for _ in 0..ROUNDS {
        ours_all.push(ours(&runtime));
        theirs_all.push(tokio_broadcast(&runtime));
    }
    let of = |all: &[Outcome], what: fn(&Outcome) -> f64| median(all.iter().map(what).collect());
    let (our_loss, their_loss) = (of(&ours_all, |o| o.lost), of(&theirs_all, |o| o.lost));
    report.add(Row {
        case,
        unit: "values/s",
        ours: of(&ours_all, |o| o.delivered),
        peer: ("tokio broadcast", of(&theirs_all, |o| o.delivered)),
        bound: Bound::AtLeast(1.5),
        note: format!("lost {:.2} % against {:.2} %", our_loss * 100.0, their_loss * 100.0),
        also: our_loss <= their_loss,
    });
}
