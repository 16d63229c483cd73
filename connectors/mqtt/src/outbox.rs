//! What was published and is not done yet: a ring of bytes that is the queue, the retransmission store and the flow control
//! at once. Taking a value copies it here; sending copies it out; it stays until the broker has acknowledged it.
//!
//! ```text
//!      head                     next                 tail
//!       │  sent, unacknowledged  │   not sent (again)  │   free
//!  ─────┴────────────────────────┴─────────────────────┴──────────
//! ```
//!
//! Entries are acknowledged in any order, and freed in order. After a reconnect `next` goes back to `head`: what is
//! unacknowledged is sent again, in the order in which it was published.

use crate::{
    packet::{Ack, LONGEST_HEADER, PublishHeader, Qos, Reason, Version, ack, publish_header},
    wire::{Memory, Output},
};
use core::fmt;

/// The ring.
#[derive(Debug)]
pub(crate) struct Outbox<M, I> {
    /// A power of two long, and so at least [`UNIT`].
    memory: M,
    // Positions count on and on; a place in the memory is their remainder.
    head: usize,
    next: usize,
    tail: usize,
    /// For each packet identifier but 0, where its entry is.
    ids: Identifiers<I>,
    /// How many entries with an identifier were sent on this connection and are not done.
    flying: usize,
    /// How many of them are of QoS 2.
    flying_exactly: usize,
    /// How many entries are not done.
    waiting: usize,
    /// How many bytes somebody has waited for in vain.
    starved: usize,
}

/// What the broker allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) version: Version,
    /// How many values may be under way.
    pub(crate) under_way: usize,
    /// How many of QoS 2 among them.
    pub(crate) exactly: usize,
    pub(crate) packet: usize,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

impl Allowed {
    /// Before any broker has said what it allows.
    pub(crate) const NOTHING: Allowed =
        Allowed { version: Version::V5, under_way: 0, exactly: 0, packet: 0, qos: Qos::AtMostOnce, retain: false };
}

/// Entries begin at multiples of this, so that an entry's head lies in one piece.
const UNIT: usize = 16;

/// An entry's head; its topic and its payload follow.
#[derive(Debug, Clone, Copy)]
struct Entry {
    payload: u32,
    topic: u16,
    /// 0 until it has one.
    id: u16,
    qos: Qos,
    retain: bool,
    state: State,
}

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was never sent, or to a broker that has forgotten it.
    Queued = 0,
    /// A PUBLISH was sent.
    Sent = 1,
    /// The broker has it, and waits for the PUBREL.
    Released = 2,
    /// Nothing is left to do.
    Done = 3,
}

/// It has no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// An answer of the broker to a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) kind: Ack,
    pub(crate) id: u16,
    pub(crate) reason: Reason,
}

impl Entry {
    fn size(&self) -> usize {
        Self::size_of(usize::from(self.topic), self.payload as usize)
    }

    fn size_of(topic: usize, payload: usize) -> usize {
        topic.saturating_add(payload).saturating_add(UNIT).checked_next_multiple_of(UNIT).unwrap_or(usize::MAX)
    }

    fn read(from: &[u8]) -> Self {
        let (payload, topic, id, bits) = match from {
            [a, b, c, d, e, f, g, h, bits, ..] => (
                u32::from_le_bytes([*a, *b, *c, *d]),
                u16::from_le_bytes([*e, *f]),
                u16::from_le_bytes([*g, *h]),
                *bits,
            ),
            _ => (0, 0, 0, State::Done as u8),
        };
        let state = match bits & 3 {
            0 => State::Queued,
            1 => State::Sent,
            2 => State::Released,
            _ => State::Done,
        };
        let qos = Qos::of(bits >> 2 & 3).unwrap_or(Qos::AtMostOnce);
        Entry { payload, topic, id, qos, retain: bits & 0x10 != 0, state }
    }

    fn write(&self, to: &mut [u8]) {
        let [a, b, c, d] = self.payload.to_le_bytes();
        let [e, f] = self.topic.to_le_bytes();
        let [g, h] = self.id.to_le_bytes();
        let bits = self.state as u8 | (self.qos as u8) << 2 | u8::from(self.retain) << 4;
        if let Some(place) = to.first_chunk_mut() {
            *place = [a, b, c, d, e, f, g, h, bits];
        }
    }

    fn header(&self) -> PublishHeader {
        PublishHeader {
            qos: self.qos,
            retain: self.retain,
            again: self.state == State::Sent,
            topic: self.topic.into(),
            payload: self.payload as usize,
        }
    }
}

impl<M, I> Outbox<M, I> {
    /// An empty one. `memory`'s length is a power of two of at least 16; as many values can have an identifier at once as `ids`,
    /// which is all zeros, has places. If `memory` is, too, all of the outbox is zeros, and as a `static` it costs no flash.
    pub(crate) const fn new(memory: M, ids: I) -> Self {
        Outbox {
            memory,
            head: 0,
            next: 0,
            tail: 0,
            ids: Identifiers::new(ids),
            flying: 0,
            flying_exactly: 0,
            waiting: 0,
            starved: 0,
        }
    }

    /// How many values are not done.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }
}

impl<M: Memory, I: AsRef<[u32]> + AsMut<[u32]>> Outbox<M, I> {
    /// How large topic and payload may be together.
    pub(crate) fn largest(&self) -> usize {
        self.memory.as_ref().len() - UNIT
    }

    /// Takes a value.
    pub(crate) fn push(&mut self, topic: &str, payload: &[u8], qos: Qos, retain: bool) -> Result<(), NoRoom> {
        let size = Entry::size_of(topic.len(), payload.len());
        let (Ok(long), Ok(short)) = (u32::try_from(payload.len()), u16::try_from(topic.len())) else {
            return Err(NoRoom);
        };
        if size > self.free() {
            self.starved = self.starved.max(size);
            return Err(NoRoom);
        }
        let entry = Entry { payload: long, topic: short, id: 0, qos, retain, state: State::Queued };
        self.put(self.tail, &entry);
        self.copy_in(self.tail + UNIT, topic.as_bytes());
        self.copy_in(self.tail + UNIT + topic.len(), payload);
        self.tail = self.tail.wrapping_add(size);
        self.waiting += 1;
        Ok(())
    }

    /// Begins a connection: what is not done is due again. A broker that has kept the session is told which of it may have
    /// come before; for one that has not, all of it is new.
    pub(crate) fn begin(&mut self, kept: bool) {
        self.next = self.head;
        (self.flying, self.flying_exactly) = (0, 0);
        self.ids.begin(kept);
        if kept {
            return;
        }
        let mut at = self.head;
        while at != self.tail {
            let mut entry = self.entry(at);
            if matches!(entry.state, State::Sent | State::Released) {
                entry.state = State::Queued;
                self.put(at, &entry);
            }
            at = at.wrapping_add(entry.size());
        }
    }

    /// Writes as many packets as there is room for, and as the broker allows. `refused` is told of those that this broker
    /// does not take, with their topic: they are dropped.
    pub(crate) fn send<O: Memory>(
        &mut self,
        out: &mut Output<O>,
        allowed: &Allowed,
        mut refused: impl FnMut(&str, &dyn fmt::Display),
    ) {
        while self.next != self.tail {
            // The other half is for answers, which must not wait for values.
            if out.bytes().len() >= out.size() / 2 {
                return self.release();
            }
            let mut entry = self.entry(self.next);
            match entry.state {
                State::Done => {}
                State::Released => {
                    let (bytes, length) = ack(Ack::Pubrel, entry.id, Reason::SUCCESS, allowed.version);
                    if !out.push(bytes.get(..length).unwrap_or_default()) {
                        return self.release();
                    }
                    self.flies(&entry);
                }
                State::Queued | State::Sent => {
                    let header = entry.header();
                    let total = header.total(allowed.version);
                    let why = if total > allowed.packet {
                        Some("it is larger than the broker allows")
                    } else if entry.qos > allowed.qos {
                        Some("the broker does not have this quality of service")
                    } else if entry.retain && !allowed.retain {
                        Some("the broker keeps no retained messages")
                    } else {
                        None
                    };
                    if let Some(why) = why {
                        self.tell(self.next, &entry, &why, &mut refused);
                        self.done(self.next, &mut entry);
                    } else {
                        let identified = entry.qos > Qos::AtMostOnce;
                        let exactly = entry.qos == Qos::ExactlyOnce && self.flying_exactly >= allowed.exactly;
                        if identified && (exactly || self.flying >= allowed.under_way.min(self.ids.count())) {
                            return self.release();
                        }
                        let at = self.place(self.next);
                        let fresh = identified && entry.id == 0;
                        if fresh {
                            let Some(id) = self.ids.next() else {
                                self.ids.ask(|id| forget(id, allowed.version, out));
                                return self.release();
                            };
                            entry.id = id;
                        }
                        if !self.write(self.next, &entry, &header, allowed.version, out) {
                            return self.release();
                        }
                        if fresh {
                            self.ids.set(entry.id, at);
                        }
                        if identified {
                            self.flies(&entry);
                            entry.state = State::Sent;
                            self.put(self.next, &entry);
                        } else {
                            self.done(self.next, &mut entry);
                        }
                    }
                }
            }
            self.next = self.next.wrapping_add(entry.size());
        }
        self.release();
    }

    /// Takes the broker's answer; writes what is to be answered to that. `refused` is told the topic, if the broker did not
    /// want the value: it is dropped.
    ///
    /// The answer to a PUBREC needs room for six bytes in `out`.
    pub(crate) fn answered<O: Memory>(
        &mut self,
        answer: Answer,
        version: Version,
        out: &mut Output<O>,
        mut refused: impl FnMut(&str, &dyn fmt::Display),
    ) {
        let found = self.ids.get(answer.id).map(|at| {
            let at = self.head.wrapping_add(at.wrapping_sub(self.head) & self.mask());
            (at, self.entry(at))
        });
        let sent = |at: usize| at.wrapping_sub(self.head) < self.next.wrapping_sub(self.head);
        let known = found.filter(|(at, entry)| sent(*at) && entry.id == answer.id && entry.qos > Qos::AtMostOnce);
        match (answer.kind, known) {
            (Ack::Puback, Some((at, mut entry))) if entry.qos == Qos::AtLeastOnce && entry.state == State::Sent => {
                if answer.reason.is_refusal() {
                    self.tell(at, &entry, &answer.reason, &mut refused);
                }
                self.done(at, &mut entry);
            }
            (Ack::Pubrec, Some((at, mut entry))) if entry.qos == Qos::ExactlyOnce && entry.state == State::Sent => {
                if answer.reason.is_refusal() {
                    self.tell(at, &entry, &answer.reason, &mut refused);
                    self.done(at, &mut entry);
                } else {
                    entry.state = State::Released;
                    self.put(at, &entry);
                    let (bytes, length) = ack(Ack::Pubrel, answer.id, Reason::SUCCESS, version);
                    out.push(bytes.get(..length).unwrap_or_default());
                }
            }
            (Ack::Pubrec, _) if !answer.reason.is_refusal() => {
                // One that comes twice, or of a session that this side does not know.
                let known = known.is_some_and(|(_, entry)| entry.state == State::Released);
                let reason = if known { Reason::SUCCESS } else { Reason::IDENTIFIER_NOT_FOUND };
                let (bytes, length) = ack(Ack::Pubrel, answer.id, reason, version);
                out.push(bytes.get(..length).unwrap_or_default());
            }
            (Ack::Pubcomp, Some((at, mut entry))) if entry.state == State::Released => self.done(at, &mut entry),
            (Ack::Pubcomp, None) => self.ids.forgotten(answer.id),
            _ => {}
        }
        self.release();
    }

    /// Whether there is room again for who was refused it; asked once, as it is then told.
    pub(crate) fn has_room_again(&mut self) -> bool {
        let free = self.free();
        // Not for the first byte: who waits is to be woken for more than one value.
        let enough = self.starved > 0 && free >= self.starved.max(self.memory.as_ref().len() / 4);
        if enough {
            self.starved = 0;
        }
        enough
    }

    fn tell(
        &self,
        at: usize,
        entry: &Entry,
        why: &dyn fmt::Display,
        refused: &mut impl FnMut(&str, &dyn fmt::Display),
    ) {
        let at = self.place(at.wrapping_add(UNIT));
        let memory = self.memory.as_ref();
        // A topic that lies around the end of the ring is told by its beginning.
        let end = (at + usize::from(entry.topic)).min(memory.len());
        let topic = memory.get(at..end).unwrap_or_default();
        refused(topic.utf8_chunks().next().map_or("", |chunk| chunk.valid()), why);
    }

    fn write<O: Memory>(
        &self,
        at: usize,
        entry: &Entry,
        header: &PublishHeader,
        version: Version,
        out: &mut Output<O>,
    ) -> bool {
        let Some(packet) = out.packet(header.total(version)) else { return false };
        let mut place = 0;
        // A packet without room for the longest header has one that is shorter, and fits.
        let head = packet.len().min(LONGEST_HEADER);
        place += publish_header(header, version, packet.get_mut(..head).unwrap_or_default());
        let (topic, payload) = (usize::from(entry.topic), entry.payload as usize);
        let at = at.wrapping_add(UNIT);
        self.copy_out(at, packet.get_mut(place..place + topic).unwrap_or_default());
        place += topic;
        if entry.qos > Qos::AtMostOnce {
            if let Some(id) = packet.get_mut(place..place + 2) {
                id.copy_from_slice(&entry.id.to_be_bytes());
            }
            place += 2;
        }
        if version == Version::V5 {
            if let Some(properties) = packet.get_mut(place) {
                *properties = 0;
            }
            place += 1;
        }
        self.copy_out(at.wrapping_add(topic), packet.get_mut(place..place + payload).unwrap_or_default());
        true
    }

    fn flies(&mut self, entry: &Entry) {
        self.flying += 1;
        self.flying_exactly += usize::from(entry.qos == Qos::ExactlyOnce);
    }

    fn done(&mut self, at: usize, entry: &mut Entry) {
        // One that this connection has not sent is refused before it is under way.
        let sent = at.wrapping_sub(self.head) < self.next.wrapping_sub(self.head);
        if entry.id != 0 {
            self.ids.free(entry.id);
            if sent {
                self.flying = self.flying.saturating_sub(1);
                self.flying_exactly -= usize::from(entry.qos == Qos::ExactlyOnce).min(self.flying_exactly);
            }
        }
        entry.state = State::Done;
        self.waiting = self.waiting.saturating_sub(1);
        self.put(at, entry);
    }

    /// Frees what is done at the beginning.
    fn release(&mut self) {
        while self.head != self.next {
            let entry = self.entry(self.head);
            if entry.state != State::Done {
                return;
            }
            self.head = self.head.wrapping_add(entry.size());
        }
    }

    fn free(&self) -> usize {
        self.memory.as_ref().len() - self.tail.wrapping_sub(self.head)
    }

    fn mask(&self) -> usize {
        self.memory.as_ref().len() - 1
    }

    fn place(&self, position: usize) -> usize {
        position & self.mask()
    }

    fn entry(&self, at: usize) -> Entry {
        let at = self.place(at);
        Entry::read(self.memory.as_ref().get(at..at + UNIT).unwrap_or_default())
    }

    fn put(&mut self, at: usize, entry: &Entry) {
        let at = self.place(at);
        entry.write(self.memory.as_mut().get_mut(at..at + UNIT).unwrap_or_default());
    }

    fn copy_in(&mut self, at: usize, bytes: &[u8]) {
        let at = self.place(at);
        let memory = self.memory.as_mut();
        let (first, second) = bytes.split_at(bytes.len().min(memory.len() - at));
        if let Some(place) = memory.get_mut(at..at + first.len()) {
            copy(place, first);
        }
        if !second.is_empty()
            && let Some(place) = memory.get_mut(..second.len())
        {
            copy(place, second);
        }
    }

    fn copy_out(&self, at: usize, to: &mut [u8]) {
        let at = self.place(at);
        let memory = self.memory.as_ref();
        let middle = to.len().min(memory.len() - at);
        let (first, second) = to.split_at_mut(middle);
        copy(first, memory.get(at..at + middle).unwrap_or_default());
        if !second.is_empty() {
            copy(second, memory.get(..second.len()).unwrap_or_default());
        }
    }
}

/// How many bytes [`copy`] takes at once.
const BLOCK: usize = 16;

/// Copies `from` to `to`, which is as long. Topics and payloads lie where they happen to, and a microcontroller's `memcpy`
/// takes what is not aligned alike byte by byte, at six instructions each; words that are not aligned cost it one more cycle.
fn copy(to: &mut [u8], from: &[u8]) {
    let blocks = from.as_chunks::<BLOCK>().0;
    to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(blocks).for_each(|(to, from)| copy_block(to, from));
    match from.last_chunk() {
        // The last block begins within the one before it, unless they come out even.
        Some(from) => {
            if let Some(to) = to.last_chunk_mut() {
                copy_block(to, from);
            }
        }
        None => to.copy_from_slice(from),
    }
}

/// Word by word: as a whole or in a loop it would be a call of `memcpy` again.
#[inline]
fn copy_block(to: &mut [u8; BLOCK], from: &[u8; BLOCK]) {
    let ([a, b, c, d], []) = to.as_chunks_mut::<4>() else { return };
    let ([e, f, g, h], []) = from.as_chunks::<4>() else { return };
    (*a, *b, *c, *d) = (*e, *f, *g, *h);
}

/// Tells a broker that knows this session from another life of this program to be done with what it may still hold of an
/// identifier: else it would take a new value for an old one that is sent again, and drop it.
fn forget<O: Memory>(id: u16, version: Version, out: &mut Output<O>) -> bool {
    let (bytes, length) = ack(Ack::Pubrel, id, Reason::SUCCESS, version);
    out.push(bytes.get(..length).unwrap_or_default())
}

/// How many identifiers a broker is asked to forget at once.
const ASKED_AT_ONCE: usize = 64;
/// How many connections may end in a row when a broker is asked to forget. One that breaks off each time, instead of saying
/// that it knows none, as it should, is asked no more.
const BROKEN_OFF: u8 = 5;

/// Packet identifiers, and whose they are.
#[derive(Debug)]
struct Identifiers<I> {
    /// That of identifier 1 first; as few as are allowed to be under way.
    places: I,
    last: usize,
    /// A connection has begun.
    begun: bool,
    /// How many connections have ended in a row before the broker had forgotten what it was asked to.
    broken_off: u8,
}

impl<I> Identifiers<I> {
    const FREE: u32 = 0;
    /// A broker may know it from another life of this program.
    const KNOWN: u32 = 1;
    /// The broker was asked to forget it, and has not answered. Until then it is not used: were the connection cut, nobody
    /// would know whether a value that is sent again is new to the broker.
    const ASKED: u32 = 2;
    /// That of an entry at the beginning of the memory.
    const ENTRY: u32 = 3;

    const fn new(places: I) -> Self {
        Identifiers { places, last: 0, begun: false, broken_off: 0 }
    }
}

impl<I: AsRef<[u32]> + AsMut<[u32]>> Identifiers<I> {
    fn count(&self) -> usize {
        self.places.as_ref().len()
    }

    fn place(&mut self, id: u16) -> Option<&mut u32> {
        self.places.as_mut().get_mut(usize::from(id).wrapping_sub(1))
    }

    fn begin(&mut self, kept: bool) {
        if kept && !self.begun {
            self.places.as_mut().fill(Self::KNOWN);
        }
        self.begun = true;
        if kept && self.places.as_ref().contains(&Self::ASKED) {
            self.broken_off += 1;
        }
        let knows = kept && self.broken_off < BROKEN_OFF;
        let known = self.places.as_mut().iter_mut().filter(|place| matches!(**place, Self::KNOWN | Self::ASKED));
        known.for_each(|place| *place = if knows { Self::KNOWN } else { Self::FREE });
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 >= self.count() { 0 } else { place + 1 }
    }

    /// One that is free; they go round, so that none is used again at once. None when that which comes next may be known.
    fn next(&mut self) -> Option<u16> {
        let mut place = self.last;
        for _ in 0..self.count() {
            place = self.after(place);
            match self.places.as_ref().get(place).copied() {
                Some(Self::FREE) => {
                    self.last = place;
                    return u16::try_from(place + 1).ok();
                }
                Some(Self::KNOWN | Self::ASKED) => return None,
                _ => {}
            }
        }
        None
    }

    /// Asks the broker to forget the next ones that it may know, unless it was asked; `forget` says whether there was room.
    fn ask(&mut self, mut forget: impl FnMut(u16) -> bool) {
        let (mut place, mut asked) = (self.last, 0);
        for _ in 0..self.count() {
            place = self.after(place);
            match self.places.as_mut().get_mut(place) {
                Some(known) if *known == Self::KNOWN => {
                    if asked == ASKED_AT_ONCE || !u16::try_from(place + 1).is_ok_and(&mut forget) {
                        return;
                    }
                    *known = Self::ASKED;
                    asked += 1;
                }
                // Those after it were asked for with it.
                Some(known) if *known == Self::ASKED => return,
                _ => {}
            }
        }
    }

    /// The broker has forgotten one, if it was asked to.
    fn forgotten(&mut self, id: u16) {
        if let Some(place) = self.place(id)
            && *place == Self::ASKED
        {
            *place = Self::FREE;
            self.broken_off = 0;
        }
    }

    fn set(&mut self, id: u16, at: usize) {
        if let Some(place) = self.place(id) {
            *place = u32::try_from(at / UNIT).map_or(Self::FREE, |at| at + Self::ENTRY);
        }
    }

    fn free(&mut self, id: u16) {
        if let Some(place) = self.place(id) {
            *place = Self::FREE;
        }
    }

    /// Where its entry is, by its place in the memory.
    fn get(&self, id: u16) -> Option<usize> {
        let place = *self.places.as_ref().get(usize::from(id).wrapping_sub(1))?;
        place.checked_sub(Self::ENTRY).map(|at| at as usize * UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Framed, framed};
    use alloc::{format, string::String, vec, vec::Vec};

    const ALLOWED: Allowed =
        Allowed { version: Version::V5, under_way: 20, exactly: 20, packet: 4096, qos: Qos::ExactlyOnce, retain: true };

    fn outbox(bytes: usize) -> Outbox<Vec<u8>, Vec<u32>> {
        let mut outbox = Outbox::new(vec![0; bytes], vec![0; 8]);
        outbox.begin(false);
        outbox
    }

    /// A packet that was sent, as a broker sees it.
    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Publish { again: bool, qos: u8, id: u16, topic: String, payload: String },
        Release(u16),
    }

    fn seen(output: &mut Output<Vec<u8>>) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Ok(Framed::Packet { header, total }) = framed(output.bytes()) {
            let packet = &output.bytes()[..total];
            let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            seen.push(if packet[0] >> 4 == 6 {
                Seen::Release(number(2))
            } else {
                let qos = packet[0] >> 1 & 3;
                let topic = header + 2..header + 2 + usize::from(number(header));
                let id = if qos > 0 { number(topic.end) } else { 0 };
                let payload = topic.end + if qos > 0 { 3 } else { 1 };
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let again = packet[0] & 8 != 0;
                Seen::Publish { again, qos, id, topic: text(&packet[topic]), payload: text(&packet[payload..]) }
            });
            output.taken(total);
        }
        seen
    }

    fn send(outbox: &mut Outbox<Vec<u8>, Vec<u32>>) -> Vec<Seen> {
        let mut output = Output::new(vec![0; 8192]);
        outbox.send(&mut output, &ALLOWED, |topic, why| panic!("{topic}: {why}"));
        seen(&mut output)
    }

    fn answer(outbox: &mut Outbox<Vec<u8>, Vec<u32>>, kind: Ack, id: u16, reason: u8) -> (Vec<Seen>, Vec<String>) {
        let mut output = Output::new(vec![0; 64]);
        let mut refused = Vec::new();
        let answer = Answer { kind, id, reason: Reason(reason) };
        outbox.answered(answer, Version::V5, &mut output, |topic, why| refused.push(format!("{topic}: {why}")));
        (seen(&mut output), refused)
    }

    fn publish(again: bool, qos: u8, id: u16, payload: &str) -> Seen {
        Seen::Publish { again, qos, id, topic: "t".into(), payload: payload.into() }
    }

    #[test]
    fn of_exactly_once_no_more_are_under_way_than_is_allowed() {
        let mut outbox = outbox(1024);
        for qos in [Qos::ExactlyOnce, Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce] {
            outbox.push("t", b"x", qos, false).unwrap();
        }
        let allowed = Allowed { exactly: 2, ..ALLOWED };
        let mut output = Output::new(vec![0; 8192]);
        outbox.send(&mut output, &allowed, |topic, why| panic!("{topic}: {why}"));
        assert_eq!(seen(&mut output).len(), 3, "two of them, and the one of another quality between");
        answer(&mut outbox, Ack::Pubrec, 2, 0);
        answer(&mut outbox, Ack::Pubcomp, 2, 0);
        outbox.send(&mut output, &allowed, |topic, why| panic!("{topic}: {why}"));
        assert_eq!(seen(&mut output).len(), 1, "and the third when one is done");
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_in_its_order() {
        let mut outbox = outbox(1024);
        for (payload, qos) in [("a", Qos::AtLeastOnce), ("b", Qos::AtMostOnce), ("c", Qos::ExactlyOnce)] {
            outbox.push("t", payload.as_bytes(), qos, false).unwrap();
        }
        let first = [publish(false, 1, 2, "a"), publish(false, 0, 0, "b"), publish(false, 2, 3, "c")];
        assert_eq!(send(&mut outbox), first);
        assert_eq!((send(&mut outbox), outbox.waiting()), (vec![], 2));
        outbox.begin(true);
        assert_eq!(send(&mut outbox), [publish(true, 1, 2, "a"), publish(true, 2, 3, "c")]);
        assert_eq!(answer(&mut outbox, Ack::Pubrec, 3, 0).0, [Seen::Release(3)]);
        outbox.begin(true);
        assert_eq!(send(&mut outbox), [publish(true, 1, 2, "a"), Seen::Release(3)], "each in its state");
        outbox.begin(false);
        assert_eq!(send(&mut outbox), [publish(false, 1, 2, "a"), publish(false, 2, 3, "c")], "all of it is new");
        answer(&mut outbox, Ack::Puback, 2, 0);
        answer(&mut outbox, Ack::Pubrec, 3, 0);
        answer(&mut outbox, Ack::Pubcomp, 3, 0);
        assert_eq!((outbox.waiting(), outbox.free()), (0, 1024));
    }

    #[test]
    fn only_the_right_answer_is_one() {
        let mut outbox = outbox(1024);
        outbox.push("t", b"a", Qos::AtLeastOnce, false).unwrap();
        outbox.push("t", b"b", Qos::ExactlyOnce, false).unwrap();
        send(&mut outbox);
        for (kind, id) in [(Ack::Pubcomp, 2), (Ack::Puback, 3), (Ack::Pubcomp, 3), (Ack::Puback, 7), (Ack::Puback, 999)]
        {
            answer(&mut outbox, kind, id, 0);
            assert_eq!(outbox.waiting(), 2, "{kind:?} {id}");
        }
        // An answer before what it answers was sent on this connection.
        outbox.begin(true);
        answer(&mut outbox, Ack::Puback, 2, 0);
        assert_eq!(outbox.waiting(), 2);
        send(&mut outbox);
        assert_eq!(answer(&mut outbox, Ack::Puback, 2, 0x87).1.len(), 1, "a refusal is told");
        let (_, refused) = answer(&mut outbox, Ack::Pubrec, 3, 0x97);
        assert!(refused[0].starts_with("t: a quota"), "{refused:?}");
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn no_more_is_under_way_than_is_allowed_and_who_waits_for_room_is_told_once() {
        let mut outbox = outbox(1024);
        let mut pushed = 0;
        while outbox.push("t", b"0123456789", Qos::AtLeastOnce, false).is_ok() {
            pushed += 1;
        }
        assert_eq!(pushed, 1024 / 32);
        assert_eq!(send(&mut outbox).len(), 8, "as many as have an identifier");
        assert!(!outbox.has_room_again());
        for id in [3, 4, 5, 6, 7, 8, 1] {
            answer(&mut outbox, Ack::Puback, id, 0);
        }
        assert_eq!(outbox.free(), 0, "the first holds up the others' room");
        answer(&mut outbox, Ack::Puback, 2, 0);
        assert_eq!(outbox.free(), 8 * 32);
        assert!(outbox.has_room_again() && !outbox.has_room_again());
    }

    #[test]
    fn what_a_broker_does_not_take_is_told_and_dropped() {
        let mut outbox = outbox(8192);
        outbox.push("large", &[b'x'; 5000], Qos::AtLeastOnce, false).unwrap();
        outbox.push("kept", b"", Qos::AtMostOnce, true).unwrap();
        outbox.push("good", b"", Qos::AtMostOnce, false).unwrap();
        let mut output = Output::new(vec![0; 8192]);
        let mut refused = Vec::new();
        outbox.send(&mut output, &Allowed { retain: false, ..ALLOWED }, |topic, _| refused.push(String::from(topic)));
        assert_eq!(refused, ["large", "kept"]);
        assert_eq!((seen(&mut output).len(), outbox.waiting(), outbox.free()), (1, 0, 8192));
    }

    #[test]
    fn an_identifier_of_another_life_is_finished_with_before_it_is_used() {
        let mut outbox = Outbox::new(vec![0; 1024], vec![0; 3]);
        outbox.begin(true);
        outbox.push("t", b"a", Qos::ExactlyOnce, false).unwrap();
        outbox.push("t", b"b", Qos::AtLeastOnce, false).unwrap();
        let asked = [Seen::Release(2), Seen::Release(3), Seen::Release(1)];
        assert_eq!(send(&mut outbox), asked);
        assert_eq!(send(&mut outbox), [], "asked once");
        outbox.begin(true);
        assert_eq!(send(&mut outbox), asked, "nobody knows whether the broker was told");
        answer(&mut outbox, Ack::Pubcomp, 2, 0x92);
        assert_eq!(send(&mut outbox), [publish(false, 2, 2, "a")]);
        answer(&mut outbox, Ack::Pubcomp, 3, 0);
        assert_eq!(send(&mut outbox), [publish(false, 1, 3, "b")]);
        assert_eq!(outbox.waiting(), 2, "those were the answers to the other life's");
    }

    #[test]
    fn a_broker_that_breaks_off_when_it_is_asked_to_forget_is_asked_no_more() {
        let mut outbox = Outbox::new(vec![0; 1024], vec![0; 1]);
        outbox.begin(true);
        outbox.push("t", b"a", Qos::AtLeastOnce, false).unwrap();
        for _ in 0..BROKEN_OFF {
            assert_eq!(send(&mut outbox), [Seen::Release(1)]);
            outbox.begin(true);
        }
        assert_eq!(send(&mut outbox), [publish(false, 1, 1, "a")]);
    }

    /// Whatever is published, answered, cut off and forgotten: nothing is lost, and what a broker keeps comes once.
    #[test]
    fn any_order_of_events_loses_nothing() {
        for seed in 1..200_u64 {
            let mut random = seed;
            let mut below = |limit: u64| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from((random >> 33) % limit).unwrap()
            };
            let mut outbox = outbox(512);
            let (mut pushed, mut arrived): (usize, Vec<usize>) = (0, Vec::new());
            // What the broker knows, and has to answer.
            let (mut open, mut owes): (Vec<u16>, Vec<(Ack, u16)>) = (Vec::new(), Vec::new());
            let mut forgot = false;
            let mut steps = 0;
            while pushed < 300 || outbox.waiting() > 0 {
                steps += 1;
                assert!(steps < 100_000, "seed {seed}: it goes on");
                let mut packets = Vec::new();
                match below(8) {
                    0..3 if pushed < 300 => {
                        let qos = [Qos::AtLeastOnce, Qos::ExactlyOnce][below(2)];
                        let payload = format!("{pushed}{}", " ".repeat(below(40)));
                        pushed += usize::from(outbox.push("t", payload.as_bytes(), qos, false).is_ok());
                    }
                    3 | 4 => packets = send(&mut outbox),
                    7 if below(8) == 0 => {
                        let kept = below(3) > 0;
                        owes.clear();
                        if !kept {
                            open.clear();
                            forgot = true;
                        }
                        outbox.begin(kept);
                    }
                    _ if !owes.is_empty() => {
                        let (kind, id) = owes.remove(below(owes.len() as u64));
                        packets = answer(&mut outbox, kind, id, 0).0;
                    }
                    _ => {}
                }
                for packet in packets {
                    match packet {
                        Seen::Publish { qos: 1, id, payload, .. } => {
                            arrived.push(payload.trim().parse().unwrap());
                            owes.push((Ack::Puback, id));
                        }
                        Seen::Publish { id, payload, again, .. } => {
                            if open.contains(&id) {
                                assert!(again, "seed {seed}: a new value with an identifier in use");
                            } else {
                                open.push(id);
                                arrived.push(1_000_000 + payload.trim().parse::<usize>().unwrap());
                            }
                            owes.push((Ack::Pubrec, id));
                        }
                        Seen::Release(id) => {
                            open.retain(|known| *known != id);
                            owes.push((Ack::Pubcomp, id));
                        }
                    }
                }
            }
            let twice: Vec<usize> = arrived.iter().filter(|value| **value >= 1_000_000).copied().collect();
            let mut all: Vec<usize> = arrived.iter().map(|value| value % 1_000_000).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all, (0..300).collect::<Vec<_>>(), "seed {seed}");
            if !forgot {
                let mut once = twice.clone();
                once.dedup();
                assert_eq!(once.len(), twice.len(), "seed {seed}: exactly once");
                assert!(twice.is_sorted(), "seed {seed}: in order");
            }
            assert_eq!(outbox.free(), 512, "seed {seed}");
        }
    }
}
