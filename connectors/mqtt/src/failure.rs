//! Why there is no connection.

use crate::packet::{Malformed, Reason};
use alloc::string::String;
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
    Refused(Reason, String),
    /// The broker ended the connection.
    Dismissed(Reason, String),
    /// The broker sent something that MQTT does not allow; it is told so.
    Against(Reason, &'static str),
    /// The broker sent a packet that is too large for this side.
    TooLarge { size: usize, limit: usize },
    /// It cannot be said to this broker at all.
    Unsayable(&'static str),
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
            Failure::TooLarge { .. } => Some(Reason::PACKET_TOO_LARGE),
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
        let said = |f: &mut fmt::Formatter<'_>, words: &str| {
            if words.is_empty() { Ok(()) } else { write!(f, ", in its words: {words}") }
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
            Failure::TooLarge { size, limit } => {
                write!(f, "the broker sent a packet of {size} bytes, of which {limit} are allowed: raise `max_packet`")
            }
            Failure::Unsayable(what) => f.write_str(what),
        }
    }
}
