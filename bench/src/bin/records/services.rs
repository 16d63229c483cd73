//! Services in a row, services side by side, and what the adapter adds to a spawn.

use crate::{CAPACITY, ROUNDS, Value, asked};
use aimdb_core::{AimDbBuilder, buffer::BufferCfg as AimCfg};
use aimdb_tokio_adapter::{TokioAdapter as AimAdapter, TokioRecordRegistrarExt};
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_core::{Anabranch, BufferCfg};
use anabranch_executor::{Duration, SpawnDynamically, TimeSource};
use anabranch_tokio::TokioAdapter;
use std::{hint::black_box, sync::Arc, time::Instant};
use tokio::{runtime::Runtime, sync::Semaphore, task::yield_now};

const STREAM: u64 = 64 * 1024;
const ONE_BY_ONE: u64 = 16 * 1024;
const BURST: u64 = 64;

/// How the source goes on: a burst at a time, or when the last value has arrived.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    Stream,
    OneByOne,
}

impl Pace {
    fn values(self) -> u64 {
        match self {
            Pace::Stream => STREAM,
            Pace::OneByOne => ONE_BY_ONE,
        }
    }

    /// Waits until the next value may be produced after number `i`.
    async fn wait(self, i: u64, arrived: &Semaphore) {
        match self {
            Pace::Stream if i % BURST == BURST - 1 => yield_now().await,
            Pace::Stream => {}
            Pace::OneByOne => arrived.acquire().await.expect("it is never closed").forget(),
        }
    }
}

fn plus_one(mut value: Value) -> Option<Value> {
    value[1] += 1;
    Some(value)
}

/// source → transform → transform → consumer, each a task of its own.
fn ours(runtime: &Runtime, pace: Pace) -> f64 {
    runtime.block_on(async {
        let buffer = BufferCfg::SpmcRing { capacity: CAPACITY };
        let db = Anabranch::builder()
            .runtime(TokioAdapter::current().expect("inside a runtime"))
            .configure::<Value>("a", |r| {
                r.with_buffer(buffer);
            })
            .configure::<Value>("b", |r| {
                r.with_buffer(buffer).transform("a", plus_one);
            })
            .configure::<Value>("c", |r| {
                r.with_buffer(buffer).transform("b", plus_one);
            })
            .build()
            .await
            .expect("it is right");
        let arrived = Arc::new(Semaphore::new(0));
        let source = db.producer::<Value>("a").expect("the first");
        let mut consumer = db.consumer::<Value>("c").expect("any number");
        db.start();
        let seen = arrived.clone();
        let receiving = tokio::spawn(async move {
            for _ in 0..pace.values() {
                black_box(consumer.next().await.expect("none was lost"));
                if pace == Pace::OneByOne {
                    seen.add_permits(1);
                }
            }
        });
        let begun = Instant::now();
        let sending = tokio::spawn(async move {
            for i in 0..pace.values() {
                source.produce([i; 4]);
                pace.wait(i, &arrived).await;
            }
            source
        });
        receiving.await.expect("it ends");
        let took = begun.elapsed().as_nanos() as f64 / pace.values() as f64;
        drop(sending.await.expect("it ends"));
        let _ = db.shutdown(Duration::from_secs(1)).await;
        took
    })
}

fn aimdb(runtime: &Runtime, pace: Pace) -> f64 {
    runtime.block_on(async {
        let arrived = Arc::new(Semaphore::new(0));
        let (done, ended) = tokio::sync::oneshot::channel();
        let (go, started) = tokio::sync::oneshot::channel::<()>();
        let cfg = || AimCfg::SpmcRing { capacity: CAPACITY };
        let adapter = Arc::new(AimAdapter::new().expect("inside a runtime"));
        let mut builder = AimDbBuilder::new().runtime(adapter);
        let wait = arrived.clone();
        builder.configure::<Value>("a", |reg| {
            reg.buffer(cfg()).source(move |_, producer| async move {
                let _ = started.await;
                for i in 0..pace.values() {
                    let _ = producer.produce([i; 4]).await;
                    pace.wait(i, &wait).await;
                }
            });
        });
        builder.configure::<Value>("b", |reg| {
            reg.buffer(cfg()).transform::<Value, _>("a", |t| t.map(|value: &Value| plus_one(*value)));
        });
        builder.configure::<Value>("c", |reg| {
            reg.buffer(cfg()).transform::<Value, _>("b", |t| t.map(|value: &Value| plus_one(*value))).tap(
                move |_, consumer| async move {
                    let mut reader = consumer.subscribe().expect("it has a buffer");
                    for _ in 0..pace.values() {
                        black_box(reader.recv().await.expect("none was lost"));
                        if pace == Pace::OneByOne {
                            arrived.add_permits(1);
                        }
                    }
                    let _ = done.send(());
                },
            );
        });
        let db = builder.build().await.expect("it is right");
        // its tasks subscribe when they first run: let them, or the first values are lost
        for _ in 0..16 {
            yield_now().await;
        }
        let begun = Instant::now();
        let _ = go.send(());
        ended.await.expect("it ends");
        let took = begun.elapsed().as_nanos() as f64 / pace.values() as f64;
        drop(db);
        took
    })
}

/// Eight services of two microseconds' work a value, fed by one ring, on so many threads; gives the time a value.
fn side_by_side(threads: usize) -> f64 {
    const VALUES: u64 = 8_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let took = runtime.block_on(async {
        let adapter = TokioAdapter::current().expect("inside a runtime");
        let mut builder = Anabranch::builder().runtime(adapter).configure::<Value>("in", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 256, consumers: 8 });
        });
        for i in 0..8 {
            builder = builder.configure::<Value>(format!("out {i}"), |r| {
                r.with_buffer(BufferCfg::SingleLatest).transform("in", work);
            });
        }
        let db = builder.build().await.expect("it is right");
        let source = db.producer::<Value>("in").expect("the first");
        let begun = Instant::now();
        db.start();
        tokio::spawn(async move {
            for i in 0..VALUES {
                source.send([i; 4]).await.expect("it has consumers");
            }
        })
        .await
        .expect("it ends");
        db.run().await.expect("no service fails");
        begun.elapsed().as_nanos() as f64 / VALUES as f64
    });
    runtime.shutdown_background();
    took
}

/// About two microseconds of arithmetic that no compiler leaves out.
fn work(mut value: Value) -> Option<Value> {
    for _ in 0..2_100 {
        value[0] = black_box(value[0].wrapping_mul(6_364_136_223_846_793_005).rotate_left(7));
    }
    Some(value)
}

/// So many tasks that each sleep at once: more than are spawned in the time of one sleep, so that what is measured is
/// spawning, arming and waking, and not the waiting.
const SLEEPERS: u32 = 20_000;
const SLEEP: Duration = Duration::from_millis(1);

fn spawn_and_sleep_ours(runtime: &Runtime) -> f64 {
    runtime.block_on(async {
        let adapter = TokioAdapter::current().expect("inside a runtime");
        let work = async move {
            let begun = Instant::now();
            let tasks: Vec<_> = (0..SLEEPERS)
                .map(|_| {
                    let inside = adapter.clone();
                    adapter.spawn(async move { inside.sleep(SLEEP).await })
                })
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
            begun.elapsed().as_nanos() as f64 / f64::from(SLEEPERS)
        };
        tokio::spawn(work).await.expect("it ends")
    })
}

fn spawn_and_sleep_tokio(runtime: &Runtime) -> f64 {
    runtime.block_on(async {
        let handle = tokio::runtime::Handle::current();
        let work = async move {
            let begun = Instant::now();
            let tasks: Vec<_> = (0..SLEEPERS)
                .map(|_| {
                    let inside = handle.clone();
                    handle.spawn(async move {
                        let _inside = inside;
                        tokio::time::sleep(SLEEP).await;
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
            begun.elapsed().as_nanos() as f64 / f64::from(SLEEPERS)
        };
        tokio::spawn(work).await.expect("it ends")
    })
}

pub fn run(report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for (name, pace, most) in [("a stream", Pace::Stream, 0.6), ("one value at a time", Pace::OneByOne, 1.0)] {
        let case = format!("source → service → service → consumer, {name}");
        if asked(&case) {
            let (ours, theirs) = interleaved(ROUNDS, || ours(&runtime, pace), || aimdb(&runtime, pace));
            let (bound, note) = (Bound::AtMost(most), String::new());
            report.add(Row { case, unit: "ns/value", ours, peer: ("AimDB", theirs), bound, note, also: true });
        }
    }
    let case = "8 services of 2 µs a value, 2 threads against 1";
    if asked(case) {
        let (two, one) = interleaved(9, || 1e9 / side_by_side(2), || 1e9 / side_by_side(1));
        report.add(Row {
            case: case.to_string(),
            unit: "values/s",
            ours: two,
            peer: ("ours on 1 thread", one),
            bound: Bound::AtLeast(1.7),
            note: String::new(),
            also: true,
        });
    }
    let case = "spawn + immediate sleep through the adapter";
    if asked(case) {
        let (ours, theirs) =
            interleaved(ROUNDS * 3, || spawn_and_sleep_ours(&runtime), || spawn_and_sleep_tokio(&runtime));
        report.add(Row {
            case: case.to_string(),
            unit: "ns/task",
            ours,
            peer: ("plain Tokio", theirs),
            bound: Bound::AtMost(1.05),
            note: String::new(),
            also: true,
        });
    }
}
