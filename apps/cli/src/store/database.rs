//! The store that a command works on: of the node that has the directory open, or opened by the command itself.

use std::path::Path;

use anabranch::store::{Moment, Store, StoreError, Timestamp, VersionId, Write};
use anabranch_node::{
    Client, ClientError, StoreClient, Which,
    shown::{Diff, Page, Stats, Trace, Version},
};
use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A store, wherever it is open.
pub enum Database {
    /// Open here.
    Own(Store),
    /// Open in a node, which is asked.
    Node(Asked),
}

/// A node's store, asked by one thread.
pub struct Asked {
    pub threads: Runtime,
    pub store: StoreClient,
}

impl Asked {
    /// The node's that has the directory open; none where none runs there.
    pub fn at(data: &Path) -> Result<Option<Self>, Failure> {
        let client = Client::of(data);
        if !client.is_running() {
            return Ok(None);
        }
        let threads = Builder::new_current_thread().enable_all().build().map_err(Failure::Threads)?;
        Ok(Some(Asked { threads, store: client.store() }))
    }

    pub fn ask<T>(&self, asking: impl Future<Output = Result<T, ClientError>>) -> Result<T, Failure> {
        Ok(self.threads.block_on(asking)?)
    }
}

impl Database {
    pub fn get(&self, namespace: &str, key: &str, which: Which) -> Result<Version, Failure> {
        let found = match self {
            Database::Own(store) => match which {
                Which::Newest => store.get(namespace, key),
                Which::At(at) => store.get_at(namespace, key, at),
                Which::Version(id) => store.get_version(namespace, key, &id),
            }
            .map(|version| Version::of(namespace, key, version))
            .map_err(Failure::from),
            Database::Node(node) => node.ask(node.store.get(namespace, key, which)),
        };
        let ids = if let Which::Version(id) = which { vec![id] } else { Vec::new() };
        found.map_err(|failure| self.of_another_key(failure, (namespace, key), &ids))
    }

    /// Makes a write; where it has lost, the failure says what is there.
    pub fn write(&self, write: Write) -> Result<Version, Failure> {
        let (namespace, key) = (write.namespace().to_owned(), write.key().to_owned());
        let written = match self {
            Database::Own(store) => {
                store.write(write).map(|version| Version::of(&namespace, &key, version)).map_err(Failure::from)
            }
            Database::Node(node) => node.ask(node.store.write(&write)),
        };
        written.map_err(|failure| {
            let lost = match &failure {
                Failure::Store(error @ StoreError::Conflict { .. }) => error.to_string(),
                Failure::Client(ClientError::Refused { status: 412, detail, .. }) => detail.clone(),
                _ => return failure,
            };
            let is = self.get(&namespace, &key, Which::Newest).ok().and_then(|version| version.value);
            Failure::Lost { why: lost, is: is.as_ref().map(super::people::shown) }
        })
    }

    /// Makes all of several writes, or none.
    pub fn write_batch(&self, writes: Vec<Write>) -> Result<Vec<Version>, Failure> {
        match self {
            Database::Own(store) => {
                let name = |write: &Write| (write.namespace().to_owned(), write.key().to_owned());
                let names: Vec<_> = writes.iter().map(name).collect();
                let versions = names.iter().zip(store.write_batch(writes)?);
                Ok(versions.map(|((namespace, key), version)| Version::of(namespace, key, version)).collect())
            }
            Database::Node(node) => node.ask(node.store.write_batch(&writes)),
        }
    }

    pub fn history(
        &self,
        namespace: &str,
        key: &str,
        at: Option<Timestamp>,
        limit: usize,
    ) -> Result<Page<Version>, Failure> {
        match self {
            Database::Own(store) => {
                let page = store.history(namespace, key, ..=at.unwrap_or(Timestamp::LATEST), limit)?;
                Ok(Page::of(namespace, key, page))
            }
            Database::Node(node) => node.ask(node.store.history(namespace, key, at, limit)),
        }
    }

    pub fn namespaces(
        &self,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, Failure> {
        match self {
            Database::Own(store) => {
                let page = store.list_namespaces(at, after, limit)?;
                Ok(page.into())
            }
            Database::Node(node) => node.ask(node.store.namespaces(at, after, limit)),
        }
    }

    pub fn keys(
        &self,
        namespace: &str,
        prefix: &str,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, Failure> {
        match self {
            Database::Own(store) => {
                let page = store.list_keys(namespace, prefix, at, after, limit)?;
                Ok(page.into())
            }
            Database::Node(node) => node.ask(node.store.keys(namespace, prefix, at, after, limit)),
        }
    }

    pub fn diff(&self, namespace: &str, key: &str, before: Moment, after: Moment) -> Result<Diff, Failure> {
        let found = match self {
            Database::Own(store) => store
                .diff(namespace, key, before, after)
                .map(|diff| Diff::of(namespace, key, diff))
                .map_err(Failure::from),
            Database::Node(node) => node.ask(node.store.diff(namespace, key, before, after)),
        };
        let id = |moment| if let Moment::Version(id) = moment { Some(id) } else { None };
        let ids: Vec<_> = [before, after].into_iter().filter_map(id).collect();
        found.map_err(|failure| self.of_another_key(failure, (namespace, key), &ids))
    }

    /// What a version was made from, or with `effects` what was made from it.
    pub fn trace(&self, id: &VersionId, effects: bool, limit: usize) -> Result<Trace, Failure> {
        match self {
            Database::Own(store) => {
                let trace = if effects { store.effects(id, limit)? } else { store.why(id, limit)? };
                Ok(Trace { steps: trace.steps.into_iter().map(Into::into).collect(), is_whole: trace.is_whole })
            }
            Database::Node(node) if effects => node.ask(node.store.effects(id, limit)),
            Database::Node(node) => node.ask(node.store.why(id, limit)),
        }
    }

    pub fn stats(&self) -> Result<Stats, Failure> {
        match self {
            Database::Own(store) => Ok(Stats::of(store)?),
            Database::Node(node) => node.ask(node.store.stats())?.ok_or(Failure::NodeKeepsNothing),
        }
    }

    fn find(&self, id: &VersionId) -> Result<Version, Failure> {
        match self {
            Database::Own(store) => Ok(store.find_version(id)?.into()),
            Database::Node(node) => node.ask(node.store.find_version(id)),
        }
    }

    /// Says of which key a version is that this one has not.
    fn of_another_key(&self, failure: Failure, (namespace, key): (&str, &str), ids: &[VersionId]) -> Failure {
        let is_missing = match &failure {
            Failure::Store(error) => matches!(error, StoreError::VersionNotFound { .. }),
            Failure::Client(ClientError::Refused { code, .. }) => code == "VERSION_NOT_FOUND",
            _ => false,
        };
        if is_missing {
            for id in ids {
                let Ok(found) = self.find(id) else { continue };
                if (&*found.namespace, &*found.key) != (namespace, key) {
                    return Failure::OfAnotherKey(format!(
                        "{key:?} of {namespace:?} has no version {id}: that is one of {:?} of {:?}",
                        found.key.as_str(),
                        found.namespace.as_str()
                    ));
                }
            }
        }
        failure
    }
}
