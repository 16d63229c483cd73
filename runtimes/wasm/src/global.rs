//! What the host offers on `globalThis`, as it is spelt there.

use js_sys::Function;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Calls `callback(key)` after `milliseconds`. What it returns is a number in browsers and an object in Node.
    #[wasm_bindgen(js_namespace = globalThis, js_name = setTimeout)]
    pub fn set_timeout(callback: &Function, milliseconds: i32, key: u32) -> JsValue;

    #[wasm_bindgen(js_namespace = globalThis, js_name = clearTimeout)]
    pub fn clear_timeout(id: &JsValue);

    /// A promise, as far as tasks need one. It is made anew each time: an edge isolate ties one to the request that made it.
    pub type Settled;

    #[wasm_bindgen(js_namespace = Promise, js_name = resolve)]
    pub fn settled() -> Settled;

    #[wasm_bindgen(method)]
    pub fn then(this: &Settled, run: &Function) -> Settled;

    #[wasm_bindgen(method, js_name = catch)]
    pub fn caught(this: &Settled, failed: &Function) -> Settled;

    /// A function, as far as sockets need one: `bind(undefined, key)`.
    #[wasm_bindgen(js_name = Function)]
    pub type Keyed;

    #[wasm_bindgen(method, js_name = bind)]
    pub fn bound(this: &Keyed, nothing: &JsValue, key: u32) -> Function;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub fn report(line: &str);

    pub type Performance;

    /// Milliseconds since the host's time origin, with a fraction; never goes back.
    #[wasm_bindgen(method)]
    pub fn now(this: &Performance) -> f64;

    /// Not every host has it.
    #[wasm_bindgen(thread_local_v2, js_namespace = globalThis, js_name = performance)]
    pub static PERFORMANCE: Option<Performance>;
}
