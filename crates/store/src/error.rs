//! Why the store could not do what it was asked for.

use crate::backend::BackendError;
use crate::{BadTimestamp, BadVersionId, Timestamp, VersionId};
use alloc::string::{String, ToString};
use anabranch_value::ValueError;
use core::fmt;

/// Why the store could not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such key, or it is deleted.
    #[error("{namespace:?} has no key {key:?}{}", ByWhy(.deleted))]
    KeyNotFound {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// When it was deleted, if it was there.
        deleted: Option<Timestamp>,
    },
    /// The key is there, and had no version yet.
    #[error(
        "{key:?} of {namespace:?} had no value at {at}: its first version is of {first}; ask for that time or a later one"
    )]
    NoValueAt {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The moment that was asked for.
        at: Timestamp,
        /// When its first version was written.
        first: Timestamp,
    },
    /// The key had a value then, or was deleted, which its namespace's retention has dropped since.
    #[error(
        "what {key:?} of {namespace:?} was at {at} is no longer kept: retention has left its versions from {oldest} on; ask for that time or a later one"
    )]
    NoLongerKept {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The moment that was asked for.
        at: Timestamp,
        /// When the oldest version was written that is kept.
        oldest: Timestamp,
    },
    /// The key has no such version.
    #[error("{key:?} of {namespace:?} has no version {version}; `history` lists those that it has")]
    VersionNotFound {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The version.
        version: VersionId,
    },
    /// No key has such a version.
    #[error("there is no version {version} here; `history` lists those of a key")]
    NoSuchVersion {
        /// The version.
        version: VersionId,
    },
    /// Text is no version id.
    #[error(transparent)]
    BadVersionId(#[from] BadVersionId),
    /// Text is no moment.
    #[error(transparent)]
    BadTimestamp(#[from] BadTimestamp),
    /// What a write expected is not what is there.
    #[error("{key:?} of {namespace:?} {}; read it again, and decide anew", IsNow(.current))]
    Conflict {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The version that is there now; none if the key is not, or is deleted.
        current: Option<VersionId>,
    },
    /// A batch writes one key twice.
    #[error("the batch writes {key:?} of {namespace:?} twice; leave one of the two out, or make two batches")]
    SameKeyTwice {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// A name has no character.
    #[error("the {what} is empty; give it a name")]
    EmptyName {
        /// What has no name.
        what: &'static str,
    },
    /// A name is too long.
    #[error("the {what} {begins:?}… has {length} bytes, and {limit} are the most; shorten it")]
    NameTooLong {
        /// What has that name.
        what: &'static str,
        /// Its first characters.
        begins: String,
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A value cannot be kept.
    #[error("the value of {key:?} cannot be kept: {reason}")]
    BadValue {
        /// The key.
        key: String,
        /// Why not.
        reason: ValueError,
    },
    /// A value is too large.
    #[error("the value of {key:?} has {length} bytes, and {limit} are the most; split it over several keys")]
    ValueTooLarge {
        /// The key.
        key: String,
        /// How many it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A write cites too many versions.
    #[error("the write cites {count} versions, and {limit} are the most; cite a version that stands for several", limit = crate::MAX_CAUSES)]
    TooManyCauses {
        /// How many.
        count: usize,
    },
    /// A page of nothing was asked for.
    #[error("the limit is 0; ask for 1 or more")]
    NoLimit,
    /// The clock has reached the last moment that can be said.
    #[error(
        "the database's clock stands at its end, {}: a platform's clock was wrong when it was last written; export it, and import what was before into a new one",
        Timestamp::LATEST
    )]
    TimeIsUp,
    /// Versions are in a compressed segment, and the program is built without the feature `cold`.
    #[error(
        "{key:?} of {namespace:?} has versions in a compressed segment, which this program is built without: build it with the feature `cold`"
    )]
    NoSegments {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// A file to be imported is none, or not whole.
    #[error("the import stops after {versions} versions, which are safe: {reason}")]
    Import {
        /// How many versions were read and are in the database.
        versions: u64,
        /// What is wrong with it.
        reason: ImportError,
    },
    /// A file to be exported to could not be written.
    #[error("the export could not be written: {reason}; make room, and export again")]
    Export {
        /// What the writer said.
        reason: String,
    },
    /// The thread that wrote for others panicked.
    #[error("a writer panicked, so it is not known what was written; open the database again")]
    WriterPanicked,
    /// The backend could not.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// What is wrong with a file that was to be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is another kind of file.
    #[error("this is no export of Anabranch; give a file that `export` wrote")]
    NotAnExport,
    /// A later version wrote it.
    #[error("the file has format {found}, and this program knows up to {known}: use a newer one")]
    Newer {
        /// What it says it is.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// It ends before its end.
    #[error("the file is cut short at byte {at}; copy or export it again")]
    CutShort {
        /// Where it ends.
        at: u64,
    },
    /// It is not what was exported.
    #[error("the file is altered before byte {at}; copy or export it again")]
    Altered {
        /// Up to where it was read.
        at: u64,
    },
    /// The database has another version where the file has one.
    #[error("{key:?} of {namespace:?} has another history here since {since}; import into a new database")]
    Diverged {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The time of the first version that is not one of both.
        since: Timestamp,
    },
    /// The database has a version of another key at the very time of one of the file's.
    #[error(
        "{key:?} of {namespace:?} was written at {at}, at which another key was written here, and a database has one version at a time; import into a new database"
    )]
    TimeTaken {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
        /// The time.
        at: Timestamp,
    },
    /// It could not be read.
    #[error("the file could not be read: {0}; import it again")]
    Unreadable(String),
}

impl StoreError {
    /// What it is, as programs in other languages and over HTTP are told: a code that stays the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            StoreError::KeyNotFound { .. } => "KEY_NOT_FOUND",
            StoreError::NoValueAt { .. } => "NO_VALUE_AT",
            StoreError::NoLongerKept { .. } => "NO_LONGER_KEPT",
            StoreError::VersionNotFound { .. } | StoreError::NoSuchVersion { .. } => "VERSION_NOT_FOUND",
            StoreError::BadVersionId(_) => "INVALID_VERSION_ID",
            StoreError::BadTimestamp(_) => "INVALID_TIMESTAMP",
            StoreError::Conflict { .. } => "CONFLICT",
            StoreError::SameKeyTwice { .. } => "SAME_KEY_TWICE",
            StoreError::EmptyName { .. } | StoreError::NameTooLong { .. } => "INVALID_NAME",
            StoreError::BadValue { .. } => "INVALID_VALUE",
            StoreError::ValueTooLarge { .. } => "VALUE_TOO_LARGE",
            StoreError::TooManyCauses { .. } => "TOO_MANY_CAUSES",
            StoreError::NoLimit => "NO_LIMIT",
            StoreError::TimeIsUp => "TIME_IS_UP",
            StoreError::Import { .. } => "INVALID_IMPORT",
            StoreError::Export { .. } => "EXPORT_FAILED",
            StoreError::NoSegments { .. } => "NEWER_FORMAT",
            StoreError::WriterPanicked => "PANICKED",
            StoreError::Backend(error) => error.code(),
        }
    }

    #[cold]
    pub(crate) fn damaged(what: impl fmt::Display) -> Self {
        StoreError::Backend(BackendError::Damaged(what.to_string()))
    }

    /// Whether what was asked for is not there, as opposed to could not be read.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            StoreError::KeyNotFound { .. }
                | StoreError::NoValueAt { .. }
                | StoreError::NoLongerKept { .. }
                | StoreError::VersionNotFound { .. }
                | StoreError::NoSuchVersion { .. }
        )
    }

    /// Whether bytes are damaged: what else there is can be read on.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Backend(BackendError::Damaged(_)))
    }
}

struct ByWhy<'e>(&'e Option<Timestamp>);

impl fmt::Display for ByWhy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, ": it was deleted at {at}; `history` shows what it was"),
            None => f.write_str("; `list` shows those that it has"),
        }
    }
}

struct IsNow<'e>(&'e Option<VersionId>);

impl fmt::Display for IsNow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "is now at version {version}"),
            None => f.write_str("is not there now"),
        }
    }
}
