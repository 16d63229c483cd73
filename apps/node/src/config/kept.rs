//! The store as it is configured: what its tiers may take, and which versions are kept.

use super::{Config, read::Entry};
use anabranch::store::{Lifecycle, MAX_NAMESPACE, Retention};
use std::{num::NonZeroU64, time::Duration};

/// The store, as it is configured.
#[derive(Debug)]
pub(crate) struct StoreSection {
    /// How much the hot tier may take, where that is said.
    pub(crate) hot_bytes: Option<usize>,
    pub(crate) lifecycle: Lifecycle,
    /// How often is looked what the lifecycle has to do.
    pub(crate) maintain_every: Duration,
}

impl Default for StoreSection {
    fn default() -> Self {
        let maintain_every = Duration::from_secs(60);
        StoreSection { hot_bytes: None, lifecycle: Lifecycle::default(), maintain_every }
    }
}

/// A namespace, as it is configured.
#[derive(Debug, Clone)]
pub(crate) struct NamespaceSection {
    pub(crate) name: String,
    pub(crate) retention: Retention,
}

/// The keys of `[node]` that are about its store.
const OF_THE_STORE: [&str; 4] = ["hot_bytes", "warm_bytes", "cold_after", "maintain_every"];

impl Config {
    /// What `[node]` says of its store.
    pub(super) fn store(&mut self, node: &Entry) {
        if self.data.is_none() {
            for key in OF_THE_STORE.into_iter().filter(|key| node.has(key)) {
                self.faults
                    .push(node.fault(key, "there is no store that this could be for: set `data`, or leave it out"));
            }
        }
        let otherwise = StoreSection::default();
        let maintain_every = node.time("maintain_every").unwrap_or(otherwise.maintain_every);
        if maintain_every.is_zero() {
            self.faults.push(node.fault("maintain_every", "that is no time to pause for: write \"1ms\" or more"));
        }
        self.store = StoreSection {
            hot_bytes: node.number("hot_bytes").and_then(|bytes| usize::try_from(bytes).ok()),
            lifecycle: Lifecycle {
                cold_after: node.time("cold_after").unwrap_or(otherwise.lifecycle.cold_after),
                warm_bytes: node.number("warm_bytes").and_then(|bytes| u64::try_from(bytes).ok()),
            },
            maintain_every,
        };
    }

    pub(super) fn namespace(&mut self, entry: &Entry) {
        let retention = self.retention(entry);
        if self.data.is_none() {
            self.faults.push(entry.fault("name", "there is no store that it could be in: set `data` in [node]"));
        }
        let Some(name) = entry.text("name").map(|name| name.value) else { return };
        if name.len() > MAX_NAMESPACE {
            let message = format!("it has {} bytes, and {MAX_NAMESPACE} are the most: shorten it", name.len());
            self.faults.push(entry.fault("name", message));
        }
        if self.namespaces.iter().any(|other| other.name == name) {
            let message = format!("there is a namespace \"{name}\" already: say of each once what is kept");
            return self.faults.push(entry.fault("name", message));
        }
        self.namespaces.push(NamespaceSection { name, retention });
    }

    fn retention(&mut self, entry: &Entry) -> Retention {
        let Some(limit) = entry.table("retention") else { return Retention::All };
        match (limit.has("last"), limit.has("for")) {
            (true, true) => {
                self.faults.push(limit.fault("for", "there is `last`, too: leave one of them out"));
            }
            (false, false) => {
                let message = "say how many, as { last = 1000 }, or how long, as { for = \"7d\" }; \"all\" keeps all";
                self.faults.push(entry.fault("retention", message));
            }
            _ => {}
        }
        let last = limit.number("last").and_then(|last| NonZeroU64::new(last.unsigned_abs()));
        last.map(Retention::Last).or(limit.time("for").map(Retention::For)).unwrap_or_default()
    }
}
