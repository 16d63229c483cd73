//! A database in the origin private file system: two files, a log and a tree, open as long as it is.
//!
//! Only dedicated workers have what this needs, and of all of them one alone has a file open.

use crate::{
    OpfsBackend, Options,
    host::{failed, of_exception},
};
use anabranch_medium::Medium;
use anabranch_store::BackendError;
use js_sys::{Array, Object, Promise};
use slab::Slab;
use std::{
    cell::RefCell,
    io::{Error, ErrorKind, Result},
    sync::Arc,
};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[derive(Debug)]
    type Handle;

    #[wasm_bindgen(method, catch, js_name = getSize)]
    fn size(this: &Handle) -> std::result::Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &Handle, into: &mut [u8], place: &Place) -> std::result::Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn write(this: &Handle, bytes: &[u8], place: &Place) -> std::result::Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn truncate(this: &Handle, size: f64) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn flush(this: &Handle) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn close(this: &Handle) -> std::result::Result<(), JsValue>;

    /// `{ at: number }`, which reading and writing take.
    #[derive(Debug)]
    type Place;

    #[wasm_bindgen(method, setter, js_name = at)]
    fn set_at(this: &Place, at: f64);
}

/// A handle, and where it reads and writes next: one object for all calls.
#[derive(Debug)]
struct Opened {
    handle: Handle,
    place: Place,
}

thread_local! {
    /// The handles of all databases. They stand here, and not in these, because what the host gives out cannot leave its
    /// thread; a medium holds the number of its own.
    static OPENED: RefCell<Slab<Opened>> = const { RefCell::new(Slab::new()) };
}

/// A file that this worker has open.
#[derive(Debug)]
struct OpfsMedium(usize);

impl OpfsMedium {
    fn new(handle: Handle) -> Self {
        let place = Object::new().unchecked_into();
        OpfsMedium(OPENED.with_borrow_mut(|opened| opened.insert(Opened { handle, place })))
    }

    fn with<R>(&self, call: impl FnOnce(&Opened) -> std::result::Result<R, JsValue>) -> Result<R> {
        OPENED.with_borrow(|opened| match opened.get(self.0) {
            Some(opened) => call(opened).map_err(|exception| of_exception(&exception)),
            None => Err(Error::other("another worker has opened the file: use it there")),
        })
    }
}

impl Medium for OpfsMedium {
    fn len(&self) -> Result<u64> {
        self.with(|opened| Ok(opened.handle.size()? as u64))
    }

    fn read(&self, mut offset: u64, mut into: &mut [u8]) -> Result<()> {
        while !into.is_empty() {
            let read = self.with(|opened| {
                opened.place.set_at(offset as f64);
                opened.handle.read(into, &opened.place)
            })?;
            if read < 1.0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            offset += read as u64;
            into = into.get_mut(read as usize..).unwrap_or_default();
        }
        Ok(())
    }

    fn write(&self, mut offset: u64, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.with(|opened| {
                opened.place.set_at(offset as f64);
                opened.handle.write(bytes, &opened.place)
            })?;
            // At the quota Chromium throws nothing, and gives the system's error as if it were a number of bytes: 4294967288.
            if written > bytes.len() as f64 {
                return Err(ErrorKind::QuotaExceeded.into());
            }
            if written < 1.0 {
                return Err(ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            bytes = bytes.get(written as usize..).unwrap_or_default();
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.with(|opened| opened.handle.truncate(len as f64))?;
        // Nor does it say that it has left the file as it was.
        if self.len()? == len { Ok(()) } else { Err(ErrorKind::QuotaExceeded.into()) }
    }

    fn sync(&self) -> Result<()> {
        self.with(|opened| opened.handle.flush())
    }

    fn taken(&self) -> Result<u64> {
        self.len()
    }
}

impl Drop for OpfsMedium {
    fn drop(&mut self) {
        // The table is gone when the instance is.
        let opened = OPENED.try_with(|opened| opened.borrow_mut().try_remove(self.0));
        if let Ok(Some(Opened { handle, .. })) = opened {
            // There is nobody to tell; what was written and synced is there.
            let _ = handle.close();
        }
    }
}

/// Opens the database in two files of the origin private file system, or makes one there if both are empty: in a dedicated worker, which
/// has it alone until the backend and all its views are dropped, or the worker ends. `files` is a promise of an array of two
/// `FileSystemSyncAccessHandle`s, of the log and of the tree, so that a host can be on its way there while it still loads the program. They
/// are closed when they are not needed any more, also after an error.
///
/// # Errors
/// [`BackendError`]: what `files` was rejected with, by its name, so [`InUse`](BackendError::InUse) while another worker, of any tab, has
/// one of them open; [`Io`](BackendError::Io) where they are no such handles; and those of [`OpfsBackend::open`].
pub async fn open_opfs(files: Promise, options: Options) -> std::result::Result<OpfsBackend, BackendError> {
    let files: Array = JsFuture::from(files).await.map_err(|error| failed(&error))?.unchecked_into();
    let [log, tree] = [0, 1].map(|place| OpfsMedium::new(files.get(place).unchecked_into()));
    OpfsBackend::open(Arc::new(log), Arc::new(tree), options)
}
