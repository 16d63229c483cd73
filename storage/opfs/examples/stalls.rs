//! How long commits, checkpoints and opening take: `cargo run --profile shipped -p anabranch-opfs --example stalls -- DIRECTORY`.
//!
//! The syncs are those of the directory's disk; `/dev/shm` has none, and shows what is the engine's own.

use anabranch_medium::Medium;
use anabranch_opfs::{OpfsBackend, Options};
use anabranch_store::{Backend, Batch, Durability, Table, View};
use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{Read, Result, Seek, SeekFrom, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

#[derive(Debug)]
struct OnDisk(Mutex<File>);

impl OnDisk {
    fn open(path: &Path) -> Result<Arc<dyn Medium>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Arc::new(OnDisk(Mutex::new(file))))
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for OnDisk {
    fn len(&self) -> Result<u64> {
        Ok(self.file().metadata()?.len())
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(into)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file().set_len(len)
    }

    fn sync(&self) -> Result<()> {
        self.file().sync_data()
    }

    fn taken(&self) -> Result<u64> {
        self.len()
    }
}

/// The rows that a version of the store has, of about 250 bytes.
fn version(batch: &mut Batch, number: u64, keys: u64) {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys;
    batch.clear();
    batch.put(Table::Versions, &[key.to_be_bytes(), number.to_be_bytes()].concat(), &[7; 100]);
    batch.put(Table::Times, &number.to_be_bytes(), &key.to_be_bytes());
    batch.put(Table::Keys, format!("sensor/{key:08}").as_bytes(), &[3; 21]);
    batch.put(Table::Namespaces, b"plant", &[1; 20]);
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("say in which directory")?;
    for keys in [10, 100_000] {
        let at = |name: &str| Path::new(&directory).join(format!("{name}-{keys}"));
        let open = || -> std::result::Result<OpfsBackend, Box<dyn Error>> {
            Ok(OpfsBackend::open(OnDisk::open(&at("log"))?, OnDisk::open(&at("tree"))?, Options::default())?)
        };
        let backend = open()?;
        let mut batch = Batch::new();
        let mut took: Vec<Duration> = Vec::new();
        for number in 0..200_000 {
            version(&mut batch, number, keys);
            let begun = Instant::now();
            backend.commit(&batch, Durability::Relaxed)?;
            took.push(begun.elapsed());
        }
        let all: Duration = took.iter().sum();
        took.sort_unstable();
        let at_share = |per_mille: usize| took[(took.len() - 1) * per_mille / 1000].as_secs_f64() * 1e6;
        println!(
            "{keys} keys: {:.1} µs a commit; half of them within {:.1} µs, 99.9 % within {:.0} µs, the longest {:.1} ms; {} MiB",
            all.as_secs_f64() * 1e6 / took.len() as f64,
            at_share(500),
            at_share(999),
            at_share(1000) / 1e3,
            backend.usage()?.disk >> 20,
        );
        let mut durable: Vec<Duration> = Vec::new();
        for number in 200_000..201_000 {
            version(&mut batch, number, keys);
            let begun = Instant::now();
            backend.commit(&batch, Durability::Immediate)?;
            durable.push(begun.elapsed());
        }
        durable.sort_unstable();
        println!("  a durable one: {:.0} µs in the middle", durable[500].as_secs_f64() * 1e6);
        drop(backend);
        let begun = Instant::now();
        let backend = open()?;
        println!("  opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
        let view = backend.view()?;
        let begun = Instant::now();
        let mut found = 0;
        for number in (0..200_000_u64).step_by(7) {
            view.get(Table::Times, &number.to_be_bytes(), &mut |_| found += 1)?;
        }
        println!("  {:.2} µs to read a row", begun.elapsed().as_secs_f64() * 1e6 / f64::from(found));
        std::fs::remove_file(at("log"))?;
        std::fs::remove_file(at("tree"))?;
    }
    Ok(())
}
