//! A consumer that is never out of values leaves other tasks time to run.
#![cfg(not(loom))]

use anabranch_core::{BufferCfg, HeapRecord};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

#[derive(Default)]
struct Woken(AtomicUsize);
impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn after_128_values_in_a_row_it_asks_to_be_polled_again_and_loses_none() {
    let record = HeapRecord::new("full", BufferCfg::SpmcRing { capacity: 1_000 }).expect("1000 is a capacity");
    let (producer, mut consumer) = (record.producer().expect("the first"), record.consumer().expect("any number"));
    (0..1_000).for_each(|value| _ = producer.produce(value));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let (mut taken, mut gave_way) = (0, 0);
    while taken < 1_000 {
        match pin!(consumer.next()).poll(&mut cx) {
            Poll::Ready(value) => {
                assert_eq!(value, Some(taken));
                taken += 1;
            }
            Poll::Pending => {
                gave_way += 1;
                assert_eq!(taken, gave_way * 128, "after so many in a row");
                assert_eq!(woken.0.load(Ordering::Relaxed), gave_way, "and it is polled again");
            }
        }
    }
    assert_eq!(gave_way, 1_000 / 128);
}
