//! Sensors to alerts as WebAssembly: in Node, and as well in a browser or an edge isolate.

use anabranch::{StartError, WasmAdapter};
use sensors_to_alerts::start;
use wasm_bindgen::prelude::*;

// The runtime: the JavaScript host is global, so its adapter holds nothing.
static RUNTIME: WasmAdapter = WasmAdapter::new();

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(line: &str);
}

// A WebAssembly module has no standard output; its host has a console.
macro_rules! println {
    ($($arg:tt)*) => { log(&format!($($arg)*)) };
}

/// Prints the alerts; rejects when they could not be started.
#[wasm_bindgen]
pub async fn main() -> Result<(), JsError> {
    Ok(run(&RUNTIME).await?)
}

// The same on each runtime.
async fn run(runtime: &'static WasmAdapter) -> Result<(), StartError> {
    let mut alerts = start(runtime)?;
    while let Some(alert) = alerts.next().await {
        println!("{alert}");
    }
    println!("{}", alerts.latency("node"));
    Ok(())
}
