//! The demo's past: what it measures is kept in a directory, which one demo at a time has.

use std::{
    env,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anabranch::{
    TokioAdapter, keep,
    prelude::*,
    store::{BackendError, Store, StoreError},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    arguments::Demo,
    failure::Failure,
    flow,
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
        match keep::on_disk(runtime, &directory).await {
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
        format!("{versions} version{plural}{back}, {} on disk", bytes(*disk_bytes as f64))
    }
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

    #[test]
    fn an_extent_is_said_by_its_largest_units() {
        let extent = |versions, age| Extent {
            versions,
            since: Some(Timestamp::from_unix(Duration::from_secs(1))),
            disk_bytes: 1 << 20,
            age: Duration::from_secs(age),
        };
        assert_eq!(Extent::default().in_words(), "0 versions, 0.0 KiB on disk");
        assert_eq!(extent(1, 3).in_words(), "1 version of the last 3 s, 1.0 MiB on disk");
        assert_eq!(extent(2, 600).in_words(), "2 versions of the last 10 min, 1.0 MiB on disk");
        assert_eq!(extent(2, 10_000).in_words(), "2 versions of the last 2 h, 1.0 MiB on disk");
        assert_eq!(extent(2, 259_200).in_words(), "2 versions of the last 3 days, 1.0 MiB on disk");
    }
}
