//! What the scripts beside this crate call: the conformance suites, the peers' traps, a database with links, and panics.
//!
//! Scripts run it in each place that a JavaScript host offers: `run.mjs` in Node, `browser.mjs` in Chromium. What both run stands in
//! `links.mjs` and `panics.mjs`.
#![forbid(unsafe_code)]

mod house;
mod maintained;
mod panics;
mod peers;
mod traps;

use anabranch_conformance::{
    Platform, Report, Tally, run_channels, run_heap_records, run_lifecycle, run_network, run_records,
    run_records_between_tasks, run_records_in_a_task, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically,
    run_time, static_slots,
};
use anabranch_wasm::WasmAdapter;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

static RT: WasmAdapter = WasmAdapter::new();

/// Panics are remembered from the first moment on.
#[wasm_bindgen(start)]
pub fn begin() {
    anabranch_wasm::watch_panics();
}

/// Hands in the constructor of the package `ws`, where there is no WebSocket.
#[wasm_bindgen(js_name = useWebSocket)]
pub fn use_web_socket(constructor: Function) {
    anabranch_wasm::use_web_socket(constructor);
}

/// Runs every case, a line each, and says whether all passed. `ports` are those of the peers, in the order of [`peers::Ports`];
/// without them there is no network. `like_tcp`: WebSockets here can all that TCP can.
#[wasm_bindgen]
pub fn conformance(log: Function, ports: Vec<u16>, like_tcp: bool) -> Promise {
    anabranch_wasm::promise(async move {
        let platform = Platform { unwinds: false, threads: false };
        // A line that cannot be written is missed where they are counted.
        let mut tally = Tally::new(|line| drop(log.call1(&JsValue::NULL, &line.to_string().into())));
        run_time(&RT, &mut tally).await;
        run_spawn_dynamically(&RT, platform, &mut tally).await;
        run_spawn_statically(&RT, static_slots!(WasmAdapter), platform, &mut tally).await;
        run_spawn_blocking(&RT, platform, &mut tally).await;
        run_channels(&RT, platform, &mut tally).await;
        run_records(&mut tally);
        run_heap_records(&mut tally);
        run_records_in_a_task(&RT, &mut tally).await;
        run_records_between_tasks(&RT, &mut tally).await;
        run_lifecycle(&RT, &mut tally).await;
        tally.case("a_store_is_maintained_beside_its_writer", maintained::is_maintained(&RT).await);
        traps::run(&mut tally).await;
        if let Ok(ports) = peers::Ports::try_from(ports) {
            let peers = peers::Peers { ports, like_tcp };
            run_network(&RT, &peers, &mut tally).await;
            peers::run(&peers, &mut tally).await;
        }
        Ok(tally.finish().into())
    })
}
