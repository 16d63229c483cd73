//! A directory for a database that counts its syncs, how often it grows, and the bytes that are read.

use anabranch_redb::{Medium, Options, Place, RedbBackend};
use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What was counted. Clones are one count.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<[AtomicU64; 3]>);

impl Counts {
    pub fn syncs(&self) -> u64 {
        self.0[0].load(Ordering::SeqCst)
    }

    /// How often the file was made longer: redb syncs each once, whatever is written.
    pub fn grown(&self) -> u64 {
        self.0[2].load(Ordering::SeqCst)
    }

    /// Bytes that were read.
    pub fn read(&self) -> u64 {
        self.0[1].load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Counted(PathBuf, Counts);

/// Opens a database whose syncs and reads are counted.
pub fn open(directory: &Path, counts: &Counts) -> RedbBackend {
    let place = Counted(directory.into(), counts.clone());
    RedbBackend::open_at(place, Options::default()).expect("the database opens")
}

impl Counted {
    fn medium(&self, name: &str, options: &mut OpenOptions) -> io::Result<Arc<dyn Medium>> {
        Ok(Arc::new(CountedFile(options.read(true).write(true).open(self.0.join(name))?, self.1.clone())))
    }
}

impl Place for Counted {
    fn medium(&self) -> io::Result<Option<Arc<dyn Medium>>> {
        match self.medium("store", &mut OpenOptions::new()) {
            Ok(medium) => Ok(Some(medium)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn spare(&self) -> io::Result<Arc<dyn Medium>> {
        self.medium("spare", OpenOptions::new().create(true).truncate(true))
    }

    fn publish(&self) -> io::Result<()> {
        std::fs::rename(self.0.join("spare"), self.0.join("store"))?;
        File::open(&self.0)?.sync_all()
    }
}

#[derive(Debug)]
struct CountedFile(File, Counts);

impl Medium for CountedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.1.0[1].fetch_add(into.len() as u64, Ordering::SeqCst);
        self.0.read_exact_at(into, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > Medium::len(self)? {
            self.1.0[2].fetch_add(1, Ordering::SeqCst);
        }
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.0[0].fetch_add(1, Ordering::SeqCst);
        self.0.sync_data()
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.blocks() * 512)
    }
}
