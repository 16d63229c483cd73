//! What was written, and then what is being written: with no gap, and nothing twice.
//!
//! A subscription is a place in time. Whatever comes after that is read from the store, so it holds nothing that could overflow:
//! who is slow reads later.

use crate::codec;
use crate::hot::size_on_heap;
use crate::named::Named;
use crate::store::Store;
use crate::write::{check_namespace, owned};
use crate::{KeyedVersion, StoreError, Timestamp, VersionId};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::{Context, Poll, Waker};
use std::thread::Thread;

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first version that there is.
    Beginning,
    /// With what is written from now on.
    Now,
    /// With the first version at or after a time.
    At(Timestamp),
    /// With the first version after this one, whatever key that is of.
    After(VersionId),
}

/// Follows the versions of keys in the order in which they were written, deletions among them.
///
/// Each comes once. Versions that an import brings stand at their own times: whoever is past those does not see them.
#[derive(Debug)]
pub struct Subscription {
    store: Store,
    namespace: String,
    prefix: String,
    /// All up to here was read from the store.
    read: Timestamp,
    /// All up to here was handed out.
    position: Timestamp,
    /// Read and not handed out.
    ready: VecDeque<KeyedVersion>,
    /// Keys that were seen: their names, if they are wanted.
    names: Named,
    number: u64,
}

/// How many writes are looked at at once.
const PAGE: usize = 256;
/// How many bytes of values are read ahead.
const AHEAD: usize = 1 << 20;
/// How many names are remembered.
const NAMES: usize = 4096;

impl Store {
    /// Follows the versions of a namespace's keys that begin with `prefix`: those since `start`, and then those to come.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], and those of names.
    pub fn subscribe(&self, namespace: &str, prefix: &str, start: Start) -> Result<Subscription, StoreError> {
        check_namespace(namespace)?;
        let reader = self.reader()?;
        let read = match start {
            Start::Beginning => Timestamp::ZERO,
            Start::Now => reader.last_write()?.unwrap_or(Timestamp::ZERO),
            Start::At(at) => Timestamp::from_nanos(at.nanos().saturating_sub(1)).max(Timestamp::ZERO),
            Start::After(version) => reader.find_version(&version)?.version.timestamp,
        };
        drop(reader);
        Ok(Subscription {
            store: self.clone(),
            namespace: owned(namespace),
            prefix: owned(prefix),
            read,
            position: read,
            ready: VecDeque::new(),
            names: Named::default(),
            number: self.inner.followers.join(),
        })
    }
}

impl Subscription {
    /// The next version, if there is one by now.
    ///
    /// # Errors
    /// [`StoreError::Backend`]. The next call tries the same again.
    pub fn try_next(&mut self) -> Result<Option<KeyedVersion>, StoreError> {
        while self.ready.is_empty() {
            if !self.read_on()? {
                self.position = self.read;
                return Ok(None);
            }
        }
        let next = self.ready.pop_front();
        if let Some(next) = &next {
            self.position = next.version.timestamp;
        }
        Ok(next)
    }

    /// The next version, or a wake when there may be one.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Result<KeyedVersion, StoreError>> {
        if let Some(next) = self.try_next().transpose() {
            return Poll::Ready(next);
        }
        self.store.inner.followers.wait(self.number, context.waker());
        // What was written before that woke nobody.
        self.try_next().transpose().map_or(Poll::Pending, Poll::Ready)
    }

    /// Wakes `waker` after the next commit. What was written before wakes nobody: [`try_next`](Self::try_next) is asked after
    /// this. So one that may not read on its own thread can wait there.
    pub fn wake_by(&self, waker: &Waker) {
        self.store.inner.followers.wait(self.number, waker);
    }

    /// Waits for the next version on this thread.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    pub fn wait_next(&mut self) -> Result<KeyedVersion, StoreError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let context = Context::from_waker(&waker);
        loop {
            match self.poll_next(&context) {
                Poll::Ready(next) => return next,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// Up to when all was handed out: where another subscription goes on with [`Start::At`] the moment after.
    #[must_use]
    pub const fn position(&self) -> Timestamp {
        self.position
    }

    /// Reads what comes next. `false`: there is nothing.
    fn read_on(&mut self) -> Result<bool, StoreError> {
        let reader = self.store.reader()?;
        let writes = reader.writes_after(self.read, PAGE)?;
        let mut ahead = 0;
        for (at, number) in &writes {
            if self.names.len() >= NAMES && self.names.get(*number).is_none() {
                self.names = Named::default();
            }
            let names = match self.names.get(*number) {
                Some(names) => names.clone(),
                None => {
                    let (namespace, key) = codec::texts_of(&reader.names(*number)?);
                    let is_wanted = namespace == *self.namespace && key.starts_with(&*self.prefix);
                    let names = is_wanted.then_some((namespace, key));
                    self.names.insert(*number, names.clone());
                    names
                }
            };
            if let Some((namespace, key)) = names {
                // One that retention has dropped since is skipped.
                if let Some(version) = reader.at(*number, *at)?.filter(|version| version.timestamp == *at) {
                    ahead += size_on_heap(&version.value);
                    self.ready.push_back(KeyedVersion { namespace, key, version });
                }
            }
            self.read = *at;
            if ahead > AHEAD {
                break;
            }
        }
        Ok(!writes.is_empty())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.store.inner.followers.leave(self.number);
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
