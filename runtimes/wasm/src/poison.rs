//! What becomes of an instance that has panicked: it is poisoned, says so to whoever calls it, and does nothing any more.
//!
//! WebAssembly does not unwind. A panic leaves the instance where it stood: borrowed, half written. So nothing of it may run
//! again: its tasks are not polled, its timers call nobody, its sockets are closed, and every promise that was given out is
//! rejected.
//!
//! Traps that are no panic are seen where a task or a waker ends in one. When the stack has run out, nothing of the instance can
//! run any more, not even this: whoever calls it sees a `RuntimeError` or a `RangeError` each time.

use crate::{global::report, queue};
use js_sys::{Error, Function, Promise, Reflect};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    panic,
    pin::Pin,
    sync::{Once, OnceLock},
};
use wasm_bindgen::JsValue;

/// The instance has panicked. As a JavaScript value it is an `Error` whose `code` is [`Panicked::CODE`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped: it panicked: {message} (at {place}); load it anew, what was acknowledged is there")]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
    /// `file:line:column`. Of a trap, and of a module that is built without those (`-Zlocation-detail=none`), the frames of the stack
    /// that lie in a module, from the innermost on, as `wasm-function[12]:0x345 < wasm-function[67]:0x89a`, or without
    /// offsets where the host has none. `?` where nobody knows.
    pub place: String,
}

impl Panicked {
    /// The `code` of the error that JavaScript sees.
    pub const CODE: &str = "PANICKED";
}

impl From<Panicked> for JsValue {
    fn from(panicked: Panicked) -> JsValue {
        let error = Error::new(&panicked.to_string());
        // An error that was just made takes any property.
        let _ = Reflect::set(&error, &"code".into(), &Panicked::CODE.into());
        error.into()
    }
}

static PANICKED: OnceLock<Panicked> = OnceLock::new();

thread_local! {
    /// What rejects the promises that were given out and are not settled.
    static UNSETTLED: RefCell<Slab<Function>> = const { RefCell::new(Slab::new()) };

    /// What is done in the end: known here once there is something to do, so that a program without sockets has no code for them.
    static LAST: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Sees to it that a panic of this instance is remembered, with its place, and reported on the host's console. To be called
/// once, when the instance begins; called again it does nothing.
///
/// It stands before the panic hook that was set, and calls that too.
pub fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or("a panic without words").to_owned();
            let told = info.location().filter(|place| place.line() > 0);
            remember(Panicked { message, place: told.map_or_else(here, ToString::to_string) });
            before(info);
        }));
    });
}

/// What the first panic of this instance said, if it has panicked.
#[must_use]
pub fn panicked() -> Option<Panicked> {
    PANICKED.get().cloned()
}

/// To be asked first by whatever JavaScript calls.
///
/// # Errors
/// [`Panicked`], for ever once the instance has.
pub fn alive() -> Result<(), Panicked> {
    PANICKED.get().cloned().map_or(Ok(()), Err)
}

/// Poisons this instance by hand, with what was caught: for a host that saw what no hook hears of, such as a `RangeError` because the
/// stack ran out, from a call into it. What was remembered before stays.
pub fn poison(caught: &JsValue) {
    if is_poisoned() {
        return;
    }
    let error = Error::from(caught.clone());
    let message = if caught.is_object() { error.to_string().into() } else { "a trap without words".to_owned() };
    remember(Panicked { message, place: frames(&error) });
}

/// Runs `future` as a task, and gives the promise of its outcome: what an exported function returns.
///
/// It is polled from the next microtask on, and never within the call: so the call does not throw. If this instance panics,
/// the promise is rejected with [`Panicked`], whoever panicked; if it has, at once. A function that is exported as `async` would
/// leave its promise pending for ever.
///
/// ```no_run
/// use anabranch_wasm::promise;
/// use js_sys::Promise;
///
/// // with #[wasm_bindgen]
/// pub fn answer() -> Promise {
///     promise(async { Ok(42.into()) })
/// }
/// ```
pub fn promise(future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    promise_of(Box::pin(future))
}

/// The same for all futures: what is beside them is in the module once.
fn promise_of(future: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>>) -> Promise {
    if let Err(panicked) = alive() {
        return Promise::reject(&panicked.into());
    }
    let mut future = Some(future);
    Promise::new(&mut |resolve, reject| {
        let Some(future) = future.take() else { return };
        let key = UNSETTLED.with_borrow_mut(|unsettled| unsettled.insert(reject.clone()));
        queue::spawn(async move {
            let outcome = future.await;
            UNSETTLED.with_borrow_mut(|unsettled| unsettled.remove(key));
            let settled = match &outcome {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, value),
                Err(error) => reject.call1(&JsValue::UNDEFINED, error),
            };
            // What settles a promise throws nothing.
            drop(settled);
        });
    })
}

/// Has something done when the instance is poisoned. It asks for no task and no waker.
pub(crate) fn at_last(work: fn()) {
    LAST.set(Some(work));
}

pub(crate) fn is_poisoned() -> bool {
    PANICKED.get().is_some()
}

/// How many frames V8 tells, and how many it is to tell: ten otherwise, most of which are the panic's own.
const LIMIT: &str = "stackTraceLimit";
const FRAMES: u32 = 40;

/// Where this is called, by the frames of the stack.
fn here() -> String {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or_default();
    let constructor = property(&js_sys::global(), "Error");
    let limit = property(&constructor, LIMIT);
    // Where it cannot be set, fewer are told.
    let set = |limit: &JsValue| drop(Reflect::set(&constructor, &LIMIT.into(), limit));
    set(&FRAMES.into());
    let place = frames(&Error::new(""));
    set(&limit);
    place
}

/// The frames of an error's stack that lie in a module: `wasm-function[12]:0x345`. How they are written besides differs between hosts.
fn frames(error: &Error) -> String {
    const FUNCTION: &str = "wasm-function";
    let stack = Reflect::get(error, &"stack".into()).ok().and_then(|stack| stack.as_string()).unwrap_or_default();
    let (mut place, mut before) = (String::new(), "");
    for part in stack.split('[') {
        if before.ends_with(FUNCTION) {
            place.push_str(if place.is_empty() { "" } else { " < " });
            place.push_str(FUNCTION);
            place.push('[');
            place.push_str(part.split([')', '\n', '@']).next().unwrap_or_default());
        }
        before = part;
    }
    if place.is_empty() { "?".to_owned() } else { place }
}

fn remember(panicked: Panicked) {
    if PANICKED.set(panicked.clone()).is_err() {
        return;
    }
    report(&format!("anabranch: {panicked}"));
    let error = JsValue::from(panicked);
    // The panic may have come while they were borrowed, though nothing does more than put in and take out.
    let unsettled = UNSETTLED.try_with(|unsettled| unsettled.try_borrow_mut().map(|mut all| std::mem::take(&mut *all)));
    if let Ok(Ok(unsettled)) = unsettled {
        for (_, reject) in unsettled {
            // What rejects a promise throws nothing.
            let _ = reject.call1(&JsValue::UNDEFINED, &error);
        }
    }
    // It is gone when the instance is.
    if let Ok(Some(last)) = LAST.try_with(Cell::get) {
        last();
    }
}
