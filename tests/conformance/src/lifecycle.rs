//! The loop that keeps a store's tiers in order, over an engine: on any runtime with a heap, with no `std`.

use crate::{
    Fault, Report,
    report::{expect, expect_equal},
    run_cases,
};
use anabranch::{
    lifecycle::in_steps,
    store::{Durability, Engine, Lifecycle, Maintained, Memory, Retention, StoreError, Timestamp, Usage, Write},
};
use anabranch_executor::{Duration, Runtime, RuntimeContext, RuntimeExt};
use core::{
    future::{Future, poll_fn, ready},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

/// Runs the cases of `anabranch::lifecycle::in_steps`.
pub async fn run_lifecycle<R: Runtime>(rt: &R, report: &mut impl Report) {
    run_cases!(
        rt,
        report,
        [
            what_is_due_is_moved_and_dropped_round_after_round(rt),
            others_have_their_turn_between_two_steps(rt),
            a_step_that_fails_ends_the_loop(rt),
        ]
    );
}

const EVERY: Duration = Duration::from_millis(1);

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

fn fails(_: StoreError) -> Fault {
    Fault::new("the store to do what it is asked")
}

/// Polls `first` before `then` each time, until `then` has ended; `first` never does.
async fn until<T>(then: impl Future<Output = T>, first: impl Future<Output = Result<(), Fault>>) -> Result<T, Fault> {
    let (mut then, mut first) = (pin!(then), pin!(first));
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Err(ended.err().unwrap_or(Fault::new("the loop to go on")))),
        Poll::Pending => then.as_mut().poll(cx).map(Ok),
    })
    .await
}

async fn what_is_due_is_moved_and_dropped_round_after_round<R: Runtime>(rt: &R) -> Result<(), Fault> {
    let mut engine = Engine::open(Memory::new()).map_err(fails)?;
    let reading = |second: i64| Write::put("plant", "boiler", second);
    for second in 1..=300 {
        engine.write(&[reading(second)], seconds(second), Durability::Relaxed).map_err(fails)?;
    }
    engine.set_retention("plant", Retention::For(Duration::from_secs(100))).map_err(fails)?;
    let lifecycle = Lifecycle { cold_after: Duration::from_secs(50), ..Lifecycle::default() };
    let [moved, dropped, rounds, asked] = [const { AtomicUsize::new(0) }; 4];
    let ctx = RuntimeContext::new(rt.clone(), "maintain");
    let maintaining = async {
        let step = || {
            let is_later = asked.load(Ordering::Relaxed) > 0;
            if asked.load(Ordering::Relaxed) == 1 {
                asked.store(2, Ordering::Relaxed);
                if let Err(error) = engine.write(&[reading(1000)], seconds(1000), Durability::Relaxed) {
                    return ready(Err(error));
                }
            }
            let done = engine.maintain(seconds(if is_later { 1000 } else { 300 }), &lifecycle);
            if let Ok(Maintained { moved: cold, dropped: gone, more, .. }) = &done {
                moved.fetch_add(*cold as usize, Ordering::Relaxed);
                dropped.fetch_add(*gone as usize, Ordering::Relaxed);
                rounds.fetch_add(usize::from(!more), Ordering::Relaxed);
            }
            ready(done)
        };
        in_steps(&ctx, EVERY, step).await.map(|never| match never {}).map_err(fails)
    };
    let looking = async {
        while rounds.load(Ordering::Relaxed) < 1 {
            rt.sleep(EVERY).await;
        }
        let first = (moved.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed));
        asked.store(1, Ordering::Relaxed);
        let before = rounds.load(Ordering::Relaxed);
        while rounds.load(Ordering::Relaxed) < before + 1 {
            rt.sleep(EVERY).await;
        }
        first
    };
    let (cold, gone) = until(looking, maintaining).await?;
    expect_equal(51, cold as u64, "what is older than 50 s, and kept, to be cold after the first round")?;
    expect_equal(199, gone as u64, "what was no longer the newest 100 s ago to be dropped in the first round")?;
    expect_equal(299, dropped.load(Ordering::Relaxed) as u64, "all but the two newest to be dropped in the second")?;
    let reader = engine.reader().map_err(fails)?;
    let stats = reader.stats(Usage::default()).map_err(fails)?;
    expect_equal(2, stats.total_versions, "what was the newest within the last 100 s to be there")?;
    let before = reader.get_at("plant", "boiler", seconds(299));
    expect(matches!(before, Err(StoreError::NoLongerKept { .. })), "what was dropped to be told from what never was")?;
    let then = reader.get_at("plant", "boiler", seconds(999)).map_err(fails)?;
    expect(then.value == 300.into(), "what was there then to be there still")
}

async fn others_have_their_turn_between_two_steps<R: Runtime>(rt: &R) -> Result<(), Fault> {
    let ctx = RuntimeContext::new(rt.clone(), "maintain");
    let steps = AtomicUsize::new(0);
    let endless = async {
        let step = || {
            // Whether or not there is more, the next is due at once.
            let more = steps.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            ready(Ok::<_, Fault>(Maintained { more, ..Maintained::default() }))
        };
        in_steps(&ctx, Duration::ZERO, step).await.map(|never| match never {})
    };
    let others = async {
        while steps.load(Ordering::Relaxed) < 10 {
            let before = steps.load(Ordering::Relaxed);
            rt.yield_now().await;
            let since = steps.load(Ordering::Relaxed) - before;
            expect(since <= 1, "one step at most between two turns of another")?;
            if since == 0 {
                // It waits for the time, which where it is virtual goes on when nobody has anything to do.
                rt.sleep(Duration::from_nanos(1)).await;
            }
        }
        Ok(())
    };
    until(others, endless).await?
}

async fn a_step_that_fails_ends_the_loop<R: Runtime>(rt: &R) -> Result<(), Fault> {
    let ctx = RuntimeContext::new(rt.clone(), "maintain");
    let mut steps = 0;
    let step = || {
        steps += 1;
        ready(if steps < 3 { Ok(Maintained::default()) } else { Err(steps) })
    };
    let Err(failed) = in_steps(&ctx, EVERY, step).await;
    expect_equal(3, failed, "the third step's error, after a pause between each two")
}
