//! What can go wrong with a value, and where.

use crate::{Path, Step};
use alloc::string::{String, ToString};
use core::fmt;

/// Why a value could not be read, written, converted or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The input is not of its format: cut off, garbled, or of another format.
    #[error("this is not {format}{place}: {reason}; send well-formed {format}")]
    Syntax {
        /// The format that was expected.
        format: &'static str,
        /// What its reader says.
        reason: String,
        /// Where.
        place: Place,
    },
    /// The format knows something there that a value cannot hold.
    #[error("a value cannot hold {what}{place}; {mend}")]
    Unsupported {
        /// What was found.
        what: String,
        /// Where.
        place: Place,
        /// What to do about it.
        mend: &'static str,
    },
    /// Lists and maps nest deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    #[error("values nest deeper than {limit} levels{place}; flatten the data", limit = crate::MAX_DEPTH)]
    TooDeep {
        /// Where.
        place: Place,
    },
    /// An integer that does not fit into 64 bits with a sign.
    #[error("an integer is beyond 64 bits{place}; send it as a string, or as a float if its last digits do not matter")]
    IntegerOutOfRange {
        /// Where.
        place: Place,
    },
    /// A map has a key twice, so that one of two values would be lost.
    #[error("the key {key:?} stands twice in one map{place}; send each key once")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where.
        place: Place,
    },
    /// Text that should be a date, a time or a duration is none.
    #[error("{text:?} is not a {kind}{place}; write it like {example}")]
    Temporal {
        /// What was expected.
        kind: &'static str,
        /// What was there.
        text: String,
        /// One that would be right.
        example: &'static str,
        /// Where.
        place: Place,
    },
    /// The value is not what the Rust type wants, or the other way around.
    #[error("the value does not fit{place}: {reason}; change the data or the type")]
    Mismatch {
        /// What was found and what was wanted.
        reason: String,
        /// Where.
        place: Place,
    },
    /// The text of a path is not one.
    #[error("{text:?} is not a path: {reason} at character {at}; write it like a.b[2].\"any key\"")]
    PathSyntax {
        /// The text.
        text: String,
        /// Where in it, counted from 1.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A path leads nowhere in this value.
    #[error("there is no {path}: {reason}")]
    NoSuchPlace {
        /// The path, up to the step that cannot be taken.
        path: Path,
        /// Why, and what to do.
        reason: &'static str,
    },
}

/// Where in its input or in a value something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// Not known; it prints as nothing.
    #[default]
    Unknown,
    /// In text. Both count from 1; the column counts bytes.
    Line {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In bytes, counted from 0.
    Byte(usize),
    /// In a value, or in a Rust type that one is made from.
    Path(Path),
}

impl ValueError {
    pub(crate) fn mismatch(reason: impl fmt::Display) -> Self {
        Self::Mismatch { reason: reason.to_string(), place: Place::Path(Path::new()) }
    }

    /// Where it is wrong, as far as that is known.
    pub fn place(&self) -> &Place {
        match self {
            Self::Syntax { place, .. }
            | Self::Unsupported { place, .. }
            | Self::TooDeep { place }
            | Self::IntegerOutOfRange { place }
            | Self::DuplicateKey { place, .. }
            | Self::Temporal { place, .. }
            | Self::Mismatch { place, .. } => place,
            Self::PathSyntax { .. } | Self::NoSuchPlace { .. } => &Place::Unknown,
        }
    }

    fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::Unsupported { place, .. }
            | Self::TooDeep { place }
            | Self::IntegerOutOfRange { place }
            | Self::DuplicateKey { place, .. }
            | Self::Temporal { place, .. }
            | Self::Mismatch { place, .. } => Some(place),
            Self::PathSyntax { .. } | Self::NoSuchPlace { .. } => None,
        }
    }

    pub(crate) fn at(mut self, here: Place) -> Self {
        if let Some(place) = self.place_mut() {
            *place = here;
        }
        self
    }

    /// The error as it is seen from one level further up.
    pub(crate) fn under(mut self, step: impl Into<Step>) -> Self {
        match self.place_mut() {
            Some(Place::Path(path)) => path.prepend(step.into()),
            Some(place @ Place::Unknown) => *place = Place::Path(Path::from_iter([step.into()])),
            _ => {}
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::Line { line, column } => write!(f, " at line {line}, column {column}"),
            Self::Byte(offset) => write!(f, " at byte {offset}"),
            Self::Path(path) if path.is_empty() => Ok(()),
            Self::Path(path) => write!(f, " at {path}"),
        }
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::mismatch(message)
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::mismatch(message)
    }
}
