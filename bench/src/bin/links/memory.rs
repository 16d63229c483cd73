//! What a link takes of the heap.

use crate::{
    asked,
    database::Linked,
    routing::{exact, pattern},
};
use anabranch_bench::{Bound, Figure, Report};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The system's allocator, which counts while it is asked to: the other cases pay one load that is always in the cache.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVING: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator; counting is two atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            LIVING.fetch_add(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if COUNTS.load(Ordering::Relaxed) {
            LIVING.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LINKS: usize = 10_000;

/// What is built, for these addresses.
type Build = fn(&[String]) -> Linked;

/// The bytes of the heap that a database holds once it is built.
fn held(linked: Build, addresses: &[String]) -> usize {
    LIVING.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    let linked = linked(addresses);
    let held = LIVING.load(Ordering::Relaxed);
    drop(linked);
    COUNTS.store(false, Ordering::Relaxed);
    held
}

pub fn run(report: &mut Report) {
    // One link with a `{field}` goes out to any number of topics; a link for each topic is a task for each topic.
    let cases: [(_, Build, _); 2] = [
        ("memory: heap of 10,000 inbound links on one record, each", Linked::new, Bound::AtMost(300.0)),
        ("memory: heap of 10,000 outbound links that wait, each", Linked::outbound, Bound::Shown),
    ];
    for (case, linked, bound) in cases.into_iter().filter(|(case, ..)| asked(case)) {
        let inbound = matches!(bound, Bound::AtMost(_));
        let address = |i| if inbound { pattern(i, 3) } else { exact(i) };
        let addresses: Vec<String> = (0..LINKS).map(address).collect();
        held(linked, &[]); // what the process allocates once
        #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
        let each = (held(linked, &addresses) - held(linked, &[])) as f64 / LINKS as f64;
        let text = addresses.iter().map(String::len).sum::<usize>() / LINKS;
        let note = format!("addresses of {text} bytes");
        report.figure(Figure { case: case.into(), unit: "bytes", ours: each, bound, note });
    }
}
