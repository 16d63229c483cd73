//! The two buffers between a byte stream and the packets: what came in and is not a whole packet yet, what goes out and was
//! not taken yet. Packets are read and written in place, many to one read or write of the stream.

use crate::packet::{Framed, Malformed, framed};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Memory for a buffer. Lent slices stay as they are; where there is a heap, it grows for what is larger than usual.
pub(crate) trait Memory: AsRef<[u8]> + AsMut<[u8]> {
    /// Makes it at least so long, keeping what is there, if it can.
    fn grow(&mut self, bytes: usize) -> bool;
}

#[cfg(feature = "alloc")]
impl Memory for Vec<u8> {
    fn grow(&mut self, bytes: usize) -> bool {
        if self.len() < bytes {
            self.resize(bytes.next_power_of_two(), 0);
        }
        true
    }
}

impl<const N: usize> Memory for [u8; N] {
    fn grow(&mut self, bytes: usize) -> bool {
        N >= bytes
    }
}

impl Memory for &mut [u8] {
    fn grow(&mut self, bytes: usize) -> bool {
        self.len() >= bytes
    }
}

/// Bytes that came in.
#[derive(Debug)]
pub(crate) struct Input<M> {
    memory: M,
    /// What was not consumed yet.
    from: usize,
    to: usize,
    /// So many bytes, those that are here among them, are passed over.
    over: usize,
}

/// Why there is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPacket {
    /// It has not come whole yet.
    Partly,
    /// It is larger than is allowed: so many bytes, and where its variable header begins.
    TooLarge(usize, usize),
    Malformed(Malformed),
}

impl<M: Memory> Input<M> {
    pub(crate) fn new(memory: M) -> Self {
        Input { memory, from: 0, to: 0, over: 0 }
    }

    pub(crate) fn clear(&mut self) {
        (self.from, self.to, self.over) = (0, 0, 0);
    }

    /// Where the next bytes are to be put; never empty after [`packet`](Self::packet) has said [`NoPacket::Partly`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let memory = self.memory.as_mut();
        // A part of a packet moves to the front when there is little room behind it.
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if memory.len() - self.to < memory.len() / 4 && self.from > 0 {
            memory.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        memory.get_mut(self.to..).unwrap_or_default()
    }

    /// So many bytes were put there.
    pub(crate) fn filled(&mut self, bytes: usize) {
        self.to = (self.to + bytes).min(self.memory.as_ref().len());
    }

    /// The packet that came last, of so many bytes, comes again as the next.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.from = self.from.saturating_sub(bytes);
    }

    /// What is here of a packet that has not come whole, and whether more of it has room.
    pub(crate) fn beginning(&self) -> (&[u8], bool) {
        let memory = self.memory.as_ref();
        (memory.get(self.from..self.to).unwrap_or_default(), self.to - self.from < memory.len())
    }

    /// The next packet, of so many bytes, is no more looked at.
    pub(crate) fn pass_over(&mut self, bytes: usize) {
        self.over = bytes;
    }

    /// The next whole packet of at most `limit` bytes, and where its variable header begins.
    pub(crate) fn packet(&mut self, limit: usize) -> Result<(&[u8], usize), NoPacket> {
        if self.over > 0 {
            let here = self.over.min(self.to - self.from);
            self.from += here;
            self.over -= here;
            if self.over > 0 {
                return Err(NoPacket::Partly);
            }
        }
        let here = self.memory.as_ref().get(self.from..self.to).unwrap_or_default();
        match framed(here) {
            Ok(Framed::Packet { header, total }) if total <= here.len() => {
                if total > limit {
                    return Err(NoPacket::TooLarge(total, header));
                }
                let from = self.from;
                self.from += total;
                Ok((self.memory.as_ref().get(from..from + total).unwrap_or_default(), header))
            }
            Ok(Framed::Packet { header, total }) => {
                if total > limit || !self.memory.grow(total) {
                    return Err(NoPacket::TooLarge(total, header));
                }
                Err(NoPacket::Partly)
            }
            Ok(Framed::Unknown) => Err(NoPacket::Partly),
            Err(malformed) => Err(NoPacket::Malformed(malformed)),
        }
    }
}

/// Bytes that go out.
#[derive(Debug)]
pub(crate) struct Output<M> {
    memory: M,
    from: usize,
    to: usize,
}

impl<M: Memory> Output<M> {
    pub(crate) fn new(memory: M) -> Self {
        Output { memory, from: 0, to: 0 }
    }

    pub(crate) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    /// What the stream has not taken yet.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.as_ref().get(self.from..self.to).unwrap_or_default()
    }

    /// The stream took so many.
    pub(crate) fn taken(&mut self, bytes: usize) {
        self.from = (self.from + bytes).min(self.to);
        if self.from == self.to {
            self.clear();
        }
    }

    /// How many bytes can be appended.
    pub(crate) fn room(&self) -> usize {
        self.memory.as_ref().len() - (self.to - self.from)
    }

    /// How many bytes it holds at most, without growing.
    pub(crate) fn size(&self) -> usize {
        self.memory.as_ref().len()
    }

    /// The next `length` bytes, for a packet to be written into; `None` when there is no room now. A packet that is larger
    /// than everything gets room when all else has gone, if the memory can grow.
    pub(crate) fn packet(&mut self, length: usize) -> Option<&mut [u8]> {
        if self.memory.as_ref().len() - self.to < length {
            let waiting = self.to - self.from;
            if waiting + length > self.memory.as_ref().len() && (waiting > 0 || !self.memory.grow(length)) {
                return None;
            }
            self.memory.as_mut().copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, waiting);
        }
        let from = self.to;
        self.to += length;
        self.memory.as_mut().get_mut(from..self.to)
    }

    /// Appends a packet; `false` when there is no room for it.
    pub(crate) fn push(&mut self, packet: &[u8]) -> bool {
        self.packet(packet.len()).map(|place| place.copy_from_slice(packet)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Packets cut into pieces of every size come out whole.
    #[test]
    fn packets_come_out_whole_however_they_were_cut() {
        let mut stream = Vec::new();
        let lengths = [0_u8, 1, 50, 120, 3, 0, 127, 99];
        for (i, length) in (0_u8..).zip(lengths) {
            stream.extend([0x30, length]);
            stream.extend(vec![i; length.into()]);
        }
        for piece in 1..stream.len() {
            let mut memory = [0; 130];
            let mut input = Input::new(&mut memory[..]);
            let (mut rest, mut found) = (&stream[..], Vec::new());
            loop {
                match input.packet(130) {
                    Ok((packet, header)) => found.push(u8::try_from(packet.len() - header).unwrap()),
                    Err(NoPacket::Partly) if rest.is_empty() => break,
                    Err(NoPacket::Partly) => {
                        let room = input.room();
                        let count = piece.min(room.len()).min(rest.len());
                        assert!(count > 0, "no room for more");
                        room[..count].copy_from_slice(&rest[..count]);
                        input.filled(count);
                        rest = &rest[count..];
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert_eq!(found, lengths, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_packet_over_the_limit_is_told_before_it_has_come() {
        let mut input = Input::new(vec![0; 64]);
        input.room()[..3].copy_from_slice(&[0x30, 0x80, 0x02]);
        input.filled(3);
        assert_eq!(input.packet(200), Err(NoPacket::TooLarge(259, 3)));
        assert_eq!(input.packet(259), Err(NoPacket::Partly));
        assert!(input.room().len() >= 256, "there is room for all of it");
    }

    #[test]
    fn what_is_passed_over_is_gone_however_it_was_cut() {
        for piece in 1..70 {
            let mut stream = vec![0x30, 100];
            stream.extend([7; 100]);
            stream.extend([0x30, 1, 9]);
            let (mut input, mut rest) = (Input::new([0; 64]), &stream[..]);
            loop {
                match input.packet(60) {
                    Ok((packet, header)) => {
                        assert_eq!(&packet[header..], [9]);
                        break;
                    }
                    Err(NoPacket::TooLarge(size, _)) => input.pass_over(size),
                    Err(NoPacket::Partly) => {
                        let room = input.room();
                        let count = piece.min(room.len()).min(rest.len());
                        room[..count].copy_from_slice(&rest[..count]);
                        input.filled(count);
                        rest = &rest[count..];
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_goes_out_is_in_order_and_never_half() {
        let mut memory = [0; 8];
        let mut output = Output::new(&mut memory[..]);
        assert!(output.push(b"abc") && output.push(b"defg"));
        assert!(!output.push(b"hi"), "there is one byte");
        output.taken(2);
        assert!(output.push(b"hi"));
        assert_eq!(output.bytes(), b"cdefghi");
        output.taken(7);
        assert!(!output.push(b"123456789"), "larger than the memory");
        let mut growing = Output::new(vec![0; 8]);
        assert!(growing.push(b"123456789"));
        assert!(!growing.push(b"12345678901234567890"), "not before all else has gone");
    }
}
