//! A directory of Node's file system as the place of a database: the files, and so the format, are those of the native store.

use anabranch::redb::{Medium, Place};
use js_sys::Reflect;
use std::{
    cell::RefCell,
    io::{self, ErrorKind},
    sync::Arc,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What js/files.js makes of Node's `fs`, for one directory. Files are numbers there.
    #[derive(Debug, Clone)]
    pub type Files;

    /// The database's file; -1 where there is none.
    #[wasm_bindgen(method, catch)]
    fn open(this: &Files) -> Result<i32, JsValue>;

    /// An empty file that can take its place.
    #[wasm_bindgen(method, catch)]
    fn spare(this: &Files) -> Result<i32, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn publish(this: &Files) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn size(this: &Files, file: i32) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn taken(this: &Files, file: i32) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &Files, file: i32, into: &mut [u8], at: f64) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn write(this: &Files, file: i32, bytes: &[u8], at: f64) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn truncate(this: &Files, file: i32, size: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn sync(this: &Files, file: i32) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    fn close(this: &Files, file: i32);

    /// The directory is not needed any more.
    #[wasm_bindgen(method)]
    fn leave(this: &Files);
}

thread_local! {
    /// The directories of this thread: what the host gives out cannot leave it. A place holds the number of its own.
    static PLACES: RefCell<slab::Slab<Files>> = const { RefCell::new(slab::Slab::new()) };
}

/// A directory that is left when this, and all files of it, are dropped.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Number>);

#[derive(Debug)]
struct Number(usize);

impl Directory {
    pub fn new(files: Files) -> Self {
        Directory(Arc::new(Number(PLACES.with_borrow_mut(|places| places.insert(files)))))
    }

    fn with<T>(&self, work: impl FnOnce(&Files) -> Result<T, JsValue>) -> io::Result<T> {
        let files = PLACES.with_borrow(|places| places.get(self.0.0).cloned());
        let files = files.ok_or_else(|| io::Error::other("the directory belongs to another thread"))?;
        work(&files).map_err(|error| of_host(&error))
    }

    fn file(&self, number: i32) -> Arc<dyn Medium> {
        Arc::new(File { directory: self.clone(), number })
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let files = PLACES.try_with(|places| places.borrow_mut().try_remove(self.0));
        if let Ok(Some(files)) = files {
            files.leave();
        }
    }
}

impl Place for Directory {
    fn medium(&self) -> io::Result<Option<Arc<dyn Medium>>> {
        Ok(match self.with(Files::open)? {
            number if number < 0 => None,
            number => Some(self.file(number)),
        })
    }

    fn spare(&self) -> io::Result<Arc<dyn Medium>> {
        Ok(self.file(self.with(Files::spare)?))
    }

    fn publish(&self) -> io::Result<()> {
        self.with(Files::publish)
    }
}

#[derive(Debug)]
struct File {
    directory: Directory,
    number: i32,
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing can be done about a file that does not close.
        let _ = self.directory.with(|files| {
            files.close(self.number);
            Ok(())
        });
    }
}

impl Medium for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.directory.with(|files| files.size(self.number))? as u64)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            let at = (offset + done as u64) as f64;
            match self.directory.with(|files| files.read(self.number, &mut into[done..], at))? as usize {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = (offset + done as u64) as f64;
            match self.directory.with(|files| files.write(self.number, &bytes[done..], at))? as usize {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => done += written,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.directory.with(|files| files.truncate(self.number, len as f64))
    }

    fn sync(&self) -> io::Result<()> {
        self.directory.with(|files| files.sync(self.number))
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.directory.with(|files| files.taken(self.number))? as u64)
    }
}

/// What Node has thrown, by its code.
fn of_host(error: &JsValue) -> io::Error {
    let text = |name: &str| Reflect::get(error, &name.into()).ok().and_then(|text| text.as_string());
    let kind = match text("code").as_deref() {
        Some("ENOSPC") => ErrorKind::StorageFull,
        Some("EDQUOT") => ErrorKind::QuotaExceeded,
        Some("EFBIG") => ErrorKind::FileTooLarge,
        Some("EACCES" | "EPERM") => ErrorKind::PermissionDenied,
        Some("EROFS") => ErrorKind::ReadOnlyFilesystem,
        Some("ENOENT") => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, text("message").unwrap_or_else(|| format!("{error:?}")))
}
