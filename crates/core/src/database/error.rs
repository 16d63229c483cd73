//! What can be wrong with a database: all of it is found and said together, each with how to mend it.

use super::ServiceFailure;
use crate::{AddressError, BufferCfgError, ClaimError, ConnectorError};
use alloc::{string::String, vec, vec::Vec};
use core::fmt;

/// One thing that is wrong with a database's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A record without a name.
    #[error("a record has an empty name: give it one, as \"sensor/temperature\"")]
    EmptyName,
    /// Two records of one name.
    #[error("record \"{record}\" is configured twice: configure it once, or give the second another name")]
    DuplicateRecord {
        /// Its name.
        record: String,
    },
    /// A record without a buffer.
    #[error(
        "record \"{record}\" has no buffer: choose one, as `r.with_buffer(BufferCfg::SpmcRing {{ capacity: 64 }})`"
    )]
    NoBuffer {
        /// Its name.
        record: String,
    },
    /// A buffer that can hold nothing.
    #[error("record \"{record}\": {source}")]
    Buffer {
        /// The record.
        record: String,
        /// What is wrong with it.
        source: BufferCfgError,
    },
    /// A service works on a record that is not there.
    #[error("{user} works on record \"{record}\", which is not configured{}", did_you_mean(.nearest.as_deref()))]
    UnknownRecord {
        /// The service.
        user: String,
        /// The name it asks for.
        record: String,
        /// The configured name that is most like it.
        nearest: Option<String>,
    },
    /// A service works on a record of another type.
    #[error("{user} works on record \"{record}\" as `{asked}`, but it holds `{holds}`: use one type for both")]
    WrongType {
        /// The service.
        user: String,
        /// The record.
        record: String,
        /// What it holds.
        holds: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// Several writers where one is allowed.
    #[error(
        "record \"{record}\" is written by {}, but allows one producer: declare it `.shared()`, or give each a record",
        list(.writers)
    )]
    TooManyProducers {
        /// The record.
        record: String,
        /// Who writes it.
        writers: Vec<String>,
    },
    /// Several readers of a mailbox, or more readers of a queue than it declares.
    #[error(
        "record \"{record}\" is read by {}, but its {kind} has {declared} consumer(s): {mend}",
        list(.readers)
    )]
    TooManyConsumers {
        /// The record.
        record: String,
        /// Its buffer.
        kind: crate::BufferKind,
        /// How many it allows.
        declared: usize,
        /// Who reads it.
        readers: Vec<String>,
        /// How to mend it.
        mend: &'static str,
    },
    /// A circle of records and services that cannot be served.
    #[error("{} is a cycle that cannot be served: {why}", .path.join(" → "))]
    Cycle {
        /// Records and services in turn, back to the first.
        path: Vec<String>,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// A link that cannot be.
    #[error("link {address} of record \"{record}\": {problem}")]
    Link {
        /// The record.
        record: String,
        /// The link's address, as it was configured.
        address: String,
        /// What is wrong with it.
        problem: LinkProblem,
    },
    /// Two connectors of one scheme.
    #[error("two connectors have the scheme \"{scheme}\": give each a name of its own, and write links as {}+name://…",
        .scheme.split('+').next().unwrap_or(scheme))]
    DuplicateConnector {
        /// The scheme.
        scheme: String,
    },
    /// What a connector found wrong.
    #[error("connector \"{scheme}\": {error}")]
    Connector {
        /// Its scheme.
        scheme: String,
        /// What it found.
        error: ConnectorError,
    },
    /// What was asked of a record cannot be.
    #[error("record \"{record}\": {problem}")]
    Record {
        /// The record.
        record: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// A service declares no instance.
    #[error("service \"{service}\" declares 0 instances and would never run: declare at least 1")]
    NoInstance {
        /// The service.
        service: String,
    },
}

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkProblem {
    /// Its address.
    #[error("{0}")]
    Address(AddressError),
    /// No connector speaks its scheme.
    #[error(
        "no connector speaks \"{scheme}\"{}",
        .nearest.as_deref().map_or_else(
            || String::from(": add one with `.with_connector(…)`"),
            |name| alloc::format!(": did you mean \"{name}://\"?")
        )
    )]
    NoConnector {
        /// The address's scheme.
        scheme: String,
        /// The scheme of a connector that is like it.
        nearest: Option<String>,
    },
    /// Nothing says how its values become bytes.
    #[error("it has no format: add `.with_json()`, `.with_cbor()`, `.with_postcard()`, or a closure")]
    NoFormat,
    /// Its format cannot do what its address asks for.
    #[error("{0}")]
    Format(&'static str),
}

/// Everything that is wrong with a database's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildErrors(pub(super) Vec<BuildError>);

impl BuildErrors {
    /// The errors, in the order of the records and services they concern.
    pub fn errors(&self) -> &[BuildError] {
        &self.0
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the database cannot be built: {one}"),
            many => {
                write!(f, "the database cannot be built, for {} reasons:", many.len())?;
                many.iter().try_for_each(|error| write!(f, "\n  - {error}"))
            }
        }
    }
}

impl core::error::Error for BuildErrors {}

/// Why a handle of a database's record could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// There is no such record.
    #[error("record \"{record}\" is not configured{}", did_you_mean(.nearest.as_deref()))]
    UnknownRecord {
        /// The name that was asked for.
        record: String,
        /// The configured name that is most like it.
        nearest: Option<String>,
    },
    /// It holds another type.
    #[error("record \"{record}\" holds `{holds}`, not `{asked}`: ask for the type that it was configured with")]
    WrongType {
        /// The record.
        record: String,
        /// What it holds.
        holds: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// It is taken.
    #[error("record \"{record}\": {source}")]
    Claim {
        /// The record.
        record: String,
        /// Why it could not be taken.
        source: ClaimError,
    },
}

/// Services of a database that failed for good. The others went on to their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunError(pub(super) Vec<ServiceFailure>);

impl RunError {
    /// Which services, and why.
    pub fn failures(&self) -> &[ServiceFailure] {
        &self.0
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} service(s) failed for good:", self.0.len())?;
        for failure in &self.0 {
            write!(f, "\n  - {failure}")?;
        }
        Ok(())
    }
}

impl core::error::Error for RunError {}

fn list(names: &[String]) -> String {
    names.join(" and ")
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => alloc::format!(": did you mean \"{name}\"?"),
        None => String::from(": configure it first"),
    }
}

/// The name that is most like `wanted`: by edit distance, and near enough to be meant.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|name| (distance(wanted, name), name))
        .min()
        .filter(|(far, name)| *far <= wanted.chars().count().max(name.chars().count()) / 3)
        .map(|(_, name)| name.into())
}

/// How many characters must be added, left out or changed to make `b` of `a` (Levenshtein's distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let change = row[j] + usize::from(from != *to);
            next.push(change.min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_changes() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("fan", ""), 3);
        assert_eq!(distance("temperature", "temprature"), 1);
        assert_eq!(distance("a/b", "b/a"), 2);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["sensor/temperature", "actuator/fan"];
        assert_eq!(nearest("sensor/temprature", names.into_iter()).as_deref(), Some("sensor/temperature"));
        assert_eq!(nearest("completely different", names.into_iter()), None);
    }
}
