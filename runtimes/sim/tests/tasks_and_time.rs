//! Tasks end, panic, are aborted and leave nothing behind; time is virtual.

use anabranch_executor::{
    Duration, JoinError, JoinHandle, RuntimeExt, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically,
    StaticSlot, TimeSource,
};
use anabranch_sim::{Faults, Sim, SimAdapter, SimError, SimOptions};
use std::{
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Calls something when it is dropped.
struct OnDrop<F: FnMut()>(F);
impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_thousand_days_pass_at_once() {
    let mut sim = Sim::new(1);
    let sleep = sim.adapter().sleep(DAY * 1_000);
    assert_eq!(sim.block_on(sleep), Ok(()));
    assert_eq!(sim.adapter().now().since_start(), DAY * 1_000);
    assert!(sim.steps() < 5);
}

#[test]
fn time_stands_still_while_anything_is_ready() {
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    let timer = adapter.sleep(Duration::from_nanos(1));
    let now = sim.block_on(async move {
        let mut timer = pin!(timer);
        for _ in 0..1_000 {
            let due = poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx).is_ready())).await;
            assert!(!due, "time moved while this task was ready");
            adapter.yield_now().await;
        }
        adapter.now().since_start()
    });
    assert_eq!(now, Ok(Duration::ZERO));
}

#[test]
fn a_sleep_without_end_sets_no_timer_and_is_found_as_a_deadlock() {
    let mut sim = Sim::new(1);
    let sleep = sim.adapter().sleep(Duration::MAX);
    assert!(matches!(sim.block_on(sleep), Err(SimError::Deadlock { .. })));
    assert_eq!(sim.adapter().now().since_start(), Duration::ZERO);
}

#[test]
fn timers_that_were_cancelled_leave_nothing_behind() {
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    let timers = sim.block_on(async move {
        for _ in 0..10_000 {
            adapter.timeout(DAY, adapter.yield_now()).await.unwrap();
        }
        adapter
    });
    let counts = sim.counts();
    assert_eq!((counts.timers, counts.alive), (0, 0));
    assert_eq!(timers.unwrap().now().since_start(), Duration::ZERO);
}

#[test]
fn run_for_stops_at_its_time_and_goes_on_from_there() {
    let mut sim = Sim::new(1);
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let (mut every, ticked) = (sim.adapter().interval(SECOND), ticks.clone());
    drop(sim.adapter().spawn(async move {
        loop {
            let due = every.tick().await;
            ticked.lock().unwrap().push(due.since_start().as_secs());
        }
    }));
    sim.run_for(SECOND * 3).unwrap();
    assert_eq!(*ticks.lock().unwrap(), [1, 2, 3]);
    sim.run_for(SECOND / 2).unwrap();
    assert_eq!(sim.adapter().now().since_start(), Duration::from_millis(3_500));
    assert_eq!(ticks.lock().unwrap().len(), 3);
    sim.run_for(SECOND / 2).unwrap();
    assert_eq!(ticks.lock().unwrap().len(), 4);
}

#[test]
fn the_wall_clock_starts_where_it_is_told_and_goes_with_virtual_time() {
    let start = Duration::from_secs(1_000_000_000);
    let mut sim = SimOptions::default().unix_time(start).build(1);
    let adapter = sim.adapter();
    sim.run_for(SECOND).unwrap();
    assert_eq!(adapter.unix_time(), Some(start + SECOND));
    sim.set_unix_time(start - DAY);
    sim.run_for(SECOND).unwrap();
    assert_eq!(adapter.unix_time(), Some(start - DAY + SECOND));
    assert_eq!(adapter.now().since_start(), SECOND * 2);
    assert_eq!(SimOptions::default().unix_time(None).build(1).adapter().unix_time(), None);
}

#[test]
fn a_late_timer_is_late_and_never_early() {
    let faults = Faults { late_timer: 1.0, late_by: SECOND, ..Faults::default() };
    let mut late = 0;
    for seed in 0..20 {
        let mut sim = SimOptions::default().faults(faults).build(seed);
        let sleep = sim.adapter().sleep(DAY);
        sim.block_on(sleep).unwrap();
        let now = sim.adapter().now().since_start();
        assert!((DAY..=DAY + SECOND).contains(&now));
        late += u32::from(now > DAY);
    }
    assert_eq!(late, 20);
}

#[test]
fn a_panic_ends_its_own_task_only() {
    let mut sim = SimOptions::default().record().build(1);
    let adapter = sim.adapter();
    let (bad, good) = (adapter.spawn(async { panic!("on purpose") }), adapter.spawn(async { 1 }));
    let (bad, good): (Result<(), _>, _) = sim.block_on(async { (bad.await, good.await) }).unwrap();
    assert_eq!((bad, good), (Err(JoinError::Panicked), Ok(1)));
    assert_eq!(sim.counts().panicked, 1);
    assert!(sim.trace().text.unwrap().contains("!0 on purpose\n"));
}

#[test]
fn a_panic_in_a_drop_ends_its_own_task_only() {
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    let held = OnDrop(|| panic!("on purpose, in a drop"));
    let doomed = adapter.spawn(async move {
        pending::<()>().await;
        drop(held);
    });
    sim.run_until_idle().unwrap();
    doomed.abort();
    assert_eq!(sim.block_on(doomed), Ok(Err(JoinError::Panicked)));
    assert_eq!(sim.block_on(async { 1 }), Ok(1));
}

#[test]
fn a_panic_of_block_on_reaches_its_caller_and_the_simulation_goes_on() {
    let mut sim = SimOptions::default().record().build(1);
    let panic = catch_unwind(AssertUnwindSafe(|| sim.block_on(async { panic!("on purpose, in block_on") })));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on purpose, in block_on"));
    assert_eq!(sim.trace().text.as_deref(), Some("+0 block_on\n>0\n!0 on purpose, in block_on\n"));
    assert_eq!(sim.tasks(), []);
    assert_eq!(sim.block_on(async { 1 }), Ok(1));
}

#[test]
fn abort_drops_the_future_outside_the_call_and_before_time_moves() {
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    let dropped_at = Arc::new(Mutex::new(None));
    let (say, within) = (dropped_at.clone(), adapter.clone());
    let held = OnDrop(move || *say.lock().unwrap() = Some(within.now().since_start()));
    let task = adapter.spawn(async move {
        pending::<()>().await;
        drop(held);
    });
    sim.run_for(SECOND).unwrap();
    // The one who aborts may hold what the task's drop needs.
    let guard = dropped_at.lock().unwrap();
    task.abort();
    drop(guard);
    assert_eq!(*dropped_at.lock().unwrap(), None);
    assert_eq!(sim.block_on(task), Ok(Err(JoinError::Aborted)));
    assert_eq!(*dropped_at.lock().unwrap(), Some(SECOND));
    assert_eq!(sim.counts().aborted, 1);
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_wait_and_keeps_a_value_that_it_has() {
    for waits in [true, false] {
        let mut sim = Sim::new(1);
        let own = Arc::new(Mutex::new(None::<anabranch_sim::SimJoinHandle<u8>>));
        let within = own.clone();
        let handle = sim.adapter().spawn(async move {
            if let Some(own) = &*within.lock().unwrap() {
                own.abort();
            }
            if waits {
                pending::<()>().await;
            }
            7
        });
        *own.lock().unwrap() = Some(handle);
        sim.run_until_idle().unwrap();
        let handle = own.lock().unwrap().take().unwrap();
        let expected = if waits { Err(JoinError::Aborted) } else { Ok(7) };
        assert_eq!(sim.block_on(handle), Ok(expected));
    }
}

#[test]
fn dropping_the_simulation_drops_every_task_and_refuses_new_ones() {
    let sim = Sim::new(1);
    let adapter = sim.adapter();
    let held = Arc::new(());
    let alive = Arc::downgrade(&held);
    let within = adapter.clone();
    drop(adapter.spawn(async move {
        // A task that holds its own runtime, a timer and something else must not keep itself alive.
        within.sleep(DAY).await;
        drop(held);
    }));
    drop(sim);
    assert_eq!(alive.strong_count(), 0);
    let mut refused = pin!(adapter.spawn(async { 1 }));
    let polled = refused.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert_eq!(polled, Poll::Ready(Err(JoinError::Aborted)));
}

#[test]
fn a_simulation_is_freed_with_its_last_adapter() {
    let held = Arc::new(());
    let alive = Arc::downgrade(&held);
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    let within = adapter.clone();
    let task = adapter.spawn(async move {
        within.sleep(SECOND).await;
        held
    });
    sim.run().unwrap();
    drop((sim, adapter));
    // The value waits in the handle, and goes with it.
    assert_eq!(alive.strong_count(), 1);
    drop(task);
    assert_eq!(alive.strong_count(), 0);
}

#[test]
fn a_static_slot_is_busy_while_its_task_runs_and_serves_every_simulation() {
    static SLOT: StaticSlot<0> = StaticSlot::new();
    for seed in 0..3 {
        let mut sim = Sim::new(seed);
        let adapter = sim.static_adapter();
        let made = AtomicBool::new(false);
        adapter.spawn_static(&SLOT, || adapter.sleep(SECOND)).unwrap();
        let again = adapter.spawn_static(&SLOT, || {
            made.store(true, Ordering::Relaxed);
            pending()
        });
        assert_eq!(again, Err(SpawnError::Busy));
        assert!(!made.load(Ordering::Relaxed), "a refused task was made");
        sim.run().unwrap();
        let failed =
            catch_unwind(|| adapter.spawn_static(&SLOT, || -> std::future::Ready<()> { panic!("on purpose") }));
        assert!(failed.is_err());
        // Left running: the next simulation has the slot all the same.
        adapter.spawn_static(&SLOT, pending).unwrap();
    }
}

#[test]
fn blocking_work_takes_virtual_time_by_the_seed() {
    let time = |seed| {
        let mut sim = SimOptions::default().blocking(SECOND).build(seed);
        let work = sim.adapter().spawn_blocking(|| 5);
        assert_eq!(sim.block_on(work), Ok(Ok(5)));
        sim.adapter().now().since_start()
    };
    assert!((1..20).all(|seed| time(seed) <= SECOND && !time(seed).is_zero()));
    assert_ne!(time(1), time(2));
}

#[test]
fn what_one_thread_wakes_from_outside_is_memory_safe() {
    fn is_shared_between_threads<T: Send + Sync>(_: &T) {}
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    is_shared_between_threads::<SimAdapter>(&adapter);
    let tasks = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let adapter = adapter.clone();
                scope.spawn(move || (0..100).map(|_| adapter.spawn(async move { number })).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let sum = sim.block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, Ok(600));
}
