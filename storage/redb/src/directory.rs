//! Where the database's files lie: a directory that this process has alone.

use crate::lease::Lease;
use anabranch_medium::{Medium, Place};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file of the database.
const DATABASE: &str = "store.redb";
/// What is to become it.
const SPARE: &str = "store.redb.new";
/// Who has it locked has the database open. It stays when nobody has.
const LOCK: &str = "LOCK";

/// Whether there is a database's file in a directory, or none can be looked for there.
pub(crate) fn may_be_at(directory: &Path) -> bool {
    directory.join(DATABASE).try_exists().unwrap_or(true)
}

/// A directory that this process, alone, has a database open in. The operating system ends the lock with the process.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Before the lock: whoever gets that one finds no lease.
    _lease: Lease,
    _lock: File,
}

/// Why a directory could not be taken.
pub(crate) enum NotTaken {
    InUse,
    Io(PathBuf, io::Error),
}

impl Directory {
    /// Makes the directory if there is none, and locks it.
    pub(crate) fn take(path: &Path) -> Result<Self, NotTaken> {
        let failed = |at: PathBuf| |error| NotTaken::Io(at, error);
        std::fs::create_dir_all(path).map_err(failed(path.into()))?;
        let at = path.join(LOCK);
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(&at).map_err(failed(at.clone()))?;
        match lock.try_lock() {
            Ok(()) => match Lease::take(path).map_err(failed(path.into()))? {
                Some(lease) => Ok(Directory { path: path.into(), _lease: lease, _lock: lock }),
                None => Err(NotTaken::InUse),
            },
            Err(TryLockError::WouldBlock) => Err(NotTaken::InUse),
            Err(TryLockError::Error(error)) => Err(NotTaken::Io(at, error)),
        }
    }
}

impl Place for Directory {
    fn medium(&self) -> io::Result<Option<Arc<dyn Medium>>> {
        match OpenOptions::new().read(true).write(true).open(self.path.join(DATABASE)) {
            Ok(file) => Ok(Some(Arc::new(OnDisk(file)))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn spare(&self) -> io::Result<Arc<dyn Medium>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.path.join(SPARE))?;
        Ok(Arc::new(OnDisk(file)))
    }

    fn publish(&self) -> io::Result<()> {
        std::fs::rename(self.path.join(SPARE), self.path.join(DATABASE))?;
        // The name, too, has to survive; only Unix has directories that can be synced.
        #[cfg(unix)]
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }
}

#[derive(Debug)]
struct OnDisk(File);

impl Medium for OnDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, into, offset)
    }

    /// There are no files to be opened here, and so none to be read.
    #[cfg(not(any(unix, windows)))]
    fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    #[cfg(windows)]
    fn read(&self, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.0, into, offset)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            offset += read as u64;
            into = &mut into[read..];
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(not(any(unix, windows)))]
    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    #[cfg(windows)]
    fn write(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)?;
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn taken(&self) -> io::Result<u64> {
        let of_file = self.0.metadata()?;
        // A file that has grown ahead of what is in it has holes.
        #[cfg(unix)]
        return Ok(std::os::unix::fs::MetadataExt::blocks(&of_file) * 512);
        #[cfg(not(unix))]
        Ok(of_file.len())
    }
}
