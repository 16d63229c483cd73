//! What goes wrong around an adapter is an error that says what to write, or arrives at whoever waits.

use anabranch_executor::{JoinError, SpawnDynamically, SpawnError, SpawnStatically, StaticSlot, TimeSource};
use anabranch_tokio::{AdapterError, TokioAdapter};
use std::{future::pending, time::Duration};
use tokio::runtime::Builder;

#[test]
fn an_adapter_outside_a_runtime_is_an_error_that_says_what_to_write() {
    let error = TokioAdapter::current().unwrap_err();
    assert_eq!(error, AdapterError::NoRuntime);
    let text = error.to_string();
    assert!(text.contains("#[tokio::main]"), "{text}");
    assert!(text.contains("TokioAdapter::new(runtime.handle().clone())"), "{text}");
}

#[test]
fn a_runtime_without_a_timer_is_an_error_that_says_what_to_write() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.worker_threads(1).build().unwrap();
        let error = TokioAdapter::new(runtime.handle().clone()).unwrap_err();
        assert_eq!(error, AdapterError::NoTimer);
        assert!(error.to_string().contains(".enable_time()"), "{error}");
        assert_eq!(runtime.block_on(async { TokioAdapter::current().unwrap_err() }), AdapterError::NoTimer);
    }
}

#[test]
fn a_runtime_that_shuts_down_aborts_its_tasks_and_frees_their_slots() {
    static SLOT: StaticSlot<0> = StaticSlot::new();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let rt: &'static TokioAdapter = Box::leak(Box::new(TokioAdapter::new(runtime.handle().clone()).unwrap()));
    let waiting = rt.spawn(pending::<()>());
    rt.spawn_static(&SLOT, pending::<()>).unwrap();
    assert_eq!(rt.spawn_static(&SLOT, pending::<()>), Err(SpawnError::Busy));
    drop(runtime);

    let other = Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(other.block_on(waiting), Err(JoinError::Aborted));
    assert_eq!(other.block_on(rt.spawn(async {})), Err(JoinError::Aborted));
    let other_rt: &'static TokioAdapter = Box::leak(Box::new(TokioAdapter::new(other.handle().clone()).unwrap()));
    assert_eq!(other_rt.spawn_static(&SLOT, pending::<()>), Ok(()));
}

#[test]
fn a_task_that_never_has_to_wait_lets_the_others_run() {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        let within = rt.clone();
        let greedy = rt.spawn(async move {
            loop {
                within.sleep(Duration::ZERO).await;
            }
        });
        assert_eq!(rt.spawn(async { 1 }).await, Ok(1));
        anabranch_executor::JoinHandle::abort(&greedy);
        assert_eq!(greedy.await, Err(JoinError::Aborted));
    });
}

#[test]
fn the_wall_clock_is_the_machine_s() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let rt = TokioAdapter::new(runtime.handle().clone()).unwrap();
    let machine = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(rt.unix_time().unwrap() >= machine - Duration::from_secs(1));
}
