//! What goes wrong, as JavaScript is told it: a code that stays the same, a sentence, and what belongs to it.

use anabranch::store::{BadTimestamp, BadVersionId, StoreError};

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of the documented list.
    pub code: &'static str,
    /// What happened, and what to do.
    pub message: String,
    /// What a program may want of it: such as the version that is there now.
    pub details: Vec<(&'static str, String)>,
}

impl Failure {
    pub fn new(code: &'static str, message: impl ToString) -> Self {
        Failure { code, message: message.to_string(), details: Vec::new() }
    }

    pub fn argument(what: &str, why: &str) -> Self {
        Self::new("INVALID_ARGUMENT", format_args!("{what}: {why}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut failure = Self::new(error.code(), &error);
        match error {
            StoreError::Conflict { current: Some(current), .. } => {
                failure.details.push(("currentVersion", current.to_string()));
            }
            StoreError::NoValueAt { first, .. } => failure.details.push(("first", first.to_string())),
            StoreError::NoLongerKept { oldest, .. } => failure.details.push(("oldest", oldest.to_string())),
            _ => {}
        }
        failure
    }
}

impl From<BadTimestamp> for Failure {
    fn from(error: BadTimestamp) -> Self {
        StoreError::from(error).into()
    }
}

impl From<BadVersionId> for Failure {
    fn from(error: BadVersionId) -> Self {
        StoreError::from(error).into()
    }
}

#[cfg(feature = "records")]
impl From<anabranch::format::UnknownFormat> for Failure {
    fn from(error: anabranch::format::UnknownFormat) -> Self {
        Self::new("INVALID_ARGUMENT", error)
    }
}
