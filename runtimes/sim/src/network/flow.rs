//! One direction of a connection: the bytes once, and marks in them for how far each party has come.
//!
//! ```text
//!            base       read      received      acked … sent        written
//!   ──────────┼──────────┼───────────┼────────────┼──────┼─────────────┼──▶  positions since the connection began
//!             └ kept: what is unread, or may have to be sent again ────┘
//! ```
//!
//! Both ends live in one memory, so a packet carries positions and no bytes: what it covers stays here until it was both
//! acknowledged and read. The FIN is a position of its own, behind the last byte.

use crate::timers::TimerKey;
use std::{collections::VecDeque, task::Waker};

/// How many bytes a packet carries at most.
const SEGMENT: u64 = 1460;

/// A part of a flow, as a packet carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Flow {
    bytes: VecDeque<u8>,
    /// The position of the first of `bytes`.
    base: u64,
    /// How far the reader has read.
    read: u64,
    /// How far everything has arrived.
    received: u64,
    /// What has arrived beyond a gap, sorted, apart from each other.
    early: Vec<Span>,
    /// How far the sender knows it to have arrived.
    acked: u64,
    /// How far it was sent at least once.
    sent: u64,
    /// How far the writer has written.
    written: u64,
    /// The writer has closed: the FIN is at `written`.
    closed: bool,
    /// How far the sender may send, as far as it has been told.
    limit: u64,
    /// How far the receiver has said that it may.
    told: u64,
    /// What was sent before this may have been lost.
    lost: u64,
    /// What was sent before this is being sent again, piece by piece.
    again: u64,
    /// The sender tries again when this is due.
    pub(crate) retry: Option<Retry>,
    /// How often it has tried since it made headway.
    pub(crate) tries: u32,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
}

/// The sender waits for an acknowledgement that may not come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    pub(crate) timer: TimerKey,
    /// Since when nothing was heard.
    pub(crate) since: u64,
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Bytes(usize),
    Nothing,
    End,
}

impl Flow {
    pub(crate) fn new(window: u64) -> Self {
        Flow { limit: window, told: window, ..Flow::default() }
    }

    /// The position behind everything that is to arrive.
    fn end(&self) -> u64 {
        self.written + u64::from(self.closed)
    }

    /// How many bytes may be written when so many may be under way.
    pub(crate) fn space(&self, buffer: u64) -> u64 {
        buffer.saturating_sub(self.written - self.acked.min(self.written))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.written += bytes.len() as u64;
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next part that is sent for the first time.
    pub(crate) fn next_to_send(&mut self) -> Option<Span> {
        if self.sent >= self.end() {
            return None;
        }
        let span = self.segment(self.sent, self.written.min(self.limit))?;
        self.sent = span.to;
        Some(span)
    }

    /// Begins to send again: gives the first part that has not been acknowledged, or an empty one, which asks how far one
    /// may send.
    pub(crate) fn retransmit(&mut self) -> Span {
        self.again = self.lost;
        self.first_unacked().unwrap_or(Span { from: self.acked, to: self.acked })
    }

    fn first_unacked(&self) -> Option<Span> {
        if self.acked >= self.sent { None } else { self.segment(self.acked, self.sent.min(self.written)) }
    }

    fn segment(&self, from: u64, until: u64) -> Option<Span> {
        let to = until.min(from + SEGMENT).max(from);
        let to = to + u64::from(self.closed && to == self.written);
        (from < to).then_some(Span { from, to })
    }

    /// Whether the sender waits for its peer: for an acknowledgement, or for room there.
    pub(crate) fn waits(&self) -> bool {
        self.acked < self.end()
    }

    /// Whether the receiver had said that there is room, and the sender, who waits for it, has not heard.
    pub(crate) fn missed_room(&self) -> bool {
        self.acked == self.sent && self.sent < self.end() && self.limit <= self.sent && self.told > self.limit
    }

    pub(crate) fn lose(&mut self, until: u64) {
        self.lost = self.lost.max(until);
    }

    /// Whether nothing that was lost is missing any more.
    pub(crate) fn recovered(&self) -> bool {
        self.acked >= self.lost && !self.missed_room()
    }

    /// Takes what has arrived; true when there is more to read, or the end.
    pub(crate) fn receive(&mut self, span: Span) -> bool {
        if span.to <= self.received {
            return false;
        }
        if span.from > self.received {
            let place = self.early.partition_point(|early| early.from < span.from);
            if self.early.get(place) != Some(&span) {
                self.early.insert(place, span);
            }
            return false;
        }
        self.received = span.to;
        let reached = self.early.iter().take_while(|early| {
            let reached = early.from <= self.received;
            if reached {
                self.received = self.received.max(early.to);
            }
            reached
        });
        let reached = reached.count();
        self.early.drain(..reached);
        true
    }

    /// Whether this part holds bytes that have not arrived before (and not the FIN alone).
    pub(crate) fn has_news(&self, span: Span) -> bool {
        span.from.max(self.received) < span.to.min(self.written)
    }

    /// What the receiver tells the sender: how far all has arrived, and how far it may send.
    pub(crate) fn acknowledgement(&mut self, window: u64) -> (u64, u64) {
        self.told = self.told.max(self.read + window);
        (self.received, self.told)
    }

    /// Takes what the receiver has told; gives what is to be sent again at once.
    pub(crate) fn acknowledge(&mut self, received: u64, limit: u64) -> Option<Span> {
        self.limit = self.limit.max(limit);
        if received <= self.acked {
            return None;
        }
        self.acked = received;
        self.forget();
        if self.acked < self.again { self.first_unacked() } else { None }
    }

    /// What there is to read.
    pub(crate) fn found(&self) -> Found {
        match self.received.min(self.written) - self.read {
            0 if self.received > self.written => Found::End,
            0 => Found::Nothing,
            bytes => Found::Bytes(bytes as usize),
        }
    }

    /// Moves bytes to the reader; no more than [`found`](Self::found) says.
    pub(crate) fn take(&mut self, into: &mut [u8]) {
        let start = (self.read - self.base) as usize;
        let (first, second) = self.bytes.as_slices();
        let from_first = first.get(start..).unwrap_or_default();
        let cut = from_first.len().min(into.len());
        let (into_first, into_second) = into.split_at_mut(cut);
        into_first.copy_from_slice(&from_first[..cut]);
        let start = start.saturating_sub(first.len());
        into_second.copy_from_slice(&second[start..start + into_second.len()]);
        self.read += into.len() as u64;
        self.forget();
    }

    /// Whether so much has been read since the sender last heard of it that it should hear again.
    pub(crate) fn has_room_to_tell(&self, window: u64) -> bool {
        self.read + window >= self.told + window.div_ceil(2)
    }

    /// Forgets what nobody asks for any more.
    fn forget(&mut self) {
        let until = self.acked.min(self.read).min(self.written);
        self.bytes.drain(..(until - self.base) as usize);
        self.base = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn span(from: u64, to: u64) -> Span {
        Span { from, to }
    }

    /// What the flow tells its sender, in a packet that arrives.
    fn tell(flow: &mut Flow, window: u64) -> Option<Span> {
        let (received, limit) = flow.acknowledgement(window);
        flow.acknowledge(received, limit)
    }

    #[test]
    fn what_arrives_beyond_a_gap_waits_for_what_fills_it() {
        let mut flow = Flow::new(100);
        flow.write(b"abcdefghij");
        assert_eq!(flow.next_to_send(), Some(span(0, 10)));
        assert!(!flow.receive(span(6, 8)) && !flow.receive(span(3, 4)) && !flow.receive(span(7, 10)));
        assert_eq!((flow.found(), flow.acknowledgement(100).0), (Found::Nothing, 0));
        assert!(flow.receive(span(0, 2)));
        assert_eq!(flow.found(), Found::Bytes(2));
        assert!(flow.receive(span(1, 6)));
        assert_eq!(flow.found(), Found::Bytes(10));
        assert!(flow.early.is_empty());
        assert!(!flow.receive(span(0, 10)), "what comes again is no news");
    }

    #[test]
    fn the_end_is_found_behind_the_last_byte_and_takes_no_room() {
        let mut flow = Flow::new(3);
        flow.write(b"abc");
        flow.close();
        assert_eq!(flow.next_to_send(), Some(span(0, 4)));
        assert!(flow.receive(span(0, 4)));
        assert_eq!((flow.found(), flow.has_news(span(0, 4))), (Found::Bytes(3), false));
        flow.take(&mut [0; 3]);
        assert_eq!(flow.found(), Found::End);
        assert_eq!((flow.waits(), tell(&mut flow, 3), flow.waits()), (true, None, false));
    }

    #[test]
    fn a_sender_that_is_told_of_no_room_asks_and_goes_on_when_it_hears() {
        let mut flow = Flow::new(4);
        flow.write(b"abcdef");
        assert_eq!((flow.next_to_send(), flow.next_to_send()), (Some(span(0, 4)), None));
        assert!(flow.receive(span(0, 4)));
        assert_eq!(tell(&mut flow, 4), None);
        assert!(flow.waits() && !flow.missed_room() && !flow.has_room_to_tell(4));
        flow.take(&mut [0; 4]);
        assert!(flow.has_room_to_tell(4));
        // It is told, and does not hear.
        let _lost = flow.acknowledgement(4);
        assert!(flow.missed_room());
        assert_eq!(flow.retransmit(), span(4, 4));
        assert!(!flow.receive(span(4, 4)));
        assert_eq!((tell(&mut flow, 4), flow.missed_room(), flow.next_to_send()), (None, false, Some(span(4, 6))));
    }

    #[test]
    fn what_was_lost_is_sent_again_piece_by_piece_and_no_more_than_that() {
        let mut flow = Flow::new(10_000);
        flow.write(&[7; 5_000]);
        let sent: Vec<Span> = std::iter::from_fn(|| flow.next_to_send()).collect();
        assert_eq!(sent, [span(0, 1_460), span(1_460, 2_920), span(2_920, 4_380), span(4_380, 5_000)]);
        // The first and the third are lost.
        flow.lose(1_460);
        flow.lose(4_380);
        flow.receive(sent[1]);
        flow.receive(sent[3]);
        assert!(!flow.recovered());
        assert_eq!(flow.retransmit(), sent[0]);
        flow.receive(sent[0]);
        assert_eq!(tell(&mut flow, 10_000), Some(sent[2]), "at once, for it is missing, too");
        flow.receive(sent[2]);
        assert_eq!((tell(&mut flow, 10_000), flow.recovered(), flow.waits()), (None, true, false));
    }

    /// A sender, a receiver, and packets between them that are lost, doubled and taken in any order.
    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut random = Random::new(11);
        for window in [1, 3, 1_000, 5_000] {
            let sent: Vec<u8> = (0..window * 5 + 20).map(|_| random.draw() as u8).collect();
            let (mut flow, mut written, mut read) = (Flow::new(window), 0, Vec::new());
            let mut under_way = Vec::new();
            while flow.found() != Found::End {
                let room = (flow.space(window) as usize).min(sent.len() - written);
                let more = random.below(room as u64 + 1) as usize;
                flow.write(&sent[written..written + more]);
                written += more;
                if written == sent.len() {
                    flow.close();
                }
                under_way.extend(std::iter::from_fn(|| flow.next_to_send()));
                if under_way.is_empty() && flow.waits() {
                    under_way.push(flow.retransmit());
                }
                while !under_way.is_empty() && random.below(4) > 0 {
                    let span = under_way.swap_remove(random.below(under_way.len() as u64) as usize);
                    match random.below(4) {
                        0 => flow.lose(span.to),
                        1 => {
                            flow.receive(span);
                            under_way.push(span);
                        }
                        _ => {
                            flow.receive(span);
                        }
                    }
                    if random.below(2) == 0 {
                        under_way.extend(tell(&mut flow, window));
                    }
                }
                if let Found::Bytes(there) = flow.found() {
                    let mut buffer = vec![0; 1 + random.below(there as u64) as usize];
                    flow.take(&mut buffer);
                    read.extend(buffer);
                }
                tell(&mut flow, window);
                let kept = flow.bytes.len() as u64;
                assert!(kept <= 2 * window, "{kept} bytes are kept with a window of {window}");
            }
            assert!(read == sent, "with a window of {window}");
        }
    }
}
