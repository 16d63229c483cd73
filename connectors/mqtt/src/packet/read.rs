//! Reading: a packet is taken apart where it lies; nothing is copied or allocated, and no bytes can make it panic.

use super::{LONGEST, Qos, Reason, Version, kind, property};

/// The packet is not what MQTT allows, and how so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What the beginning of a buffer says about the packet there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framed {
    /// Its length has not come yet.
    Unknown,
    /// It takes so many bytes in all, of which `header` stand before its variable header.
    Packet { header: usize, total: usize },
}

/// Says how long the packet is at the beginning of `bytes`.
pub(crate) fn framed(bytes: &[u8]) -> Result<Framed, Malformed> {
    let mut length = 0;
    for place in 0..4 {
        let Some(byte) = bytes.get(1 + place) else { return Ok(Framed::Unknown) };
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let header = 2 + place;
            return Ok(Framed::Packet { header, total: header + length });
        }
    }
    Err(Malformed("its length has more than four bytes"))
}

/// A packet from a broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    Accepted(Accepted<'a>),
    /// A CONNACK that refuses.
    Refused {
        reason: Reason,
        words: &'a str,
    },
    Publish(Publish<'a>),
    Puback {
        id: u16,
        reason: Reason,
    },
    Pubrec {
        id: u16,
        reason: Reason,
    },
    Pubrel {
        id: u16,
    },
    Pubcomp {
        id: u16,
    },
    /// One code for each filter.
    Suback {
        id: u16,
        reasons: &'a [u8],
    },
    Pingresp,
    Disconnect {
        reason: Reason,
        words: &'a str,
    },
}

/// A CONNACK that accepts: what the broker allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted<'a> {
    pub(crate) session_present: bool,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet: usize,
    pub(crate) maximum_qos: Qos,
    pub(crate) retain: bool,
    pub(crate) wildcards: bool,
    pub(crate) identifiers: bool,
    pub(crate) keep_alive: Option<u16>,
    pub(crate) client_id: Option<&'a str>,
}

/// How many subscription identifiers of one PUBLISH are looked at: as many ways to place wildcards as one topic matches.
pub(crate) const GROUPS: usize = 8;

/// A PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Publish<'a> {
    pub(crate) qos: Qos,
    /// It may have been sent before.
    pub(crate) again: bool,
    /// 0 when the quality of service is 0.
    pub(crate) id: u16,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    /// The subscription identifiers.
    subscriptions: [u32; GROUPS],
    /// How many there are; more than there is room for when some were left out.
    count: usize,
}

impl Publish<'_> {
    /// The subscriptions that it came by; `None` when they are not known, or not all.
    pub(crate) fn subscriptions(&self) -> Option<&[u32]> {
        self.subscriptions.get(..self.count).filter(|known| !known.is_empty())
    }
}

/// Takes a whole packet apart, whose variable header begins at `header`.
pub(crate) fn incoming(packet: &[u8], header: usize, version: Version) -> Result<Incoming<'_>, Malformed> {
    let first = packet.first().copied().unwrap_or(0);
    let mut body = Reader(packet.get(header..).unwrap_or_default());
    let bits = first & 0x0f;
    let kind = first >> 4;
    let expected = if kind == kind::PUBREL { 0b0010 } else { 0 };
    if kind != kind::PUBLISH && bits != expected {
        return Err(Malformed("its first byte has bits that are not allowed"));
    }
    Ok(match kind {
        kind::PUBLISH => Incoming::Publish(publish(bits, body, version)?),
        kind::PUBACK => answer(body, version).map(|(id, reason)| Incoming::Puback { id, reason })?,
        kind::PUBREC => answer(body, version).map(|(id, reason)| Incoming::Pubrec { id, reason })?,
        kind::PUBREL => answer(body, version).map(|(id, _)| Incoming::Pubrel { id })?,
        kind::PUBCOMP => answer(body, version).map(|(id, _)| Incoming::Pubcomp { id })?,
        kind::SUBACK => {
            let id = body.identifier()?;
            body.properties(version)?;
            Incoming::Suback { id, reasons: body.0 }
        }
        kind::PINGRESP => Incoming::Pingresp,
        kind::CONNACK => connack(body, version)?,
        kind::DISCONNECT if version == Version::V5 => {
            if body.0.is_empty() {
                return Ok(Incoming::Disconnect { reason: Reason::SUCCESS, words: "" });
            }
            let reason = Reason(body.u8()?);
            let words = if body.0.is_empty() { "" } else { reason_string(body.properties(version)?)? };
            Incoming::Disconnect { reason, words }
        }
        _ => return Err(Malformed("a broker does not send packets of this kind")),
    })
}

/// The PUBLISH at the beginning of `bytes`, whose variable header begins at `header`, without its payload, of which not all has to be
/// there: `None` where not even what comes before that is. Of MQTT 3.1.1, which has no properties.
pub(crate) fn beginning(bytes: &[u8], header: usize) -> Result<Option<Publish<'_>>, Malformed> {
    let bits = bytes.first().copied().unwrap_or(0) & 0x0f;
    let Some(topic) = bytes.get(header..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    let id = if bits & 0b0110 == 0 { 0 } else { 2 };
    let Some(here) = bytes.get(header..header + 2 + usize::from(u16::from_be_bytes(*topic)) + id) else {
        return Ok(None);
    };
    publish(bits, Reader(here), Version::V3_1_1).map(Some)
}

/// Whether a packet is a PUBLISH.
pub(crate) fn is_publish(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == kind::PUBLISH)
}

fn publish(bits: u8, mut body: Reader<'_>, version: Version) -> Result<Publish<'_>, Malformed> {
    let qos = Qos::of(bits >> 1 & 3).ok_or(Malformed("a quality of service of 3"))?;
    let topic = body.text()?;
    let id = if qos == Qos::AtMostOnce { 0 } else { body.identifier()? };
    let again = bits & 8 != 0;
    let mut publish = Publish { qos, again, id, topic, payload: &[], subscriptions: [0; GROUPS], count: 0 };
    let mut properties = body.properties(version)?;
    while let Some((name, value)) = properties.next()? {
        match (name, value) {
            (property::SUBSCRIPTION_IDENTIFIER, Value::Number(number)) => {
                if let Some(place) = publish.subscriptions.get_mut(publish.count) {
                    *place = number;
                }
                publish.count += 1;
            }
            (property::TOPIC_ALIAS, _) => return Err(Malformed("a topic alias, which it was not allowed")),
            _ => {}
        }
    }
    if topic.is_empty() || topic.bytes().any(|byte| matches!(byte, 0 | b'+' | b'#')) {
        return Err(Malformed("a topic that is empty or holds a wildcard"));
    }
    publish.payload = body.0;
    Ok(publish)
}

/// PUBACK and its like: the identifier, and the reason if there is one.
fn answer(mut body: Reader<'_>, version: Version) -> Result<(u16, Reason), Malformed> {
    let id = body.identifier()?;
    if version == Version::V3_1_1 || body.0.is_empty() {
        return Ok((id, Reason::SUCCESS));
    }
    Ok((id, Reason(body.u8()?)))
}

fn connack(mut body: Reader<'_>, version: Version) -> Result<Incoming<'_>, Malformed> {
    let flags = body.u8()?;
    let code = body.u8()?;
    let reason = if version == Version::V5 { Reason(code) } else { Reason::of_3_1_1(code) };
    // A broker that does not speak version 5 refuses as 3.1.1 has it, without properties.
    if version == Version::V5 && body.0.is_empty() && matches!(code, 1..=5) {
        return Ok(Incoming::Refused { reason: Reason::of_3_1_1(code), words: "" });
    }
    let mut properties = body.properties(version)?;
    if reason.is_refusal() {
        return Ok(Incoming::Refused { reason, words: reason_string(properties)? });
    }
    let mut accepted = Accepted {
        session_present: flags & 1 == 1,
        receive_maximum: u16::MAX,
        maximum_packet: LONGEST,
        maximum_qos: Qos::ExactlyOnce,
        retain: true,
        wildcards: true,
        identifiers: version == Version::V5,
        keep_alive: None,
        client_id: None,
    };
    while let Some((name, value)) = properties.next()? {
        match (name, value) {
            (property::RECEIVE_MAXIMUM, Value::Number(0)) => return Err(Malformed("a receive maximum of 0")),
            (property::RECEIVE_MAXIMUM, Value::Number(most)) => {
                accepted.receive_maximum = u16::try_from(most).unwrap_or(u16::MAX);
            }
            (property::MAXIMUM_PACKET, Value::Number(0)) => return Err(Malformed("a maximum packet size of 0")),
            (property::MAXIMUM_PACKET, Value::Number(most)) => {
                accepted.maximum_packet = usize::try_from(most).unwrap_or(LONGEST).min(LONGEST);
            }
            (property::MAXIMUM_QOS, Value::Number(most)) => {
                let most = u8::try_from(most).ok().and_then(Qos::of);
                accepted.maximum_qos = most.ok_or(Malformed("a maximum quality of service that there is not"))?;
            }
            (property::RETAIN_AVAILABLE, Value::Number(flag)) => accepted.retain = flag != 0,
            (property::WILDCARDS_AVAILABLE, Value::Number(flag)) => accepted.wildcards = flag != 0,
            (property::IDENTIFIERS_AVAILABLE, Value::Number(flag)) => accepted.identifiers = flag != 0,
            (property::SERVER_KEEP_ALIVE, Value::Number(seconds)) => {
                accepted.keep_alive = u16::try_from(seconds).ok();
            }
            (property::ASSIGNED_CLIENT_ID, Value::Bytes(id)) => accepted.client_id = Some(text(id)?),
            _ => {}
        }
    }
    Ok(Incoming::Accepted(accepted))
}

fn reason_string(mut properties: Properties<'_>) -> Result<&str, Malformed> {
    while let Some((name, value)) = properties.next()? {
        if let (property::REASON_STRING, Value::Bytes(words)) = (name, value) {
            return text(words);
        }
    }
    Ok("")
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(bytes).map_err(|_| Malformed("text that is not UTF-8"))
}

const SHORT: Malformed = Malformed("it ends too early");

/// What is left of a packet.
#[derive(Debug, Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A packet identifier, which is never 0.
    fn identifier(&mut self) -> Result<u16, Malformed> {
        match self.u16()? {
            0 => Err(Malformed("a packet identifier of 0")),
            id => Ok(id),
        }
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.u8()?;
            number |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number of more than four bytes"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        text(self.bytes()?)
    }

    fn properties(&mut self, version: Version) -> Result<Properties<'a>, Malformed> {
        if version == Version::V3_1_1 {
            return Ok(Properties(Reader(&[])));
        }
        let length = self.number()?;
        let properties = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Properties(Reader(properties)))
    }
}

/// The properties of a packet that are left.
struct Properties<'a>(Reader<'a>);

/// A property's value.
enum Value<'a> {
    Number(u32),
    Bytes(&'a [u8]),
    Pair,
}

impl<'a> Properties<'a> {
    fn next(&mut self) -> Result<Option<(u8, Value<'a>)>, Malformed> {
        let left = &mut self.0;
        if left.0.is_empty() {
            return Ok(None);
        }
        let name = left.u8()?;
        let value = match name {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => Value::Number(left.u8()?.into()),
            0x13 | 0x21 | 0x22 | 0x23 => Value::Number(left.u16()?.into()),
            0x02 | 0x11 | 0x18 | 0x27 => Value::Number(left.array().map(u32::from_be_bytes)?),
            0x0b => Value::Number(left.number()?),
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => Value::Bytes(left.bytes()?),
            0x26 => {
                left.bytes()?;
                left.bytes()?;
                Value::Pair
            }
            _ => return Err(Malformed("a property that there is not")),
        };
        Ok(Some((name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packet: &[u8]) -> Result<Incoming<'_>, Malformed> {
        let Ok(Framed::Packet { header, total }) = framed(packet) else { panic!("no whole packet") };
        assert_eq!(total, packet.len());
        incoming(packet, header, Version::V5)
    }

    #[test]
    fn a_length_is_one_to_four_bytes() {
        assert_eq!(framed(&[0x30]), Ok(Framed::Unknown));
        assert_eq!(framed(&[0x30, 0x80]), Ok(Framed::Unknown));
        assert_eq!(framed(&[0x30, 0x7f]), Ok(Framed::Packet { header: 2, total: 129 }));
        assert_eq!(framed(&[0x30, 0x80, 0x01]), Ok(Framed::Packet { header: 3, total: 131 }));
        assert_eq!(framed(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Ok(Framed::Packet { header: 5, total: 5 + LONGEST }));
        assert!(framed(&[0x30, 0xff, 0xff, 0xff, 0x80]).is_err());
    }

    #[test]
    fn a_publish_says_by_which_subscriptions_it_came() {
        let packet = b"\x34\x0e\x00\x03a/b\x00\x07\x04\x0b\x01\x0b\x02hi";
        let Ok(Incoming::Publish(publish)) = read(packet) else { panic!("a PUBLISH") };
        assert_eq!((publish.qos, publish.id, publish.topic, publish.payload), (Qos::ExactlyOnce, 7, "a/b", &b"hi"[..]));
        assert_eq!(publish.subscriptions(), Some(&[1, 2][..]));
        let Ok(Incoming::Publish(publish)) = read(b"\x30\x06\x00\x03a/b\x00") else { panic!("a PUBLISH") };
        assert_eq!((publish.payload, publish.subscriptions()), (&b""[..], None));
    }

    #[test]
    fn the_beginning_of_a_value_says_what_it_is() {
        let packet = b"\x3d\x80\x02\x00\x03a/b\x00\x07payload";
        for length in 3..10 {
            assert_eq!(beginning(&packet[..length], 3), Ok(None), "{length}");
        }
        for length in 10..packet.len() {
            let publish = beginning(&packet[..length], 3).unwrap().unwrap();
            assert_eq!((publish.qos, publish.again, publish.id), (Qos::ExactlyOnce, true, 7));
            assert_eq!((publish.topic, publish.payload), ("a/b", &b""[..]));
        }
        let Ok(Some(publish)) = beginning(b"\x30\x80\x02\x00\x03a/b", 3) else { panic!("it has no identifier") };
        assert_eq!((publish.qos, publish.id), (Qos::AtMostOnce, 0));
        assert!(beginning(b"\x30\x80\x02\x00\x03a/#", 3).is_err());
    }

    #[test]
    fn what_a_broker_allows_is_read() {
        let packet = b"\x20\x12\x01\x00\x0f\x21\x00\x14\x27\x00\x00\x10\x00\x24\x01\x12\x00\x02id";
        let Ok(Incoming::Accepted(accepted)) = read(packet) else { panic!("a CONNACK") };
        assert!(accepted.session_present && accepted.retain && accepted.identifiers);
        assert_eq!((accepted.receive_maximum, accepted.maximum_packet), (20, 4096));
        assert_eq!((accepted.maximum_qos, accepted.client_id), (Qos::AtLeastOnce, Some("id")));
    }

    #[test]
    fn a_refusal_is_read_in_both_versions() {
        let words = b"\x20\x09\x00\x87\x06\x1f\x00\x03no!";
        assert_eq!(read(words), Ok(Incoming::Refused { reason: Reason(0x87), words: "no!" }));
        assert_eq!(read(b"\x20\x02\x00\x01"), Ok(Incoming::Refused { reason: Reason(0x84), words: "" }));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        // Every packet of up to 40 bytes from a simple generator, its length right: most are nonsense.
        let mut random = 1_u64;
        let mut step = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u8::try_from(random >> 56).unwrap_or(0)
        };
        let (mut good, mut bad) = (0, 0);
        for _ in 0..200_000 {
            let mut packet = [0; 42];
            let length = step() % 40;
            packet[0] = step();
            packet[1] = length;
            for byte in packet.iter_mut().skip(2).take(length.into()) {
                *byte = step() & if length % 2 == 0 { 0x1f } else { 0xff };
            }
            for version in [Version::V5, Version::V3_1_1] {
                match incoming(&packet[..2 + usize::from(length)], 2, version) {
                    Ok(_) => good += 1,
                    Err(_) => bad += 1,
                }
            }
        }
        assert!(good > 1000 && bad > 1000, "{good} {bad}");
    }
}
