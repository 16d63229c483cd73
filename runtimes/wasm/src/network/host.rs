//! A WebSocket as the host has it: in browsers and edge isolates its own, elsewhere one that somebody hands in.

use js_sys::{Array, Function, Reflect, Uint8Array};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, prelude::*};

#[wasm_bindgen]
extern "C" {
    #[derive(Debug)]
    pub type WebSocket;

    #[wasm_bindgen(method, setter, js_name = binaryType)]
    pub fn set_binary_type(this: &WebSocket, kind: &str);

    /// How many bytes wait on this side; a host that does not count gives `NaN`.
    #[wasm_bindgen(method, getter, js_name = bufferedAmount)]
    pub fn buffered_amount(this: &WebSocket) -> f64;

    #[wasm_bindgen(method, catch)]
    pub fn send(this: &WebSocket, bytes: &Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn close(this: &WebSocket, code: u16) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = addEventListener)]
    pub fn listen(this: &WebSocket, kind: &str, listener: &Function);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    pub fn ignore(this: &WebSocket, kind: &str, listener: &Function);

    /// Only the npm package `ws` has these: it can leave bytes with the system, and so hold the peer up.
    #[wasm_bindgen(method, getter, js_name = pause)]
    fn can_pause(this: &WebSocket) -> JsValue;

    #[wasm_bindgen(method, js_name = pause)]
    pub fn pause(this: &WebSocket);

    #[wasm_bindgen(method, js_name = resume)]
    pub fn resume(this: &WebSocket);

    pub type Event;

    #[wasm_bindgen(method, getter, js_name = type)]
    pub fn kind(this: &Event) -> String;

    #[wasm_bindgen(method, getter)]
    pub fn data(this: &Event) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = wasClean)]
    pub fn was_clean(this: &Event) -> bool;

    #[wasm_bindgen(method, getter)]
    pub fn code(this: &Event) -> u16;
}

thread_local! {
    static HANDED_IN: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Hands in the constructor of WebSockets, for a host that has none of its own: `use_web_socket(require("ws"))` in Node 20. It
/// stands over the host's own, so a subclass of it can say what a URL cannot, such as a CA. What it makes has to be a
/// `WebSocket` as browsers have it.
pub fn use_web_socket(constructor: Function) {
    HANDED_IN.set(Some(constructor));
}

/// What makes WebSockets here. It is looked for each time: a host may get one later.
pub fn constructor() -> Option<Function> {
    HANDED_IN.with_borrow(Clone::clone).or_else(|| {
        let own = Reflect::get(&js_sys::global(), &"WebSocket".into()).ok()?;
        own.dyn_into().ok()
    })
}

/// `new WebSocket(url, protocol)`; what it throws when it does.
pub fn open(constructor: &Function, url: &str, protocol: &str) -> Result<WebSocket, JsValue> {
    let arguments = Array::of1(&url.into());
    if !protocol.is_empty() {
        arguments.push(&protocol.into());
    }
    let socket: WebSocket = Reflect::construct(constructor, &arguments)?.unchecked_into();
    socket.set_binary_type("arraybuffer");
    Ok(socket)
}

impl WebSocket {
    pub fn pauses(&self) -> bool {
        self.can_pause().is_function()
    }
}

/// The property at the end of a path, as text.
pub fn text_at(value: &JsValue, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value.clone(), |value, name| Reflect::get(&value, &(*name).into()).ok());
    found?.as_string()
}

/// The bytes of a message; none of text, nor of a `Blob`, which nobody asked for.
pub fn bytes(data: &JsValue) -> Option<Uint8Array> {
    let is_binary = data.is_instance_of::<js_sys::ArrayBuffer>() || data.is_instance_of::<Uint8Array>();
    is_binary.then(|| Uint8Array::new(data))
}
