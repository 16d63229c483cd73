//! What happened, one line a decision: always as a hash, and as text where it was asked for.

use crate::network::Packet;
use std::fmt::{self, Display, Write};

/// What happened in a simulation, as far as it has run.
///
/// Two runs of one seed are equal in this, or something in the tested code is not deterministic. The hash and the
/// count are always there; the text costs memory and is kept with [`SimOptions::record`](crate::SimOptions::record).
///
/// | line | meaning |
/// |---|---|
/// | `+3 name` | task 3 was spawned |
/// | `>3` | task 3 was picked and polled |
/// | `.3` | task 3 ended |
/// | `!3 message` | task 3 panicked |
/// | `x3` | task 3 was aborted, and its future dropped |
/// | `@1500000 2` | nothing was ready: time moved to 1,500,000 ns, where 2 timers were due |
/// | `z3 700` | fault: task 3 was held up for 700 ns instead of polled |
/// | `?3` | fault: task 3 was made ready though nobody woke it |
/// | `~5 board-7 > broker:1883` | connection 5 was begun |
/// | `~5 > data 0..12` | a packet of connection 5 arrived at the server (`<`: at the client) |
/// | `%5 > data 0..12` | a packet of connection 5 was lost |
/// | `& crash broker` | the network was changed |
/// | `#3 text` | task 3 noted something; `#- text` when it was noted outside every task |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// A hash of every event. Equal traces have equal hashes.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// The events as text, one a line, where it was recorded.
    pub text: Option<String>,
}

impl Trace {
    pub(crate) fn new(record: bool) -> Self {
        Trace { hash: 0, events: 0, text: record.then(String::new) }
    }

    pub(crate) fn spawned(&mut self, task: u64, name: &str) {
        self.event('+', task);
        self.line('+', task, name);
    }

    pub(crate) fn polled(&mut self, task: u64) {
        self.event('>', task);
        self.line('>', task, "");
    }

    pub(crate) fn ended(&mut self, task: u64) {
        self.event('.', task);
        self.line('.', task, "");
    }

    pub(crate) fn panicked(&mut self, task: u64, message: &str) {
        self.event('!', task);
        self.bytes(message);
        self.line('!', task, message);
    }

    pub(crate) fn aborted(&mut self, task: u64) {
        self.event('x', task);
        self.line('x', task, "");
    }

    pub(crate) fn time(&mut self, now: u64, timers: u64) {
        self.event('@', now);
        self.mix(timers);
        self.line('@', now, timers);
    }

    pub(crate) fn held_up(&mut self, task: u64, nanos: u64) {
        self.event('z', task);
        self.mix(nanos);
        self.line('z', task, nanos);
    }

    pub(crate) fn woken_for_nothing(&mut self, task: u64) {
        self.event('?', task);
        self.line('?', task, "");
    }

    pub(crate) fn noted(&mut self, task: Option<u64>, text: &str) {
        self.event('#', task.unwrap_or(u64::MAX));
        self.bytes(text);
        match task {
            Some(task) => self.line('#', task, text),
            None => self.line('#', '-', text),
        }
    }

    pub(crate) fn connects(&mut self, connection: u64, who: fmt::Arguments<'_>) {
        self.event('~', connection);
        self.line('~', connection, who);
    }

    pub(crate) fn arrived(&mut self, connection: u64, to_server: bool, packet: Packet) {
        self.packet('~', connection, to_server, packet);
    }

    pub(crate) fn lost(&mut self, connection: u64, to_server: bool, packet: Packet) {
        self.packet('%', connection, to_server, packet);
    }

    pub(crate) fn rules(&mut self, what: fmt::Arguments<'_>) {
        self.event('&', 0);
        self.bytes(&what.to_string());
        self.line('&', "", what);
    }

    fn packet(&mut self, kind: char, connection: u64, to_server: bool, packet: Packet) {
        self.event(kind, connection);
        let [what, first, second] = packet.words();
        self.mix(what << 1 | u64::from(to_server));
        self.mix(first);
        self.mix(second);
        let arrow = if to_server { '>' } else { '<' };
        self.line(kind, connection, format_args!("{arrow} {packet}"));
    }

    fn event(&mut self, kind: char, number: u64) {
        self.events += 1;
        self.mix(u64::from(kind));
        self.mix(number);
    }

    fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.hash = mixed ^ (mixed >> 29);
    }

    fn bytes(&mut self, text: &str) {
        self.mix(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn line(&mut self, kind: char, number: impl Display, rest: impl Display) {
        let Some(text) = &mut self.text else { return };
        let start = text.len();
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{kind}{number} {rest}");
        // One event is one line, whatever was noted.
        if text[start..].contains('\n') {
            let escaped = text[start..].replace('\n', "\\n");
            text.truncate(start);
            text.push_str(&escaped);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_one_line_and_changes_the_hash() {
        let mut trace = Trace::new(true);
        let mut hashes = vec![trace.hash];
        trace.spawned(3, "reader");
        hashes.push(trace.hash);
        trace.polled(3);
        hashes.push(trace.hash);
        trace.time(1_500_000, 2);
        hashes.push(trace.hash);
        trace.noted(Some(3), "two\nlines");
        hashes.push(trace.hash);
        trace.noted(None, "");
        hashes.push(trace.hash);
        assert_eq!(trace.text.as_deref(), Some("+3 reader\n>3\n@1500000 2\n#3 two\\nlines\n#-\n"));
        assert_eq!(trace.events, 5);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
    }

    #[test]
    fn the_hash_is_the_same_with_and_without_the_text() {
        let (mut with, mut without) = (Trace::new(true), Trace::new(false));
        for trace in [&mut with, &mut without] {
            trace.panicked(1, "a message of more than eight bytes");
            trace.held_up(1, 9);
        }
        assert_eq!((with.hash, with.events), (without.hash, without.events));
        assert_eq!(without.text, None);
    }
}
