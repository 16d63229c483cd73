//! What `TimeSource` promises, and what `RuntimeExt` builds on it.

use crate::{
    Fault, Report, poll_elsewhere, poll_once,
    report::{expect, expect_at_least, expect_at_most, expect_equal},
    run_cases,
    signal::{OnDrop, Signal},
};
use anabranch_executor::{Duration, Elapsed, MaybeSend, Moment, RuntimeExt, TimeSource};
use core::{
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    task::Poll,
};

/// Runs the cases of [`TimeSource`].
pub async fn run_time<R: TimeSource>(rt: &R, report: &mut impl Report) {
    run_cases!(
        rt,
        report,
        [
            the_clock_never_goes_back(rt),
            a_later_moment_is_later_by_what_was_added(rt),
            the_end_of_time_can_be_named(rt),
            a_sleep_never_ends_early(rt),
            sleeps_end_in_the_order_of_their_deadlines(rt),
            a_deadline_in_the_past_is_ready_at_the_first_poll(rt),
            a_sleep_counts_from_its_call(rt),
            a_sleep_wakes_whoever_polled_it_last(rt),
            a_dropped_sleep_wakes_nobody(rt),
            a_very_long_sleep_does_not_end_soon(rt),
            an_interval_does_not_drift(rt),
            missed_ticks_come_at_once_and_on_the_grid(rt),
            skip_missed_drops_all_but_the_newest(rt),
            timeout_gives_the_value_in_time(rt),
            timeout_ends_what_takes_too_long(rt),
            timeout_drops_what_it_ends(rt),
            timeout_counts_from_its_call(rt),
            yield_now_waits_for_one_poll(rt),
        ]
    );
}

const MS: Duration = Duration::from_millis(1);

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The step in which the clock counts: what the smallest addition adds.
fn tick<R: TimeSource>(rt: &R) -> Duration {
    let now = rt.now();
    now.after(Duration::from_nanos(1)).since(now)
}

/// Whether `due` lies `offset` after `first`, as exactly as the clock counts.
fn on_grid<R: TimeSource>(rt: &R, first: R::Instant, offset: Duration, due: R::Instant) -> bool {
    due.since(first).abs_diff(offset) <= tick(rt)
}

async fn the_clock_never_goes_back<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let mut last = rt.now();
    for round in 0..200 {
        if round % 50 == 0 {
            rt.sleep(MS).await;
        }
        let now = rt.now();
        expect(now >= last, "now() to be no earlier than the now() before it")?;
        last = now;
    }
    Ok(())
}

async fn a_later_moment_is_later_by_what_was_added<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let now = rt.now();
    expect(now.after(Duration::ZERO) == now, "after(0) to be the same moment")?;
    for micros in [1, 999, 1_000, 1_234_567, 86_400_000_000] {
        let added = Duration::from_micros(micros);
        let later = now.after(added);
        expect(later > now, "after(d) to be later")?;
        expect_at_least(nanos(added), nanos(later.since(now)), "after(d).since(now) to be no less than d")?;
        let above = later.since(now).saturating_sub(added);
        expect(above <= tick(rt), "after(d) to round up by no more than the clock's tick")?;
        expect_equal(0, nanos(now.since(later)), "since() a later moment to be zero")?;
    }
    Ok(())
}

async fn the_end_of_time_can_be_named<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let end = rt.now().after(Duration::MAX);
    expect(end > rt.now(), "after(Duration::MAX) to saturate and not to wrap")?;
    expect(end.after(Duration::MAX) >= end, "the end of time to stay the end of time")?;
    let mut sleep = pin!(rt.sleep(Duration::MAX));
    expect(poll_once(sleep.as_mut()).await.is_pending(), "a sleep of Duration::MAX to wait")?;
    let mut sleep = pin!(rt.sleep_until(end.after(Duration::MAX)));
    expect(poll_once(sleep.as_mut()).await.is_pending(), "a sleep until the end of time to wait")
}

async fn a_sleep_never_ends_early<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    for nanoseconds in [0, 1, 999, 1_000, 999_999, 1_000_000, 1_000_001, 1_500_000, 7_300_000, 30_000_000] {
        let wanted = Duration::from_nanos(nanoseconds);
        let start = rt.now();
        rt.sleep(wanted).await;
        expect_at_least(nanoseconds, nanos(rt.now().since(start)), "sleep(d) to take d nanoseconds or more")?;

        let deadline = rt.now().after(wanted);
        rt.sleep_until(deadline).await;
        expect(rt.now() >= deadline, "sleep_until(deadline) to end at its deadline or later")?;
    }
    Ok(())
}

async fn sleeps_end_in_the_order_of_their_deadlines<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let start = rt.now();
    let at = |ms: u32| rt.sleep_until(start.after(MS * ms));
    // Made out of order, and polled from the latest to the earliest: an earlier one that is polled after a later one
    // that was ready must be ready too, however late this task is.
    let (b, d, a, e, c) = (pin!(at(20)), pin!(at(40)), pin!(at(10)), pin!(at(50)), pin!(at(30)));
    let mut latest_first = [Some(e), Some(d), Some(c), Some(b), Some(a)];
    poll_fn(|cx| {
        let mut later_has_ended = false;
        for waiting in &mut latest_first {
            let ended = match waiting {
                Some(sleep) => sleep.as_mut().poll(cx).is_ready(),
                None => true,
            };
            if ended {
                *waiting = None;
            } else if later_has_ended {
                return Poll::Ready(Err(Fault::new("a sleep with an earlier deadline not to end after a later one")));
            }
            later_has_ended |= ended;
        }
        if latest_first.iter().all(Option::is_none) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

async fn a_deadline_in_the_past_is_ready_at_the_first_poll<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let past = rt.now();
    rt.sleep(MS * 5).await;
    expect(poll_once(pin!(rt.sleep_until(past))).await.is_ready(), "a deadline in the past to be ready at once")?;
    let now = rt.now();
    expect(poll_once(pin!(rt.sleep_until(now))).await.is_ready(), "a deadline of now to be ready at once")?;
    expect(poll_once(pin!(rt.sleep(Duration::ZERO))).await.is_ready(), "a sleep of zero to be ready at once")
}

async fn a_sleep_counts_from_its_call<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let early = rt.sleep(MS * 10);
    rt.sleep(MS * 15).await;
    expect(
        poll_once(pin!(early)).await.is_ready(),
        "a sleep first polled after its time to be ready at once, because it counts from the call",
    )
}

async fn a_sleep_wakes_whoever_polled_it_last<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let mut sleep = pin!(rt.sleep(MS * 10));
    expect(poll_elsewhere(sleep.as_mut()).is_pending(), "a sleep of 10 ms to wait")?;
    // When the adapter keeps the first waker, nobody wakes this task, and the case runs into its limit.
    let start = rt.now();
    sleep.await;
    expect(rt.now().since(start) < crate::LIMIT / 2, "a sleep to wake the task that polled it last")
}

async fn a_dropped_sleep_wakes_nobody<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let mut longest = pin!(rt.sleep(MS * 80));
    for ms in 0..20 {
        let sleep = pin!(rt.sleep(MS * (10 + 3 * ms)));
        let _: Poll<()> = poll_once(sleep).await;
    }
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        longest.as_mut().poll(cx)
    })
    .await;
    // Some platforms have one timer a task, which may go off once for nothing; twenty of them may not.
    expect_at_most(10, polls, "20 dropped sleeps not to wake their task (number of polls)")
}

async fn a_very_long_sleep_does_not_end_soon<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    // A narrow number of micro-, milli- or nanoseconds wraps: to now, or to a few milliseconds from now.
    for long in [
        Duration::from_micros((1 << 31) + 5_000),
        Duration::from_micros((1 << 32) + 5_000),
        Duration::from_millis((1 << 31) + 5),
        Duration::from_millis((1 << 32) + 5),
        Duration::from_nanos((1 << 63) + 5_000_000),
        Duration::from_nanos(u64::MAX) + MS * 5,
        Duration::from_secs(1_000 * 24 * 60 * 60),
    ] {
        let mut long = pin!(rt.sleep(long));
        let mut short = pin!(rt.sleep(MS * 10));
        poll_fn(|cx| match long.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(Fault::new("a sleep of half an hour or many days not to end within milliseconds")))
            }
            Poll::Pending => short.as_mut().poll(cx).map(Ok),
        })
        .await?;
    }
    Ok(())
}

async fn an_interval_does_not_drift<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    // A period that no clock's tick divides, so that rounding each step up would add up.
    let period = Duration::from_nanos(1_333_337);
    let earliest = rt.now();
    let mut interval = rt.interval(period);
    let latest = rt.now();
    let first = interval.tick().await;
    expect(first >= earliest.after(period), "the first tick to be due one period after the interval was made")?;
    expect(first <= latest.after(period).after(tick(rt)), "the first tick to be due after one period and no more")?;
    for n in 1..=40 {
        let due = interval.tick().await;
        expect(rt.now() >= due, "tick() not to end before the tick is due")?;
        expect(
            on_grid(rt, first, period * n, due),
            "tick n to be due at start + n * period, within the clock's tick, after 40 ticks as after one",
        )?;
    }
    Ok(())
}

async fn missed_ticks_come_at_once_and_on_the_grid<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let period = MS * 4;
    let mut interval = rt.interval(period);
    let first = interval.tick().await;
    rt.sleep(period * 3 + MS).await;
    for n in 1..=3 {
        let Poll::Ready(due) = poll_once(pin!(interval.tick())).await else {
            return Err(Fault::new("a missed tick to be ready at once"));
        };
        expect(on_grid(rt, first, period * n, due), "a late tick to be due at start + n * period")?;
    }
    // A tick that was not waited for to its end stays due.
    let _: Poll<R::Instant> = poll_once(pin!(interval.tick())).await;
    let due = interval.tick().await;
    expect(due.since(first) >= period * 4, "the tick after the missed ones to be on the grid")
}

async fn skip_missed_drops_all_but_the_newest<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let period = MS * 4;
    let mut interval = rt.interval(period);
    let first = interval.tick().await;
    rt.sleep(period * 4 + MS).await;
    let earliest = rt.now();
    let missed = interval.skip_missed();
    let latest = rt.now();
    expect_at_least(3, missed.into(), "skip_missed() to say how many ticks it dropped")?;
    let due = interval.tick().await;
    expect(on_grid(rt, first, period * (missed + 1), due), "the tick after skip_missed() to be on the grid")?;
    expect(due <= latest, "skip_missed() to keep the newest tick that is due")?;
    expect(due.after(period) > earliest, "skip_missed() to drop every older tick")
}

async fn timeout_gives_the_value_in_time<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let work = async {
        rt.sleep(MS).await;
        7
    };
    expect(rt.timeout(MS * 10_000, work).await == Ok(7), "timeout() to give the value of what ends in time")?;
    expect(rt.timeout(Duration::MAX, ready(8)).await == Ok(8), "a limit of Duration::MAX to be no limit")?;
    let both = rt.timeout(Duration::ZERO, ready(9)).await;
    expect(both == Ok(9), "the value to win when both are ready at one poll")
}

async fn timeout_ends_what_takes_too_long<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let start = rt.now();
    let outcome = rt.timeout(MS * 10, pending::<()>()).await;
    expect(outcome == Err(Elapsed), "timeout() to end what takes too long")?;
    expect_at_least(10_000_000, nanos(rt.now().since(start)), "timeout() not to end before its limit (nanoseconds)")
}

async fn timeout_drops_what_it_ends<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let dropped = Signal::new();
    let inside = OnDrop(&dropped);
    let outcome = rt.timeout(MS * 2, holding(inside)).await;
    expect(outcome == Err(Elapsed), "timeout() to end what takes too long")?;
    expect_equal(1, dropped.count().into(), "the future to be dropped when its limit has passed")
}

/// Waits for ever, and holds `held` meanwhile.
async fn holding<H: MaybeSend>(held: H) {
    pending::<()>().await;
    drop(held);
}

async fn timeout_counts_from_its_call<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let limited = rt.timeout(MS * 5, pending::<()>());
    rt.sleep(MS * 8).await;
    let outcome = poll_once(pin!(limited)).await;
    expect(outcome == Poll::Ready(Err(Elapsed)), "timeout() to count its limit from the call")
}

async fn yield_now_waits_for_one_poll<R: TimeSource>(rt: &R) -> Result<(), Fault> {
    let mut yielding = pin!(rt.yield_now());
    expect(poll_once(yielding.as_mut()).await.is_pending(), "yield_now() to let others run")?;
    expect(poll_once(yielding.as_mut()).await.is_ready(), "yield_now() to go on after that")?;
    for _ in 0..100 {
        rt.yield_now().await;
    }
    Ok(())
}
