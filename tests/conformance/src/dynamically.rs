//! What `SpawnDynamically` promises, and what `RuntimeExt` builds on it.

use crate::{
    Fault, LIMIT, Platform, Report, Signal, poll_elsewhere,
    report::{expect, expect_at_least, expect_equal},
    run_cases,
    signal::OnDrop,
};
use alloc::{sync::Arc, vec::Vec};
use anabranch_executor::{Duration, JoinError, JoinHandle, Moment, RuntimeExt, SpawnDynamically, TimeSource};
use core::{
    future::{pending, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Runs the cases of [`SpawnDynamically`].
pub async fn run_spawn_dynamically<R: TimeSource + SpawnDynamically>(
    rt: &R,
    platform: Platform,
    report: &mut impl Report,
) {
    run_cases!(
        rt,
        report,
        [
            spawn_gives_the_value(rt),
            a_task_is_gone_when_its_handle_is_ready(rt),
            a_handle_wakes_whoever_polled_it_last(rt),
            a_dropped_handle_lets_the_task_run_on(rt),
            abort_drops_the_task(rt),
            abort_before_the_first_poll_drops_the_task(rt),
            abort_after_the_end_keeps_the_value(rt),
            abort_ends_a_task_that_sleeps(rt),
            tasks_run_concurrently(rt),
            a_task_spawns_a_task(rt),
            a_thousand_tasks_end(rt),
            yield_now_lets_another_ready_task_run(rt, platform),
            a_delayed_task_starts_not_before_its_delay(rt),
            a_delayed_task_aborted_in_time_never_starts(rt),
        ]
    );
    if platform.unwinds {
        run_cases!(
            rt,
            report,
            [a_panic_arrives_as_an_error(rt), a_panic_touches_no_other_task(rt), a_panic_after_a_wait_arrives_too(rt),]
        );
    }
}

const MS: Duration = Duration::from_millis(1);

async fn spawn_gives_the_value<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let ready = rt.spawn(async { 41 });
    expect(ready.await == Ok(41), "the value of a task that ends at once")?;
    let within = rt.clone();
    let late = rt.spawn(async move {
        within.sleep(MS * 2).await;
        42
    });
    expect(late.await == Ok(42), "the value of a task that waits first")
}

async fn a_task_is_gone_when_its_handle_is_ready<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let dropped = Arc::new(Signal::new());
    for round in 1..=50 {
        let held = OnDrop(dropped.clone());
        // An `async` block drops what it holds when it ends; this future does not, so the runtime has to.
        let handle = rt.spawn(poll_fn(move |_| {
            let _held = &held;
            Poll::Ready(())
        }));
        expect(handle.await == Ok(()), "the task to end")?;
        expect_equal(round, dropped.count().into(), "what a task held to be given back when its handle is ready")?;
    }
    Ok(())
}

async fn a_handle_wakes_whoever_polled_it_last<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let go = Arc::new(Signal::new());
    let told = go.clone();
    let mut handle = rt.spawn(async move { told.reaches(1).await });
    expect(poll_elsewhere(Pin::new(&mut handle)).is_pending(), "the handle of a task that waits to wait")?;
    let start = rt.now();
    let raiser = rt.clone();
    let other = rt.spawn(async move {
        raiser.sleep(MS * 5).await;
        go.raise();
    });
    expect(handle.await == Ok(()), "the task to end")?;
    expect(rt.now().since(start) < LIMIT / 2, "a handle to wake the task that polled it last")?;
    expect(other.await == Ok(()), "the task to end")
}

async fn a_dropped_handle_lets_the_task_run_on<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let ended = Arc::new(Signal::new());
    let (within, end) = (rt.clone(), ended.clone());
    drop(rt.spawn(async move {
        within.sleep(MS * 2).await;
        end.raise();
    }));
    let outcome = rt.timeout(LIMIT / 2, ended.reaches(1)).await;
    expect(outcome.is_ok(), "a task to run on when its handle was dropped")
}

async fn abort_drops_the_task<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (started, dropped) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let (start, held) = (started.clone(), OnDrop(dropped.clone()));
    let handle = rt.spawn(async move {
        start.raise();
        pending::<()>().await;
        drop(held);
    });
    started.reaches(1).await;
    handle.abort();
    handle.abort();
    let outcome = rt.timeout(LIMIT / 2, handle).await;
    expect(outcome == Ok(Err(JoinError::Aborted)), "an aborted task's handle to give Aborted")?;
    expect_equal(1, dropped.count().into(), "an aborted task to be dropped when its handle is ready")
}

async fn abort_before_the_first_poll_drops_the_task<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let dropped = Arc::new(Signal::new());
    let held = OnDrop(dropped.clone());
    let handle = rt.spawn(async move {
        pending::<()>().await;
        drop(held);
    });
    handle.abort();
    let outcome = rt.timeout(LIMIT / 2, handle).await;
    expect(outcome == Ok(Err(JoinError::Aborted)), "a task that is aborted at once to give Aborted")?;
    expect_equal(1, dropped.count().into(), "a task that is aborted at once to be dropped")
}

async fn abort_after_the_end_keeps_the_value<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let gone = Arc::new(Signal::new());
    let held = OnDrop(gone.clone());
    let handle = rt.spawn(poll_fn(move |_| {
        let _held = &held;
        Poll::Ready(43)
    }));
    gone.reaches(1).await;
    // Nothing but the handle says that a task has ended, and asking it takes the value. The task's future is gone, so
    // the rest is a matter of moments.
    rt.sleep(MS * 20).await;
    handle.abort();
    expect(handle.await == Ok(43), "a task that ended before abort() to keep its value")
}

async fn abort_ends_a_task_that_sleeps<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let within = rt.clone();
    let handle = rt.spawn(async move { within.sleep(LIMIT * 1_000).await });
    rt.sleep(MS * 5).await;
    handle.abort();
    let outcome = rt.timeout(LIMIT / 2, handle).await;
    expect(outcome == Ok(Err(JoinError::Aborted)), "abort() not to wait for the task's timer")
}

async fn tasks_run_concurrently<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    const ROUNDS: u32 = 200;
    let (ping, pong) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let (asks, asked) = (ping.clone(), ping);
    let (answers, answered) = (pong.clone(), pong);
    let asker = rt.spawn(async move {
        for round in 1..=ROUNDS {
            asks.raise();
            answered.reaches(round).await;
        }
    });
    let answerer = rt.spawn(async move {
        for round in 1..=ROUNDS {
            asked.reaches(round).await;
            answers.raise();
        }
    });
    expect(asker.await == Ok(()), "the task that asks to end")?;
    expect(answerer.await == Ok(()), "the task that answers to end")
}

async fn a_task_spawns_a_task<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let within = rt.clone();
    let outer = rt.spawn(async move {
        let deeper = within.clone();
        let inner = within.spawn(async move {
            deeper.sleep(MS).await;
            44
        });
        inner.await
    });
    expect(outer.await == Ok(Ok(44)), "a task to spawn a task and get its value")
}

async fn a_thousand_tasks_end<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let mut handles = Vec::with_capacity(1_000);
    for number in 0..1_000_u64 {
        let within = rt.clone();
        handles.push(rt.spawn(async move {
            within.sleep(MS * u32::try_from(number % 7).unwrap_or(0)).await;
            within.yield_now().await;
            number
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.map_err(|_| Fault::new("each of a thousand tasks to end"))?;
    }
    expect_equal(499_500, sum, "each of a thousand tasks to give its own value")
}

async fn yield_now_lets_another_ready_task_run<R: TimeSource + SpawnDynamically>(
    rt: &R,
    platform: Platform,
) -> Result<(), Fault> {
    let within = rt.clone();
    let handle = rt.spawn(async move {
        let ran = Arc::new(Signal::new());
        let run = ran.clone();
        let other = within.spawn(async move { run.raise() });
        let start = within.now();
        let mut yields = 0_u64;
        while ran.count() == 0 {
            yields += 1;
            within.yield_now().await;
            // Where there is one thread, nothing but this task's yielding keeps the other one from its turn; where
            // there are several, the other one's thread may have lost its processor for a while.
            if yields > 1_000 && (!platform.threads || within.now().since(start) > LIMIT / 2) {
                break;
            }
        }
        (ran.count(), other.await)
    });
    let Ok((ran, other)) = handle.await else { return Err(Fault::new("the yielding task to end")) };
    expect(ran == 1, "yield_now() to let another ready task run (1,000 times)")?;
    expect(other == Ok(()), "the other task to end")
}

async fn a_delayed_task_starts_not_before_its_delay<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let called = rt.now();
    let within = rt.clone();
    let handle = rt.spawn_after(MS * 10, async move { within.now() });
    let started = handle.await.map_err(|_| Fault::new("a delayed task to run"))?;
    let waited = u64::try_from(started.since(called).as_nanos()).unwrap_or(u64::MAX);
    expect_at_least(10_000_000, waited, "a delayed task not to start before its delay (nanoseconds)")
}

async fn a_delayed_task_aborted_in_time_never_starts<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let (started, dropped) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let (start, held) = (started.clone(), OnDrop(dropped.clone()));
    // Long enough that no machine is too slow to abort in time.
    let handle = rt.spawn_after(LIMIT * 2, async move {
        start.raise();
        drop(held);
    });
    rt.sleep(MS * 5).await;
    handle.abort();
    let outcome = rt.timeout(LIMIT / 2, handle).await;
    expect(outcome == Ok(Err(JoinError::Aborted)), "a delayed task to be aborted before it starts")?;
    expect(started.count() == 0, "a delayed task that is aborted in time never to start")?;
    expect_equal(1, dropped.count().into(), "a delayed task that is aborted to be dropped")
}

async fn a_panic_arrives_as_an_error<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let dropped = Arc::new(Signal::new());
    let held = OnDrop(dropped.clone());
    let handle = rt.spawn(async move {
        let _held = held;
        panic!("a task that was asked to panic")
    });
    let outcome: Result<(), JoinError> = handle.await;
    expect(outcome == Err(JoinError::Panicked), "a panic to arrive as Panicked")?;
    expect_equal(1, dropped.count().into(), "what a panicked task held to be dropped")
}

async fn a_panic_after_a_wait_arrives_too<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let within = rt.clone();
    let handle = rt.spawn(async move {
        within.sleep(MS * 2).await;
        panic!("a task that was asked to panic after a wait")
    });
    let outcome: Result<(), JoinError> = handle.await;
    expect(outcome == Err(JoinError::Panicked), "a panic after a wait to arrive as Panicked")
}

async fn a_panic_touches_no_other_task<R: TimeSource + SpawnDynamically>(rt: &R) -> Result<(), Fault> {
    let go = Arc::new(Signal::new());
    let told = go.clone();
    let other = rt.spawn(async move {
        told.reaches(1).await;
        45
    });
    for _ in 0..5 {
        let outcome: Result<(), JoinError> = rt.spawn(async { panic!("a task that was asked to panic") }).await;
        expect(outcome == Err(JoinError::Panicked), "a panic to arrive as Panicked")?;
    }
    go.raise();
    expect(other.await == Ok(45), "a panic to touch no other task")
}
