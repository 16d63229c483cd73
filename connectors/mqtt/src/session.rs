//! One connection's conversation with the broker, and what a session remembers between connections. Packets and the time
//! come in, packets go out: it touches no stream, no clock and no task.
//!
//! ```text
//!  CONNECT ──▶ Connecting ──CONNACK──▶ Subscribing ──every SUBACK──▶ Online ──closed, all done──▶ Leaving
//! ```

use crate::{
    desk::{Counter, Desk, Refusals},
    failure::{Failure, TooLarge},
    inbound::{Inbound, Verdict},
    outbox::{Allowed, Answer},
    packet::{
        self, Accepted, Ack, Connect, Incoming, Publish, Qos, Reason, SUBSCRIBE_HEADER, Version, ack, disconnect, ping,
        subscribe, subscribe_header, subscribe_length,
    },
    place::{Answers, Assigned, List, Place},
    wire::{Memory, Output},
};
use anabranch_core::{Ask, Routes, Words};
use anabranch_executor::Duration;
use core::task::{Context, Waker};

/// How many SUBSCRIBE packets are under way at once.
const SUBSCRIBES: usize = 8;
/// How many filters stand in one at most, at first.
const FILTERS: usize = 128;
/// The packet identifiers of SUBSCRIBE packets: above those of values.
const SUBSCRIBE_IDS: u16 = 0xff00;
/// What an answer takes at most.
const ANSWER: usize = 5;

/// How many values of QoS 2 are under way with a broker that cannot say how many it takes. Mosquitto 2.0.11 takes twenty of a
/// client of version 3.1.1, and loses what it had of the others when it breaks off.
const EXACTLY_UNTOLD: usize = 20;

/// A broker that does not heed the receive maximum.
const TOO_MANY: Failure = Failure::Against(
    Reason::RECEIVE_MAXIMUM_EXCEEDED,
    "more values at once than it was allowed: raise `receive_maximum`, or lower what the broker sends at once",
);

/// See the file's first line.
pub(crate) struct Session<'r, P: Place, Q: Routes + 'r> {
    desk: &'r Desk<'r, P, Q>,
    pub(crate) inbound: Inbound<'r, P, Q>,
    stage: Stage,
    /// A CONNECT was sent that nothing has answered.
    asked: bool,
    /// The same before that of this connection.
    unanswered: bool,
    allowed: Allowed,
    wildcards: bool,
    identifiers: bool,
    /// The client identifier that the broker chose, when none was configured.
    assigned: P::Assigned,
    /// This is not the first connection: what is retained has been seen.
    returned: bool,
    /// The broker's answers that the outbox has not heard yet.
    answers: Answers<P>,
    /// How many filters stand in one SUBSCRIBE. A broker that breaks off while it is asked for many gets fewer.
    filters: usize,
    keep_alive: Duration,
    heard: Duration,
    sent: Duration,
    /// When a PINGREQ was sent that nothing has answered.
    pinged: Option<Duration>,
    /// The connector was closed: nothing is taken any more, and what was taken is sent.
    closing: bool,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Nothing was said yet, or all is said.
    Idle,
    Connecting,
    /// So many resources were asked for; these are under way: the first filter and how many.
    Subscribing {
        asked: usize,
        under_way: [Option<(usize, usize)>; SUBSCRIBES],
    },
    Online,
    /// A DISCONNECT was written.
    Leaving,
}

impl<'r, P: Place, Q: Routes> Session<'r, P, Q> {
    pub(crate) fn new(desk: &'r Desk<'r, P, Q>) -> Self {
        Session {
            desk,
            // A broker of version 3.1.1 cannot be told.
            inbound: Inbound::new(
                desk.routes,
                match desk.options.version {
                    Version::V5 => desk.options.receive_maximum,
                    Version::V3_1_1 => u16::MAX,
                },
            ),
            stage: Stage::Idle,
            asked: false,
            unanswered: false,
            allowed: Allowed::NOTHING,
            wildcards: true,
            identifiers: false,
            assigned: P::Assigned::default(),
            returned: false,
            answers: P::list(),
            filters: FILTERS,
            keep_alive: Duration::ZERO,
            heard: Duration::ZERO,
            sent: Duration::ZERO,
            pinged: None,
            closing: false,
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.desk.options.version
    }

    /// How large a packet may be that comes in.
    pub(crate) fn max_packet(&self) -> usize {
        self.desk.options.max_packet.min(P::LARGEST)
    }

    /// Begins a connection.
    pub(crate) fn begin<M: Memory>(&mut self, now: Duration, out: &mut Output<M>) -> Result<(), Failure> {
        let options = &self.desk.options;
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let written = options.logged_in(|user, password| {
            let connect = Connect {
                client_id: self.assigned.get().unwrap_or(options.client_id.as_str()),
                user,
                password,
                will: options
                    .will
                    .as_ref()
                    .map(|will| (will.topic.as_str(), will.payload.as_slice(), will.qos(), will.retain)),
                keep_alive: u16::try_from(seconds(options.keep_alive)).unwrap_or(u16::MAX),
                session_expiry: u32::try_from(seconds(options.session_expiry)).unwrap_or(u32::MAX),
                receive_maximum: self.inbound.receive_maximum(),
                maximum_packet: u32::try_from(self.max_packet()).unwrap_or(u32::MAX),
            };
            packet::connect(&connect, options.version, |length| out.packet(length))
        });
        written.ok_or(Failure::Unsayable("the CONNECT packet has no room: give less memory to the last will"))?;
        self.answers.clear();
        self.pinged = None;
        (self.heard, self.sent) = (now, now);
        self.keep_alive = options.keep_alive;
        self.unanswered = core::mem::replace(&mut self.asked, true);
        self.stage = Stage::Connecting;
        Ok(())
    }

    /// The stream has taken bytes.
    pub(crate) fn sent(&mut self, now: Duration) {
        self.sent = now;
    }

    /// Bytes have come.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.pinged = None;
    }

    /// Whether another packet can be looked at: what it asks for has room.
    pub(crate) fn has_room<M: Memory>(&self, out: &Output<M>) -> bool {
        self.answers.len() < P::BATCH && out.room() >= ANSWER * (self.answers.len() + 2)
    }

    /// A packet has come. `false`: it has no place now, and is to be brought again when something has moved.
    pub(crate) fn packet<M: Memory>(
        &mut self,
        bytes: &[u8],
        header: usize,
        out: &mut Output<M>,
    ) -> Result<bool, Failure> {
        let version = self.desk.options.version;
        let packet = packet::incoming(bytes, header, version)?;
        if matches!(self.stage, Stage::Connecting) {
            return match packet {
                Incoming::Accepted(accepted) => self.accepted(&accepted).map(|()| true),
                Incoming::Refused { reason, words } => Err(Failure::Refused(reason, Words::of(words))),
                Incoming::Disconnect { reason, words } => Err(Failure::Dismissed(reason, Words::of(words))),
                _ => Err(Failure::Against(Reason::PROTOCOL_ERROR, "something before its CONNACK")),
            };
        }
        match packet {
            Incoming::Publish(publish) => return self.publish(&publish, out),
            Incoming::Puback { id, reason } => self.note(Answer { kind: Ack::Puback, id, reason }),
            Incoming::Pubrec { id, reason } => self.note(Answer { kind: Ack::Pubrec, id, reason }),
            Incoming::Pubcomp { id } => self.note(Answer { kind: Ack::Pubcomp, id, reason: Reason::SUCCESS }),
            Incoming::Pubrel { id } => {
                let known = self.inbound.released(id);
                let reason = if known { Reason::SUCCESS } else { Reason::IDENTIFIER_NOT_FOUND };
                answer(out, Ack::Pubcomp, id, reason, version);
            }
            Incoming::Suback { id, reasons } => self.subscribed(id, reasons)?,
            Incoming::Pingresp => {}
            Incoming::Disconnect { reason, words } => return Err(Failure::Dismissed(reason, Words::of(words))),
            Incoming::Accepted(_) | Incoming::Refused { .. } => {
                return Err(Failure::Against(Reason::PROTOCOL_ERROR, "a second CONNACK"));
            }
        }
        Ok(true)
    }

    /// Keeps an answer until the outbox hears it; [`has_room`](Self::has_room) was asked before.
    fn note(&mut self, answer: Answer) {
        let _has_room = self.answers.append(answer);
    }

    fn accepted(&mut self, accepted: &Accepted<'_>) -> Result<(), Failure> {
        let options = &self.desk.options;
        self.allowed = Allowed {
            version: options.version,
            under_way: accepted.receive_maximum.into(),
            exactly: if options.version == Version::V5 { usize::MAX } else { EXACTLY_UNTOLD },
            packet: accepted.maximum_packet,
            qos: accepted.maximum_qos,
            retain: accepted.retain,
        };
        self.wildcards = accepted.wildcards;
        // Only what several groups may match comes more than once, or by a subscription that has to be named; to name it
        // costs a broker some memory for each value.
        let group = |number| self.ask(number).map(|ask| ask.group);
        let several = group(0) != group(self.desk.routes.count().saturating_sub(1));
        self.identifiers = accepted.identifiers && Q::GROUPED && several;
        if let Some(seconds) = accepted.keep_alive {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        if let Some(id) = accepted.client_id {
            self.assigned.set(id);
        }
        let kept = accepted.session_present;
        self.asked = false;
        self.inbound.begin(kept, self.unanswered);
        self.desk.shared.counter.with(|counter| counter.outbox.begin(kept));
        self.stage = Stage::Subscribing { asked: 0, under_way: [None; SUBSCRIBES] };
        Ok(())
    }

    fn publish<M: Memory>(&mut self, publish: &Publish<'_>, out: &mut Output<M>) -> Result<bool, Failure> {
        if self.closing {
            return Ok(true);
        }
        let verdict = self.inbound.publish(publish);
        self.follow(verdict, publish.id, out)
    }

    fn follow<M: Memory>(&mut self, verdict: Verdict, id: u16, out: &mut Output<M>) -> Result<bool, Failure> {
        match verdict {
            Verdict::Answer(kind) => {
                answer(out, kind, id, Reason::SUCCESS, self.desk.options.version);
                Ok(true)
            }
            Verdict::Nothing => Ok(true),
            Verdict::Later => Ok(false),
            Verdict::TooMany => Err(TOO_MANY),
        }
    }

    /// A packet is too large, of which these are the first `bytes`. A broker of MQTT 3.1.1 could not be told what is too large, and
    /// would send a value again on each connection, for ever: so that is passed over. `false`: it has no
    /// place now, as with [`packet`](Self::packet); `None`: not enough has come to know what it is.
    pub(crate) fn too_large<M: Memory>(
        &mut self,
        bytes: &[u8],
        header: usize,
        why: TooLarge,
        out: &mut Output<M>,
    ) -> Result<Option<bool>, Failure> {
        let is_value = packet::is_publish(bytes) && !matches!(self.stage, Stage::Connecting);
        if !is_value || self.desk.options.version != Version::V3_1_1 {
            return Err(why.into());
        }
        let Some(publish) = packet::beginning(bytes, header)? else { return Ok(None) };
        if self.closing {
            return Ok(Some(true));
        }
        let verdict = self.inbound.too_large(&publish, &why);
        self.follow(verdict, publish.id, out).map(Some)
    }

    fn ask(&self, number: usize) -> Option<Ask<'r>> {
        self.desk.routes.ask(number)
    }

    /// Asks for subscriptions, as many as there is room for. When all are had, there is a connection: it says so once.
    pub(crate) fn subscribe<M: Memory>(&mut self, out: &mut Output<M>) -> bool {
        let Stage::Subscribing { mut asked, mut under_way } = self.stage else { return false };
        for (slot, place) in (0..).zip(&mut under_way) {
            if place.is_some() || asked >= self.desk.routes.count() {
                continue;
            }
            let first = asked;
            let Some(count) = self.write_subscribe(slot, &mut asked, out) else { break };
            *place = Some((first, count)).filter(|_| count > 0);
        }
        self.stage = Stage::Subscribing { asked, under_way };
        let had = asked >= self.desk.routes.count() && under_way.iter().all(Option::is_none);
        if had {
            self.stage = Stage::Online;
            self.returned = true;
            self.desk.online(self.allowed);
        }
        had
    }

    /// Writes one SUBSCRIBE for what comes next, and says how many filters it has; `None` when there is no room.
    fn write_subscribe<M: Memory>(&self, slot: u16, asked: &mut usize, out: &mut Output<M>) -> Option<usize> {
        let version = self.desk.options.version;
        // A SUBSCRIBE that is too large for the usual buffer goes alone.
        let limit = self.allowed.packet.min(out.size() / 2).saturating_sub(SUBSCRIBE_HEADER);
        let (mut count, mut length) = (0, 0);
        let mut group = None;
        let mut next = *asked;
        while count < self.filters {
            let Some(Ask { filter, group: its, .. }) = self.ask(next) else { break };
            let why = match () {
                () if subscribe_length(filter.len()) > self.allowed.packet.saturating_sub(SUBSCRIBE_HEADER) => {
                    Some("the filter is longer than the broker allows a packet to be")
                }
                () if !self.wildcards && filter.is_wild() => Some("the broker has no wildcard subscriptions"),
                () => None,
            };
            if let Some(why) = why {
                if count > 0 {
                    break;
                }
                self.refused(next, &why);
                next += 1;
                *asked = next;
                continue;
            }
            let other = group.is_some_and(|group| group != its) && self.identifiers;
            if other || (length + subscribe_length(filter.len()) > limit && count > 0) {
                break;
            }
            group = Some(its);
            length += subscribe_length(filter.len());
            count += 1;
            next += 1;
        }
        let Some(group) = group else { return Some(0) };
        let mut header = [0; SUBSCRIBE_HEADER];
        // Subscription identifiers count from 1.
        let subscription = self.identifiers.then(|| u32::try_from(group + 1).unwrap_or(1));
        let before = subscribe_header(SUBSCRIBE_IDS + slot, subscription, length, version, &mut header);
        let place = out.packet(before + length)?;
        let (head, mut rest) = place.split_at_mut(before);
        head.copy_from_slice(header.get(..before).unwrap_or_default());
        for Ask { filter, qos, .. } in (next - count..next).filter_map(|number| self.ask(number)) {
            let length = subscribe_length(filter.len()).min(rest.len());
            let (place, after) = core::mem::take(&mut rest).split_at_mut(length);
            let qos = Qos::of(qos).unwrap_or(Qos::ExactlyOnce);
            subscribe(filter.len(), |out| filter.write(out), qos, self.returned, version, place);
            rest = after;
        }
        *asked = next;
        Some(count)
    }

    fn subscribed(&mut self, id: u16, reasons: &[u8]) -> Result<(), Failure> {
        const STRANGE: Failure = Failure::Against(Reason::PROTOCOL_ERROR, "a SUBACK that does not fit its SUBSCRIBE");
        let Stage::Subscribing { under_way, .. } = &mut self.stage else { return Err(STRANGE) };
        let slot = usize::from(id.wrapping_sub(SUBSCRIBE_IDS));
        let (first, count) = under_way.get_mut(slot).and_then(Option::take).ok_or(STRANGE)?;
        if reasons.len() != count {
            return Err(STRANGE);
        }
        for (place, reason) in (first..).zip(reasons) {
            let reason = Reason(*reason);
            if reason.is_refusal() {
                self.refused(place, &format_args!("the broker refused the subscription: {reason}"));
            }
        }
        Ok(())
    }

    fn refused(&self, number: usize, why: &dyn core::fmt::Display) {
        self.desk.routes.refused(number, why);
        if let Some(Ask { filter, .. }) = self.ask(number) {
            self.desk.refused("subscription", &filter, why);
        }
    }

    /// Values that waited for a queue are acknowledged.
    pub(crate) fn poll_pending<M: Memory>(&mut self, cx: &mut Context<'_>, out: &mut Output<M>) -> Result<(), Failure> {
        let version = self.desk.options.version;
        let room = (out.room() / ANSWER).saturating_sub(2 + self.answers.len());
        self.inbound.poll(cx, room, |kind, id| answer(out, kind, id, Reason::SUCCESS, version));
        // Not before it is online: an attempt that never is would be followed by ever longer pauses.
        if self.is_online() && self.inbound.is_to_be_sent_again() { Err(TOO_MANY) } else { Ok(()) }
    }

    /// The same while there is no connection.
    pub(crate) fn without_connection(&mut self, cx: &mut Context<'_>) {
        self.inbound.poll_alone(cx);
    }

    /// Hands the broker's answers to the outbox, and writes what is due to be sent. The task's `waker` waits there for more.
    /// Says whether there may be more than `out` had room for.
    pub(crate) fn exchange<M: Memory>(&mut self, waker: &Waker, out: &mut Output<M>) -> bool {
        let desk = self.desk;
        let sends = self.is_online();
        // Reported when the lock is free again.
        let mut refused = Refusals::default();
        let mut note = |topic: &str, why: &dyn core::fmt::Display| refused.note(topic, why);
        let (again, closed, over) = desk.shared.counter.with(|counter| {
            let Counter { outbox, allowed, waker: place, closed, .. } = counter;
            for answer in self.answers.iter() {
                outbox.answered(*answer, self.allowed.version, out, &mut note);
            }
            self.answers.clear();
            if sends {
                outbox.send(out, allowed, &mut note);
            }
            if !place.as_ref().is_some_and(|old| old.will_wake(waker)) {
                *place = Some(waker.clone());
            }
            (sends && outbox.has_room_again(), *closed, *closed && outbox.waiting() == 0)
        });
        self.closing = closed;
        if self.inbound.uncounted > 0 {
            let unrouted = core::mem::take(&mut self.inbound.uncounted);
            desk.shared.board.with(|board| board.unrouted += unrouted);
        }
        refused.report(desk);
        if again {
            desk.has_room();
        }
        let talking = matches!(self.stage, Stage::Online | Stage::Subscribing { .. });
        if over && talking && !self.inbound.owes() {
            let (bytes, length) = disconnect(Reason::SUCCESS, desk.options.version);
            if out.push(bytes.get(..length).unwrap_or_default()) {
                self.stage = Stage::Leaving;
            }
        }
        sends && out.bytes().len() >= out.size() / 2
    }

    /// Whether packets that came have left something to do.
    pub(crate) fn is_due(&self) -> bool {
        !self.is_online() || !self.answers.is_empty() || self.inbound.is_due()
    }

    /// Whether values pass.
    pub(crate) fn is_online(&self) -> bool {
        matches!(self.stage, Stage::Online)
    }

    /// Whether the last word was written.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving)
    }

    /// When to call [`tick`](Self::tick).
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let patience = self.desk.options.patience;
        match self.stage {
            Stage::Idle => None,
            Stage::Connecting | Stage::Subscribing { .. } => Some(self.heard + patience),
            Stage::Leaving => Some(self.sent + patience),
            Stage::Online if self.keep_alive.is_zero() => None,
            Stage::Online => Some(match self.pinged {
                Some(pinged) => pinged + patience,
                // Also one who only sends wants to know whether somebody is there.
                None => self.sent.min(self.heard) + self.keep_alive,
            }),
        }
    }

    /// It is `now`: asks the broker whether it is there, or gives it up.
    pub(crate) fn tick<M: Memory>(&mut self, now: Duration, out: &mut Output<M>) -> Result<(), Failure> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        match self.stage {
            Stage::Connecting => Err(Failure::Silent("the CONNECT")),
            Stage::Subscribing { .. } => Err(Failure::Silent("a SUBSCRIBE")),
            Stage::Leaving => Err(Failure::Silent("the end of the connection")),
            Stage::Online if self.pinged.is_some() => Err(Failure::Silent("a PINGREQ")),
            Stage::Idle | Stage::Online => {
                // Without room for it the stream takes nothing, which is no sign of life either.
                out.push(&ping());
                self.pinged = Some(now);
                Ok(())
            }
        }
    }

    /// The connection has ended.
    pub(crate) fn end(&mut self) {
        if let Stage::Subscribing { .. } = self.stage {
            self.filters = (self.filters / 4).max(1);
        }
        self.stage = Stage::Idle;
        self.inbound.end();
        self.answers.clear();
        self.desk.offline();
    }
}

/// Writes an answer; [`Session::has_room`] was asked before.
fn answer<M: Memory>(out: &mut Output<M>, kind: Ack, id: u16, reason: Reason, version: Version) {
    let (bytes, length) = ack(kind, id, reason, version);
    out.push(bytes.get(..length).unwrap_or_default());
}
