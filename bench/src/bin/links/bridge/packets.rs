//! As much of MQTT as a load needs: packets are made before the clock runs, and only counted while it does.

use std::{
    io::{self, Read},
    net::TcpStream,
    ops::Deref,
};

/// A version of the protocol, as CONNECT says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V311 = 4,
    V5 = 5,
}

pub const CONNECT: u8 = 1;
pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const SUBSCRIBE: u8 = 8;
pub const SUBACK: u8 = 9;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;

/// Appends a packet with `body`, of which all here are shorter than two bytes of length can say.
fn packet(out: &mut Vec<u8>, first: u8, body: &[&[u8]]) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    out.push(first);
    match length {
        ..128 => out.push(length as u8),
        _ => out.extend([length as u8 | 0x80, (length >> 7) as u8]),
    }
    body.iter().for_each(|part| out.extend_from_slice(part));
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// A client of 3.1.1 with a clean session, and no keep-alive.
pub fn connect(client: &str) -> Vec<u8> {
    let mut out = Vec::new();
    packet(&mut out, CONNECT << 4, &[b"\0\x04MQTT\x04\x02\0\0", &text(client)]);
    out
}

pub fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut out = Vec::new();
    packet(&mut out, SUBSCRIBE << 4 | 2, &[&[0, 1], &text(filter), &[qos]]);
    out
}

/// At QoS 1 with `id`.
pub fn publish(out: &mut Vec<u8>, version: Version, topic: &str, id: Option<u16>, payload: &[u8]) {
    let id = id.map(u16::to_be_bytes);
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    let first = PUBLISH << 4 | if id.is_some() { 2 } else { 0 };
    packet(out, first, &[&text(topic), id.as_ref().map_or(&[], |id| &id[..]), properties, payload]);
}

/// A server's answer to CONNECT, which lets the client have `receive_maximum` values under way.
pub fn connack(version: Version, receive_maximum: u16) -> Vec<u8> {
    let [high, low] = receive_maximum.to_be_bytes();
    match version {
        Version::V311 => vec![CONNACK << 4, 2, 0, 0],
        Version::V5 => vec![CONNACK << 4, 6, 0, 0, 3, 0x21, high, low],
    }
}

/// Grants every filter of SUBSCRIBE `body` its QoS, and says how many there are.
pub fn suback(body: &[u8], version: Version) -> (Vec<u8>, usize) {
    let mut at = 2;
    if version == Version::V5 {
        at += 1 + usize::from(body[2]);
    }
    let mut granted = Vec::new();
    while at < body.len() {
        at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        granted.push(body[at] & 3);
        at += 1;
    }
    let mut out = Vec::new();
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    packet(&mut out, SUBACK << 4, &[&body[..2], properties, &granted]);
    (out, granted.len())
}

/// An answer's few bytes.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    bytes: [u8; 4],
    length: usize,
}

impl Deref for Answer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// One that came.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    pub kind: u8,
    flags: u8,
    pub body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// What it has to be answered with.
    pub fn answer(self) -> Option<Answer> {
        match self.kind {
            PUBLISH => self.id().map(|[high, low]| Answer { bytes: [PUBACK << 4, 2, high, low], length: 4 }),
            PINGREQ => Some(Answer { bytes: [PINGRESP << 4, 0, 0, 0], length: 2 }),
            _ => None,
        }
    }

    fn id(self) -> Option<[u8; 2]> {
        let after = 2 + self.topic().len();
        (self.flags & 6 != 0).then(|| [self.body[after], self.body[after + 1]])
    }

    fn topic(self) -> &'a [u8] {
        &self.body[2..2 + usize::from(u16::from_be_bytes([self.body[0], self.body[1]]))]
    }

    /// Of a PUBLISH: the topic and the payload.
    pub fn value(self, version: Version) -> (&'a [u8], &'a [u8]) {
        let topic = self.topic();
        let mut after = 2 + topic.len() + if self.id().is_some() { 2 } else { 0 };
        if version == Version::V5 {
            after += 1 + usize::from(self.body[after]);
        }
        (topic, &self.body[after..])
    }
}

/// Packets from a stream.
#[derive(Debug)]
pub struct Packets {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Packets {
    pub fn new() -> Self {
        Packets { bytes: vec![0; 256 * 1024], from: 0, to: 0 }
    }

    /// Waits for bytes.
    pub fn fill(&mut self, stream: &mut &TcpStream) -> io::Result<()> {
        self.bytes.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let count = stream.read(&mut self.bytes[self.to..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.to += count;
        Ok(())
    }

    /// The next whole packet that is there.
    pub fn next(&mut self) -> Option<Packet<'_>> {
        let bytes = &self.bytes[self.from..self.to];
        let (mut length, mut at) = (0, 1);
        loop {
            let byte = *bytes.get(at)?;
            length |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte < 0x80 {
                break;
            }
        }
        let body = bytes.get(at..at + length)?;
        self.from += at + length;
        Some(Packet { kind: bytes[0] >> 4, flags: bytes[0] & 15, body })
    }

    /// Waits for the next packet.
    pub fn wait(&mut self, stream: &mut &TcpStream) -> io::Result<Packet<'_>> {
        // Twice, as the borrow of a packet that is given back cannot end before.
        while !self.is_whole() {
            self.fill(stream)?;
        }
        Ok(self.next().expect("it is whole"))
    }

    fn is_whole(&mut self) -> bool {
        let from = self.from;
        let whole = self.next().is_some();
        self.from = from;
        whole
    }
}
