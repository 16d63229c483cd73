//! The broker on a runtime: one handle for all connections, and a future for each.

use crate::{Broker, BrokerOptions, ConnectionId, Memory, Output, PublishRefused, Published, SessionState};
use anabranch_executor::{ByteStream, MaybeSend, Moment, SpawnDynamically, StreamError, TimeSource};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

/// A [`Broker`] on a runtime. Its clones are handles of the same broker.
///
/// [`listen`](Self::listen) takes a listener of any kind, and serves all who connect; [`serve`](Self::serve) serves one
/// connection. On the simulated network:
///
/// ```
/// # use anabranch_executor::SpawnDynamically;
/// # use anabranch_mqtt_broker::{BrokerOptions, Memory, ServedBroker};
/// # use anabranch_sim::{Sim, SimListener};
/// # let sim = Sim::new(1);
/// let host = sim.adapter().on_host("broker");
/// let broker = ServedBroker::new(host.clone(), BrokerOptions::default());
/// let port = host.clone();
/// host.spawn(broker.listen(
///     move || port.listen(1883),
///     |listener: &mut SimListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream),
/// ));
/// // … clients connect to "broker" …
/// broker.crash(Memory::Keep); // connections are cut, new ones refused
/// broker.restart();
/// assert!(broker.published().is_empty());
/// ```
pub struct ServedBroker<T: TimeSource> {
    runtime: T,
    /// The broker's time is counted from here.
    start: T::Instant,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    broker: Broker,
    /// Counts crashes: what began in one life ends with it.
    life: u64,
    up: bool,
    /// Of the connections' futures.
    wakers: BTreeMap<ConnectionId, Waker>,
    /// Of those who listen, and wait for a crash or a restart.
    watchers: Vec<Waker>,
    /// The deadline for which the first of the connections has set its timer.
    armed: Option<Duration>,
    /// Whom to wake, and wakers that nobody needs any more: both when the lock is given back, for a waker may run anything.
    to_wake: Vec<Waker>,
    spent: Vec<Waker>,
}

impl<T: TimeSource> ServedBroker<T> {
    /// A broker that knows nobody, and is up.
    pub fn new(runtime: T, options: BrokerOptions) -> Self {
        let shared = Shared {
            broker: Broker::new(options),
            life: 0,
            up: true,
            wakers: BTreeMap::new(),
            watchers: Vec::new(),
            armed: None,
            to_wake: Vec::new(),
            spent: Vec::new(),
        };
        Self { start: runtime.now(), runtime, shared: Arc::new(Mutex::new(shared)) }
    }

    /// Serves one connection until it ends. A broker that is down drops it at once.
    #[must_use = "spawn it, or await it"]
    pub fn serve<S: ByteStream>(&self, stream: S) -> Serve<T, S> {
        Serve {
            broker: self.clone(),
            stream,
            state: Serving::New,
            out: BytesMut::new(),
            input: vec![0; READ],
            unflushed: false,
            timer: None,
        }
    }

    /// Accepts connections and serves each in a task of its own, until `accept` fails; spawn it. `bind` is called again
    /// after each crash: in between, there is no listener, and who connects is refused.
    ///
    /// # Errors
    /// What `bind` or `accept` gave.
    pub fn listen<L, S, E, B, A>(
        &self,
        mut bind: B,
        mut accept: A,
    ) -> impl Future<Output = Result<(), E>> + MaybeSend + use<T, L, S, E, B, A>
    where
        T: SpawnDynamically,
        B: FnMut() -> Result<L, E> + MaybeSend,
        A: FnMut(&mut L, &mut Context<'_>) -> Poll<Result<S, E>> + MaybeSend,
        L: MaybeSend,
        S: ByteStream + 'static,
        E: MaybeSend,
    {
        let broker = self.clone();
        // The listener, and the life of the broker that it belongs to.
        let mut listening = None;
        poll_fn(move |cx| {
            let life = broker.with(|shared, _| {
                shared.watch(cx);
                shared.up.then_some(shared.life)
            });
            if listening.as_ref().map(|(_, of)| *of) != life {
                listening = None;
                if let Some(life) = life {
                    listening = Some((bind()?, life));
                }
            }
            let Some((listener, _)) = &mut listening else { return Poll::Pending };
            for _ in 0..ROUNDS {
                let stream = ready!(accept(listener, cx))?;
                // A task whose handle is dropped goes on.
                drop(broker.runtime.spawn(broker.serve(stream)));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Crashes: every connection is dropped without a word, and nobody is served until [`restart`](Self::restart).
    pub fn crash(&self, memory: Memory) {
        self.with(|shared, now| {
            shared.broker.crash(memory, now);
            shared.up = false;
            shared.life += 1;
            shared.wake_all();
        });
    }

    /// Is there again after a crash, with what it remembers.
    pub fn restart(&self) {
        self.with(|shared, _| {
            shared.up = true;
            shared.wake_all();
        });
    }

    /// Accepts and stays silent, as [`Broker::never_answer`] says.
    pub fn never_answer(&self, silent: bool) {
        self.with(|shared, now| shared.broker.never_answer(silent, now));
    }

    /// Publishes a message from the broker's own side.
    ///
    /// # Errors
    /// [`PublishRefused`].
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>, qos: u8, retain: bool) -> Result<(), PublishRefused> {
        self.with(|shared, now| shared.broker.publish(topic, payload, qos, retain, now))
    }

    /// All that it took, in order, as [`Broker::published`].
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.with(|shared, _| shared.broker.published().to_vec())
    }

    /// Hands over the log, as [`Broker::take_published`].
    #[must_use]
    pub fn take_published(&self) -> Vec<Published> {
        self.with(|shared, _| shared.broker.take_published())
    }

    /// The sessions, in the order of their client identifiers.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionState> {
        self.with(|shared, _| shared.broker.sessions())
    }

    /// The retained messages' topics and payloads, in the order of the topics.
    #[must_use]
    pub fn retained(&self) -> Vec<(Arc<str>, Bytes)> {
        self.with(|shared, _| shared.broker.retained())
    }

    fn now(&self) -> Duration {
        self.runtime.now().since(self.start)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the broker, and wakes whom it concerns.
    fn with<O>(&self, act: impl FnOnce(&mut Shared, Duration) -> O) -> O {
        let now = self.now();
        let mut shared = self.lock();
        shared.broker.handle_timeout(now);
        let outcome = act(&mut shared, now);
        shared.wake_ready();
        let to_wake = std::mem::take(&mut shared.to_wake);
        let spent = std::mem::take(&mut shared.spent);
        drop(shared);
        to_wake.into_iter().for_each(Waker::wake);
        drop(spent);
        outcome
    }
}

impl<T: TimeSource> Clone for ServedBroker<T> {
    fn clone(&self) -> Self {
        Self { runtime: self.runtime.clone(), start: self.start, shared: self.shared.clone() }
    }
}

impl<T: TimeSource> fmt::Debug for ServedBroker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("ServedBroker").field("up", &shared.up).field("broker", &shared.broker).finish_non_exhaustive()
    }
}

impl Shared {
    /// Has a task woken by the next crash or restart.
    fn watch(&mut self, cx: &Context<'_>) {
        if !self.watchers.iter().any(|watcher| watcher.will_wake(cx.waker())) {
            self.watchers.push(cx.waker().clone());
        }
    }

    fn wake_ready(&mut self) {
        while let Some(id) = self.broker.poll_ready() {
            self.to_wake.extend(self.wakers.get(&id).cloned());
        }
        // The first connection keeps the time for all. An earlier deadline is news for it.
        let is_earlier = |next: Duration| self.armed.is_none_or(|armed| next < armed);
        if self.broker.next_deadline().is_some_and(is_earlier) {
            self.to_wake.extend(self.wakers.values().next().cloned());
        }
    }

    fn wake_all(&mut self) {
        self.to_wake.extend(self.wakers.values().cloned());
        self.to_wake.append(&mut self.watchers);
    }

    /// Has a connection's future woken for what the broker has for it.
    fn await_ready(&mut self, id: ConnectionId, cx: &Context<'_>) {
        let known = self.wakers.get(&id).is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known {
            self.spent.extend(self.wakers.insert(id, cx.waker().clone()));
        }
    }

    /// A connection's future no longer waits. If it was the first, another one keeps the time.
    fn forget(&mut self, id: ConnectionId) {
        if self.wakers.keys().next() == Some(&id) {
            self.armed = None;
        }
        self.spent.extend(self.wakers.remove(&id));
    }
}

/// How many bytes are read at once.
const READ: usize = 4096;
/// How many bytes are gathered before they are written.
const WRITE: usize = 16 * 1024;
/// How often one poll goes round before it lets others run.
const ROUNDS: usize = 32;
/// How long a peer has to take the last words.
const LINGER: Duration = Duration::from_secs(10);

/// The future of [`ServedBroker::serve`]. Dropping it cuts the connection.
#[must_use = "spawn it, or await it"]
pub struct Serve<T: TimeSource, S> {
    broker: ServedBroker<T>,
    stream: S,
    state: Serving,
    out: BytesMut,
    input: Vec<u8>,
    unflushed: bool,
    timer: Option<(Duration, Pin<Box<T::Sleep>>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serving {
    New,
    Open(ConnectionId),
    /// The broker has forgotten it; the last words are on their way.
    Closing,
    Done,
}

// Nothing in it is pinned in place: the timer has a box of its own.
impl<T: TimeSource, S> Unpin for Serve<T, S> {}

impl<T: TimeSource, S> fmt::Debug for Serve<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<T: TimeSource, S: ByteStream> Future for Serve<T, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..ROUNDS {
            match this.round(cx) {
                Ok(Round::More) => {}
                Ok(Round::Waits) => return Poll::Pending,
                Ok(Round::Done) | Err(_) => {
                    this.leave();
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What came of one round.
enum Round {
    More,
    Waits,
    Done,
}

impl<T: TimeSource, S: ByteStream> Serve<T, S> {
    fn round(&mut self, cx: &mut Context<'_>) -> Result<Round, StreamError> {
        while !self.out.is_empty() {
            let Poll::Ready(written) = self.stream.poll_write(cx, &self.out)? else { break };
            self.out.advance(written);
            self.unflushed = true;
        }
        let id = match self.state {
            Serving::New => {
                let connected = |shared: &mut Shared, now| shared.up.then(|| shared.broker.connected(now));
                let Some(id) = self.broker.with(connected) else { return Ok(Round::Done) };
                self.state = Serving::Open(id);
                id
            }
            Serving::Open(id) => id,
            Serving::Closing => {
                let is_closed = self.out.is_empty() && self.stream.poll_close(cx)?.is_ready();
                return Ok(if is_closed || self.timer_is_over(cx) { Round::Done } else { Round::Waits });
            }
            Serving::Done => return Ok(Round::Done),
        };
        match self.ask(id, cx) {
            Asked::Forgotten => return Ok(Round::Done),
            Asked::Something => return Ok(Round::More),
            Asked::Nothing => {}
        }
        if self.unflushed && self.stream.poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        // Also while the peer does not take what is sent: it may be busy sending, and read only after that.
        match self.stream.poll_read(cx, &mut self.input)? {
            Poll::Ready(0) => return Ok(Round::Done),
            Poll::Ready(length) => {
                let bytes = &self.input[..length];
                self.broker.with(|shared, now| shared.broker.received(id, bytes, now));
                return Ok(Round::More);
            }
            Poll::Pending => {}
        }
        if !self.timer_is_over(cx) {
            return Ok(Round::Waits);
        }
        // What time brings is done on every visit.
        self.timer = None;
        Ok(Round::More)
    }

    /// Asks the broker what is to be sent, if all before was; and has itself woken for what comes later.
    fn ask(&mut self, id: ConnectionId, cx: &Context<'_>) -> Asked {
        let Self { broker, out, state, timer, .. } = self;
        let before = out.len();
        let mut deadline = None;
        let known = broker.with(|shared, now| {
            if !shared.broker.knows(id) {
                return false;
            }
            shared.await_ready(id, cx);
            while before == 0 && out.len() < WRITE {
                match shared.broker.poll_output(id, now) {
                    Some(Output::Send(bytes)) => out.extend_from_slice(&bytes),
                    Some(Output::Close) => {
                        shared.forget(id);
                        *state = Serving::Closing;
                        deadline = Some(now + LINGER);
                        return true;
                    }
                    None => break,
                }
            }
            if shared.wakers.keys().next() == Some(&id) {
                shared.armed = shared.broker.next_deadline();
                deadline = shared.armed;
            }
            true
        });
        if timer.as_ref().map(|(at, _)| *at) != deadline {
            *timer = deadline.map(|at| (at, Box::pin(broker.runtime.sleep_until(broker.start.after(at)))));
        }
        if !known {
            Asked::Forgotten
        } else if out.len() > before || *state == Serving::Closing {
            Asked::Something
        } else {
            Asked::Nothing
        }
    }
}

enum Asked {
    /// The broker does not know the connection: it crashed, or the peer took too long.
    Forgotten,
    /// There is something to send, or to close.
    Something,
    Nothing,
}

impl<T: TimeSource, S> Serve<T, S> {
    fn timer_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready())
    }

    fn leave(&mut self) {
        if let Serving::Open(id) = self.state {
            self.broker.with(|shared, now| {
                shared.forget(id);
                shared.broker.closed(id, now);
            });
        }
        self.state = Serving::Done;
    }
}

impl<T: TimeSource, S> Drop for Serve<T, S> {
    fn drop(&mut self) {
        self.leave();
    }
}
