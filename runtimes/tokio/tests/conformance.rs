//! Both flavours of Tokio keep the contract, and so does the adapter on a thread that no runtime owns.

use anabranch_conformance::{
    Platform, Tally, run_channels, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically, run_time,
    static_slots,
};
use anabranch_executor::{RuntimeExt, SpawnBlocking, SpawnDynamically};
use anabranch_tokio::TokioAdapter;
use std::{future::Future, time::Duration};
use tokio::runtime::{Builder, Runtime};

const PLATFORM: Platform = Platform { unwinds: true, threads: true };

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

/// Runs the whole suite, each of Tokio's runtimes with slots of its own.
macro_rules! keeps_the_contract {
    ($rt:expr) => {
        async {
            let rt: &'static TokioAdapter = Box::leak(Box::new($rt));
            let mut tally = Tally::new(|line| println!("{line}"));
            run_time(rt, &mut tally).await;
            run_spawn_dynamically(rt, PLATFORM, &mut tally).await;
            run_spawn_statically(rt, static_slots!(TokioAdapter), PLATFORM, &mut tally).await;
            run_spawn_blocking(rt, PLATFORM, &mut tally).await;
            run_channels(rt, PLATFORM, &mut tally).await;
            tally.finish()
        }
    };
}

/// Polls on this thread, which belongs to no runtime.
fn block_on_a_plain_thread<F: Future>(future: F) -> F::Output {
    assert!(tokio::runtime::Handle::try_current().is_err(), "this thread is meant to be outside every runtime");
    let mut future = std::pin::pin!(future);
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn the_current_thread_flavour_keeps_the_contract() {
    assert!(current_thread().block_on(async { keeps_the_contract!(TokioAdapter::current().unwrap()).await }));
}

#[test]
fn the_multi_thread_flavour_keeps_the_contract() {
    assert!(multi_thread().block_on(async { keeps_the_contract!(TokioAdapter::current().unwrap()).await }));
}

#[test]
fn a_task_on_the_multi_thread_flavour_sees_the_contract_kept() {
    let runtime = multi_thread();
    let suite = async { keeps_the_contract!(TokioAdapter::current().unwrap()).await };
    assert!(runtime.block_on(runtime.spawn(suite)).unwrap());
}

#[test]
fn a_plain_thread_sees_the_contract_kept() {
    let runtime = multi_thread();
    let rt = TokioAdapter::new(runtime.handle().clone()).unwrap();
    assert!(block_on_a_plain_thread(keeps_the_contract!(rt)));
}

#[test]
fn blocking_work_is_the_same_on_both_flavours_and_outside() {
    async fn blocks(rt: TokioAdapter) -> (i32, bool) {
        let caller = std::thread::current().id();
        rt.spawn_blocking(move || {
            assert!(tokio::runtime::Handle::try_current().is_err(), "the pool belongs to no runtime");
            (9, std::thread::current().id() != caller)
        })
        .await
        .unwrap()
    }

    for runtime in [current_thread(), multi_thread()] {
        let rt = TokioAdapter::new(runtime.handle().clone()).unwrap();
        assert_eq!(runtime.block_on(blocks(rt.clone())), (9, true));
        assert_eq!(runtime.block_on(rt.spawn(blocks(rt.clone()))), Ok((9, true)));
        assert_eq!(block_on_a_plain_thread(blocks(rt)), (9, true));
    }
}

#[test]
fn blocking_work_holds_up_no_interval_on_one_thread() {
    current_thread().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        let (free, wait) = std::sync::mpsc::channel::<()>();
        let blocked = rt.spawn_blocking(move || wait.recv().is_ok());
        let mut interval = rt.interval(Duration::from_millis(2));
        for _ in 0..5 {
            interval.tick().await;
        }
        free.send(()).unwrap();
        assert_eq!(blocked.await, Ok(true));
    });
}
