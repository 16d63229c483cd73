//! Supervision: what happens when a service ends, fails or panics.

use crate::Consumer;
use anabranch_executor::Duration;
use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};
use portable_atomic::{AtomicU8, AtomicU32, Ordering};

/// When a service that has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    /// Never: it ends with its first run.
    Never,
    /// When it returned an error or panicked.
    OnFailure,
    /// Whatever way it ended; only a shutdown ends it.
    Always,
}

/// How a service is supervised. `#[service(…)]` makes it from its arguments; the defaults are [`ServiceConfig::DEFAULT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceConfig {
    /// When it is started again.
    pub restart: RestartPolicy,
    /// The pause before the first restart; it doubles with each failure in a row.
    pub backoff: Duration,
    /// The longest pause. A run that lasted at least this long counts as healthy: the next pause is short again, and
    /// the count of failures in a row starts anew.
    pub max_backoff: Duration,
    /// How many restarts in a row are tried before it is given up; `None` for ever.
    pub limit: Option<u32>,
    /// How many of it run side by side.
    pub instances: u16,
}

impl ServiceConfig {
    /// Never restarted, one instance; pauses from 100 ms to 30 s and no limit once a policy is chosen.
    pub const DEFAULT: ServiceConfig = ServiceConfig {
        restart: RestartPolicy::Never,
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(30),
        limit: None,
        instances: 1,
    };

    /// The pause before restart number `restart` (from 1) in a row: `backoff * 2^(restart - 1)`, at most `max_backoff`.
    #[must_use]
    pub fn pause(&self, restart: u32) -> Duration {
        // By doubling: multiplying a duration takes a division of 64 bits, which costs a microcontroller a kilobyte.
        let mut doubled = self.backoff;
        for _ in 1..restart {
            if doubled.is_zero() || doubled >= self.max_backoff {
                break;
            }
            doubled = doubled.saturating_add(doubled);
        }
        doubled.min(self.max_backoff)
    }
}

/// What a service is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum ServicePhase {
    /// It was not started yet.
    Waiting = 0,
    /// It runs.
    Running = 1,
    /// It failed, and waits to be started again.
    BackingOff = 2,
    /// It returned `Ok`.
    Finished = 3,
    /// A shutdown ended it.
    Stopped = 4,
    /// It returned an error, and is not started again.
    Failed = 5,
    /// It panicked, and is not started again.
    Panicked = 6,
}

impl ServicePhase {
    /// Whether the service has not ended for good.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, ServicePhase::Waiting | ServicePhase::Running | ServicePhase::BackingOff)
    }
}

impl fmt::Display for ServicePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServicePhase::Waiting => "waiting",
            ServicePhase::Running => "running",
            ServicePhase::BackingOff => "backing off",
            ServicePhase::Finished => "finished",
            ServicePhase::Stopped => "stopped",
            ServicePhase::Failed => "failed",
            ServicePhase::Panicked => "panicked",
        })
    }
}

/// How a supervised service ended for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceEnd {
    /// It returned `Ok`.
    Finished,
    /// A shutdown ended it.
    Stopped,
    /// It returned an error, and its policy or limit said no to another run.
    Failed,
    /// It panicked, and its policy or limit said no to another run.
    Panicked,
}

/// One instance's state, which its supervisor writes and anybody may read.
pub struct ServiceState {
    phase: AtomicU8,
    restarts: AtomicU32,
    #[cfg(feature = "alloc")]
    last_error: crate::buffer::Lock<Option<alloc::string::String>>,
}

impl ServiceState {
    crate::sync::const_unless_loom! {
        /// A service that was not started.
        #[must_use]
        pub fn new() -> Self {
            ServiceState {
                phase: AtomicU8::new(0),
                restarts: AtomicU32::new(0),
                #[cfg(feature = "alloc")]
                last_error: crate::buffer::Lock::new(None),
            }
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> ServicePhase {
        match self.phase.load(Ordering::Acquire) {
            0 => ServicePhase::Waiting,
            1 => ServicePhase::Running,
            2 => ServicePhase::BackingOff,
            3 => ServicePhase::Finished,
            4 => ServicePhase::Stopped,
            5 => ServicePhase::Failed,
            _ => ServicePhase::Panicked,
        }
    }

    /// How often it was started again, ever.
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Its last error or panic, in words.
    #[cfg(feature = "alloc")]
    pub fn last_error(&self) -> Option<alloc::string::String> {
        self.last_error.with(|error| error.clone())
    }

    fn enter(&self, phase: ServicePhase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    #[cfg(feature = "alloc")]
    fn note(&self, error: alloc::string::String) {
        drop(self.last_error.with(|last| last.replace(error)));
    }
}

impl Default for ServiceState {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceState").field("phase", &self.phase()).field("restarts", &self.restarts()).finish()
    }
}

/// How one run of a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It returned `Ok`.
    Finished,
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It was told to stop.
    Stopped,
}

/// What tells a service to stop, if anything does.
pub trait StopSignal {
    /// Ends when the service shall stop; never, if nothing tells it to.
    fn stopped(&mut self) -> impl Future<Output = ()> + anabranch_executor::MaybeSend;
}

/// Nothing stops it from outside: a service that was spawned by itself.
#[derive(Debug, Clone, Copy)]
pub struct RunsOn;
impl StopSignal for RunsOn {
    fn stopped(&mut self) -> impl Future<Output = ()> + anabranch_executor::MaybeSend {
        core::future::pending()
    }
}

/// It stops when the record of its database says so: the end of the record is the signal.
impl StopSignal for Option<Consumer<()>> {
    async fn stopped(&mut self) {
        match self {
            Some(consumer) => while consumer.next().await.is_some() {},
            None => core::future::pending().await,
        }
    }
}

/// Where an instance's state is kept: in a `static`, or shared with its database.
#[derive(Debug, Clone)]
pub enum StateRef {
    /// In a `static`.
    Static(&'static ServiceState),
    /// Shared with a database.
    #[cfg(feature = "alloc")]
    Shared(alloc::sync::Arc<ServiceState>),
}

impl core::ops::Deref for StateRef {
    type Target = ServiceState;
    fn deref(&self) -> &ServiceState {
        match self {
            StateRef::Static(state) => state,
            #[cfg(feature = "alloc")]
            StateRef::Shared(state) => state,
        }
    }
}

/// Runs one instance of a service again and again, as its [`ServiceConfig`] says. `#[service]` writes the loop around it,
/// inside the service's own task, so that a restart needs no new storage:
///
/// ```text
/// loop {
///     let healthy_from = ctx.now().after(CONFIG.max_backoff);
///     let end = supervisor.run(service(ctx.clone(), &mut input, output.lend())).await;
///     match supervisor.after(end, ctx.now() >= healthy_from) {
///         Next::Restart(pause) => supervisor.pause(ctx.sleep(pause)).await,
///         Next::End(end) => break end,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Supervisor<S> {
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "only the log, which needs std, says it"))]
    name: &'static str,
    config: &'static ServiceConfig,
    state: StateRef,
    stop: S,
    in_a_row: u32,
}

/// What a [`Supervisor`] decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Run it again, after this pause.
    Restart(Duration),
    /// That was the end.
    End(ServiceEnd),
}

impl<S: StopSignal> Supervisor<S> {
    /// For one instance of the service `name`, which runs by `config` and shows itself in `state`.
    pub fn new(name: &'static str, config: &'static ServiceConfig, state: StateRef, stop: S) -> Self {
        Supervisor { name, config, state, stop, in_a_row: 0 }
    }

    /// One run: until the service ends, panics (where the target unwinds), or is told to stop.
    pub async fn run<F, E>(&mut self, service: F) -> RunEnd
    where
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        self.state.enter(ServicePhase::Running);
        let ended = {
            let (mut service, mut stopped) = (pin!(service), pin!(self.stop.stopped()));
            poll_fn(|cx| {
                if let Poll::Ready(ended) = poll_caught(service.as_mut(), cx) {
                    return Poll::Ready(Some(ended));
                }
                stopped.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        match ended {
            None => RunEnd::Stopped,
            Some(Ok(Ok(()))) => RunEnd::Finished,
            Some(Ok(Err(error))) => {
                self.report(&error);
                RunEnd::Failed
            }
            Some(Err(panic)) => {
                self.report(&panic);
                RunEnd::Panicked
            }
        }
    }

    /// Decides what follows a run, which was `healthy` if it lasted for [`max_backoff`](ServiceConfig::max_backoff).
    pub fn after(&mut self, end: RunEnd, healthy: bool) -> Next {
        let failed = matches!(end, RunEnd::Failed | RunEnd::Panicked);
        let again = match self.config.restart {
            RestartPolicy::Never => false,
            RestartPolicy::OnFailure => failed,
            RestartPolicy::Always => end != RunEnd::Stopped,
        };
        if healthy {
            self.in_a_row = 0;
        }
        if again && self.config.limit.is_none_or(|limit| self.in_a_row < limit) {
            self.in_a_row += 1;
            self.state.restarts.fetch_add(1, Ordering::Relaxed);
            self.state.enter(ServicePhase::BackingOff);
            return Next::Restart(self.config.pause(self.in_a_row));
        }
        let (phase, end) = match end {
            RunEnd::Finished => (ServicePhase::Finished, ServiceEnd::Finished),
            RunEnd::Stopped => (ServicePhase::Stopped, ServiceEnd::Stopped),
            RunEnd::Failed => (ServicePhase::Failed, ServiceEnd::Failed),
            RunEnd::Panicked => (ServicePhase::Panicked, ServiceEnd::Panicked),
        };
        self.state.enter(phase);
        Next::End(end)
    }

    /// Waits for `sleep`, or until the service shall stop: then the next [`run`](Self::run) ends at once.
    pub async fn pause(&mut self, sleep: impl Future<Output = ()>) {
        let (mut sleep, mut stopped) = (pin!(sleep), pin!(self.stop.stopped()));
        poll_fn(|cx| match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => stopped.as_mut().poll(cx),
        })
        .await;
    }

    #[cfg(feature = "alloc")]
    fn report(&self, error: &dyn fmt::Display) {
        let error = alloc::string::ToString::to_string(error);
        #[cfg(feature = "std")]
        tracing::error!(service = self.name, error = error.as_str(), "a service failed");
        self.state.note(error);
    }

    /// Without a heap there is no place for words; the phase and the number of restarts say what happened.
    #[cfg(not(feature = "alloc"))]
    fn report<E: fmt::Display>(&self, _error: &E) {}
}

/// A supervisor goes before its service ended when the task is aborted, by whomever: then nobody else can say so.
impl<S> Drop for Supervisor<S> {
    fn drop(&mut self) {
        if self.state.phase().goes_on() {
            self.state.enter(ServicePhase::Stopped);
        }
    }
}

#[cfg(feature = "std")]
use caught::poll_caught;

/// Panics become values here, so that a panic ends one run of one service.
#[cfg(feature = "std")]
mod caught {
    use alloc::string::{String, ToString};
    use core::{
        fmt,
        future::Future,
        pin::Pin,
        task::{Context, Poll},
    };
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// What a panic said.
    pub(super) struct Panic(String);
    impl fmt::Display for Panic {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "panicked: {}", self.0)
        }
    }

    /// Polls, and catches a panic. The future is not polled again after one; what it shared with others (its producers
    /// and consumers) is left whole by a panic, since no lock of ours is held while a service's code runs.
    pub(super) fn poll_caught<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Panic>> {
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => {
                let words = (payload.downcast_ref::<&str>().map(ToString::to_string))
                    .or_else(|| payload.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "with a value that is not text".to_string());
                Poll::Ready(Err(Panic(words)))
            }
        }
    }
}

/// Where panics do not unwind, none arrives here.
#[cfg(not(feature = "std"))]
fn poll_caught<F: Future>(
    future: core::pin::Pin<&mut F>,
    cx: &mut core::task::Context<'_>,
) -> Poll<Result<F::Output, core::convert::Infallible>> {
    future.poll(cx).map(Ok)
}
