//! What `SpawnBlocking` promises.

use crate::{
    Fault, LIMIT, Platform, Report, Signal, poll_once,
    report::{expect, expect_equal},
    run_cases,
};
use alloc::{sync::Arc, vec::Vec};
use anabranch_executor::{Duration, JoinError, Moment, SpawnBlocking, TimeSource};
use core::{hint::spin_loop, pin::pin, task::Poll};

/// Runs the cases of [`SpawnBlocking`].
pub async fn run_spawn_blocking<R: TimeSource + SpawnBlocking + Send>(
    rt: &R,
    platform: Platform,
    report: &mut impl Report,
) {
    run_cases!(
        rt,
        report,
        [blocking_work_gives_its_value(rt), blocking_work_that_was_started_runs_on(rt), much_blocking_work_ends(rt),]
    );
    if platform.unwinds {
        run_cases!(rt, report, [a_panic_in_blocking_work_arrives_as_an_error(rt)]);
    }
    if platform.threads {
        run_cases!(rt, report, [blocking_work_stalls_no_timer(rt), blocking_work_runs_side_by_side(rt),]);
    }
}

const MS: Duration = Duration::from_millis(1);

async fn blocking_work_gives_its_value<R: TimeSource + SpawnBlocking + Send>(rt: &R) -> Result<(), Fault> {
    let text = alloc::string::String::from("what a closure holds moves to where it runs");
    let length = rt.spawn_blocking(move || text.len()).await;
    expect(length == Ok(43), "the value of blocking work")
}

async fn blocking_work_that_was_started_runs_on<R: TimeSource + SpawnBlocking + Send>(rt: &R) -> Result<(), Fault> {
    let ran = Arc::new(Signal::new());
    let run = ran.clone();
    {
        let work = pin!(rt.spawn_blocking(move || run.raise()));
        let _: Poll<_> = poll_once(work).await;
    }
    // A pool may take work that has not begun off its queue when the future is dropped; then nobody ever runs it.
    while ran.count() == 0 && Arc::strong_count(&ran) > 1 {
        rt.sleep(MS).await;
    }
    expect(Arc::strong_count(&ran) == 1 || ran.count() == 1, "started work to run to its end, or never to begin")
}

async fn much_blocking_work_ends<R: TimeSource + SpawnBlocking + Send>(rt: &R) -> Result<(), Fault> {
    let mut all = Vec::new();
    for number in 0..64_u64 {
        all.push(rt.spawn_blocking(move || number));
    }
    let mut sum = 0;
    for work in all {
        sum += work.await.map_err(|_| Fault::new("each piece of blocking work to end"))?;
    }
    expect_equal(2_016, sum, "each piece of blocking work to give its own value")
}

async fn a_panic_in_blocking_work_arrives_as_an_error<R: TimeSource + SpawnBlocking + Send>(
    rt: &R,
) -> Result<(), Fault> {
    for _ in 0..3 {
        let outcome: Result<(), JoinError> =
            rt.spawn_blocking(|| panic!("blocking work that was asked to panic")).await;
        expect(outcome == Err(JoinError::Panicked), "a panic in blocking work to arrive as Panicked")?;
    }
    expect(rt.spawn_blocking(|| 5).await == Ok(5), "blocking work to go on after a panic")
}

/// Blocks its thread until `signal` has happened, and says whether it did before it lost patience.
fn block_until<R: TimeSource>(rt: &R, signal: &Signal) -> bool {
    let start = rt.now();
    while signal.count() == 0 {
        if rt.now().since(start) > LIMIT / 8 {
            return false;
        }
        spin_loop();
    }
    true
}

async fn blocking_work_stalls_no_timer<R: TimeSource + SpawnBlocking + Send>(rt: &R) -> Result<(), Fault> {
    let (ticked, begun) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let (within, tick, begin) = (rt.clone(), ticked.clone(), begun.clone());
    let mut work = pin!(rt.spawn_blocking(move || {
        begin.raise();
        block_until(&within, &tick)
    }));
    if let Poll::Ready(outcome) = poll_once(work.as_mut()).await {
        expect(outcome == Ok(true), "blocking work not to run on the async thread")?;
    }
    begun.reaches(1).await;
    for _ in 0..3 {
        rt.sleep(MS * 2).await;
    }
    ticked.raise();
    expect(work.await == Ok(true), "timers to go on while blocking work blocks")
}

async fn blocking_work_runs_side_by_side<R: TimeSource + SpawnBlocking + Send>(rt: &R) -> Result<(), Fault> {
    let (left, right) = (Arc::new(Signal::new()), Arc::new(Signal::new()));
    let (within, say, hear) = (rt.clone(), left.clone(), right.clone());
    let first = rt.spawn_blocking(move || {
        say.raise();
        block_until(&within, &hear)
    });
    let (within, say, hear) = (rt.clone(), right, left);
    let second = rt.spawn_blocking(move || {
        say.raise();
        block_until(&within, &hear)
    });
    let mut first = pin!(first);
    // The contract starts work at the first poll at the latest; a pool may be done with it by then.
    let begun = poll_once(first.as_mut()).await;
    expect(second.await == Ok(true), "two pieces of blocking work to run at the same time")?;
    let first = match begun {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => first.await,
    };
    expect(first == Ok(true), "two pieces of blocking work to run at the same time")
}
