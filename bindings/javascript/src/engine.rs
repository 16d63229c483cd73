//! An open database: calls come in, answers and events go out.

use crate::{
    code::Failure,
    follow::Followers,
    store,
    wire::{Answer, Arguments},
};
use anabranch::{
    TimeSource, WasmAdapter,
    store::{Memory, Options, Store, Timestamp},
};
use js_sys::{Function, Uint8Array};
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
    /// Opens a database in memory. `emit(kind, id, bytes)` is called with each event; it may not call the engine.
    ///
    /// # Errors
    /// An answer that says why not.
    pub fn memory(hot_bytes: usize, emit: Function) -> Result<Engine, Uint8Array> {
        let store = Store::open(Memory::new(), Options::new(wall).hot_bytes(hot_bytes));
        Self::over(store, emit)
    }

    /// Does what is asked for, and gives the answer.
    pub fn call(&mut self, call: &[u8]) -> Vec<u8> {
        let answer = self.answer(&mut Arguments::of(call)).unwrap_or_else(|failure| Answer::failed(&failure));
        self.tell();
        answer
    }
}

impl Engine {
    fn over(store: Result<Store, anabranch::store::StoreError>, emit: Function) -> Result<Engine, Uint8Array> {
        match store {
            Ok(store) => Ok(Engine { store, followers: Followers::default(), emit }),
            Err(error) => Err(Uint8Array::from(&*Answer::failed(&error.into()))),
        }
    }

    fn answer(&mut self, call: &mut Arguments<'_>) -> Result<Vec<u8>, Failure> {
        let name = call.text("the call's name")?;
        let mut answer = Answer::done();
        match name {
            "subscribe" => answer.number(self.followers.subscribe(&self.store, call)?.into()),
            "more" => answer.flag(self.followers.more(call)?),
            "unfollow" => answer.flag(self.followers.leave(call)?),
            name => store::answer(&self.store, name, call, &mut answer)?,
        };
        Ok(answer.into_bytes())
    }

    /// Tells those who follow what there is for them.
    fn tell(&mut self) {
        let emit = &self.emit;
        self.followers.tell(&mut |event, id, bytes| {
            // What the host's function throws is its own affair: the database has done its work.
            let _ = emit.call3(&JsValue::NULL, &(event as u8).into(), &id.into(), &Uint8Array::from(bytes));
        });
    }
}
