//! Instances that panic, in each kind of place where code of ours runs, and what can be asked of them then.

use crate::RT;
use anabranch_executor::{
    ByteStreamExt, Duration, Endpoint, Network, RuntimeExt, SpawnDynamically, TimeSource, Transport,
};
use anabranch_wasm::{alive, promise};
use js_sys::Promise;
use std::{
    cell::{Cell, RefCell},
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Wake, Waker},
};
use wasm_bindgen::prelude::*;

thread_local! {
    static TICKS: Cell<u32> = const { Cell::new(0) };
    static MESSAGES: Cell<u32> = const { Cell::new(0) };
    static SLEEPING: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(Vec::new()) };
}

/// A call that ends at once.
#[wasm_bindgen]
pub fn add(a: u32, b: u32) -> Result<u32, JsValue> {
    alive()?;
    Ok(a + b)
}

/// A call that ends later.
#[wasm_bindgen(js_name = addLater)]
pub fn add_later(a: u32, b: u32) -> Promise {
    promise(async move {
        RT.sleep(Duration::from_millis(1)).await;
        Ok((a + b).into())
    })
}

/// A call that ends at once, with what it is given.
#[wasm_bindgen]
pub fn echo(value: JsValue) -> Promise {
    promise(async { Ok(value) })
}

/// A call that never ends.
#[wasm_bindgen]
pub fn never() -> Promise {
    promise(pending())
}

/// A call that fails, and harms nobody.
#[wasm_bindgen]
pub fn fails() -> Promise {
    promise(async { Err(js_sys::Error::new("as it was told").into()) })
}

/// Starts a task that counts milliseconds, and one that counts what a peer sends.
#[wasm_bindgen]
pub fn live(port: u16) -> Promise {
    promise(async move {
        drop(RT.spawn(async {
            let mut interval = RT.interval(Duration::from_millis(1));
            loop {
                interval.tick().await;
                TICKS.set(TICKS.get() + 1);
            }
        }));
        let transport = Transport::WebSocket { path: "/", protocol: "mqtt", tls: None };
        let connected = RT.connect(&Endpoint { host: "127.0.0.1", port, transport }).await;
        let mut stream = connected.map_err(|error| JsValue::from(error.to_string()))?;
        drop(RT.spawn(async move {
            while stream.write_all(&[1]).await.is_ok() && stream.read(&mut [0; 64]).await.is_ok() {
                MESSAGES.set(MESSAGES.get() + 1);
            }
        }));
        Ok(JsValue::UNDEFINED)
    })
}

/// What was counted. It asks nobody first, so that it can be seen that nothing is counted any more.
#[wasm_bindgen]
pub fn counted() -> Vec<u32> {
    vec![TICKS.get(), MESSAGES.get()]
}

/// Whether it has panicked, and what it said.
#[wasm_bindgen]
pub fn panicked() -> Option<String> {
    anabranch_wasm::panicked().map(|panicked| format!("{}: {}", panicked.place, panicked.message))
}

/// A call that panics at once.
#[wasm_bindgen(js_name = panicInACall)]
pub fn panic_in_a_call() {
    panic!("on purpose, in a call");
}

/// A task that panics; this call's own ends never.
#[wasm_bindgen(js_name = panicInATask)]
pub fn panic_in_a_task() -> Promise {
    promise(async {
        drop(RT.spawn(async {
            RT.sleep(Duration::from_millis(1)).await;
            panic!("on purpose, in a task");
        }));
        pending().await
    })
}

/// A timer whose callback panics: it wakes whoever cannot be woken.
#[wasm_bindgen(js_name = panicInATimer)]
pub fn panic_in_a_timer() -> Promise {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("on purpose, in a timer");
        }
    }
    let mut sleep = Box::pin(RT.sleep(Duration::from_millis(1)));
    let polled = sleep.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Bomb))));
    assert!(polled.is_pending());
    SLEEPING.with_borrow_mut(|sleeping| sleeping.push(sleep));
    never()
}

/// A task that ends in a trap which is no panic; this call's own ends never.
#[wasm_bindgen(js_name = trapInATask)]
pub fn trap_in_a_task() -> Promise {
    promise(async {
        drop(RT.spawn(async {
            RT.sleep(Duration::from_millis(1)).await;
            core::arch::wasm32::unreachable()
        }));
        pending().await
    })
}
