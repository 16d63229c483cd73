//! One write, as it is read back.

use crate::{Timestamp, VersionId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use anabranch_value::{Text, Value};

/// A version: what one write said, when, after which other, and made from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedValue {
    /// What was written; null in a version that says deleted.
    pub value: Value,
    /// When.
    pub timestamp: Timestamp,
    /// The name of this version.
    pub version_id: VersionId,
    /// The version of this key before it; none for the first.
    pub previous_version: Option<VersionId>,
    /// The versions that it was made from, as the writer said.
    pub causes: Causes,
    /// Whether it says that the key was deleted.
    pub deleted: bool,
}

impl VersionedValue {
    /// What is filled in as a version is read.
    pub(crate) const BLANK: Self = VersionedValue {
        value: Value::Null,
        timestamp: Timestamp::ZERO,
        version_id: VersionId::BLANK,
        previous_version: None,
        causes: Causes(None),
        deleted: false,
    };
}

/// The versions that one was made from. Most have none, which costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Causes(Option<Arc<[VersionId]>>);

impl core::ops::Deref for Causes {
    type Target = [VersionId];

    fn deref(&self) -> &[VersionId] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<&[VersionId]> for Causes {
    fn from(causes: &[VersionId]) -> Self {
        Causes((!causes.is_empty()).then(|| causes.into()))
    }
}

impl FromIterator<VersionId> for Causes {
    fn from_iter<I: IntoIterator<Item = VersionId>>(causes: I) -> Self {
        let causes: Arc<[VersionId]> = causes.into_iter().collect();
        Causes((!causes.is_empty()).then_some(causes))
    }
}

/// A version with the key that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedVersion {
    /// The namespace.
    pub namespace: Text,
    /// The key.
    pub key: Text,
    /// The version.
    pub version: VersionedValue,
}

/// A part of a list, and where the rest begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, N> {
    /// The items of this part.
    pub items: Vec<T>,
    /// What to hand in to get the next part; none when this was the last.
    pub next: Option<N>,
}
