//! What a medium says, in the words of the backend's contract.

use anabranch_store::BackendError;
use std::io::{Error, ErrorKind};

pub(crate) fn of_io(error: &Error) -> BackendError {
    match error.kind() {
        // It must not grow, by a quota or a limit: room is what it lacks, too.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => BackendError::Full,
        ErrorKind::ResourceBusy => BackendError::InUse,
        _ => BackendError::Io(error.to_string()),
    }
}

/// It is not what was written.
pub(crate) fn damaged(what: impl Into<String>) -> BackendError {
    BackendError::Damaged(what.into())
}
