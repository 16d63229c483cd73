//! The lease of a directory: a file that says, to programs that know no locks of the operating system, that it is taken.
//!
//! Node's `fs` has no locks. So whoever has a database open, Node or not, keeps a file `LEASE` beside it that nobody else has made, and
//! touches it every two seconds; one that was not touched for ten is of a process that is gone. Among native processes the lock
//! decides, which ends with its process: a lease that one of those has left behind holds up none of them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

const LEASE: &str = "LEASE";
/// How old a lease is at most while its owner lives.
const LAPSES: Duration = Duration::from_secs(10);
const RENEWED_EVERY: Duration = Duration::from_secs(2);
/// How a lease of a process begins that has the lock, too.
const NATIVE: &[u8] = b"native ";

/// A lease that is renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
    ends: Arc<(Mutex<bool>, Condvar)>,
    renewing: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lease of a directory whose lock this process has; none while a process without locks has it.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn take(directory: &Path) -> io::Result<Option<Self>> {
        let path = directory.join(LEASE);
        let file = loop {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            match is_held(&path) {
                Ok(true) => return Ok(None),
                Ok(false) => gone(fs::remove_file(&path))?,
                Err(error) => gone(Err(error))?,
            }
        };
        let whose = [NATIVE, std::process::id().to_string().as_bytes(), b"\n"].concat();
        if let Err(error) = (&file).write_all(&whose) {
            // An empty one would be taken for somebody's.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let ends = Arc::new((Mutex::new(false), Condvar::new()));
        // Without the thread it lapses: Node alone could then open the database, too, and is not held up by a lock.
        let renewing = thread::Builder::new().name("anabranch lease".into()).spawn({
            let ends = ends.clone();
            move || renew(&file, &ends)
        })?;
        Ok(Some(Lease { path, ends, renewing: Some(renewing) }))
    }
}

/// What is not there any more is as it should be.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn is_held(path: &Path) -> io::Result<bool> {
    if fs::read(path)?.starts_with(NATIVE) {
        return Ok(false);
    }
    let touched = fs::metadata(path)?.modified()?;
    // One of the future is a clock that was set: it lapses when that time has come, which nobody may want to wait for.
    Ok(SystemTime::now().duration_since(touched).is_ok_and(|age| age < LAPSES))
}

fn renew(file: &File, (ended, ends): &(Mutex<bool>, Condvar)) {
    let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    while !*ended {
        ended = ends.wait_timeout(ended, RENEWED_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        // A disk that takes no times now may do so in two seconds.
        let _ = file.set_modified(SystemTime::now());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.ends.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ends.1.notify_all();
        if let Some(renewing) = self.renewing.take() {
            // It ends: it waits for nothing else.
            let _ = renewing.join();
        }
        // What is left behind lapses.
        let _ = fs::remove_file(&self.path);
    }
}
