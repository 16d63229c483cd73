//! The socket of a node's directory: one node has it, only this user may talk over it, and a crash does not leave it behind.
//!
//! Who holds the lock on `node.lock` has the directory. The operating system gives the lock back when a process ends, however
//! it ends; so a `node.sock` that is there when the lock was had is a leftover, and is replaced.

use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};
use tokio::net::UnixListener;

const SOCKET: &str = "node.sock";
const LOCK: &str = "node.lock";

/// How many connections may wait to be taken.
const BACKLOG: i32 = 128;

/// Why a node could not have its directory.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another node has it.
    #[error("another node runs on {}: end that one, or set another `data`", .0.display())]
    Taken(PathBuf),
    /// It, or a file in it, cannot be made.
    #[error("{} cannot be made or opened ({source}): let this user write there, or set another `data`", .path.display())]
    Directory {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("{} cannot be listened on ({source}): set `data` to a shorter path, or to one on a local disk", .path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The socket of the directory `data`.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join(SOCKET)
}

/// A directory that is this node's until it is dropped.
pub(crate) struct Owned {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Its lock ends with it, after the socket has gone.
    _lock: File,
}

impl Owned {
    /// Takes the directory `data`, which is made if it is not there, for this user alone.
    pub(crate) fn take(data: &Path) -> Result<Self, SocketError> {
        let fails = |path: &Path, source| SocketError::Directory { path: path.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| fails(data, error))?;
        let lock_path = data.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
        let lock = lock.map_err(|error| fails(&lock_path, error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => SocketError::Taken(data.into()),
            TryLockError::Error(error) => fails(&lock_path, error),
        })?;
        let path = path(data);
        // Where locks do not reach (some network disks), a socket that answers still says that somebody is there.
        if UnixStream::connect(&path).is_ok() {
            return Err(SocketError::Taken(data.into()));
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fails(&path, error)),
            _ => {}
        }
        let listener = listen(&path).map_err(|source| SocketError::Listen { path: path.clone(), source })?;
        Ok(Owned { listener, path, _lock: lock })
    }
}

/// Nobody can connect before `listen`, and by then the socket is this user's alone.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Should that fail, the next node replaces it.
        let _ = fs::remove_file(&self.path);
    }
}
