//! Push and receive in one thread: what a buffer costs by itself.

use crate::{CAPACITY, ROUNDS, Value, asked};
use aimdb_core::buffer::{Buffer, BufferCfg as AimCfg, BufferReader};
use aimdb_tokio_adapter::TokioBuffer;
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_core::{BufferCfg, HeapRecord, channel};
use std::{hint::black_box, time::Instant};
use tokio::sync::{broadcast, mpsc, watch};

const VALUES: u64 = 400_000;

fn each(mut push_and_receive: impl FnMut(Value)) -> f64 {
    let begun = Instant::now();
    for i in 0..VALUES {
        push_and_receive([i; 4]);
    }
    begun.elapsed().as_nanos() as f64 / VALUES as f64
}

fn record(buffer: BufferCfg) -> HeapRecord<Value> {
    HeapRecord::new("bench", buffer).expect("a capacity above 0")
}

fn ring(consumers: usize) -> f64 {
    let record = record(BufferCfg::SpmcRing { capacity: CAPACITY });
    let producer = record.producer().expect("the first");
    let mut consumers: Vec<_> = (0..consumers).map(|_| record.consumer().expect("any number")).collect();
    each(|value| {
        producer.produce(black_box(value));
        for consumer in &mut consumers {
            black_box(consumer.try_recv().expect("it was just pushed"));
        }
    })
}

fn tokio_broadcast(consumers: usize) -> f64 {
    let (sender, first) = broadcast::channel::<Value>(CAPACITY);
    let mut receivers: Vec<_> = (0..consumers).map(|_| sender.subscribe()).collect();
    drop(first);
    each(|value| {
        let _ = sender.send(black_box(value));
        for receiver in &mut receivers {
            black_box(receiver.try_recv().expect("it was just sent"));
        }
    })
}

fn latest() -> f64 {
    let record = record(BufferCfg::SingleLatest);
    let (producer, mut consumer) = (record.producer().expect("the first"), record.consumer().expect("any number"));
    each(|value| {
        producer.produce(black_box(value));
        black_box(consumer.try_recv().expect("it was just pushed"));
    })
}

fn tokio_watch() -> f64 {
    let (sender, mut receiver) = watch::channel::<Value>([0; 4]);
    each(|value| {
        let _ = sender.send(black_box(value));
        black_box(*receiver.borrow_and_update());
    })
}

fn mailbox() -> f64 {
    let record = record(BufferCfg::Mailbox);
    let (producer, mut consumer) = (record.producer().expect("the first"), record.consumer().expect("the first"));
    each(|value| {
        producer.produce(black_box(value));
        black_box(consumer.try_recv().expect("it was just pushed"));
    })
}

fn aimdb_mailbox() -> f64 {
    let buffer = TokioBuffer::<Value>::new(&AimCfg::Mailbox);
    let mut reader = buffer.subscribe();
    each(|value| {
        buffer.push(black_box(value));
        black_box(reader.try_recv().expect("it was just pushed"));
    })
}

fn queue() -> f64 {
    let (producer, mut consumer) = channel::<Value>(CAPACITY).expect("a capacity above 0");
    each(|value| {
        producer.try_send(black_box(value)).expect("there is room");
        black_box(consumer.try_recv().expect("it was just sent"));
    })
}

fn tokio_mpsc() -> f64 {
    let (sender, mut receiver) = mpsc::channel::<Value>(CAPACITY);
    each(|value| {
        sender.try_send(black_box(value)).expect("there is room");
        black_box(receiver.try_recv().expect("it was just sent"));
    })
}

pub fn run(report: &mut Report) {
    let mut compare = |case: &str, peer: &'static str, most: f64, ours: &dyn Fn() -> f64, theirs: &dyn Fn() -> f64| {
        if asked(case) {
            let (ours, theirs) = interleaved(ROUNDS, ours, theirs);
            let (bound, note) = (Bound::AtMost(most), String::new());
            let case = case.to_string();
            report.add(Row { case, unit: "ns/value", ours, peer: (peer, theirs), bound, note, also: true });
        }
    };
    for consumers in [1, 4] {
        compare(&format!("ring, one thread, 1→{consumers}"), "tokio broadcast", 0.5, &|| ring(consumers), &|| {
            tokio_broadcast(consumers)
        });
    }
    compare("latest, one thread", "tokio watch", 0.2, &latest, &tokio_watch);
    compare("mailbox, one thread", "AimDB mailbox", 0.7, &mailbox, &aimdb_mailbox);
    compare("queue, one thread", "tokio mpsc", 1.0, &queue, &tokio_mpsc);
}
