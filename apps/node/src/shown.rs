//! What the store answers as JSON, with the field names of the JavaScript API: over HTTP, and from the commands.
//!
//! Times are RFC 3339 in UTC with nanoseconds, version ids 64 hexadecimal digits, and values as
//! [`anabranch_value::json`] writes them: 64-bit integers and the order of keys are kept.

mod retained;

pub use retained::Retained;

use anabranch::store::{self, Expected, KeyedVersion, Store, StoreError, Timestamp, VersionId, VersionedValue};
use anabranch_value::{Text, Value};
use serde::{Deserialize, Deserializer, Serialize};

/// A version and the key that it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The namespace.
    pub namespace: Text,
    /// The key.
    pub key: Text,
    /// What was written; none where it says deleted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    /// Whether it says that the key was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// When it was written.
    #[serde(with = "as_text")]
    pub timestamp: Timestamp,
    /// Its name.
    #[serde(with = "as_text")]
    pub version_id: VersionId,
    /// The version of the key before it; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub previous_version: Option<VersionId>,
    /// The versions that it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "as_text::list")]
    pub causes: Vec<VersionId>,
}

impl Version {
    /// A version of this key.
    #[must_use]
    pub fn of(namespace: &str, key: &str, version: VersionedValue) -> Self {
        KeyedVersion { namespace: namespace.into(), key: key.into(), version }.into()
    }
}

impl From<KeyedVersion> for Version {
    fn from(KeyedVersion { namespace, key, version }: KeyedVersion) -> Self {
        let VersionedValue { value, timestamp, version_id, previous_version, causes, deleted } = version;
        let value = (!deleted).then_some(value);
        Version { namespace, key, value, deleted, timestamp, version_id, previous_version, causes: causes.to_vec() }
    }
}

impl From<Version> for KeyedVersion {
    fn from(shown: Version) -> Self {
        let Version { namespace, key, value, deleted, timestamp, version_id, previous_version, causes } = shown;
        let causes = causes.into_iter().collect();
        let value = value.unwrap_or(Value::Null);
        let version = VersionedValue { value, timestamp, version_id, previous_version, causes, deleted };
        KeyedVersion { namespace, key, version }
    }
}

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Write {
    /// The namespace.
    pub namespace: Text,
    /// The key.
    pub key: Text,
    /// What is to be written.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
    /// Whether the key is to be deleted, and no value written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The version that has to be the newest.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub if_version: Option<VersionId>,
    /// Whether the key may not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_absent: bool,
    /// The versions that it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "as_text::list")]
    pub causes: Vec<VersionId>,
}

impl From<&store::Write> for Write {
    fn from(write: &store::Write) -> Self {
        let (if_version, if_absent) = match write.expected() {
            Expected::Any => (None, false),
            Expected::Absent => (None, true),
            Expected::Version(id) => (Some(id), false),
        };
        Write {
            namespace: write.namespace().into(),
            key: write.key().into(),
            value: write.value().cloned(),
            deleted: write.value().is_none(),
            if_version,
            if_absent,
            causes: write.causes().to_vec(),
        }
    }
}

impl TryFrom<Write> for store::Write {
    type Error = String;

    /// What says neither what to write nor to delete, or both, is a mistake.
    fn try_from(shown: Write) -> Result<Self, String> {
        let Write { namespace, key, value, deleted, if_version, if_absent, causes } = shown;
        let write = match (value, deleted) {
            (Some(value), false) => store::Write::put(namespace, key, value),
            (None, true) => store::Write::delete(namespace, key),
            _ => return Err(format!("the write of {key:?} needs a `value`, or `\"deleted\": true`, and not both")),
        };
        Ok(match (if_version, if_absent) {
            (None, false) => write,
            (None, true) => write.if_absent(),
            (Some(id), false) => write.expecting(id),
            (Some(_), true) => return Err("a write has `ifVersion` or `ifAbsent`, and not both".into()),
        }
        .because(causes))
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What is in this part.
    pub items: Vec<T>,
    /// Where the rest begins; none where there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<store::Page<String, String>> for Page<String> {
    fn from(store::Page { items, next }: store::Page<String, String>) -> Self {
        Page { items, next }
    }
}

impl Page<Version> {
    /// A part of the history of this key.
    #[must_use]
    pub fn of(namespace: &str, key: &str, page: store::Page<VersionedValue, Timestamp>) -> Self {
        let items = page.items.into_iter().map(|version| Version::of(namespace, key, version)).collect();
        Page { items, next: page.next.map(|next| next.to_string()) }
    }
}

/// What changed between two versions of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// The one that was named first; none if the key was not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Version>,
    /// The other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Version>,
    /// Where their values differ.
    pub changes: Vec<Change>,
}

/// A place where two values differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where, as `a.b[1]`; empty where the whole is another.
    pub path: String,
    /// What was there; none if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// What is there; none if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
}

impl Diff {
    /// That of a key's versions.
    pub fn of(namespace: &str, key: &str, diff: store::Diff) -> Self {
        let keyed = |version| Version::from(KeyedVersion { namespace: namespace.into(), key: key.into(), version });
        let change = |store::Difference { path, before, after }| Change { path: path.to_string(), before, after };
        let changes = diff.changes.into_iter().map(change).collect();
        Diff { before: diff.before.map(keyed), after: diff.after.map(keyed), changes }
    }
}

/// A walk along causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The version itself, and then those that it leads to, the nearest first.
    pub steps: Vec<Step>,
    /// Whether these are all.
    pub is_whole: bool,
}

/// A version on the way along causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// How many steps away it is.
    pub depth: usize,
    /// The version that led to it; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub via: Option<VersionId>,
    /// The version; where the database does not have it, its id alone.
    #[serde(flatten)]
    pub version: Here,
}

/// A version that is in this database, or is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Here {
    /// It is.
    Whole(Version),
    /// It is not: it was dropped, or is another database's.
    #[serde(rename_all = "camelCase")]
    Missing {
        /// Its name.
        #[serde(with = "as_text")]
        version_id: VersionId,
        /// `true`.
        missing: bool,
    },
}

impl From<store::Step> for Step {
    fn from(store::Step { depth, via, id, version }: store::Step) -> Self {
        let missing = Here::Missing { version_id: id, missing: true };
        Step { depth, via, version: version.map_or(missing, |version| Here::Whole(version.into())) }
    }
}

/// How much there is, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Keys that are there.
    pub key_count: u64,
    /// Versions of all keys, deletions among them.
    pub total_versions: u64,
    /// Namespaces that have keys.
    pub namespace_count: u64,
    /// When the oldest version was written.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub oldest: Option<Timestamp>,
    /// When the newest version was written.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub newest: Option<Timestamp>,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Commits since it was opened.
    pub commits: u64,
    /// What is in memory, decoded.
    pub hot: Tier,
    /// What the backend holds, each version in rows of its own.
    pub warm: Tier,
    /// What it holds in compressed segments.
    pub cold: Tier,
    /// What retention has dropped: a digest for each chain is there, and no version.
    pub deep: Tier,
    /// The namespaces of which not all versions are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retention: Vec<Retained>,
}

impl Stats {
    /// Those of a store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let retention = store.retentions()?;
        let retention =
            retention.into_iter().map(|(namespace, retention)| Retained::of(namespace, retention)).collect();
        Ok(Stats { retention, ..store.stats()?.into() })
    }
}

/// What a tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// How many versions.
    pub versions: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// How many they may take; none where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

impl From<store::Tier> for Tier {
    fn from(tier: store::Tier) -> Self {
        Tier { versions: tier.versions, bytes: tier.bytes, limit: tier.limit }
    }
}

impl From<store::Stats> for Stats {
    fn from(stats: store::Stats) -> Self {
        Stats {
            key_count: stats.key_count,
            total_versions: stats.total_versions,
            namespace_count: stats.namespace_count,
            oldest: stats.oldest,
            newest: stats.newest,
            memory_bytes: stats.memory_bytes,
            disk_bytes: stats.disk_bytes,
            commits: stats.commits,
            hot: stats.hot.into(),
            warm: stats.warm.into(),
            cold: stats.cold.into(),
            deep: stats.deep.into(),
            retention: Vec::new(),
        }
    }
}

/// A place where the database is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The namespace, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The key, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When the first version that it concerns was written, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub since: Option<Timestamp>,
    /// What is wrong.
    pub what: String,
}

impl From<store::Damage> for Damage {
    fn from(store::Damage { of, since, what }: store::Damage) -> Self {
        let (namespace, key) = of.unzip();
        Damage { namespace, key, since, what }
    }
}

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Keys, deleted ones among them.
    pub keys: u64,
    /// Versions.
    pub versions: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// How many places are damaged, and so not in it.
    pub damaged: usize,
    /// Those, or as many as there is room for.
    pub damages: Vec<Damage>,
}

impl From<store::Exported> for Exported {
    fn from(store::Exported { keys, versions, bytes, damages }: store::Exported) -> Self {
        let damaged = damages.len();
        Exported { keys, versions, bytes, damaged, damages: damages.into_iter().map(Damage::from).collect() }
    }
}

/// What an import has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Versions that were new.
    pub new: u64,
    /// Versions that were there already.
    pub known: u64,
}

impl From<store::Imported> for Imported {
    fn from(store::Imported { new, known }: store::Imported) -> Self {
        Imported { new, known }
    }
}

/// What a check of the whole store has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Keys that were checked.
    pub keys: u64,
    /// Versions that are as they were written.
    pub versions: u64,
    /// What is not.
    pub damages: Vec<Damage>,
}

impl From<store::Verified> for Verified {
    fn from(store::Verified { keys, versions, damages }: store::Verified) -> Self {
        Verified { keys, versions, damages: damages.into_iter().map(Damage::from).collect() }
    }
}

/// A value that is there, `null` among them.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What is text outside.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{borrow::Cow, fmt::Display, str::FromStr};

    pub fn serialize<T: Display, S: Serializer>(this: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(this)
    }

    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }

    pub mod optional {
        use super::*;

        pub fn serialize<T: Display, S: Serializer>(this: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
            match this {
                Some(this) => serializer.collect_str(this),
                None => serializer.serialize_none(),
            }
        }

        pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
        where
            T: FromStr<Err: Display>,
            D: Deserializer<'de>,
        {
            let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
            text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
        }
    }

    pub mod list {
        use super::*;

        pub fn serialize<T: Display, S: Serializer>(these: &[T], serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(these.iter().map(ToString::to_string))
        }

        pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
        where
            T: FromStr<Err: Display>,
            D: Deserializer<'de>,
        {
            let texts = Vec::<Cow<'_, str>>::deserialize(deserializer)?;
            texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_value::value;

    #[test]
    fn a_version_comes_back_from_json_as_it_was() {
        let id: VersionId = "18a14f0c5e3a0001e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887".parse().unwrap();
        let of = |value: Option<Value>| Version {
            namespace: "rooms".into(),
            key: "kitchen".into(),
            deleted: value.is_none(),
            value,
            timestamp: id.timestamp(),
            version_id: id,
            previous_version: Some(id),
            causes: vec![id],
        };
        for version in [of(Some(value!({ "z": 1, "a": 9_007_199_254_740_993_i64 }))), of(Some(Value::Null)), of(None)] {
            let text = serde_json::to_string(&version).unwrap();
            assert_eq!(serde_json::from_str::<Version>(&text).unwrap(), version, "{text}");
            assert_eq!(Version::from(KeyedVersion::from(version.clone())), version);
        }
        let text = serde_json::to_string(&of(Some(value!(1)))).unwrap();
        assert!(text.starts_with(r#"{"namespace":"rooms","key":"kitchen","value":1,"timestamp":"2026-"#), "{text}");
        for name in ["versionId", "previousVersion", "causes"] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn a_step_to_what_is_not_here_has_its_id() {
        let id: VersionId = "18a14f0c5e3a0001e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887".parse().unwrap();
        let step = Step::from(store::Step { depth: 1, via: Some(id), id, version: None });
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(text, format!(r#"{{"depth":1,"via":"{id}","versionId":"{id}","missing":true}}"#));
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
    }
}
