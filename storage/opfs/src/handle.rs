//! A medium of a browser: a file of the origin private file system, by the handle that a dedicated worker may have of it.

use anabranch_medium::Medium;
use js_sys::{JsString, Reflect};
use slab::Slab;
use std::{
    cell::RefCell,
    io::{self, ErrorKind},
    sync::Arc,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A file, open to be read and written without waiting.
    #[derive(Debug, Clone)]
    pub type FileSystemSyncAccessHandle;

    #[wasm_bindgen(method, catch, js_name = getSize)]
    fn get_size(this: &FileSystemSyncAccessHandle) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &FileSystemSyncAccessHandle, into: &mut [u8], at: &JsValue) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn write(this: &FileSystemSyncAccessHandle, bytes: &[u8], at: &JsValue) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn truncate(this: &FileSystemSyncAccessHandle, size: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn flush(this: &FileSystemSyncAccessHandle) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn close(this: &FileSystemSyncAccessHandle) -> Result<(), JsValue>;
}

thread_local! {
    /// The handles of this worker. They stand here because what the host gives out cannot leave its thread; a medium holds the
    /// number of its own.
    static HANDLES: RefCell<Slab<FileSystemSyncAccessHandle>> = const { RefCell::new(Slab::new()) };
}

/// A medium over a handle, which is closed when the medium is dropped.
#[must_use]
pub fn medium(handle: FileSystemSyncAccessHandle) -> Arc<dyn Medium> {
    Arc::new(Handle(HANDLES.with_borrow_mut(|handles| handles.insert(handle))))
}

#[derive(Debug)]
struct Handle(usize);

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&FileSystemSyncAccessHandle) -> Result<T, JsValue>) -> io::Result<T> {
        let handle = HANDLES.with_borrow(|handles| handles.get(self.0).cloned());
        let handle = handle.ok_or_else(|| io::Error::other("the file belongs to another worker"))?;
        work(&handle).map_err(|error| of_host(&error))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The table is gone when the worker is, and the host has closed the file then.
        let handle = HANDLES.try_with(|handles| handles.borrow_mut().try_remove(self.0));
        if let Ok(Some(handle)) = handle {
            // Nothing can be done about a file that does not close.
            let _ = handle.close();
        }
    }
}

impl Medium for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(FileSystemSyncAccessHandle::get_size)? as u64)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            let at = at(offset + done as u64);
            match self.with(|handle| handle.read(&mut into[done..], &at))? as usize {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = at(offset + done as u64);
            match self.with(|handle| handle.write(&bytes[done..], &at))? as usize {
                // Some hosts write less than was asked for when there is no more room, and throw nothing.
                0 => return Err(ErrorKind::StorageFull.into()),
                written => done += written,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|handle| handle.truncate(len as f64))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(FileSystemSyncAccessHandle::flush)
    }

    fn taken(&self) -> io::Result<u64> {
        self.len()
    }
}

/// `{ at: offset }`: numbers of JavaScript are exact up to 2^53.
fn at(offset: u64) -> JsValue {
    thread_local! {
        static AT: (js_sys::Object, JsString) = (js_sys::Object::new(), JsString::from("at"));
    }
    AT.with(|(options, name)| {
        // An object of one's own takes whatever is set.
        let _ = Reflect::set(options, name, &JsValue::from_f64(offset as f64));
        options.into()
    })
}

/// What the host has thrown, by its name.
fn of_host(error: &JsValue) -> io::Error {
    let text = |name: &str| Reflect::get(error, &name.into()).ok().and_then(|text| text.as_string());
    let (name, message) = (text("name").unwrap_or_default(), text("message").unwrap_or_default());
    let kind = match name.as_str() {
        "QuotaExceededError" => ErrorKind::QuotaExceeded,
        "NoModificationAllowedError" => ErrorKind::ResourceBusy,
        "NotFoundError" => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, format!("{name}: {message}"))
}
