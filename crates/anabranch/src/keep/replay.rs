//! The past once more: a record is fed from a store's history, at any speed.

use crate::{
    AccessError, Duration, JoinError, Moment, Producer, Runtime, RuntimeContext, RuntimeExt, SpawnBlocking,
    store::{KeyedVersion, Start, Store, StoreError, Subscription, Timestamp},
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::ops::{Bound, RangeBounds};
use serde::de::DeserializeOwned;

/// How fast the past goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was: 1.0 as it was, 60.0 an hour in a minute.
    Times(f64),
    /// With no pause. Who reads may fall behind where the buffer lets it; a queue waits for its readers.
    Unpaced,
}

/// Which part of a store's history is replayed, and how fast.
///
/// ```
/// # use anabranch::{keep::{Replay, Speed}, store::{Store, Timestamp}};
/// # fn example(store: &Store, from: Timestamp, to: Timestamp) -> Replay {
/// Replay::of(store, "temperature").keys_with("boiler").during(from..to).speed(Speed::Times(60.0))
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it says what is replayed when it is handed to `replay`"]
pub struct Replay {
    store: Store,
    namespace: String,
    prefix: String,
    from: Timestamp,
    until: Option<Timestamp>,
    speed: Speed,
}

/// What a replay has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// How many values were put into the record.
    pub values: u64,
    /// How many versions were passed over since they are no value of the record's type.
    pub failed: u64,
    /// How many were passed over since they say that their key was deleted.
    pub deletions: u64,
    /// Why the last one that failed did.
    pub last_error: Option<String>,
}

/// Why the past could not be replayed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The record could not be had.
    #[error(transparent)]
    Record(AccessError),
    /// Somebody else writes to it.
    #[error(
        "record \"{record}\" has a writer, so that nothing can be replayed into it: declare it `.shared()`, or leave that one out"
    )]
    Written {
        /// The record.
        record: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The speed is none.
    #[error("a replay cannot go {0} times as fast: give it a number above 0")]
    Speed(f64),
    /// Reading the store panicked.
    #[error("the store could not be read: {0}")]
    Reading(#[from] JoinError),
    /// Nobody reads the record any more.
    #[error("record \"{record}\" has closed after {values} values: nobody reads it any more")]
    Closed {
        /// The record.
        record: String,
        /// How many values were put in before.
        values: u64,
    },
}

/// How many versions are read at once.
const PAGE: usize = 256;

impl Replay {
    /// All of a namespace up to now, at the speed at which it was written.
    pub fn of(store: &Store, namespace: impl Into<String>) -> Self {
        Replay {
            store: store.clone(),
            namespace: namespace.into(),
            prefix: String::new(),
            from: Timestamp::EARLIEST,
            until: None,
            speed: Speed::Times(1.0),
        }
    }

    /// Only keys that begin with this.
    pub fn keys_with(self, prefix: impl Into<String>) -> Self {
        Replay { prefix: prefix.into(), ..self }
    }

    /// Only what was written within a range of time: `from..to`.
    pub fn during(self, range: impl RangeBounds<Timestamp>) -> Self {
        let after = |at: &Timestamp| Timestamp::from_nanos(at.nanos().saturating_add(1));
        let from = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => after(at),
            Bound::Unbounded => Timestamp::EARLIEST,
        };
        let until = match range.end_bound() {
            Bound::Included(at) => Some(after(at)),
            Bound::Excluded(at) => Some(*at),
            Bound::Unbounded => None,
        };
        Replay { from, until, ..self }
    }

    /// At another speed.
    pub fn speed(self, speed: Speed) -> Self {
        Replay { speed, ..self }
    }

    pub(super) async fn into<R, T>(self, runtime: &R, producer: Producer<T>) -> Result<Replayed, ReplayError>
    where
        R: Runtime + SpawnBlocking,
        T: DeserializeOwned + Clone + Send + 'static,
    {
        if let Speed::Times(times) = self.speed
            && !(times.is_finite() && times > 0.0)
        {
            return Err(ReplayError::Speed(times));
        }
        let ctx = RuntimeContext::new(runtime.clone(), "replay");
        let Replay { store, namespace, prefix, from, until, speed } = self;
        let opened = runtime.spawn_blocking(move || -> Result<(Subscription, Timestamp), StoreError> {
            // What is written from now on is not the past: a record that is kept would be fed with itself.
            let now = store.subscribe(&namespace, &prefix, Start::Now)?.position();
            let end = Timestamp::from_nanos(now.nanos().saturating_add(1));
            Ok((store.subscribe(&namespace, &prefix, Start::At(from))?, until.map_or(end, |until| until.min(end))))
        });
        let (mut past, until) = opened.await??;
        let begun = runtime.now();
        let mut first = None;
        let mut replayed = Replayed::default();
        loop {
            let read = runtime.spawn_blocking(move || (read(&mut past, until), past)).await?;
            past = read.1;
            let page = read.0?;
            if page.is_empty() {
                return Ok(replayed);
            }
            for KeyedVersion { version, .. } in page {
                match speed {
                    Speed::Times(times) => {
                        let since = version.timestamp.nanos() - first.get_or_insert(version.timestamp).nanos();
                        let since = Duration::from_nanos(u64::try_from(since).unwrap_or(0));
                        // Of the first one, so that pauses do not add up what each is late.
                        let after = Duration::try_from_secs_f64(since.as_secs_f64() / times).unwrap_or(Duration::MAX);
                        runtime.sleep_until(begun.after(after)).await;
                    }
                    Speed::Unpaced => ctx.yield_now().await,
                }
                if version.deleted {
                    replayed.deletions += 1;
                    continue;
                }
                match version.value.deserialize_into::<T>() {
                    Ok(value) => {
                        if producer.send(value).await.is_err() {
                            let record = producer.record().to_string();
                            return Err(ReplayError::Closed { record, values: replayed.values });
                        }
                        replayed.values += 1;
                    }
                    Err(why) => {
                        replayed.failed += 1;
                        replayed.last_error = Some(why.to_string());
                    }
                }
            }
        }
    }
}

/// The next versions before `until`.
fn read(past: &mut Subscription, until: Timestamp) -> Result<Vec<KeyedVersion>, StoreError> {
    let mut page = Vec::new();
    while page.len() < PAGE
        && let Some(next) = past.try_next()?
        && next.version.timestamp < until
    {
        page.push(next);
    }
    Ok(page)
}
