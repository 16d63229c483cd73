//! Bytes to packets and back, for both versions: the broker itself speaks MQTT 5, and 3.1.1 is translated here.
//!
//! The codec is `mqtt-proto`: packets are plain data, read from and written to byte slices, in both directions, so that tests
//! speak as clients with the same crate; and nothing in it depends on the order of a hash map, on time or on chance.

use bytes::Bytes;
use mqtt_proto::{
    Error, Protocol,
    v3::{self, ConnectReturnCode},
    v5::{
        Auth, Connect, ConnectReasonCode, Disconnect, DisconnectReasonCode, ErrorV5, Header, LastWill, Packet,
        PacketType, Puback, PubackReasonCode, Pubcomp, PubcompReasonCode, Publish, PublishProperties, Pubrec,
        PubrecReasonCode, Pubrel, PubrelReasonCode, RetainHandling, Subscribe, SubscribeProperties,
        SubscriptionOptions, Unsubscribe, UnsubscribeProperties, WillProperties,
    },
};

/// The version that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1 and 3.1.1.
    V3,
    /// MQTT 5.
    V5,
}

/// A session that lasts until somebody ends it.
pub(crate) const FOR_EVER: u32 = u32::MAX;

/// One packet's bytes: the first of them, and those after the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub first: u8,
    /// How many bytes the first and the length take.
    pub header: usize,
    /// How many follow.
    pub body: usize,
}

impl Frame {
    /// Reads the fixed header; `None` when it is not all there.
    pub fn of(bytes: &[u8]) -> Result<Option<Self>, DisconnectReasonCode> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let mut body = 0;
        for (place, byte) in rest.iter().take(4).enumerate() {
            body |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(Some(Self { first, header: 2 + place, body }));
            }
        }
        if rest.len() < 4 { Ok(None) } else { Err(DisconnectReasonCode::MalformedPacket) }
    }

    pub fn is_connect(&self) -> bool {
        self.first >> 4 == 1
    }

    pub fn total(&self) -> usize {
        self.header + self.body
    }
}

/// Reads a CONNECT, which says its version itself. The error says in which version to refuse.
pub(crate) fn decode_connect(frame: Frame, body: &[u8]) -> Result<(Version, Connect), (Version, ConnectReasonCode)> {
    let malformed = |version| (version, ConnectReasonCode::MalformedPacket);
    let header = header(frame).map_err(|_| malformed(Version::V5))?;
    let offset = &mut 0;
    match Protocol::decode(body, offset) {
        Ok(Protocol::V500) => {
            let connect = Connect::decode_buffer_with_protocol(body, offset, header, Protocol::V500)
                .map_err(|error| (Version::V5, refusal(reason(&error))))?;
            if *offset == body.len() { Ok((Version::V5, connect)) } else { Err(malformed(Version::V5)) }
        }
        Ok(protocol) => {
            let connect =
                v3::Connect::decode_buffer_with_protocol(body, offset, protocol).map_err(|_| malformed(Version::V3))?;
            if *offset == body.len() { Ok((Version::V3, from_v3(connect))) } else { Err(malformed(Version::V3)) }
        }
        Err(Error::InvalidProtocol(_, level)) => {
            let version = if level >= 5 { Version::V5 } else { Version::V3 };
            Err((version, ConnectReasonCode::UnsupportedProtocolVersion))
        }
        Err(_) => Err(malformed(Version::V5)),
    }
}

/// Reads any packet but a CONNECT. The error is what to tell the client as the connection ends.
pub(crate) fn decode(version: Version, frame: Frame, body: &[u8]) -> Result<Packet, DisconnectReasonCode> {
    let header = header(frame)?;
    let offset = &mut 0;
    let packet = decode_body(version, header, body, offset).map_err(|error| reason(&error))?;
    if *offset == body.len() { Ok(packet) } else { Err(DisconnectReasonCode::MalformedPacket) }
}

fn decode_body(version: Version, header: Header, body: &[u8], offset: &mut usize) -> Result<Packet, ErrorV5> {
    let v3_header = || v3::Header::new_with(first_byte(&header), header.remaining_len, header.total_len);
    // An acknowledgement of 3.1.1 is one of 5 that has nothing to say beside its packet identifier.
    let bare = header.remaining_len == if header.typ == PacketType::Disconnect { 0 } else { 2 };
    Ok(match (header.typ, version) {
        (PacketType::Publish, Version::V5) => Publish::decode(body, offset, header)?.into(),
        (PacketType::Publish, Version::V3) => {
            let publish = v3::Publish::decode(body, offset, v3_header()?)?;
            Publish {
                dup: publish.dup,
                retain: publish.retain,
                qos_pid: publish.qos_pid,
                topic_name: publish.topic_name,
                payload: publish.payload,
                properties: PublishProperties::default(),
            }
            .into()
        }
        (PacketType::Subscribe, Version::V5) => Subscribe::decode(body, offset, header)?.into(),
        (PacketType::Subscribe, Version::V3) => {
            let subscribe = v3::Subscribe::decode(body, offset, v3_header()?)?;
            let options = |max_qos| SubscriptionOptions {
                max_qos,
                no_local: false,
                retain_as_published: false,
                retain_handling: RetainHandling::SendAtSubscribe,
            };
            let topics = subscribe.topics.into_iter().map(|(filter, qos)| (filter, options(qos))).collect();
            Subscribe { pid: subscribe.pid, properties: SubscribeProperties::default(), topics }.into()
        }
        (PacketType::Unsubscribe, Version::V5) => Unsubscribe::decode(body, offset, header)?.into(),
        (PacketType::Unsubscribe, Version::V3) => {
            let unsubscribe = v3::Unsubscribe::decode(body, offset, v3_header()?)?;
            let properties = UnsubscribeProperties::default();
            Unsubscribe { pid: unsubscribe.pid, properties, topics: unsubscribe.topics }.into()
        }
        (PacketType::Pingreq, _) => Packet::Pingreq,
        (_, Version::V3) if !bare => return Err(Error::InvalidRemainingLength.into()),
        (PacketType::Puback, _) => Puback::decode(body, offset, header)?.into(),
        (PacketType::Pubrec, _) => Pubrec::decode(body, offset, header)?.into(),
        (PacketType::Pubrel, _) => Pubrel::decode(body, offset, header)?.into(),
        (PacketType::Pubcomp, _) => Pubcomp::decode(body, offset, header)?.into(),
        (PacketType::Disconnect, _) => Disconnect::decode(body, offset, header)?.into(),
        (PacketType::Auth, Version::V5) => Auth::decode(body, offset, header)?.into(),
        // What only a server sends, a second CONNECT, an AUTH in 3.1.1.
        _ => return Err(Error::InvalidHeader.into()),
    })
}

/// A packet's bytes; `None` when the version has no such packet.
pub(crate) fn encode(version: Version, packet: Packet) -> Option<Bytes> {
    let bytes = match version {
        Version::V5 => packet.encode(),
        Version::V3 => match packet {
            Packet::Connack(connack) => {
                v3::Packet::from(v3::Connack::new(connack.session_present, return_code(connack.reason_code))).encode()
            }
            Packet::Publish(publish) => v3::Packet::from(v3::Publish {
                dup: publish.dup,
                retain: publish.retain,
                qos_pid: publish.qos_pid,
                topic_name: publish.topic_name,
                payload: publish.payload,
            })
            .encode(),
            Packet::Suback(suback) => {
                // By hand: the codec writes a refusal of 3.1.1 as 3 and not as 0x80.
                let codes = suback.topics.iter().map(|&code| (code as u8).min(0x80));
                let [high, low] = suback.pid.value().to_be_bytes();
                let mut bytes = vec![0x90];
                let mut length = 2 + suback.topics.len();
                while length >= 0x80 {
                    bytes.push((length & 0x7f) as u8 | 0x80);
                    length >>= 7;
                }
                bytes.extend([length as u8, high, low]);
                bytes.extend(codes);
                return Some(bytes.into());
            }
            Packet::Unsuback(unsuback) => v3::Packet::Unsuback(unsuback.pid).encode(),
            Packet::Puback(Puback { pid, .. }) => Packet::from(Puback::new(pid, PubackReasonCode::Success)).encode(),
            Packet::Pubrec(Pubrec { pid, .. }) => Packet::from(Pubrec::new(pid, PubrecReasonCode::Success)).encode(),
            Packet::Pubrel(Pubrel { pid, .. }) => Packet::from(Pubrel::new(pid, PubrelReasonCode::Success)).encode(),
            Packet::Pubcomp(Pubcomp { pid, .. }) => {
                Packet::from(Pubcomp::new(pid, PubcompReasonCode::Success)).encode()
            }
            Packet::Pingresp => Packet::Pingresp.encode(),
            _ => return None,
        },
    };
    // A packet that is longer than the protocol can say was not taken, either: what goes out came in.
    bytes.ok().map(|bytes| Bytes::copy_from_slice(bytes.as_ref()))
}

fn header(frame: Frame) -> Result<Header, DisconnectReasonCode> {
    // Both fit: a length has 28 bits.
    Header::new_with(frame.first, frame.body as u32, frame.total() as u32)
        .map_err(|_| DisconnectReasonCode::MalformedPacket)
}

/// What [`Header::new_with`] was made from, for the versions' headers are types of their own.
fn first_byte(header: &Header) -> u8 {
    match header.typ {
        PacketType::Publish => 0x30 | u8::from(header.dup) << 3 | (header.qos as u8) << 1 | u8::from(header.retain),
        PacketType::Subscribe => 0x82,
        // Asked for these three alone.
        _ => 0xa2,
    }
}

fn from_v3(connect: v3::Connect) -> Connect {
    let mut out = Connect::new(connect.client_id, connect.keep_alive);
    out.protocol = connect.protocol;
    out.clean_start = connect.clean_session;
    out.properties.session_expiry_interval = (!connect.clean_session).then_some(FOR_EVER);
    out.last_will = connect.last_will.map(|will| LastWill {
        qos: will.qos,
        retain: will.retain,
        topic_name: will.topic_name,
        payload: will.message,
        properties: WillProperties::default(),
    });
    out.username = connect.username;
    out.password = connect.password;
    out
}

/// What to tell a client whose packet could not be read.
fn reason(error: &ErrorV5) -> DisconnectReasonCode {
    match error {
        ErrorV5::Common(Error::InvalidTopicName(_)) | ErrorV5::InvalidResponseTopic => {
            DisconnectReasonCode::TopicNameInvalid
        }
        ErrorV5::Common(Error::InvalidTopicFilter(_)) => DisconnectReasonCode::TopicFilterInvalid,
        ErrorV5::Common(Error::EmptySubscription | Error::ZeroPid)
        | ErrorV5::DuplicatedProperty(_)
        | ErrorV5::InvalidProperty(..)
        | ErrorV5::InvalidWillProperty(_)
        | ErrorV5::InvalidByteProperty(..) => DisconnectReasonCode::ProtocolError,
        ErrorV5::InvalidPayloadFormat => DisconnectReasonCode::PayloadFormatInvalid,
        _ => DisconnectReasonCode::MalformedPacket,
    }
}

/// The same in a CONNACK.
pub(crate) fn refusal(reason: DisconnectReasonCode) -> ConnectReasonCode {
    ConnectReasonCode::from_u8(reason as u8).unwrap_or(ConnectReasonCode::MalformedPacket)
}

fn return_code(reason: ConnectReasonCode) -> ConnectReturnCode {
    match reason {
        ConnectReasonCode::Success => ConnectReturnCode::Accepted,
        ConnectReasonCode::UnsupportedProtocolVersion => ConnectReturnCode::UnacceptableProtocolVersion,
        ConnectReasonCode::ClientIdentifierNotValid => ConnectReturnCode::IdentifierRejected,
        ConnectReasonCode::BadUserNameOrPassword => ConnectReturnCode::BadUserNameOrPassword,
        ConnectReasonCode::NotAuthorized => ConnectReturnCode::NotAuthorized,
        _ => ConnectReturnCode::ServerUnavailable,
    }
}
