//! Writing: a packet's length is known before its first byte, so it is written once, where it is sent from.

use super::{LONGEST, Qos, Reason, Version, kind, length_of_length, property};

/// What is written into: exactly as long as the packet, so that nothing is left over, and nothing is written beyond.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let room = core::mem::take(&mut self.0);
        if let Some((place, rest)) = room.split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
    fn u8(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }
    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }
    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }
    fn length(&mut self, mut length: usize) {
        loop {
            let low = u8::try_from(length & 0x7f).unwrap_or(0);
            length >>= 7;
            self.u8(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                return;
            }
        }
    }
    /// Bytes with their length before them; what is longer than can be said was refused when it was configured.
    fn counted(&mut self, bytes: &[u8]) {
        self.u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        self.bytes(bytes);
    }
}

fn counted(bytes: &[u8]) -> usize {
    2 + bytes.len()
}

/// A CONNECT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connect<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
    pub(crate) will: Option<(&'a str, &'a [u8], Qos, bool)>,
    /// In seconds; 0 is for ever.
    pub(crate) keep_alive: u16,
    /// In seconds.
    pub(crate) session_expiry: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet: u32,
}

/// Writes a CONNECT into what `room` gives for its length.
pub(crate) fn connect<'o>(
    packet: &Connect<'_>,
    version: Version,
    room: impl FnOnce(usize) -> Option<&'o mut [u8]>,
) -> Option<()> {
    // session expiry, receive maximum, maximum packet size
    let properties = 5 + 3 + 5;
    let v5 = version == Version::V5;
    let mut length = 10 + counted(packet.client_id.as_bytes());
    length += if v5 { 1 + properties } else { 0 };
    if let Some((topic, payload, ..)) = packet.will {
        length += usize::from(v5) + counted(topic.as_bytes()) + counted(payload);
    }
    length += packet.user.map_or(0, |user| counted(user.as_bytes()));
    length += packet.password.map_or(0, counted);
    let mut out = Writer(room(1 + length_of_length(length) + length)?);
    out.u8(kind::CONNECT << 4);
    out.length(length);
    out.counted(b"MQTT");
    out.u8(if v5 { 5 } else { 4 });
    // A session is kept in 3.1.1 for as long as the broker likes, or not at all.
    let clean = !v5 && packet.session_expiry == 0;
    let mut flags = u8::from(clean) << 1;
    if let Some((_, _, qos, retain)) = packet.will {
        flags |= 1 << 2 | (qos as u8) << 3 | u8::from(retain) << 5;
    }
    flags |= u8::from(packet.password.is_some()) << 6 | u8::from(packet.user.is_some()) << 7;
    out.u8(flags);
    out.u16(packet.keep_alive);
    if v5 {
        out.length(properties);
        out.u8(property::SESSION_EXPIRY);
        out.u32(packet.session_expiry);
        out.u8(property::RECEIVE_MAXIMUM);
        out.u16(packet.receive_maximum);
        out.u8(property::MAXIMUM_PACKET);
        out.u32(packet.maximum_packet);
    }
    out.counted(packet.client_id.as_bytes());
    if let Some((topic, payload, ..)) = packet.will {
        if v5 {
            out.length(0);
        }
        out.counted(topic.as_bytes());
        out.counted(payload);
    }
    if let Some(user) = packet.user {
        out.counted(user.as_bytes());
    }
    if let Some(password) = packet.password {
        out.counted(password);
    }
    Some(())
}

/// A PUBLISH, as far as it is not topic or payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishHeader {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// It may have been sent before.
    pub(crate) again: bool,
    pub(crate) topic: usize,
    pub(crate) payload: usize,
}

/// The longest that can stand before the topic: the first byte, the length, and the topic's length.
pub(crate) const LONGEST_HEADER: usize = 1 + 4 + 2;

impl PublishHeader {
    /// How much stands between topic and payload: the identifier, and no properties.
    pub(crate) fn between(&self, version: Version) -> usize {
        let identifier = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        identifier + usize::from(version == Version::V5)
    }

    fn length(&self, version: Version) -> usize {
        2 + self.topic + self.between(version) + self.payload
    }

    /// The whole packet's length.
    pub(crate) fn total(&self, version: Version) -> usize {
        let length = self.length(version);
        1 + length_of_length(length) + length
    }
}

/// Writes what stands before the topic to the beginning of `out`, and says how long that is.
pub(crate) fn publish_header(header: &PublishHeader, version: Version, out: &mut [u8]) -> usize {
    let before = out.len();
    let length = header.length(version).min(LONGEST);
    let mut out = Writer(out);
    out.u8(kind::PUBLISH << 4 | u8::from(header.again) << 3 | (header.qos as u8) << 1 | u8::from(header.retain));
    out.length(length);
    out.u16(u16::try_from(header.topic).unwrap_or(u16::MAX));
    before - out.0.len()
}

/// The four answers on the way of a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

/// An answer of four bytes, or five when it has a reason.
pub(crate) fn ack(ack: Ack, id: u16, reason: Reason, version: Version) -> ([u8; 5], usize) {
    let first = match ack {
        Ack::Puback => kind::PUBACK << 4,
        Ack::Pubrec => kind::PUBREC << 4,
        Ack::Pubrel => kind::PUBREL << 4 | 0b0010,
        Ack::Pubcomp => kind::PUBCOMP << 4,
    };
    let [high, low] = id.to_be_bytes();
    let plain = reason == Reason::SUCCESS || version == Version::V3_1_1;
    let length = if plain { 2 } else { 3 };
    ([first, length, high, low, reason.0], 2 + usize::from(length))
}

/// How many bytes a filter of so many takes in a SUBSCRIBE.
pub(crate) fn subscribe_length(filter: usize) -> usize {
    2 + filter + 1
}

/// What stands before the filters of a SUBSCRIBE, at most.
pub(crate) const SUBSCRIBE_HEADER: usize = 1 + 4 + 2 + 1 + 1 + 4;

/// Writes what stands before the filters of a SUBSCRIBE, which take `filters` bytes; says how long it is.
pub(crate) fn subscribe_header(
    id: u16,
    subscription: Option<u32>,
    filters: usize,
    version: Version,
    out: &mut [u8; SUBSCRIBE_HEADER],
) -> usize {
    let subscription = subscription.map(|number| usize::try_from(number).unwrap_or(0));
    let properties = subscription.map_or(0, |number| 1 + length_of_length(number));
    let v5 = version == Version::V5;
    let mut writer = Writer(out);
    writer.u8(kind::SUBSCRIBE << 4 | 0b0010);
    writer.length(2 + if v5 { 1 + properties } else { 0 } + filters);
    writer.u16(id);
    if v5 {
        writer.length(properties);
        if let Some(number) = subscription {
            writer.u8(property::SUBSCRIPTION_IDENTIFIER);
            writer.length(number);
        }
    }
    let left = writer.0.len();
    SUBSCRIBE_HEADER - left
}

/// Writes one filter of a SUBSCRIBE, of `length` bytes, which `filter` writes. `known`: what is retained is sent only if the
/// broker did not have the subscription.
pub(crate) fn subscribe(
    length: usize,
    filter: impl FnOnce(&mut [u8]),
    qos: Qos,
    known: bool,
    version: Version,
    out: &mut [u8],
) {
    let mut out = Writer(out);
    out.u16(u16::try_from(length).unwrap_or(u16::MAX));
    let (place, rest) = core::mem::take(&mut out.0).split_at_mut_checked(length).unwrap_or_default();
    filter(place);
    out.0 = rest;
    let handling = u8::from(known && version == Version::V5) << 4;
    out.u8(handling | qos as u8);
}

/// A PINGREQ.
pub(crate) fn ping() -> [u8; 2] {
    [kind::PINGREQ << 4, 0]
}

/// A DISCONNECT.
pub(crate) fn disconnect(reason: Reason, version: Version) -> ([u8; 3], usize) {
    let first = kind::DISCONNECT << 4;
    if reason == Reason::SUCCESS || version == Version::V3_1_1 {
        return ([first, 0, 0], 2);
    }
    ([first, 1, reason.0], 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(packet: &Connect<'_>, version: Version) -> std::vec::Vec<u8> {
        let mut bytes = std::vec::Vec::new();
        connect(packet, version, |length| {
            bytes.resize(length, 0xee);
            Some(&mut bytes[..])
        });
        bytes
    }

    const PLAIN: Connect<'_> = Connect {
        client_id: "id",
        user: None,
        password: None,
        will: None,
        keep_alive: 30,
        session_expiry: 3600,
        receive_maximum: 20,
        maximum_packet: 4096,
    };

    #[test]
    fn a_connect_is_as_the_standard_has_it() {
        let v5 =
            b"\x10\x1c\x00\x04MQTT\x05\x00\x00\x1e\x0d\x11\x00\x00\x0e\x10\x21\x00\x14\x27\x00\x00\x10\x00\x00\x02id";
        assert_eq!(written(&PLAIN, Version::V5), v5);
        let full = Connect {
            user: Some("u"),
            password: Some(b"p"),
            will: Some(("w", b"gone", Qos::AtLeastOnce, true)),
            session_expiry: 0,
            ..PLAIN
        };
        let v3 = b"\x10\x1d\x00\x04MQTT\x04\xee\x00\x1e\x00\x02id\x00\x01w\x00\x04gone\x00\x01u\x00\x01p";
        assert_eq!(written(&full, Version::V3_1_1), v3);
    }

    #[test]
    fn a_publish_s_header_says_its_length() {
        let header = PublishHeader { qos: Qos::AtLeastOnce, retain: true, again: true, topic: 3, payload: 200 };
        let mut out = [0; LONGEST_HEADER];
        let length = publish_header(&header, Version::V5, &mut out);
        assert_eq!(out[..length], *b"\x3b\xd0\x01\x00\x03");
        assert_eq!(header.total(Version::V5), 1 + 2 + 208);
    }

    #[test]
    fn a_subscription_has_its_number_and_options() {
        let mut out = [0; SUBSCRIBE_HEADER];
        let length = subscribe_header(7, Some(200), subscribe_length(3), Version::V5, &mut out);
        assert_eq!(out[..length], *b"\x82\x0c\x00\x07\x03\x0b\xc8\x01");
        let mut filter = [0; 6];
        subscribe(3, |out| out.copy_from_slice(b"a/+"), Qos::ExactlyOnce, true, Version::V5, &mut filter);
        assert_eq!(filter, *b"\x00\x03a/+\x12");
    }

    #[test]
    fn answers_are_short() {
        let (bytes, length) = ack(Ack::Pubrel, 0x1234, Reason::SUCCESS, Version::V5);
        assert_eq!(bytes[..length], *b"\x62\x02\x12\x34");
        let (bytes, length) = ack(Ack::Pubcomp, 1, Reason::IDENTIFIER_NOT_FOUND, Version::V5);
        assert_eq!(bytes[..length], *b"\x70\x03\x00\x01\x92");
    }
}
