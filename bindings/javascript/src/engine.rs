//! An open database: calls come in, answers and events go out.

use crate::{
    again::Before,
    code::Failure,
    follow::Followers,
    store::{self, Writing},
    transfer::Transfers,
    wire::{Answer, Arguments},
};
use anabranch::{
    TimeSource, WasmAdapter,
    store::{Backend, BackendError, Memory, Options, Store, StoreError, Ticket, Timestamp},
    wasm::{promise, watch_panics},
};
use js_sys::{Array, Function, Promise, Uint8Array};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
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

/// The host's function that is called with each event: `(kind, client, number, bytes)`.
#[derive(Clone)]
pub struct Emit(Function);

impl Emit {
    pub fn event(&self, event: Event, client: u32, number: u32, bytes: &[u8]) {
        let (kind, bytes) = (JsValue::from(event as u8), Uint8Array::from(bytes));
        // What the host's function throws is its own affair: the database has done its work.
        let _ = self.0.call4(&JsValue::NULL, &kind, &client.into(), &number.into(), &bytes);
    }
}

/// An open database.
#[wasm_bindgen]
pub struct Engine(Rc<Open>);

struct Open {
    desk: Desk,
    store: Store,
    followers: RefCell<Followers>,
    transfers: RefCell<Transfers>,
    before: RefCell<Before>,
    emit: Emit,
    /// Where a commit has to be waited for.
    #[cfg(feature = "opfs")]
    kept: Option<std::sync::Arc<anabranch_opfs::IndexedDb>>,
    #[cfg(feature = "records")]
    records: std::cell::OnceCell<crate::records::Records>,
}

/// Where a call and its answer lie in this instance's memory, which the host writes and reads: handed over, each would cost the host
/// more than most calls cost here.
struct Desk {
    call: RefCell<Vec<u8>>,
    answer: RefCell<Vec<u8>>,
    /// Where the call is to be written, how much room it has there, where the last answer is, and how long.
    places: Box<[Cell<usize>; 4]>,
}

impl Default for Desk {
    fn default() -> Self {
        let desk = Desk { call: RefCell::default(), answer: RefCell::default(), places: Box::default() };
        desk.make_room(1024);
        desk
    }
}

impl Desk {
    /// What is larger is given back, so that one huge value does not hold its memory for ever.
    const LARGE: usize = 1 << 20;

    fn make_room(&self, length: usize) {
        let call = &mut *self.call.borrow_mut();
        if call.capacity() > Self::LARGE {
            *call = Vec::new();
        }
        call.resize(length, 0);
        self.places[0].set(call.as_ptr().addr());
        self.places[1].set(call.len());
    }

    fn answered(&self, answer: Vec<u8>) {
        self.places[2].set(answer.as_ptr().addr());
        self.places[3].set(answer.len());
        *self.answer.borrow_mut() = answer;
    }
}

thread_local! {
    /// The last time that was handed out.
    static LAST: Cell<i64> = const { Cell::new(0) };
    static TURN: Cell<i64> = const { Cell::new(0) };
}

/// A commit of so many versions overlaps no other.
const COMMIT: i64 = 1000;
/// How many instances of one program may tell the time side by side.
const TURNS: i64 = 4;

/// Has this instance hand out times that those of other turns do not: of 0, which it has, to 3.
#[wasm_bindgen(js_name = takeTurn)]
pub fn take_turn(turn: u32) {
    TURN.set(i64::from(turn) % TURNS * COMMIT);
}

/// The host's clock. It hands out milliseconds, in which a program writes to several databases; so what is below them is counted,
/// over all databases of this instance, and instances take turns: two of them can be brought together, and a database has one version
/// at a time.
fn wall() -> Timestamp {
    const STEP: i64 = COMMIT * TURNS;
    let since_1970 = WasmAdapter::new().unix_time().unwrap_or_default();
    let now = i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX).saturating_add(TURN.get());
    // What was handed out counts within its millisecond, and not where the clock has been set back.
    let last = LAST.get();
    let counts = last >= now && last - now < 1_000_000 - STEP;
    let now = if counts { last + STEP } else { now };
    LAST.set(now);
    Timestamp::from_nanos(now)
}

/// Takes WebSockets of this constructor, where the host has none of its own.
#[cfg(feature = "mqtt")]
#[wasm_bindgen(js_name = useWebSocket)]
pub fn use_web_socket(constructor: Function) {
    anabranch::wasm::use_web_socket(constructor);
}

/// What the first panic of this instance said, if it has panicked.
#[wasm_bindgen]
pub fn panicked() -> Option<String> {
    anabranch::wasm::panicked().map(|panicked| panicked.to_string())
}

/// Ends this instance: the host has caught a trap that was no panic. Nothing of it runs any more.
#[wasm_bindgen]
pub fn poison(caught: &JsValue) {
    anabranch::wasm::poison(caught);
}

/// Is rejected when this instance panics, in whatever it does; and never resolved.
#[wasm_bindgen]
pub fn died() -> Promise {
    promise(std::future::pending())
}

#[wasm_bindgen]
impl Engine {
    /// Opens a database in memory. `emit(kind, client, number, bytes)` is called with each event; it may not call the engine.
    ///
    /// # Errors
    /// An answer that says why not.
    pub fn memory(hot_bytes: usize, emit: Function) -> Result<Engine, Uint8Array> {
        Self::over(Ok(Memory::new()), hot_bytes, emit)
    }

    /// Opens a database in two files of the origin private file system, which are promised: a log and a tree, each a handle that one
    /// worker alone has. The promise is of an engine.
    #[cfg(feature = "opfs")]
    pub fn opfs(files: Promise, hot_bytes: usize, emit: Function) -> Promise {
        promise(async move {
            let backend = anabranch_opfs::open_opfs(files, anabranch_opfs::Options::default()).await;
            Ok(Self::over(backend, hot_bytes, emit)?.into())
        })
    }

    /// Opens a database in IndexedDB, which is loaded whole. What is written is kept when [`flushed`](Self::flushed) has resolved.
    /// The promise is of an engine.
    #[cfg(feature = "opfs")]
    pub fn indexeddb(name: String, hot_bytes: usize, emit: Function) -> Promise {
        promise(async move {
            let backend = anabranch_opfs::IndexedDb::open(&name).await.map(std::sync::Arc::new);
            let kept = backend.as_ref().ok().cloned();
            let mut engine = Self::over(backend, hot_bytes, emit)?;
            if let Some(open) = Rc::get_mut(&mut engine.0) {
                open.kept = kept;
            }
            Ok(engine.into())
        })
    }

    /// Resolves to an answer when all that was written is kept: at once where a call returns no sooner. One that says why it is not
    /// is the last: the database has to be opened again.
    #[cfg(feature = "opfs")]
    pub fn flushed(&self) -> Promise {
        let kept = self.0.kept.clone();
        promise(async move {
            let flushed = match kept {
                Some(kept) => kept.flushed().await,
                None => Ok(()),
            };
            let answer = match flushed {
                Ok(()) => Answer::done().null().take_bytes(),
                Err(error) => Answer::failed(&StoreError::from(error).into()),
            };
            Ok(Uint8Array::from(&*answer).into())
        })
    }

    /// Opens the database in a directory, which is left when the engine is dropped.
    ///
    /// # Errors
    /// An answer that says why not.
    #[cfg(feature = "file")]
    pub fn file(files: crate::file::Files, hot_bytes: usize, emit: Function) -> Result<Engine, Uint8Array> {
        let directory = crate::file::Directory::new(files);
        let backend = anabranch::redb::RedbBackend::open_at(directory, anabranch::redb::Options::default());
        Self::over(backend, hot_bytes, emit)
    }

    /// Builds the records and links that `settings` declares, and starts them. The promise is of an answer.
    #[cfg(feature = "records")]
    pub fn configure(&self, settings: Vec<u8>) -> Promise {
        let open = self.0.clone();
        promise(async move {
            let built = crate::records::Records::build(&settings, &open.store).await;
            let answer = match built {
                Ok(records) => {
                    let _ = open.records.set(records);
                    Answer::done().null().take_bytes()
                }
                Err(failure) => Answer::failed(&failure),
            };
            Ok(Uint8Array::from(&*answer).into())
        })
    }

    /// Ends what runs, letting arrive what is on its way. The promise is kept when it has.
    pub fn end(&self) -> Promise {
        let open = self.0.clone();
        promise(async move {
            *open.followers.borrow_mut() = Followers::default();
            *open.transfers.borrow_mut() = Transfers::default();
            #[cfg(feature = "records")]
            if let Some(records) = open.records.get() {
                records.close().await;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Where the [desk](Desk)'s places stand, as long as this engine lives.
    pub fn desk(&self) -> usize {
        self.0.desk.places.as_ptr().addr()
    }

    /// Makes room on the desk for a call of this length.
    pub fn room(&self, length: usize) {
        self.0.desk.make_room(length);
    }

    /// Does what a client asks for in the call that lies on the desk, and lays the answer there. `false`: this instance has panicked,
    /// and does nothing.
    pub fn call(&self, client: u32, length: usize) -> bool {
        if anabranch::wasm::panicked().is_some() {
            return false;
        }
        let desk = &self.0.desk;
        // Its memory takes the next one.
        let mut room = desk.answer.take();
        if room.capacity() > Desk::LARGE {
            room = Vec::new();
        }
        let call = desk.call.borrow();
        let answer = self.0.answer(client, call.get(..length).unwrap_or_default(), room);
        drop(call);
        if length > Desk::LARGE {
            desk.make_room(1024);
        }
        desk.answered(answer);
        true
    }

    /// Does what a client asks for in several calls, of which writes that follow one another share a commit, and gives the
    /// answer of each.
    pub fn calls(&self, client: u32, calls: &Array) -> Array {
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
            match store::submitted(&self.0.store, &call) {
                Some(Ok(one)) => written.push(one),
                Some(Err(failure)) => {
                    settle(&mut written);
                    answers.push(&Uint8Array::from(&*Answer::failed(&failure)));
                }
                None => {
                    settle(&mut written);
                    answers.push(&Uint8Array::from(&*self.0.answer(client, &call, Vec::new())));
                }
            }
        }
        settle(&mut written);
        answers
    }

    /// A client has gone: it follows nothing any more.
    pub fn forget(&self, client: u32) {
        self.0.followers.borrow_mut().forget(client);
        self.0.transfers.borrow_mut().forget(client);
    }
}

impl Engine {
    /// Opens a database over a backend.
    fn over(
        backend: Result<impl Backend + Send + Sync + 'static, BackendError>,
        hot_bytes: usize,
        emit: Function,
    ) -> Result<Engine, Uint8Array> {
        watch_panics();
        let store = backend.map_err(StoreError::from);
        let store = store.and_then(|backend| Store::open(backend, Options::new(wall).hot_bytes(hot_bytes)));
        let store = store.map_err(|error| Uint8Array::from(&*Answer::failed(&error.into())))?;
        let open = Open {
            desk: Desk::default(),
            before: RefCell::new(Before::of(&store)),
            store,
            followers: RefCell::default(),
            transfers: RefCell::default(),
            emit: Emit(emit),
            #[cfg(feature = "opfs")]
            kept: None,
            #[cfg(feature = "records")]
            records: std::cell::OnceCell::new(),
        };
        Ok(Engine(Rc::new(open)))
    }
}

impl Open {
    /// The answer to a call, written into `room`.
    fn answer(&self, client: u32, call: &[u8], room: Vec<u8>) -> Vec<u8> {
        self.done(client, call, room).unwrap_or_else(|failure| Answer::failed(&failure))
    }

    fn done(&self, client: u32, call: &[u8], room: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let mut arguments = Arguments::of(call);
        let mut name = arguments.text("the call's name")?;
        // A call that was asked before, and may have been done.
        if name == "again" {
            let (since, call) = (arguments.parsed("since")?, arguments.bytes("the call")?);
            if let Some(done) = self.before.borrow_mut().done(&self.store, since, call)? {
                return Ok(done);
            }
            arguments = Arguments::of(call);
            name = arguments.text("the call's name")?;
        }
        let (mut answer, arguments) = (Answer::done_in(room), &mut arguments);
        if !store::answer(&self.store, name, arguments, &mut answer)? {
            self.answer_more(name, client, arguments, &mut answer)?;
        }
        Ok(answer.into_bytes())
    }

    /// What is no call on the store.
    #[inline(never)]
    fn answer_more(
        &self,
        name: &str,
        client: u32,
        arguments: &mut Arguments<'_>,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let followers = &mut *self.followers.borrow_mut();
        match name {
            "subscribe" => answer.time(followers.subscribe(&self.store, client, arguments, &self.emit)?),
            "more" => answer.flag(followers.more(client, arguments)?),
            "unfollow" => answer.flag(followers.leave(client, arguments)?),
            "told" => self.before.borrow_mut().told(arguments).map(|()| answer.null())?,
            "export" | "piece" | "import" | "feed" | "imported" | "leave" => {
                self.transfers.borrow_mut().answer(&self.store, name, client, arguments, answer)?
            }
            "produce" | "consume" | "records" => {
                #[cfg(feature = "records")]
                if let Some(records) = self.records.get() {
                    return records.answer(name, client, arguments, answer, (followers, &self.emit)).map(drop);
                }
                let why = "the database was opened without `records`; declare them there";
                return Err(Failure::new("RECORD_NOT_FOUND", why));
            }
            name => return Err(Failure::new("INVALID_ARGUMENT", format_args!("the engine knows no call {name:?}"))),
        };
        Ok(())
    }
}
