//! The task of a connector: connects, again and again, and moves bytes between the stream and the session. One task polls
//! both directions, the outbox and the timer, so that none can hold up another.

use crate::{
    desk::Desk,
    failure::{Failure, TooLarge},
    pace::Pace,
    packet::disconnect,
    place::Place,
    session::Session,
    wire::{Input, NoPacket, Output},
};
use anabranch_core::{Backoff, Routes};
use anabranch_executor::{ByteStream, Duration, Moment, Network, RuntimeExt, TimeSource};
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

/// How long an outage is young, and how long an attempt to connect may take meanwhile.
const YOUNG: Duration = Duration::from_secs(5);
const FIRST_ATTEMPTS: Duration = Duration::from_secs(2);

/// Runs until it is closed and everything that was taken is acknowledged.
pub(crate) async fn run<R: Network + TimeSource, P: Place, Q: Routes>(runtime: &R, desk: &Desk<'_, P, Q>) {
    let start = runtime.now();
    let options = desk.options;
    let seed = runtime.unix_time().unwrap_or_default().subsec_nanos();
    let seed = options
        .client_id
        .as_str()
        .bytes()
        .fold(u64::from(seed), |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut backoff = Backoff::new(options.first_pause, options.longest_pause, seed);
    let mut input = Input::new(P::buffer());
    let mut output = Output::new(P::buffer());
    let mut session: Session<'_, P, Q> = Session::new(desk);
    let sleep = pin!(None);
    let mut timer = Timer { runtime, start, armed: None, sleep };
    // Since when there is no connection.
    let mut lost = Duration::ZERO;
    // A run that panicked may have left it so.
    desk.offline();
    while !desk.shared.is_over() {
        // A packet that was lost while the peer was not there may be sent again late: rather another attempt, at first.
        let young = timer.now().saturating_sub(lost) < YOUNG;
        let limit = if young { options.patience.min(FIRST_ATTEMPTS) } else { options.patience };
        // The attempt has ended where the connection begins: on a board they take the same memory.
        let connected = {
            let Some(endpoint) = options.endpoint() else { return };
            let mut connecting = pin!(runtime.timeout(limit, runtime.connect(&endpoint)));
            poll_fn(|cx| match meanwhile(cx, desk, &mut session) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => connecting.as_mut().poll(cx).map(Some),
            })
            .await
        };
        let Some(connected) = connected else { return };
        let failure = match connected {
            Err(_elapsed) => Failure::Silent("the attempt to connect"),
            Ok(Err(error)) => Failure::Connect(error),
            Ok(Ok(stream)) => {
                input.clear();
                output.clear();
                let mut link = Link {
                    stream,
                    input: &mut input,
                    output: &mut output,
                    session: &mut session,
                    unflushed: false,
                    batch: 0,
                    again: false,
                    came: 0,
                    pace: Pace::new(timer.now()),
                    watched: true,
                };
                let ended = link.run(&mut timer).await;
                let was_online = desk.shared.counter.with(|counter| counter.online);
                if was_online {
                    lost = timer.now();
                    backoff.succeeded();
                }
                let leaving = link.session.is_leaving();
                link.session.end();
                match ended {
                    Ok(()) => return,
                    // The last word was said: how the connection then ends is of no interest.
                    Err(_) if leaving => return,
                    Err(failure) => failure,
                }
            }
        };
        desk.failed(&failure);
        // What only a person can mend is tried seldom; but a broker that has just come back may refuse for a moment.
        let young = timer.now().saturating_sub(lost) < YOUNG;
        let pause = if failure.is_permanent() && !young { options.longest_pause } else { backoff.pause() };
        let until = timer.now() + pause;
        poll_fn(|cx| match meanwhile(cx, desk, &mut session) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.poll(cx, Some(until)),
        })
        .await;
    }
}

/// While there is no connection: what waits for a queue goes on waiting. Ready when all is over.
fn meanwhile<P: Place, Q: Routes>(
    cx: &mut Context<'_>,
    desk: &Desk<'_, P, Q>,
    session: &mut Session<'_, P, Q>,
) -> Poll<()> {
    session.without_connection(cx);
    let over = desk.shared.counter.with(|counter| {
        counter.waker = Some(cx.waker().clone());
        counter.closed && counter.outbox.waiting() == 0
    });
    if over { Poll::Ready(()) } else { Poll::Pending }
}

/// The one timer of a connector: it is set again when it has fired or is too late, not whenever the deadline moves.
struct Timer<'a, R: TimeSource> {
    runtime: &'a R,
    start: R::Instant,
    armed: Option<Duration>,
    sleep: Pin<&'a mut Option<R::Sleep>>,
}

impl<R: TimeSource> Timer<'_, R> {
    /// Since the connector's start.
    fn now(&self) -> Duration {
        self.runtime.now().since(self.start)
    }

    /// Ends when `deadline` has passed.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Duration>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        loop {
            if self.armed.is_none_or(|armed| armed > deadline) {
                let until = self.start.after(deadline);
                let sleep = self.runtime.sleep_until(until);
                self.armed = Some(deadline);
                self.sleep.set(Some(sleep));
            }
            let Some(sleep) = self.sleep.as_mut().as_pin_mut() else { return Poll::Pending };
            ready!(sleep.poll(cx));
            self.armed = None;
            if self.now() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

/// One connection.
struct Link<'a, 'r, S, P: Place, Q: Routes> {
    stream: S,
    input: &'a mut Input<P::Buffer>,
    output: &'a mut Output<P::Buffer>,
    session: &'a mut Session<'r, P, Q>,
    /// The stream was given bytes that it may still hold.
    unflushed: bool,
    /// How many packets were read in this turn.
    batch: usize,
    /// Packets may be there that this turn had no time for.
    again: bool,
    /// How many packets were read since the task was polled.
    came: usize,
    pace: Pace,
    /// Whether the stream wakes the task.
    watched: bool,
}

impl<S: ByteStream, P: Place, Q: Routes> Link<'_, '_, S, P, Q> {
    /// Until the connection ends: `Ok` when it was closed as it should be.
    async fn run<R: TimeSource>(&mut self, timer: &mut Timer<'_, R>) -> Result<(), Failure> {
        self.session.begin(timer.now(), self.output)?;
        let ended = poll_fn(|cx| {
            let now = timer.now();
            // What comes in a rest is found after it; a wake for it is not asked for meanwhile.
            if P::RESTS
                && let Some(until) = self.pace.rests(now)
                && timer.poll(cx, Some(until)).is_pending()
            {
                return Poll::Pending;
            }
            let polled = self.poll(cx, now);
            if polled.is_pending() {
                if P::RESTS {
                    if !self.session.is_online() {
                        self.pace = Pace::new(now);
                    } else if !self.again && (self.came > 0 || self.pace.is_resting()) {
                        self.pace.turn(now, self.came);
                    }
                    if self.watched && self.pace.is_steady() {
                        self.watched = false;
                        self.stream.watch(false);
                    } else if !self.watched && !self.pace.is_resting() {
                        self.watched = true;
                        self.stream.watch(true);
                        cx.waker().wake_by_ref(); // for what came before it was watched
                    }
                    if let Some(until) = self.pace.rests(now) {
                        if timer.poll(cx, Some(until)).is_ready() {
                            cx.waker().wake_by_ref();
                        }
                        return Poll::Pending;
                    }
                }
                // A deadline that has passed is dealt with, and gives another.
                while timer.poll(cx, self.session.deadline()).is_ready() {
                    if let Err(failure) = self.session.tick(timer.now(), self.output) {
                        return Poll::Ready(Err(failure));
                    }
                    if let Poll::Ready(Err(failure)) = self.poll_write(cx, now) {
                        return Poll::Ready(Err(failure));
                    }
                }
            }
            polled
        })
        .await;
        if let Err(failure) = &ended
            && let Some(reason) = failure.parting()
        {
            // As far as it can be told at once.
            let (bytes, length) = disconnect(reason, self.session.version());
            self.output.push(bytes.get(..length).unwrap_or_default());
            let until = timer.now() + Duration::from_secs(1);
            poll_fn(|cx| {
                let written = self.poll_write(cx, Duration::ZERO).map(drop);
                if written.is_ready() { written } else { timer.poll(cx, Some(until)) }
            })
            .await;
        }
        ended
    }

    fn poll(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Result<(), Failure>> {
        self.came = 0;
        loop {
            (self.batch, self.again) = (0, false);
            self.session.poll_pending(cx, self.output)?;
            // Answers first: their room is kept for them.
            let mut more = self.session.exchange(cx.waker(), self.output);
            if self.session.subscribe(self.output) {
                more |= self.session.exchange(cx.waker(), self.output);
            }
            let written = self.poll_write(cx, now)?;
            if self.session.is_leaving() && written.is_ready() {
                ready!(self.stream.poll_close(cx))?;
                // What the broker still sends is of no interest, but is read until it has closed: a connection that is
                // dropped with unread bytes is reset, and the last words may be lost with it.
                for _ in 0..P::BATCH {
                    self.input.clear();
                    if ready!(self.stream.poll_read(cx, self.input.room()))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Poll::Ready(ended) = self.poll_packets(cx, now) {
                return Poll::Ready(ended);
            }
            self.came += self.batch;
            // Whoever was given values may publish others, and that wakes this task: it wakes itself only for what nobody
            // else would call it for, since on a runtime of threads that wakes another one.
            let answers = written.is_ready() && !self.output.bytes().is_empty();
            if self.again || written.is_ready() && more || answers && self.batch > 1 {
                // Answers to several are written together with what is published meanwhile. One alone goes at once: that
                // takes less than to wake a thread.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.batch == 0 || !(answers || self.session.is_due()) {
                return Poll::Pending;
            }
        }
    }

    /// Reads and handles packets until there are none, or it is others' turn.
    fn poll_packets(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Result<(), Failure>> {
        let limit = self.session.max_packet();
        loop {
            loop {
                if self.batch >= P::BATCH || !self.session.has_room(self.output) {
                    self.again = self.batch > 0;
                    return Poll::Pending;
                }
                match self.input.packet(limit) {
                    Ok((packet, header)) => {
                        let length = packet.len();
                        if !self.session.packet(packet, header, self.output)? {
                            self.input.give_back(length);
                            return Poll::Pending;
                        }
                        self.batch += 1;
                    }
                    Err(NoPacket::Partly) => break,
                    Err(NoPacket::TooLarge(size, header)) => {
                        let why = TooLarge { size, limit };
                        let (beginning, has_room) = self.input.beginning();
                        match self.session.too_large(beginning, header, why, self.output)? {
                            Some(true) => self.input.pass_over(size),
                            Some(false) => return Poll::Pending,
                            None if has_room => break,
                            None => return Poll::Ready(Err(why.into())),
                        }
                        self.batch += 1;
                    }
                    Err(NoPacket::Malformed(malformed)) => return Poll::Ready(Err(malformed.into())),
                }
            }
            let count = ready!(self.stream.poll_read(cx, self.input.room()))?;
            if count == 0 {
                return Poll::Ready(Err(Failure::Ended));
            }
            self.input.filled(count);
            self.session.heard(now);
        }
    }

    /// Writes what there is to write; ready when all of it has gone.
    fn poll_write(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<Result<(), Failure>> {
        while !self.output.bytes().is_empty() {
            let count = ready!(self.stream.poll_write(cx, self.output.bytes()))?;
            if count == 0 {
                return Poll::Ready(Err(Failure::Ended));
            }
            self.output.taken(count);
            self.unflushed = true;
            self.session.sent(now);
        }
        if self.unflushed {
            ready!(self.stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
