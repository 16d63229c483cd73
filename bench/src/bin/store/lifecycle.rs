//! How long a step of the lifecycle takes: for so long a writer waits, and all else where there is one thread.

use crate::{
    BEGIN, NAMESPACE, asked,
    counted::{self, Counts},
    cpu_of_thread, directory,
};
use anabranch_bench::{Bound, Figure, Report};
use anabranch_store::{Durability, Lifecycle, Options, Retention, Store, Timestamp, Write};
use std::{num::NonZeroU64, time::Duration};

const KEYS: u32 = 500;
const VERSIONS: u32 = 500;
/// What is left by retention.
const LEFT: NonZeroU64 = NonZeroU64::new(10).expect("it is not zero");

pub fn run(report: &mut Report) {
    for (what, retention) in [("moves versions", None), ("drops versions", Some(Retention::Last(LEFT)))] {
        let case = format!("the longest step of the lifecycle that {what}, on disk: CPU");
        if asked(&case) {
            let (ours, note) = longest_step(retention);
            report.figure(Figure { case, unit: "ms", ours, bound: Bound::AtMost(10.0), note });
        }
    }
}

/// Readings of sensors that take turns, as they come.
fn fill(store: &Store) {
    let relaxed = store.with_durability(Durability::Relaxed);
    for version in 0..VERSIONS {
        let put =
            |key| Write::put(NAMESPACE, format!("sensor/{key}"), f64::from((version * 31 + key * 7) % 997) / 10.0);
        let submit = |key| relaxed.submit(vec![put(key)]).expect("the writer lives");
        let tickets: Vec<_> = (0..KEYS).map(submit).collect();
        tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("it is written")));
    }
    store.flush().expect("it is flushed");
}

/// In milliseconds, and what was counted beside. Retention drops what is warm still, row by row: the most work for a version.
fn longest_step(retention: Option<Retention>) -> (f64, String) {
    let (directory, counts) = (directory(), Counts::default());
    let lifecycle = Lifecycle { cold_after: Duration::ZERO, warm_bytes: None };
    let options = Options::new(|| Timestamp::from_nanos(BEGIN)).lifecycle(lifecycle);
    let store = Store::open(counted::open(directory.path(), &counts), options).expect("the store opens");
    fill(&store);
    if let Some(retention) = retention {
        store.set_retention(NAMESPACE, retention).expect("it is written");
    }
    let later = Timestamp::from_nanos(BEGIN + 3_600_000_000_000);
    let (mut steps, mut most_syncs, mut versions) = (Vec::new(), 0, 0);
    loop {
        let (begin, syncs, grown) = (cpu_of_thread(), counts.syncs(), counts.grown());
        let done = store.maintain(later).expect("a step is made");
        steps.push((cpu_of_thread() - begin) / 1e6);
        // redb syncs once more where its file grows.
        most_syncs = most_syncs.max(counts.syncs() - syncs - (counts.grown() - grown));
        versions += done.moved + done.dropped;
        if !done.more {
            break;
        }
    }
    steps.sort_by(f64::total_cmp);
    let (count, half) = (steps.len(), steps[steps.len() / 2]);
    let longest = steps[count - 1];
    (longest, format!("{count} steps for {versions} versions, {half:.1} ms in the middle; {most_syncs} sync at most"))
}
