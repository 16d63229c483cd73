//! The demo's past: what it measures is kept in a directory, which one demo at a time has.

use std::{
    env,
    num::NonZeroU64,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anabranch::{
    TokioAdapter, keep,
    prelude::*,
    store::{BackendError, Lifecycle, Options, Retention, Store, StoreError},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    arguments::Demo,
    failure::Failure,
    flow,
    look::count,
    readings::{Alert, Cpu, Disk, Level, Load, Memory, Network, Reading, Seen, Temperature, Value, bytes},
    timestamp::Timestamp,
};

/// A store that is the demo's while it runs, and how large it was when it was looked at last.
#[derive(Debug, Clone)]
pub struct Past {
    pub store: Store,
    pub directory: PathBuf,
    extent: Arc<Mutex<Extent>>,
}

/// How much is kept, and how far back it goes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extent {
    pub versions: u64,
    /// When the oldest was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    pub disk_bytes: u64,
    /// How long ago that was when it was looked.
    #[serde(skip)]
    pub age: Duration,
}

/// How far back the view goes at its start.
const RECALLED: usize = 120;

/// How many versions of each key are kept: at one a second, those of a day. With as many keys as a demo has, that is some 60 MB at
/// most; and a demo of last week is remembered by the next, however long ago it was.
pub const KEPT: NonZeroU64 = NonZeroU64::new(86_400).unwrap();

/// After this time versions are compressed.
const COLD_AFTER: Duration = Duration::from_secs(600);

/// How often is looked whether there are some to compress, or to drop.
pub const MAINTAINED: Duration = Duration::from_secs(60);

impl Past {
    /// Opens the directory that was named, or else the user's; and what is to be said about it. One that was named and cannot be
    /// had is an error; where the user's cannot be, as another demo has it, this one runs and keeps nothing.
    pub async fn open(demo: &Demo, runtime: &TokioAdapter) -> Result<(Option<Self>, Option<String>), Failure> {
        if demo.no_data {
            return Ok((None, None));
        }
        let Some(directory) = demo.data.clone().or_else(of_the_user) else {
            return Ok((None, Some("nothing is kept: there is no home directory; name one with `--data`".into())));
        };
        let lifecycle = Lifecycle { cold_after: COLD_AFTER, ..Lifecycle::default() };
        let options = Options::new(keep::clock(runtime)).lifecycle(lifecycle);
        match keep::on_disk(runtime, &directory, options).await.and_then(|store| bounded(store, KEPT)) {
            Ok(store) => {
                let past = Past::of(store, directory);
                past.look(runtime).await;
                Ok((Some(past), None))
            }
            Err(source) if demo.data.is_some() => Err(Failure::Past { directory, source: source.into() }),
            Err(StoreError::Backend(BackendError::InUse)) => {
                let in_use = "nothing is kept: another demo keeps its readings; name another place with `--data`";
                Ok((None, Some(in_use.into())))
            }
            Err(why) => Ok((None, Some(format!("nothing is kept in {}: {why}", directory.display())))),
        }
    }

    /// What is kept in a directory, or would be.
    pub fn of(store: Store, directory: PathBuf) -> Self {
        Past { store, directory, extent: Arc::default() }
    }

    /// Looks how large it is. What cannot be read is as it was.
    pub async fn look(&self, runtime: &TokioAdapter) {
        let store = self.store.clone();
        let Ok(Ok(stats)) = runtime.spawn_blocking(move || store.stats()).await else { return };
        let since = stats.oldest.and_then(|oldest| u64::try_from(oldest.nanos()).ok()).map(Duration::from_nanos);
        let age = since.map_or(Duration::ZERO, |since| runtime.unix_time().unwrap_or(since).saturating_sub(since));
        let extent = Extent {
            versions: stats.total_versions,
            since: since.map(Timestamp::from_unix),
            disk_bytes: stats.disk_bytes,
            age,
        };
        *self.extent.lock().unwrap_or_else(PoisonError::into_inner) = extent;
    }

    /// How large it was when it was looked at last.
    pub fn extent(&self) -> Extent {
        *self.extent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What demos before this one saw last: the oldest first.
    pub async fn recall(&self, runtime: &TokioAdapter) -> Vec<Seen> {
        let past = self.clone();
        runtime.spawn_blocking(move || past.recalled()).await.unwrap_or_default()
    }

    /// The same, on a thread that may wait.
    pub fn recalled(&self) -> Vec<Seen> {
        let (store, mut all) = (&self.store, Vec::new());
        let recall = &mut all;
        values::<Cpu>(store, flow::CPU, recall);
        values::<Memory>(store, flow::MEMORY, recall);
        values::<Disk>(store, flow::DISK, recall);
        values::<Network>(store, flow::NETWORK, recall);
        values::<Temperature>(store, flow::TEMPERATURE, recall);
        values::<Load>(store, flow::LOAD, recall);
        values::<Level>(store, flow::LEVELS, recall);
        values::<Level>(store, flow::SMOOTH, recall);
        values::<Alert>(store, flow::ALERTS, recall);
        all.sort_by_key(|seen| seen.time);
        all
    }
}

impl Extent {
    /// For people.
    pub fn in_words(&self) -> String {
        let Extent { versions, since, disk_bytes, age } = self;
        let back = since.map_or_else(String::new, |_| format!(" of the last {}", length(*age)));
        let plural = if *versions == 1 { "" } else { "s" };
        let most = count(KEPT.get());
        format!("{versions} version{plural}{back} ({most} a key at most), {} on disk", bytes(*disk_bytes as f64))
    }
}

/// A store that keeps so many versions of each key that a demo has.
pub fn bounded(store: Store, versions: NonZeroU64) -> Result<Store, StoreError> {
    let retention = Retention::Last(versions);
    for record in flow::KEPT {
        if store.retention(record)? != retention {
            store.set_retention(record, retention)?;
        }
    }
    Ok(store)
}

/// Where the demo keeps what it measures when no place is named.
fn of_the_user() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    Some(state.or_else(|| Some(env::home_dir()?.join(".local/state")))?.join("anabranch/demo"))
}

/// A length of time by its largest unit.
fn length(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The newest values of a record, of each of its keys. What another version of the demo kept otherwise is passed over.
fn values<T: DeserializeOwned + Into<Value>>(store: &Store, record: &'static str, into: &mut Vec<Seen>) {
    let keys = store.list_keys(record, "", None, None, RECALLED).map_or_else(|_| Vec::new(), |page| page.items);
    for key in keys {
        let Ok(page) = store.history(record, &key, .., RECALLED) else { continue };
        let readings = page.items.iter().filter_map(|version| version.value.deserialize_into::<Reading<T>>().ok());
        into.extend(readings.map(|Reading { time, value }| Seen { record, time, value: value.into() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Machine, OPTIONS, Written};
    use anabranch::store::Memory;
    use anabranch_sim::Sim;
    use std::error::Error;

    #[test]
    fn however_long_it_measures_what_it_keeps_is_bounded() {
        const FEW: NonZeroU64 = NonZeroU64::new(100).unwrap();
        let mut sim = Sim::new(11);
        let adapter = sim.adapter();
        let store = Store::open(Memory::new(), Options::new(keep::clock(&adapter))).unwrap();
        let store = bounded(store, FEW).unwrap();
        let kept = store.clone();
        let measuring = sim.block_on(async move {
            let builder = Anabranch::builder().runtime(adapter).with_store(kept.clone()).with_lifecycle(MAINTAINED);
            let machine = Machine::new(builder, flow::Options { keep: true, ..OPTIONS }).await?;
            machine.db.start();
            for second in 0..900 {
                machine.measure(Written { cpu: 50.0, memory: f64::from(second % 60), celsius: 40.0 }).await;
            }
            assert!(machine.db.keeps().iter().all(|keep| flow::KEPT.contains(&&*keep.namespace)));
            let _ = machine.db.shutdown(Duration::from_secs(10)).await;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
        measuring.unwrap().unwrap();
        // What came since it was last looked is there as well.
        let most = usize::try_from(FEW.get() + 2 * MAINTAINED.as_secs()).unwrap();
        for (record, key) in [("cpu", "cpu"), ("levels", "memory"), ("smooth", "temperature"), ("load", "load")] {
            let count = store.history(record, key, .., 10_000).unwrap().items.len();
            assert!((100..=most).contains(&count), "{count} of {record} {key}");
        }
        let stats = store.stats().unwrap();
        assert!(stats.deep.versions > 9 * (900 - most as u64), "{stats:?}");
        assert!(store.verify(&mut |_| ()).unwrap().is_whole());
    }

    #[test]
    fn an_extent_is_said_by_its_largest_units() {
        let extent = |versions, age| Extent {
            versions,
            since: Some(Timestamp::from_unix(Duration::from_secs(1))),
            disk_bytes: 1 << 20,
            age: Duration::from_secs(age),
        };
        assert_eq!(Extent::default().in_words(), "0 versions (86,400 a key at most), 0.0 KiB on disk");
        assert_eq!(extent(1, 3).in_words(), "1 version of the last 3 s (86,400 a key at most), 1.0 MiB on disk");
        assert_eq!(extent(2, 600).in_words(), "2 versions of the last 10 min (86,400 a key at most), 1.0 MiB on disk");
        assert_eq!(extent(2, 10_000).in_words(), "2 versions of the last 2 h (86,400 a key at most), 1.0 MiB on disk");
        assert_eq!(
            extent(2, 259_200).in_words(),
            "2 versions of the last 3 days (86,400 a key at most), 1.0 MiB on disk"
        );
    }
}
