//! What is asked to be written.

use crate::{Causes, StoreError, VersionId};
use alloc::string::ToString;
use anabranch_value::{Text, Value};

/// One write: a value for a key, or that the key is gone.
///
/// ```
/// use anabranch_store::Write;
///
/// let set = Write::put("plant", "boiler", 21.5);
/// let first = Write::put("plant", "boiler", 21.5).if_absent();
/// let gone = Write::delete("plant", "boiler");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it is written when it is handed to a store"]
pub struct Write {
    pub(crate) namespace: Text,
    pub(crate) key: Text,
    /// `None`: deleted.
    pub(crate) value: Option<Value>,
    pub(crate) expected: Expected,
    pub(crate) causes: Causes,
}

/// What has to be there for a write to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Whatever is there.
    #[default]
    Any,
    /// Nothing: the key was never written, or is deleted.
    Absent,
    /// This version as the newest of its key.
    Version(VersionId),
}

impl From<VersionId> for Expected {
    fn from(version: VersionId) -> Self {
        Expected::Version(version)
    }
}

/// `None` is [`Expected::Absent`].
impl From<Option<VersionId>> for Expected {
    fn from(version: Option<VersionId>) -> Self {
        version.map_or(Expected::Absent, Expected::Version)
    }
}

impl Write {
    /// A value for a key.
    pub fn put(namespace: impl Into<Text>, key: impl Into<Text>, value: impl Into<Value>) -> Self {
        Write {
            namespace: namespace.into(),
            key: key.into(),
            value: Some(value.into()),
            expected: Expected::Any,
            causes: Causes::default(),
        }
    }

    /// The end of a key, until it is written again. What it was stays in its history.
    pub fn delete(namespace: impl Into<Text>, key: impl Into<Text>) -> Self {
        Write {
            namespace: namespace.into(),
            key: key.into(),
            value: None,
            expected: Expected::Any,
            causes: Causes::default(),
        }
    }

    /// Only if this is there.
    pub fn expecting(mut self, expected: impl Into<Expected>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Only if there is nothing.
    pub fn if_absent(self) -> Self {
        self.expecting(Expected::Absent)
    }

    /// Cites the versions that it was made from.
    pub fn because(mut self, causes: impl IntoIterator<Item = VersionId>) -> Self {
        self.causes = causes.into_iter().collect();
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value; none where the key is to be deleted.
    pub const fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// What has to be there.
    pub const fn expected(&self) -> Expected {
        self.expected
    }

    /// The versions that it cites.
    pub fn causes(&self) -> &[VersionId] {
        &self.causes
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_write(&self.namespace, &self.key, &self.causes)
    }
}

/// One write whose names are lent: what most are, and then it copies nothing.
#[cfg(feature = "std")]
pub(crate) struct One<'w> {
    pub namespace: &'w str,
    pub key: &'w str,
    pub value: Option<Value>,
    pub expected: Expected,
    pub causes: Causes,
}

#[cfg(feature = "std")]
impl From<One<'_>> for Write {
    fn from(One { namespace, key, value, expected, causes }: One<'_>) -> Self {
        Write { namespace: namespace.into(), key: key.into(), value, expected, causes }
    }
}

pub(crate) fn check_write(namespace: &str, key: &str, causes: &[VersionId]) -> Result<(), StoreError> {
    check_namespace(namespace)?;
    check_key(key)?;
    if causes.len() > MAX_CAUSES {
        return Err(StoreError::TooManyCauses { count: causes.len() });
    }
    Ok(())
}

/// How many bytes the name of a namespace may have.
pub const MAX_NAMESPACE: usize = 255;
/// How many bytes a key may have.
pub const MAX_KEY: usize = 4096;
/// How many bytes a value may have as CBOR.
pub const MAX_VALUE: usize = 64 << 20;
/// How many versions one may cite.
pub const MAX_CAUSES: usize = 4096;

pub(crate) fn check_namespace(name: &str) -> Result<(), StoreError> {
    check("namespace", name, MAX_NAMESPACE)
}

pub(crate) fn check_key(name: &str) -> Result<(), StoreError> {
    check("key", name, MAX_KEY)
}

fn check(what: &'static str, name: &str, limit: usize) -> Result<(), StoreError> {
    match name.len() {
        0 => Err(StoreError::EmptyName { what }),
        length if length > limit => {
            Err(StoreError::NameTooLong { what, begins: name.chars().take(32).collect(), length, limit })
        }
        _ => Ok(()),
    }
}

pub(crate) fn owned(name: &str) -> alloc::string::String {
    name.to_string()
}
