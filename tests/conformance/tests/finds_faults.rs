//! The suite can fail: an adapter with one flaw is found faulty by the case that is about that flaw.

use anabranch_conformance::{
    Platform, run_channels, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically, run_time, static_slots,
};
use anabranch_executor::{
    Duration, JoinError, JoinHandle, Moment, RuntimeAdapter, SpawnBlocking, SpawnDynamically, SpawnError,
    SpawnStatically, StaticSlot, TimeSource,
};
use anabranch_tokio::{TokioAdapter, TokioInstant, TokioJoinHandle};
use std::{
    future::Future,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// What is wrong with an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    ClockGoesBack,
    SleepsEndEarly,
    ShortSleepsAreLate,
    PastDeadlinesWait,
    SleepsCountFromTheFirstPoll,
    SleepsKeepTheFirstWaker,
    DroppedSleepsWake,
    MillisecondsAre32Bits,
    TasksRunOneAfterAnother,
    EndedTasksStay,
    DroppedHandlesAbort,
    AbortDoesNothing,
    AbortForgetsTheValue,
    PanicsAreAborts,
    SlotsAreNeverBusy,
    BusySlotsMakeTheTask,
    SlotsStayBusy,
    BlockingWorkRunsInline,
    BlockingPanicsAreAborts,
}

/// Tokio's adapter with one flaw.
#[derive(Clone)]
struct Flawed {
    tokio: TokioAdapter,
    flaw: Flaw,
    start: TokioInstant,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl RuntimeAdapter for Flawed {
    fn runtime_name(&self) -> &'static str {
        "flawed"
    }
}

impl TimeSource for Flawed {
    type Instant = TokioInstant;
    type Sleep = FlawedSleep;

    fn now(&self) -> TokioInstant {
        let now = self.tokio.now();
        match self.flaw {
            Flaw::ClockGoesBack => {
                let passed = now.since(self.start).as_millis() % 3;
                self.start.after(Duration::from_millis(passed as u64))
            }
            _ => now,
        }
    }

    fn sleep_until(&self, deadline: TokioInstant) -> FlawedSleep {
        let left = deadline.since(self.tokio.now());
        let tokio = self.tokio.clone();
        let flawed: Pin<Box<dyn Future<Output = ()> + Send>> = match self.flaw {
            Flaw::SleepsEndEarly => Box::pin(tokio.sleep(left - left / 10)),
            Flaw::ShortSleepsAreLate if left < Duration::from_millis(25) => Box::pin(tokio.sleep(left * 5)),
            Flaw::PastDeadlinesWait => Box::pin(async move {
                tokio::task::yield_now().await;
                tokio.sleep_until(deadline).await;
            }),
            Flaw::SleepsCountFromTheFirstPoll => Box::pin(async move { tokio.sleep(left).await }),
            Flaw::MillisecondsAre32Bits => {
                Box::pin(tokio.sleep(Duration::from_millis(u64::from(left.as_millis() as u32))))
            }
            _ => Box::pin(tokio.sleep_until(deadline)),
        };
        FlawedSleep { rt: self.clone(), deadline, sleep: flawed, first: None }
    }

    fn unix_time(&self) -> Option<Duration> {
        self.tokio.unix_time()
    }
}

struct FlawedSleep {
    rt: Flawed,
    deadline: TokioInstant,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
    first: Option<Waker>,
}

impl Future for FlawedSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_first = self.first.is_none();
        let first = self.first.get_or_insert_with(|| cx.waker().clone()).clone();
        match self.rt.flaw {
            Flaw::SleepsKeepTheFirstWaker => self.sleep.as_mut().poll(&mut Context::from_waker(&first)),
            Flaw::DroppedSleepsWake if is_first => {
                let timer = self.rt.tokio.sleep_until(self.deadline);
                drop(self.rt.tokio.spawn(async move {
                    timer.await;
                    first.wake();
                }));
                self.sleep.as_mut().poll(cx)
            }
            _ => self.sleep.as_mut().poll(cx),
        }
    }
}

struct FlawedHandle<T: Send + 'static> {
    rt: Flawed,
    task: TokioJoinHandle<T>,
    aborted: AtomicBool,
}

impl<T: Send + 'static> Future for FlawedHandle<T> {
    type Output = Result<T, JoinError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let aborted = *self.aborted.get_mut();
        Pin::new(&mut self.task).poll(cx).map(|outcome| match (self.rt.flaw, outcome) {
            (Flaw::PanicsAreAborts, Err(_)) => Err(JoinError::Aborted),
            (Flaw::AbortForgetsTheValue, _) if aborted => Err(JoinError::Aborted),
            (_, outcome) => outcome,
        })
    }
}

impl<T: Send + 'static> JoinHandle<T> for FlawedHandle<T> {
    fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        if self.rt.flaw != Flaw::AbortDoesNothing {
            self.task.abort();
        }
    }
}

impl<T: Send + 'static> Drop for FlawedHandle<T> {
    fn drop(&mut self) {
        if self.rt.flaw == Flaw::DroppedHandlesAbort {
            self.task.abort();
        }
    }
}

impl SpawnDynamically for Flawed {
    type JoinHandle<T: Send + 'static> = FlawedHandle<T>;
    fn spawn<F>(&self, future: F) -> FlawedHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let turn = self.turn.clone();
        let task = match self.flaw {
            Flaw::TasksRunOneAfterAnother => self.tokio.spawn(async move {
                let _turn = turn.lock().await;
                future.await
            }),
            Flaw::EndedTasksStay => {
                let mut stays = ManuallyDrop::new(Box::pin(future));
                self.tokio.spawn(async move { stays.as_mut().await })
            }
            _ => self.tokio.spawn(future),
        };
        FlawedHandle { rt: self.clone(), task, aborted: false.into() }
    }
}

impl SpawnStatically for Flawed {
    type Storage<F: Future<Output = ()> + Send + 'static> = ();
    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.flaw {
            Flaw::SlotsAreNeverBusy => {
                drop(self.tokio.spawn(make()));
                Ok(())
            }
            Flaw::BusySlotsMakeTheTask => {
                let task = make();
                self.tokio_static().spawn_static(slot, || task)
            }
            Flaw::SlotsStayBusy => {
                std::mem::forget(slot.occupy()?);
                drop(self.tokio.spawn(make()));
                Ok(())
            }
            _ => self.tokio_static().spawn_static(slot, make),
        }
    }
}

impl Flawed {
    fn tokio_static(&self) -> &'static TokioAdapter {
        Box::leak(Box::new(self.tokio.clone()))
    }
}

impl SpawnBlocking for Flawed {
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + Send + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let rt = self.clone();
        async move {
            match rt.flaw {
                Flaw::BlockingWorkRunsInline => catch_unwind(AssertUnwindSafe(work)).map_err(|_| JoinError::Panicked),
                Flaw::BlockingPanicsAreAborts => rt.tokio.spawn_blocking(work).await.map_err(|_| JoinError::Aborted),
                _ => rt.tokio.spawn_blocking(work).await,
            }
        }
    }
}

/// The names of the cases that found a fault, in virtual time; blocking work does not live in virtual time.
macro_rules! faulty_cases {
    ($flaw:expr) => {{
        let platform = Platform { unwinds: true, threads: true };
        let mut faulty = Vec::new();
        let mut report = |name, outcome: Result<(), _>| faulty.extend(outcome.err().map(|_| name));
        for start_paused in [true, false] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(start_paused).build().unwrap();
            runtime.block_on(async {
                let tokio = TokioAdapter::current().unwrap();
                let start = tokio.now();
                let flawed = Flawed { tokio, flaw: $flaw, start, turn: Arc::default() };
                let rt: &'static Flawed = Box::leak(Box::new(flawed));
                if start_paused {
                    run_time(rt, &mut report).await;
                    run_spawn_dynamically(rt, platform, &mut report).await;
                    run_channels(rt, platform, &mut report).await;
                    run_spawn_statically(rt, static_slots!(Flawed), platform, &mut report).await;
                } else {
                    run_spawn_blocking(rt, platform, &mut report).await;
                }
            });
        }
        faulty
    }};
}

#[test]
fn an_adapter_without_a_flaw_passes() {
    assert_eq!(faulty_cases!(Flaw::None), [""; 0]);
}

macro_rules! finds {
    ($($flaw:ident by $($case:ident)+;)*) => { $(
        #[test]
        #[expect(non_snake_case, reason = "named for the flaw")]
        fn $flaw() {
            let faulty = faulty_cases!(Flaw::$flaw);
            for case in [$(stringify!($case)),+] {
                assert!(faulty.contains(&case), "{case} should have found it; these did: {faulty:#?}");
            }
        }
    )* };
}

finds! {
    ClockGoesBack by the_clock_never_goes_back;
    SleepsEndEarly by a_sleep_never_ends_early timeout_ends_what_takes_too_long
        a_delayed_task_starts_not_before_its_delay;
    ShortSleepsAreLate by sleeps_end_in_the_order_of_their_deadlines;
    PastDeadlinesWait by a_deadline_in_the_past_is_ready_at_the_first_poll a_sleep_counts_from_its_call;
    SleepsCountFromTheFirstPoll by a_sleep_counts_from_its_call timeout_counts_from_its_call;
    SleepsKeepTheFirstWaker by a_sleep_wakes_whoever_polled_it_last;
    DroppedSleepsWake by a_dropped_sleep_wakes_nobody;
    MillisecondsAre32Bits by a_very_long_sleep_does_not_end_soon;
    TasksRunOneAfterAnother by tasks_run_concurrently a_task_spawns_a_task yield_now_lets_another_ready_task_run;
    EndedTasksStay by a_task_is_gone_when_its_handle_is_ready an_aborted_producer_closes_its_channel;
    DroppedHandlesAbort by a_dropped_handle_lets_the_task_run_on;
    AbortDoesNothing by abort_drops_the_task abort_before_the_first_poll_drops_the_task abort_ends_a_task_that_sleeps
        a_delayed_task_aborted_in_time_never_starts;
    AbortForgetsTheValue by abort_after_the_end_keeps_the_value;
    PanicsAreAborts by a_panic_arrives_as_an_error a_panic_after_a_wait_arrives_too;
    SlotsAreNeverBusy by a_slot_is_busy_while_its_task_runs;
    BusySlotsMakeTheTask by a_slot_is_busy_while_its_task_runs;
    SlotsStayBusy by a_slot_can_be_used_again;
    BlockingWorkRunsInline by blocking_work_stalls_no_timer blocking_work_runs_side_by_side;
    BlockingPanicsAreAborts by a_panic_in_blocking_work_arrives_as_an_error;
}
