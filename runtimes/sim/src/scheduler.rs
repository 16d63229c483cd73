//! The scheduler: picks a ready task by the seed and polls it; when none is ready, moves time to the next timer.

use crate::{
    Counts, SimError, SimOptions, TaskLabel, Trace,
    network::{NetworkState, Wire},
    options::FaultChances,
    random::{Random, nanos},
    task::{Ending, Task, Turn},
    timers::{Due, TimerKey, Timers},
};
use anabranch_executor::JoinError;
use slab::Slab;
use std::{
    any::Any,
    collections::BTreeSet,
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A deadline at the end of the clock's range: it never comes.
pub(crate) const NEVER: u64 = u64::MAX;

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the simulation and all its adapters share.
///
/// Nothing of the user's runs while the state is locked: no poll, no waker, no drop. One thread runs a simulation, so
/// the lock is never contended and costs two atomic operations.
pub(crate) struct Core {
    /// Beside the state, so that reading the clock takes no lock. Only the scheduler writes it.
    now: AtomicU64,
    state: Mutex<State>,
}

pub(crate) struct State {
    tasks: Slab<Entry>,
    /// All keys of `tasks`, ever, are below this.
    keys: usize,
    /// Keys of `tasks`, each at most once; its order has no meaning.
    ready: Vec<usize>,
    timers: Timers,
    /// The static slots whose tasks run, by address.
    slots: BTreeSet<usize>,
    chance: Random,
    fault_chance: Random,
    user_chance: Random,
    network: NetworkState,
    faults: FaultChances,
    trace: Trace,
    counts: Counts,
    first_panic: Option<(TaskLabel, String)>,
    running: Option<u64>,
    /// The wall clock minus the virtual one.
    wall: Option<i128>,
    step_limit: u64,
    time_limit: Duration,
    blocking: Duration,
    shut_down: bool,
}

/// A task as the scheduler sees it.
struct Entry {
    label: TaskLabel,
    task: Arc<Task>,
    waker: Waker,
    body: Body,
    ending: Option<Arc<dyn Ending>>,
    slot: Option<usize>,
}

enum Body {
    /// A spawned task that waits for its turn.
    Waiting(TaskFuture),
    /// A spawned task whose future is being polled.
    Taken,
    /// The future that `block_on` lends.
    Main,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nothing is ready and no timer is set.
    Idle,
    /// All that is due at this time is done.
    Time(u64),
    /// The task with this key has ended.
    End(usize),
}

/// The future of `block_on`, lent for one run.
pub(crate) type Main<'a> = Pin<&'a mut dyn Future<Output = ()>>;

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(seed: u64, options: &SimOptions) -> Arc<Self> {
        let mut seed = Random::new(seed);
        Arc::new(Core {
            now: AtomicU64::new(0),
            state: Mutex::new(State {
                tasks: Slab::new(),
                keys: 0,
                ready: Vec::new(),
                timers: Timers::default(),
                slots: BTreeSet::new(),
                chance: seed.split(),
                fault_chance: seed.split(),
                user_chance: seed.split(),
                network: NetworkState::new(seed.split(), options.network.into()),
                faults: options.faults.into(),
                trace: Trace::new(options.record),
                counts: Counts::default(),
                first_panic: None,
                running: None,
                wall: options.unix_time.map(|time| time.as_nanos() as i128),
                step_limit: options.step_limit,
                time_limit: options.time_limit,
                blocking: options.blocking,
                shut_down: false,
            }),
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a task that was just woken among the ready ones.
    pub(crate) fn queue(&self, key: usize) {
        let mut state = self.lock();
        if !state.shut_down {
            state.ready.push(key);
        }
    }

    /// Starts a task. After the end of the simulation the future is dropped at once, and its handle says `Aborted`.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: &'static str,
        spawned_at: &'static std::panic::Location<'static>,
        slot: Option<usize>,
        future: TaskFuture,
        ending: Option<Arc<dyn Ending>>,
    ) -> Arc<Task> {
        let mut state = self.lock();
        if state.shut_down {
            drop(state);
            drop(future);
            if let Some(ending) = ending {
                ending.end(JoinError::Aborted);
            }
            return Task::refused(self.clone());
        }
        let key = state.enter(self, name, spawned_at, Body::Waiting(future));
        let entry = &mut state.tasks[key];
        (entry.ending, entry.slot) = (ending, slot);
        entry.task.clone()
    }

    /// Takes a static slot for a task; false when its task runs.
    pub(crate) fn take_slot(&self, slot: usize) -> bool {
        self.lock().slots.insert(slot)
    }

    pub(crate) fn free_slot(&self, slot: usize) {
        self.lock().slots.remove(&slot);
    }

    /// Sets the timer of a sleeper, later than its deadline if a fault says so.
    pub(crate) fn set_timer(&self, deadline: u64, waker: Waker) -> TimerKey {
        let mut state = self.lock();
        let faults = state.faults;
        let late = match state.fault_chance.happens(faults.late_timer) {
            true => state.fault_chance.time_up_to(faults.late_by),
            false => 0,
        };
        state.timers.set(deadline.saturating_add(late).min(NEVER - 1), Due::Wake(waker))
    }

    pub(crate) fn rewake_timer(&self, key: TimerKey, waker: Waker) {
        let former = self.lock().timers.rewake(key, waker);
        drop(former);
    }

    pub(crate) fn take_timer_back(&self, key: TimerKey) {
        let due = self.lock().timers.take_back(key);
        drop(due);
    }

    /// Does something in the network, and then wakes those whom it concerns.
    pub(crate) fn on_the_wire<T>(&self, act: impl FnOnce(&mut Wire<'_>) -> T) -> T {
        let mut state = self.lock();
        let State { network, timers, trace, .. } = &mut *state;
        let value = act(&mut Wire { network, timers, trace, now: self.now() });
        if state.network.woken.is_empty() {
            return value;
        }
        let mut woken = mem::take(&mut state.network.woken);
        drop(state);
        woken.drain(..).for_each(Waker::wake);
        // The room is kept for those who are woken next.
        let mut state = self.lock();
        if state.network.woken.is_empty() {
            mem::swap(&mut state.network.woken, &mut woken);
        }
        drop(state);
        value
    }

    pub(crate) fn random(&self) -> u64 {
        self.lock().user_chance.draw()
    }

    pub(crate) fn random_below(&self, bound: u64) -> u64 {
        self.lock().user_chance.below(bound)
    }

    /// How long the next piece of blocking work takes.
    pub(crate) fn blocking_time(&self) -> Duration {
        let mut state = self.lock();
        let longest = state.blocking;
        Duration::from_nanos(state.chance.time_up_to(longest))
    }

    pub(crate) fn note(&self, text: &str) {
        let mut state = self.lock();
        let running = state.running;
        state.trace.noted(running, text);
    }

    pub(crate) fn unix_time(&self) -> Option<Duration> {
        let wall = self.lock().wall?;
        let nanos = u128::try_from(wall + i128::from(self.now())).unwrap_or(0);
        Some(Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32))
    }

    pub(crate) fn set_unix_time(&self, time: Duration) {
        self.lock().wall = Some(time.as_nanos() as i128 - i128::from(self.now()));
    }

    pub(crate) fn trace(&self) -> Trace {
        self.lock().trace.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts { alive: state.tasks.len() as u64, timers: state.timers.len() as u64, ..state.counts }
    }

    /// The first task that panicked, and what it said.
    pub(crate) fn first_panic(&self) -> Option<(TaskLabel, String)> {
        self.lock().first_panic.clone()
    }

    /// Everybody who is still there, in the order of spawning.
    pub(crate) fn alive(&self) -> Vec<TaskLabel> {
        self.lock().alive()
    }

    /// Makes room for the future that `block_on` lends.
    #[track_caller]
    pub(crate) fn enter_main(self: &Arc<Self>) -> usize {
        self.lock().enter(self, "block_on", std::panic::Location::caller(), Body::Main)
    }

    /// Takes that room back when the future did not end by itself.
    pub(crate) fn leave_main(&self, key: usize) {
        let mut state = self.lock();
        state.running = None;
        state.ready.retain(|&ready| ready != key);
        let entry = state.tasks.try_remove(key);
        drop(state);
        if let Some(entry) = entry {
            entry.task.end();
        }
    }

    /// Runs the simulation until `until`. A panic of `main` goes on to the caller; every other ends its task alone.
    pub(crate) fn run(&self, until: Until, mut main: Option<Main<'_>>) -> Result<(), SimError> {
        let mut due = Vec::new();
        let mut state = self.lock();
        loop {
            let Some(key) = state.pick() else {
                match self.next_time(&mut state, until)? {
                    None => return Ok(()),
                    Some(now) => state = self.move_time(state, now, &mut due),
                }
                continue;
            };
            if state.counts.steps >= state.step_limit {
                state.ready.push(key);
                return Err(SimError::StepLimit { limit: state.step_limit, ready: state.ready_labels() });
            }
            state.counts.steps += 1;
            if state.hold_up(key, self.now()) {
                continue;
            }
            let ended = match state.begin(key) {
                Turn::Abort => {
                    drop(state);
                    Ended::Aborted
                }
                Turn::Poll => match self.poll(state, key, &mut main) {
                    Polled::Waits(locked) => {
                        state = locked;
                        continue;
                    }
                    Polled::Ended(ended) => ended,
                },
            };
            match ended {
                Ended::Panicked(panic) if until == Until::End(key) => {
                    let id = self.lock().tasks[key].label.id;
                    self.lock().trace.panicked(id, message(&*panic));
                    self.leave_main(key);
                    resume_unwind(panic);
                }
                ended => self.finish(key, ended),
            }
            if until == Until::End(key) {
                return Ok(());
            }
            state = self.lock();
        }
    }

    /// Polls a task, with the state unlocked meanwhile.
    fn poll<'a>(&'a self, mut state: MutexGuard<'a, State>, key: usize, main: &mut Option<Main<'_>>) -> Polled<'a> {
        let entry = &mut state.tasks[key];
        let id = entry.label.id;
        let waker = mem::replace(&mut entry.waker, Waker::noop().clone());
        let mut body = mem::replace(&mut entry.body, Body::Taken);
        state.running = Some(id);
        state.trace.polled(id);
        drop(state);
        let mut cx = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| match (&mut body, main) {
            (Body::Waiting(future), _) => future.as_mut().poll(&mut cx),
            (Body::Main, Some(main)) => main.as_mut().poll(&mut cx),
            (Body::Main, None) | (Body::Taken, _) => Poll::Pending,
        }));
        let ended = match polled {
            Ok(Poll::Pending) => {
                let mut state = self.lock();
                state.running = None;
                let entry = &mut state.tasks[key];
                (entry.body, entry.waker) = (body, waker);
                if entry.task.pause() {
                    state.ready.push(key);
                }
                state.poll_needlessly();
                return Polled::Waits(state);
            }
            Ok(Poll::Ready(())) => Ended::Done,
            Err(panic) => Ended::Panicked(panic),
        };
        // The future goes while its task still counts as the running one.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
        Polled::Ended(match (ended, dropped) {
            (Ended::Done, Err(panic)) => Ended::Panicked(panic),
            (ended, _) => ended,
        })
    }

    /// What the clock will show next; `None` when the run is over.
    fn next_time(&self, state: &mut State, until: Until) -> Result<Option<u64>, SimError> {
        let next = state.timers.next_deadline();
        match (until, next) {
            (Until::Time(end), next) if next.is_none_or(|next| next > end) => {
                self.now.store(end.max(self.now()), Ordering::Release);
                return Ok(None);
            }
            (Until::Idle, None) => return Ok(None),
            (Until::End(_), None) => {
                return Err(SimError::Deadlock { after: Duration::from_nanos(self.now()), waiting: state.alive() });
            }
            _ => {}
        }
        match next {
            Some(next) if Duration::from_nanos(next) > state.time_limit => {
                Err(SimError::TimeLimit { limit: state.time_limit, waiting: state.alive() })
            }
            next => Ok(next),
        }
    }

    /// Moves time, and does what is due then, in an order by the seed.
    fn move_time<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: u64,
        due: &mut Vec<Due>,
    ) -> MutexGuard<'a, State> {
        self.now.store(now, Ordering::Release);
        state.timers.take_due(now, due);
        for last in (1..due.len()).rev() {
            due.swap(last, state.chance.below(last as u64 + 1) as usize);
        }
        state.trace.time(now, due.len() as u64);
        drop(state);
        for due in due.drain(..) {
            match due {
                Due::Wake(waker) => waker.wake(),
                Due::GoOn(task) => task.go_on(),
                Due::Network(event) => self.on_the_wire(|wire| wire.happen(event)),
            }
        }
        self.lock()
    }

    /// Ends a task: its future goes first, then its slot is free, then whoever awaits it is told.
    fn finish(&self, key: usize, ended: Ended) {
        let mut state = self.lock();
        let Some(mut entry) = state.tasks.try_remove(key) else { return };
        entry.task.end();
        let id = entry.label.id;
        state.running = Some(id);
        drop(state);
        let body = mem::replace(&mut entry.body, Body::Taken);
        let ended = match (catch_unwind(AssertUnwindSafe(|| drop(body))), ended) {
            (Err(panic), Ended::Aborted) => Ended::Panicked(panic),
            (_, ended) => ended,
        };
        let mut state = self.lock();
        state.running = None;
        if let Some(slot) = entry.slot {
            state.slots.remove(&slot);
        }
        let error = match ended {
            Ended::Done => {
                state.counts.ended += 1;
                state.trace.ended(id);
                None
            }
            Ended::Aborted => {
                state.counts.aborted += 1;
                state.trace.aborted(id);
                Some(JoinError::Aborted)
            }
            Ended::Panicked(panic) => {
                state.counts.panicked += 1;
                let message = message(&*panic);
                state.trace.panicked(id, message);
                if state.first_panic.is_none() {
                    state.first_panic = Some((entry.label.clone(), message.to_owned()));
                }
                Some(JoinError::Panicked)
            }
        };
        drop(state);
        if let (Some(error), Some(ending)) = (error, &entry.ending) {
            ending.end(error);
        }
        // A value that nobody took goes here, and with it whatever its `drop` does.
        if catch_unwind(AssertUnwindSafe(|| drop(entry))).is_err() {
            self.lock().counts.panicked += 1;
        }
    }

    /// Drops every task, in the order of their keys, and refuses new ones.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.shut_down = true;
        state.ready = Vec::new();
        let keys: Vec<usize> = state.tasks.iter().map(|(key, _)| key).collect();
        drop(state);
        for key in keys {
            self.finish(key, Ended::Aborted);
        }
        let mut state = self.lock();
        let network = state.network.shut_down();
        let left = (mem::take(&mut state.tasks), mem::take(&mut state.timers), mem::take(&mut state.trace.text));
        drop(state);
        drop((left, network));
    }
}

/// What a poll came to.
enum Polled<'a> {
    /// The task waits, or was woken meanwhile; the state is locked again.
    Waits(MutexGuard<'a, State>),
    /// The task has ended, and its future is gone.
    Ended(Ended),
}

/// How a task ended.
enum Ended {
    Done,
    Aborted,
    Panicked(Box<dyn Any + Send>),
}

impl State {
    fn enter(
        &mut self,
        core: &Arc<Core>,
        name: &'static str,
        spawned_at: &'static std::panic::Location<'static>,
        body: Body,
    ) -> usize {
        let label = TaskLabel { id: self.counts.spawned, name, spawned_at };
        self.counts.spawned += 1;
        self.trace.spawned(label.id, name);
        let place = self.tasks.vacant_entry();
        let key = place.key();
        self.keys = self.keys.max(key + 1);
        let task = Task::ready(core.clone(), key);
        let waker = Waker::from(task.clone());
        place.insert(Entry { label, task, waker, body, ending: None, slot: None });
        self.ready.push(key);
        key
    }

    fn pick(&mut self) -> Option<usize> {
        match self.ready.len() {
            0 | 1 => self.ready.pop(),
            several => {
                let picked = self.chance.below(several as u64) as usize;
                Some(self.ready.swap_remove(picked))
            }
        }
    }

    /// The fault that holds up a task: it stays out of the ready ones for a while.
    fn hold_up(&mut self, key: usize, now: u64) -> bool {
        if !self.fault_chance.happens(self.faults.stall) {
            return false;
        }
        let nanos = self.fault_chance.time_up_to(self.faults.stall_for);
        self.trace.held_up(self.tasks[key].label.id, nanos);
        let task = self.tasks[key].task.clone();
        self.timers.set(now.saturating_add(nanos).min(NEVER - 1), Due::GoOn(task));
        true
    }

    /// Begins a task's turn, and may make it its last.
    fn begin(&mut self, key: usize) -> Turn {
        let entry = &self.tasks[key];
        let turn = entry.task.begin();
        let spawned = matches!(entry.body, Body::Waiting(_));
        if turn == Turn::Poll && spawned && self.fault_chance.happens(self.faults.abort) {
            return Turn::Abort;
        }
        turn
    }

    /// The fault that polls a task which nobody woke.
    fn poll_needlessly(&mut self) {
        if !self.fault_chance.happens(self.faults.needless_poll) {
            return;
        }
        let key = self.fault_chance.below(self.keys as u64) as usize;
        if let Some(entry) = self.tasks.get(key)
            && entry.task.rouse()
        {
            self.trace.woken_for_nothing(entry.label.id);
            self.ready.push(key);
        }
    }

    fn alive(&self) -> Vec<TaskLabel> {
        in_order(self.tasks.iter().map(|(_, entry)| entry.label.clone()))
    }

    fn ready_labels(&self) -> Vec<TaskLabel> {
        in_order(self.ready.iter().filter_map(|&key| self.tasks.get(key)).map(|entry| entry.label.clone()))
    }
}

fn in_order(labels: impl Iterator<Item = TaskLabel>) -> Vec<TaskLabel> {
    let mut labels: Vec<_> = labels.collect();
    labels.sort_unstable_by_key(|label| label.id);
    labels
}

/// What a panic said, as far as it is text.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "(a panic without a message)",
    }
}

/// The limits that a duration sets to a run.
pub(crate) fn end_of(now: u64, duration: Duration) -> u64 {
    now.saturating_add(nanos(duration))
}
