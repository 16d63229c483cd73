//! Why there is no connection.

use crate::{
    packet::{Malformed, Reason},
    place::LastError,
};
use anabranch_core::Words;
use anabranch_executor::{ConnectError, StreamError};
use core::fmt;

/// Why a connection could not be had, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No byte stream.
    Connect(ConnectError),
    /// The byte stream broke.
    Stream(StreamError),
    /// The broker closed it without a word.
    Ended,
    /// The broker did not answer in time.
    Silent(&'static str),
    /// The broker refused the connection, with its words if it gave any.
    Refused(Reason, Words),
    /// The broker ended the connection.
    Dismissed(Reason, Words),
    /// The broker sent something that MQTT does not allow; it is told so.
    Against(Reason, &'static str),
    /// The broker sent a packet that is too large for this side.
    TooLarge(TooLarge),
    /// It cannot be said to this broker at all.
    Unsayable(&'static str),
}

/// A packet of a broker is too large for this side: its bytes, and how many are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) size: usize,
    pub(crate) limit: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooLarge { size, limit } = self;
        write!(f, "the broker sent a packet of {size} bytes, of which {limit} are allowed: raise `max_packet`")
    }
}

impl From<TooLarge> for Failure {
    fn from(why: TooLarge) -> Self {
        Failure::TooLarge(why)
    }
}

impl Failure {
    /// Whether to try again is of no use until somebody changes a configuration. It is still done, slowly.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Failure::Connect(error) => error.is_permanent(),
            Failure::Refused(reason, _) | Failure::Dismissed(reason, _) => reason.is_permanent(),
            Failure::Unsayable(_) => true,
            _ => false,
        }
    }

    /// What the broker is told before the connection is dropped.
    pub(crate) fn parting(&self) -> Option<Reason> {
        match self {
            Failure::Against(reason, _) => Some(*reason),
            Failure::TooLarge(_) => Some(Reason::PACKET_TOO_LARGE),
            _ => None,
        }
    }
}

impl From<Malformed> for Failure {
    fn from(Malformed(how): Malformed) -> Self {
        Failure::Against(Reason::MALFORMED, how)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Failure::Stream(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |f: &mut fmt::Formatter<'_>, words: &Words| {
            if words.as_str().is_empty() { Ok(()) } else { write!(f, ", in its words: {words}") }
        };
        match self {
            Failure::Connect(error) => error.fmt(f),
            Failure::Stream(error) => error.fmt(f),
            Failure::Ended => f.write_str("the broker closed the connection without a word"),
            Failure::Silent(what) => write!(f, "the broker did not answer {what} in time"),
            Failure::Refused(reason, words) => {
                write!(f, "the broker refused the connection: {reason}")?;
                said(f, words)
            }
            Failure::Dismissed(reason, words) => {
                write!(f, "the broker ended the connection: {reason}")?;
                said(f, words)
            }
            Failure::Against(_, how) => write!(f, "the broker sent what MQTT does not allow: {how}"),
            Failure::TooLarge(why) => why.fmt(f),
            Failure::Unsayable(what) => f.write_str(what),
        }
    }
}

/// Why there is no connection, in two bytes: for where there is no room for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MqttFailure {
    /// This device has no network: no link, or no address yet.
    NoNetwork,
    /// The broker's name is not known.
    NameNotFound,
    /// There is no way to the broker.
    Unreachable,
    /// Nothing listens at the broker's address.
    NothingListens,
    /// The connection could not be had for another reason.
    NotConnected,
    /// The connection was cut, or the broker closed it without a word.
    Cut,
    /// The broker did not answer in time.
    Silent,
    /// The broker refused the connection.
    Refused(Reason),
    /// The broker ended the connection.
    Dismissed(Reason),
    /// The broker sent what MQTT does not allow.
    Against(Reason),
    /// The broker sent a packet that is too large for this side.
    TooLarge,
    /// CONNECT is too large for this side's buffers.
    Unsayable,
    /// The broker refused a value or a subscription; the link has counted it.
    NotWanted,
}

impl fmt::Display for MqttFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MqttFailure::NoNetwork => ConnectError::NoNetwork.fmt(f),
            MqttFailure::NameNotFound => ConnectError::NameNotFound.fmt(f),
            MqttFailure::Unreachable => ConnectError::Unreachable.fmt(f),
            MqttFailure::NothingListens => ConnectError::Refused.fmt(f),
            MqttFailure::NotConnected => f.write_str("the connection could not be had"),
            MqttFailure::Cut => f.write_str("the connection was cut"),
            MqttFailure::Silent => f.write_str("the broker did not answer in time"),
            MqttFailure::Refused(reason) => write!(f, "the broker refused the connection: {reason}"),
            MqttFailure::Dismissed(reason) => write!(f, "the broker ended the connection: {reason}"),
            MqttFailure::Against(reason) => write!(f, "the broker sent what MQTT does not allow: {reason}"),
            MqttFailure::TooLarge => f.write_str("the broker sent a packet that is larger than the buffer"),
            MqttFailure::Unsayable => f.write_str("the CONNECT packet is larger than the buffer"),
            MqttFailure::NotWanted => f.write_str("the broker refused a value or a subscription"),
        }
    }
}

impl From<&Failure> for MqttFailure {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Connect(ConnectError::NoNetwork) => MqttFailure::NoNetwork,
            Failure::Connect(ConnectError::NameNotFound) => MqttFailure::NameNotFound,
            Failure::Connect(ConnectError::Unreachable) => MqttFailure::Unreachable,
            Failure::Connect(ConnectError::Refused) => MqttFailure::NothingListens,
            Failure::Connect(_) => MqttFailure::NotConnected,
            Failure::Stream(_) | Failure::Ended => MqttFailure::Cut,
            Failure::Silent(_) => MqttFailure::Silent,
            Failure::Refused(reason, _) => MqttFailure::Refused(*reason),
            Failure::Dismissed(reason, _) => MqttFailure::Dismissed(*reason),
            Failure::Against(reason, _) => MqttFailure::Against(*reason),
            Failure::TooLarge(_) => MqttFailure::TooLarge,
            Failure::Unsayable(_) => MqttFailure::Unsayable,
        }
    }
}

/// A [`MqttFailure`], or none, which is all zeros: a `static` that holds it costs no flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    kind: u8,
    reason: u8,
}

impl Code {
    pub(crate) const NONE: Code = Code { kind: 0, reason: 0 };

    fn of(failure: MqttFailure) -> Self {
        let (kind, reason) = match failure {
            MqttFailure::NoNetwork => (1, 0),
            MqttFailure::NameNotFound => (2, 0),
            MqttFailure::Unreachable => (3, 0),
            MqttFailure::NothingListens => (4, 0),
            MqttFailure::NotConnected => (5, 0),
            MqttFailure::Cut => (6, 0),
            MqttFailure::Silent => (7, 0),
            MqttFailure::Refused(Reason(reason)) => (8, reason),
            MqttFailure::Dismissed(Reason(reason)) => (9, reason),
            MqttFailure::Against(Reason(reason)) => (10, reason),
            MqttFailure::TooLarge => (11, 0),
            MqttFailure::Unsayable => (12, 0),
            MqttFailure::NotWanted => (13, 0),
        };
        Code { kind, reason }
    }

    pub(crate) fn failure(self) -> Option<MqttFailure> {
        let reason = Reason(self.reason);
        Some(match self.kind {
            1 => MqttFailure::NoNetwork,
            2 => MqttFailure::NameNotFound,
            3 => MqttFailure::Unreachable,
            4 => MqttFailure::NothingListens,
            5 => MqttFailure::NotConnected,
            6 => MqttFailure::Cut,
            7 => MqttFailure::Silent,
            8 => MqttFailure::Refused(reason),
            9 => MqttFailure::Dismissed(reason),
            10 => MqttFailure::Against(reason),
            11 => MqttFailure::TooLarge,
            12 => MqttFailure::Unsayable,
            13 => MqttFailure::NotWanted,
            _ => return None,
        })
    }
}

impl LastError for Code {
    fn failed(&mut self, failure: &Failure) -> bool {
        let code = Code::of(failure.into());
        core::mem::replace(self, code) != code
    }

    fn refused(&mut self, _: &str, _: &dyn fmt::Display, _: &dyn fmt::Display) {
        *self = Code::of(MqttFailure::NotWanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_as_the_failure_that_it_was_made_of() {
        assert_eq!(Code::NONE.failure(), None);
        for kind in 1..=13 {
            for reason in [0, 0x87, 0xff] {
                let failure = Code { kind, reason }.failure().expect("there are thirteen");
                assert_eq!(Code::of(failure).failure(), Some(failure));
            }
        }
        assert_eq!(Code { kind: 14, reason: 0 }.failure(), None);
    }
}
