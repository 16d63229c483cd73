//! An open database: calls come in, answers and events go out.

use crate::{
    code::Failure,
    follow::Followers,
    store::{self, Writing},
    wire::{Answer, Arguments},
};
use anabranch::{
    TimeSource, WasmAdapter,
    store::{Backend, Memory, Options, Store, Ticket, Timestamp},
};
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// Versions, or a record's values, for one who follows them.
    Items = 1,
    /// One who follows gets no more, and this is why.
    End = 2,
}

/// An open database.
#[wasm_bindgen]
pub struct Engine {
    store: Store,
    followers: Followers,
    emit: Function,
}

/// The host's clock, which it hands in milliseconds.
fn wall() -> Timestamp {
    let since_1970 = WasmAdapter::new().unix_time().unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX))
}

#[wasm_bindgen]
impl Engine {
    /// Opens a database in memory. `emit(kind, client, number, bytes)` is called with each event; it may not call the engine.
    ///
    /// # Errors
    /// An answer that says why not.
    pub fn memory(hot_bytes: usize, emit: Function) -> Result<Engine, Uint8Array> {
        Self::over(Memory::new(), hot_bytes, emit)
    }

    /// Opens a database on two files of the origin private file system, which are closed when the engine is dropped.
    ///
    /// # Errors
    /// An answer that says why not.
    #[cfg(feature = "opfs")]
    pub fn opfs(
        log: anabranch_opfs::handle::FileSystemSyncAccessHandle,
        tree: anabranch_opfs::handle::FileSystemSyncAccessHandle,
        hot_bytes: usize,
        emit: Function,
    ) -> Result<Engine, Uint8Array> {
        use anabranch_opfs::{OpfsBackend, handle::medium};

        // Both are closed whatever becomes of the one or the other.
        let (log, tree) = (medium(log), medium(tree));
        match OpfsBackend::open(log, tree, anabranch_opfs::Options::default()) {
            Ok(backend) => Self::over(backend, hot_bytes, emit),
            Err(error) => Err(Uint8Array::from(&*Answer::failed(&Failure::new(error.code(), error)))),
        }
    }

    /// Opens the database in a directory, which is left when the engine is dropped.
    ///
    /// # Errors
    /// An answer that says why not.
    #[cfg(feature = "file")]
    pub fn file(files: crate::file::Files, hot_bytes: usize, emit: Function) -> Result<Engine, Uint8Array> {
        let directory = crate::file::Directory::new(files);
        match anabranch::redb::RedbBackend::open_at(directory, anabranch::redb::Options::default()) {
            Ok(backend) => Self::over(backend, hot_bytes, emit),
            Err(error) => Err(Uint8Array::from(&*Answer::failed(&Failure::new(error.code(), error)))),
        }
    }

    /// Does what a client asks for, and gives the answer.
    pub fn call(&mut self, client: u32, call: &[u8]) -> Vec<u8> {
        let answer = self.answer(client, call);
        self.tell();
        answer
    }

    /// Does what a client asks for in several calls, of which writes that follow one another share a commit, and gives the
    /// answer of each.
    pub fn calls(&mut self, client: u32, calls: &Array) -> Array {
        let answers = Array::new();
        let mut written = Vec::new();
        let settle = |written: &mut Vec<(Ticket, Writing)>| {
            for (ticket, writing) in written.drain(..) {
                let answer = ticket.wait().map(|versions| store::written(&versions, writing));
                let answer = answer.unwrap_or_else(|error| Answer::failed(&error.into()));
                answers.push(&Uint8Array::from(&*answer));
            }
        };
        for call in calls.iter() {
            let call = Uint8Array::from(call).to_vec();
            match store::submitted(&self.store, &call) {
                Some(Ok(one)) => written.push(one),
                Some(Err(failure)) => {
                    settle(&mut written);
                    answers.push(&Uint8Array::from(&*Answer::failed(&failure)));
                }
                None => {
                    settle(&mut written);
                    answers.push(&Uint8Array::from(&*self.answer(client, &call)));
                }
            }
        }
        settle(&mut written);
        self.tell();
        answers
    }

    /// A client has gone: it follows nothing any more.
    pub fn forget(&mut self, client: u32) {
        self.followers.forget(client);
    }
}

impl Engine {
    /// Opens a database over a backend.
    pub(crate) fn over(
        backend: impl Backend + Send + Sync + 'static,
        hot_bytes: usize,
        emit: Function,
    ) -> Result<Engine, Uint8Array> {
        match Store::open(backend, Options::new(wall).hot_bytes(hot_bytes)) {
            Ok(store) => Ok(Engine { store, followers: Followers::default(), emit }),
            Err(error) => Err(Uint8Array::from(&*Answer::failed(&error.into()))),
        }
    }

    fn answer(&mut self, client: u32, call: &[u8]) -> Vec<u8> {
        self.done(client, call).unwrap_or_else(|failure| Answer::failed(&failure))
    }

    fn done(&mut self, client: u32, call: &[u8]) -> Result<Vec<u8>, Failure> {
        let arguments = &mut Arguments::of(call);
        let mut answer = Answer::done();
        match arguments.text("the call's name")? {
            "subscribe" => answer.time(self.followers.subscribe(&self.store, client, arguments)?),
            "more" => answer.flag(self.followers.more(client, arguments)?),
            "unfollow" => answer.flag(self.followers.leave(client, arguments)?),
            "again" => {
                let (since, call) = (arguments.parsed("since")?, arguments.bytes("the call")?);
                match store::done_since(&self.store, since, call)? {
                    Some(done) => return Ok(done),
                    None => return self.done(client, call),
                }
            }
            name => store::answer(&self.store, name, arguments, &mut answer)?,
        };
        Ok(answer.into_bytes())
    }

    /// Tells those who follow what there is for them.
    fn tell(&mut self) {
        let emit = &self.emit;
        self.followers.tell(&mut |event, client, id, bytes| {
            // What the host's function throws is its own affair: the database has done its work.
            let _ =
                emit.call4(&JsValue::NULL, &(event as u8).into(), &client.into(), &id.into(), &Uint8Array::from(bytes));
        });
    }
}
