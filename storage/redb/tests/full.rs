//! A disk that is really full: a small one in memory, where this machine lets us mount it. Where it does not,
//! `killed.rs` has the same at the limit of a file's size.
#![cfg(target_os = "linux")]

use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{BackendError, Durability, Store, StoreError, Timestamp, VersionedValue};
use std::{
    error::Error,
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

type Outcome = Result<(), Box<dyn Error>>;

/// A disk of a few MiB.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where mounting is refused.
    fn mount(size: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "anabranch"]).arg(directory.path());
        match mount.stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(Some(SmallDisk(directory))),
            _ => Ok(None),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills what room there is, and gives back the file that takes it.
    fn fill(&self) -> Result<std::path::PathBuf, Box<dyn Error>> {
        let path = self.path().join("something else");
        let mut file = File::create(&path)?;
        while file.write_all(&[7; 4096]).is_ok() {}
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn open(directory: &Path) -> Result<Store, StoreError> {
    let options = anabranch_store::Options::new(|| Timestamp::from_nanos(1_000)).hot_bytes(0);
    Store::open(RedbBackend::open(directory.join("data"), Options::default())?, options)
}

fn is_there(store: &Store, versions: &[VersionedValue]) -> Outcome {
    let mut found = Vec::new();
    let mut before = Timestamp::LATEST;
    loop {
        let page = store.history("plant", "boiler", ..before, 100)?;
        found.extend(page.items);
        match page.next {
            Some(next) => before = next,
            None => break,
        }
    }
    found.reverse();
    assert_eq!(found, versions);
    Ok(())
}

#[test]
fn on_a_full_disk_the_error_reaches_the_caller_readers_go_on_and_writers_when_there_is_room() -> Outcome {
    let Some(disk) = SmallDisk::mount("4m")? else {
        println!("mounting is refused here: the limit of a file's size in `killed.rs` stands for it");
        return Ok(());
    };
    let store = open(disk.path())?;
    let relaxed = store.with_durability(Durability::Relaxed);
    let value = "y".repeat(3_000);
    let mut written = Vec::new();
    for round in 0..2 {
        let put = || store.put("plant", "boiler", value.as_str());
        for _ in 0..10 {
            written.push(put()?);
        }
        // Those are still in memory when the disk is full, and may not be lost by that.
        for _ in 0..3 {
            written.push(relaxed.put("plant", "boiler", value.as_str())?);
        }
        let snapshot = store.snapshot_at(Timestamp::LATEST)?;
        let filling = disk.fill()?;
        // A commit that failed leaves room that it had taken, so one after it may fit: it is full when several do not.
        let mut refused = 0;
        while refused < 5 {
            match put() {
                Ok(version) => {
                    written.push(version);
                    refused = 0;
                }
                Err(error) => {
                    assert_eq!(error, StoreError::Backend(BackendError::Full), "in round {round}");
                    assert!(error.to_string().contains("make room"), "{error}");
                    assert_eq!(store.get("plant", "boiler")?, written[written.len() - 1]);
                    refused += 1;
                }
            }
        }
        is_there(&store, &written)?;
        assert_eq!(snapshot.count(), 1);
        std::fs::remove_file(filling)?;
        written.push(put()?);
        is_there(&store, &written)?;
    }
    assert!(store.verify(&mut |_| ())?.is_whole());
    drop((store, relaxed));
    is_there(&open(disk.path())?, &written)
}

#[test]
fn no_database_is_left_half_made_on_a_full_disk() -> Outcome {
    let Some(disk) = SmallDisk::mount("1m")? else {
        println!("mounting is refused here");
        return Ok(());
    };
    let filling = disk.fill()?;
    let refused = open(disk.path()).map(drop);
    assert!(matches!(refused, Err(StoreError::Backend(BackendError::Full | BackendError::Io(_)))), "{refused:?}");
    std::fs::remove_file(filling)?;
    let written = open(disk.path())?.put("plant", "boiler", 1)?;
    is_there(&open(disk.path())?, &[written])
}
