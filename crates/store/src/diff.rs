//! What changed between two versions of a key.

use crate::read::Reader;
use crate::{StoreError, Timestamp, VersionId, VersionedValue, View};
use alloc::vec::Vec;
use anabranch_value::{Path, Step, Value};
use core::str::FromStr;

/// Which version of a key is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The newest at or before a time.
    At(Timestamp),
    /// The one of this id.
    Version(VersionId),
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Moment::At(at)
    }
}

impl From<VersionId> for Moment {
    fn from(version: VersionId) -> Self {
        Moment::Version(version)
    }
}

impl FromStr for Moment {
    type Err = StoreError;

    /// 64 hexadecimal digits are a version id, and all else a time.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text.parse() {
            Ok(version) => Ok(Moment::Version(version)),
            Err(_) => Ok(Moment::At(text.parse()?)),
        }
    }
}

/// What changed between two versions of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// The one that was named first; none if the key was not there yet.
    pub before: Option<VersionedValue>,
    /// The other.
    pub after: Option<VersionedValue>,
    /// Where their values differ, in the order of the first one's keys and then of the other's.
    pub changes: Vec<Difference>,
}

/// A place where two values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where; empty where the whole is another.
    pub path: Path,
    /// What was there; none if nothing was.
    pub before: Option<Value>,
    /// What is there; none if nothing is.
    pub after: Option<Value>,
}

impl<V: View> Reader<V> {
    /// What changed between two versions of a key. A key that was not there, yet or any more, had no value.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::VersionNotFound`], and [`StoreError::NoLongerKept`] where
    /// retention has dropped what it was.
    pub fn diff(
        &self,
        namespace: &str,
        key: &str,
        before: impl Into<Moment>,
        after: impl Into<Moment>,
    ) -> Result<Diff, StoreError> {
        let row = self.key(namespace, key)?;
        let version = |moment| match moment {
            Moment::At(at) => match self.at(row.number, at)? {
                None => self.check_kept(row.number, (namespace, key), at, row.first).map(|()| None),
                found => Ok(found),
            },
            Moment::Version(id) => self.get_version(namespace, key, &id).map(Some),
        };
        let (before, after) = (version(before.into())?, version(after.into())?);
        let changes = differences(value_of(before.as_ref()), value_of(after.as_ref()));
        Ok(Diff { before, after, changes })
    }
}

fn value_of(version: Option<&VersionedValue>) -> Option<&Value> {
    version.filter(|version| !version.deleted).map(|version| &version.value)
}

fn differences(before: Option<&Value>, after: Option<&Value>) -> Vec<Difference> {
    let mut changes = Vec::new();
    compare(before, after, &mut Vec::new(), &mut changes);
    changes
}

/// It goes down as deep as values nest.
fn compare(before: Option<&Value>, after: Option<&Value>, path: &mut Vec<Step>, changes: &mut Vec<Difference>) {
    let mut inner = |step: Step, before: Option<&Value>, after: Option<&Value>| {
        path.push(step);
        compare(before, after, path, changes);
        path.pop();
    };
    match (before, after) {
        (Some(Value::Map(before)), Some(Value::Map(after))) => {
            for (key, value) in before {
                inner(key.clone().into(), Some(value), after.get(key));
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(key)) {
                inner(key.clone().into(), None, Some(value));
            }
        }
        (Some(Value::List(before)), Some(Value::List(after))) => {
            for place in 0..before.len().max(after.len()) {
                inner(place.into(), before.get(place), after.get(place));
            }
        }
        (before, after) if before != after => {
            let path = path.iter().cloned().collect();
            changes.push(Difference { path, before: before.cloned(), after: after.cloned() });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use anabranch_value::value;

    #[test]
    fn each_place_that_differs_is_named_once() {
        let before = value!({ "a": 1, "b": [1, 2], "c": { "d": null, "e": 1 }, "same": 1 });
        let after = value!({ "a": 1.0, "b": [1, 3, 4], "c": { "e": 2 }, "same": 1, "new": true });
        let changes = differences(Some(&before), Some(&after));
        let paths: Vec<_> = changes.iter().map(|change| change.path.to_string()).collect();
        assert_eq!(paths, ["a", "b[1]", "b[2]", "c.d", "c.e", "new"]);
        assert_eq!((changes[3].before.clone(), changes[3].after.clone()), (Some(Value::Null), None));
        assert_eq!(differences(Some(&before), Some(&before)), []);
        assert_eq!(differences(None, Some(&value!(1)))[0].path, Path::new());
    }
}
