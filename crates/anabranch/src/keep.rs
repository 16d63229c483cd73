//! Keeping records: each value that is put into a record becomes a version in the store.
//!
//! ```text
//!   producer ──▶ record ──▶ service ──▶ record ──▶ …
//!                  │ tap                  │ tap, with what the service had received
//!                inbox                  inbox        room for so many values
//!                  │                      │
//!                writer ──▶ ids ─────▶ writer        a task each; the second waits for the ids it cites
//!                  └───── SpawnBlocking ──┘
//!                              │ share commits
//!                            Store
//! ```
//!
//! **The contract:** of each value that is put in, whatever the buffer does with it, it is known what became of it: a version
//! in the store, or a count in [`KeepStatus`]. `produce` never waits, so a value for which there is no room any more, since
//! the disk is slower for long, is counted as lost to the store; a queue's `send` waits for room instead, and with it whoever
//! brings the value, a broker included. At a shutdown all that was taken is written.

mod ids;
mod inbox;
mod pattern;
mod replay;
mod writer;

pub use replay::{Replay, ReplayError, Replayed, Speed};

use crate::{
    AccessError, Anabranch, Builder, ClaimError, Duration, MaybeSend, RecordConfig, RecordKey, Runtime, ServiceDraft,
    SpawnBlocking, SpawnDynamically, TimeSource, lifecycle,
    store::{MAX_NAMESPACE, Memory, Options, Store, StoreError, Timestamp},
};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use anabranch_value::{Text, Value};
use core::{fmt::Display, future::Future};
use inbox::{Inbox, Status};
use pattern::Pattern;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Mutex, OnceLock, PoisonError};
use writer::Writer;

/// How a record is kept: in which namespace of the store, under which key, and with how much room for what waits.
///
/// `.keep("temperature")` keeps under the record's name. A pattern has fields of the value in it, and so the names that an
/// inbound link's address binds, which are fields of the value, too.
///
/// ```
/// use anabranch::keep::Keep;
///
/// let by_name = Keep::from("temperature");
/// let by_device = Keep::in_namespace("temperature").key("{device}");
/// let by_place = Keep::in_namespace("temperature").key("{site.name}/{device}").room(10_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it says how a record is kept when it is handed to `keep`"]
pub struct Keep {
    namespace: String,
    key: Option<String>,
    room: usize,
}

impl Keep {
    /// In a namespace, under the record's name.
    pub fn in_namespace(namespace: impl Into<String>) -> Self {
        Keep { namespace: namespace.into(), key: None, room: 1024 }
    }

    /// Under a key of its own, in which each `{field}` is filled in from the value: text, a whole number or a truth value.
    /// `{a.b}` is a field of a field.
    pub fn key(self, pattern: impl Into<String>) -> Self {
        Keep { key: Some(pattern.into()), ..self }
    }

    /// With room for so many values that wait to be written, instead of 1024; at least 1.
    pub fn room(self, values: usize) -> Self {
        Keep { room: values.max(1), ..self }
    }
}

impl From<&str> for Keep {
    fn from(namespace: &str) -> Self {
        Keep::in_namespace(namespace)
    }
}

impl From<String> for Keep {
    fn from(namespace: String) -> Self {
        Keep::in_namespace(namespace)
    }
}

/// How a kept record is doing, for people and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepStatus {
    /// The record.
    pub record: String,
    /// The namespace.
    pub namespace: String,
    /// The key, as it was configured.
    pub key: String,
    /// How many values are versions in the store.
    pub kept: u64,
    /// How many wait to be written.
    pub waiting: usize,
    /// How many were put in while there was no room, or nobody wrote any more: they are not in the store.
    pub lost: u64,
    /// How many the store could not take: `last_error` says why. They are not in the store.
    pub failed: u64,
    /// How many causes a version should have cited, and does not, since the value was not kept or its version is not known any
    /// more.
    pub uncited: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// What stands beside a database whose records are kept.
#[derive(Default)]
pub(crate) struct Keeping {
    store: OnceLock<Store>,
    records: Mutex<Vec<Arc<dyn Status>>>,
}

impl Keeping {
    /// The store; one in memory, if none was given.
    fn store<R: TimeSource + Send + Sync>(&self, runtime: &R) -> Result<Store, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let in_memory = Store::open(Memory::new(), Options::new(clock(runtime)))?;
        Ok(self.store.get_or_init(|| in_memory).clone())
    }
}

/// The wall clock of a runtime, for a store: for [`Options::new`].
///
/// Where the platform does not know the time, versions are numbered from 1970 on, in their order.
pub fn clock<R: TimeSource + Send + Sync>(runtime: &R) -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let runtime = runtime.clone();
    move || {
        let nanos = runtime.unix_time().unwrap_or_default().as_nanos();
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// Opens the store in a directory, or makes one there; not on this thread, since a disk lets one wait. Its clock is most often the
/// runtime's: `on_disk(&runtime, "data", Options::new(clock(&runtime)))`.
///
/// # Errors
/// [`StoreError`]: above all [`BackendError::InUse`](crate::store::BackendError::InUse) while another has the directory, and what else
/// [`RedbBackend::open`](crate::redb::RedbBackend::open) may find there.
#[cfg(feature = "redb")]
#[cfg_attr(docsrs, doc(cfg(feature = "redb")))]
pub async fn on_disk<R: SpawnBlocking>(
    runtime: &R,
    directory: impl Into<std::path::PathBuf>,
    options: Options,
) -> Result<Store, StoreError> {
    let directory = directory.into();
    let opening = runtime.spawn_blocking(move || {
        Store::open(crate::redb::RedbBackend::open(directory, crate::redb::Options::default())?, options)
    });
    opening.await.unwrap_or(Err(StoreError::WriterPanicked))
}

/// Gives a database its store.
pub trait WithStore: Sized {
    /// The store that kept records are written to. Without one, it is a store in memory, which goes with the database.
    #[must_use]
    fn with_store(self, store: Store) -> Self;

    /// Keeps the tiers of that store in order, by the service [`maintain`](crate::lifecycle::maintain()), which looks `every` so
    /// often whether something is to be moved or dropped. It reads no record, so it runs until a shutdown stops it, and
    /// [`run`](Anabranch::run) does not end before.
    #[must_use]
    fn with_lifecycle(self, every: Duration) -> Self;
}

impl<R> WithStore for Builder<R>
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    fn with_store(mut self, store: Store) -> Self {
        let _first_stands = self.companion::<Keeping>().store.set(store);
        self
    }

    fn with_lifecycle(mut self, every: Duration) -> Self {
        let keeping = self.companion::<Keeping>();
        self.with_keeper(lifecycle::over(move |runtime: &R| keeping.store(runtime), every))
    }
}

/// Keeps the values of a record that is being configured.
pub trait KeepValues<T> {
    /// Writes each value that is put into the record into the store, as one more version of its key: see [`Keep`].
    ///
    /// `.keep("temperature")`, or `.keep(Keep::in_namespace("temperature").key("{device}"))`.
    fn keep(&mut self, keep: impl Into<Keep>) -> &mut Self
    where
        T: Serialize + Sync;

    /// The same for values that serde does not know, or that are to be kept in another form.
    ///
    /// `.keep_as("levels", |level: &Level| Ok::<_, Infallible>(level.0.into()))`
    fn keep_as<E: Display>(
        &mut self,
        keep: impl Into<Keep>,
        form: impl Fn(&T) -> Result<Value, E> + Send + Sync + 'static,
    ) -> &mut Self;
}

impl<R, T> KeepValues<T> for RecordConfig<'_, R, T>
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
    T: Clone + Send + 'static,
{
    fn keep(&mut self, keep: impl Into<Keep>) -> &mut Self
    where
        T: Serialize + Sync,
    {
        self.keep_as(keep, |value: &T| Value::from_serialize(value))
    }

    fn keep_as<E: Display>(
        &mut self,
        keep: impl Into<Keep>,
        form: impl Fn(&T) -> Result<Value, E> + Send + Sync + 'static,
    ) -> &mut Self {
        let Keep { namespace, key, room } = keep.into();
        match namespace.len() {
            0 => {
                return self
                    .refuse("it is kept in a namespace without a name: give it one, as `keep(\"temperature\")`");
            }
            bytes if bytes > MAX_NAMESPACE => {
                let problem = format!(
                    "the namespace that it is kept in has {bytes} bytes, and {MAX_NAMESPACE} are the most: shorten it"
                );
                return self.refuse(problem);
            }
            _ => {}
        }
        let key = match key.map_or_else(|| Ok(Pattern::fixed(self.name())), |key| Pattern::parse(&key)) {
            Ok(key) => key,
            Err(problem) => return self.refuse(problem),
        };
        let keeping = self.companion::<Keeping>();
        let form = Box::new(move |value: &T| form(value).map_err(|why| why.to_string()));
        let inbox = Inbox::new(self.name(), Text::from(namespace), key, room, form);
        keeping.records.lock().unwrap_or_else(PoisonError::into_inner).push(inbox.clone());

        let mut draft = ServiceDraft::new("keep", &writer::SUPERVISED);
        let record = draft.taps::<T>(self.name(), inbox.clone());
        let name = format!("keep {}", self.name());
        let keeper = draft.starts(move |ends, ctx: crate::RuntimeContext<R>, supervisor| {
            let writer = Writer::new(inbox.clone(), ends.tapped(record)?, keeping.store(ctx.runtime()));
            Ok(writer::supervised(ctx, supervisor, writer))
        });
        self.with_keeper(keeper.named(name))
    }
}

/// The store of a database, and its past.
pub trait StoreOf<R> {
    /// The store that its kept records are written to; none where nothing is kept and no store was given.
    ///
    /// # Errors
    /// [`StoreError`] when a store in memory could not be made, which does not happen.
    fn store(&self) -> Result<Option<Store>, StoreError>;

    /// Gives it the store that its kept records are written to, between `build()` and `start()`: for one that is to be opened
    /// once everything else is known to be right. Says whether it has none yet.
    fn set_store(&self, store: Store) -> bool;

    /// How each kept record is doing, in the order in which they were configured.
    fn keeps(&self) -> Vec<KeepStatus>;

    /// Feeds a record from the history in a store, in the order in which it was written and in the runtime's time: see
    /// [`Replay`]. The record needs a free producer.
    fn replay<T: DeserializeOwned + Clone + Send + 'static>(
        &self,
        record: impl RecordKey<T>,
        replay: Replay,
    ) -> impl Future<Output = Result<Replayed, ReplayError>> + MaybeSend + 'static;
}

impl<R> StoreOf<R> for Anabranch<R>
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    fn store(&self) -> Result<Option<Store>, StoreError> {
        self.companion::<Keeping>().map(|keeping| keeping.store(self.runtime())).transpose()
    }

    fn set_store(&self, store: Store) -> bool {
        self.companion::<Keeping>().is_some_and(|keeping| keeping.store.set(store).is_ok())
    }

    fn keeps(&self) -> Vec<KeepStatus> {
        let Some(keeping) = self.companion::<Keeping>() else { return Vec::new() };
        let records = keeping.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().map(|record| record.status()).collect()
    }

    fn replay<T: DeserializeOwned + Clone + Send + 'static>(
        &self,
        record: impl RecordKey<T>,
        replay: Replay,
    ) -> impl Future<Output = Result<Replayed, ReplayError>> + MaybeSend + 'static {
        let name = record.name().to_string();
        let producer = self.producer::<T>(record).map_err(|error| match error {
            AccessError::Claim { source: ClaimError::ProducerTaken, .. } => ReplayError::Written { record: name },
            error => ReplayError::Record(error),
        });
        let runtime = self.runtime().clone();
        async move { replay.into(&runtime, producer?).await }
    }
}
