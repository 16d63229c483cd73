//! What redb and the platform say, in the words of the backend's contract.

use crate::{blocks::DamagedBlock, directory::NotTaken, disk::Failure};
use anabranch_store::BackendError;
use redb::{CommitError, DatabaseError, SetDurabilityError, StorageError, TableError, TransactionError};
use std::io::{self, ErrorKind};

/// Why something could not be done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Something else has failed before, and with it the database that was asked.
    Before,
    /// This.
    Backend(BackendError),
}

impl From<Trouble> for BackendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Before => BackendError::Io("the disk has failed before".into()),
            Trouble::Backend(error) => error,
        }
    }
}

impl From<BackendError> for Trouble {
    fn from(error: BackendError) -> Self {
        Trouble::Backend(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Backend(of_io(&error))
    }
}

fn of_io(error: &io::Error) -> BackendError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<DamagedBlock>()) {
        Some(damaged) => BackendError::Damaged(damaged.to_string()),
        None => of_kind(error.kind(), error.to_string()),
    }
}

fn of_kind(kind: ErrorKind, message: String) -> BackendError {
    match kind {
        // the file must not grow, by a quota or a limit: room is what it lacks, too
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => BackendError::Full,
        ErrorKind::UnexpectedEof => BackendError::Damaged("its file ends too early".into()),
        _ => BackendError::Io(message),
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Backend(of_kind(failure.kind, failure.message))
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Trouble::Backend(match error {
            StorageError::PreviousIo | StorageError::DatabaseClosed | StorageError::LockPoisoned(_) => {
                return Trouble::Before;
            }
            StorageError::Io(error) => of_io(&error),
            StorageError::Corrupted(what) => BackendError::Damaged(what),
            other => BackendError::Io(other.to_string()),
        })
    }
}

macro_rules! storage_or_said {
    ($($error:ident),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => error.into(),
                    other => Trouble::Backend(BackendError::Io(other.to_string())),
                }
            }
        }
    )*};
}
storage_or_said!(CommitError, DatabaseError, TransactionError);

impl From<TableError> for Trouble {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            // All tables are made with the database, and their types belong to the format.
            other => Trouble::Backend(BackendError::Damaged(other.to_string())),
        }
    }
}

impl From<SetDurabilityError> for Trouble {
    fn from(error: SetDurabilityError) -> Self {
        Trouble::Backend(BackendError::Io(error.to_string()))
    }
}

impl From<NotTaken> for BackendError {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::InUse => BackendError::InUse,
            NotTaken::Io(path, error) if error.kind() == ErrorKind::NotADirectory => {
                BackendError::NotADatabase(format!("{} is no directory", path.display()))
            }
            NotTaken::Io(path, error) if error.kind() == ErrorKind::AlreadyExists => {
                BackendError::NotADatabase(format!("{} is no directory", path.display()))
            }
            NotTaken::Io(path, error) => BackendError::Io(format!("{}: {error}", path.display())),
        }
    }
}
