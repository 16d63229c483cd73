//! Runs the conformance suites in Node: a line a case, and an exit code that says whether all passed.

use anabranch_conformance::{
    Platform, Tally, run_channels, run_heap_records, run_records, run_records_between_tasks, run_records_in_a_task,
    run_spawn_blocking, run_spawn_dynamically, run_spawn_statically, run_time, static_slots,
};
use anabranch_wasm::WasmAdapter;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(line: &str);

    type Process;

    #[wasm_bindgen(thread_local_v2, js_namespace = globalThis, js_name = process)]
    static PROCESS: Process;

    #[wasm_bindgen(method, setter, js_name = exitCode)]
    fn set_exit_code(this: &Process, code: i32);
}

/// Runs every case when the module is loaded.
#[wasm_bindgen(start)]
pub async fn run() {
    // A suite that hangs with nothing left to wait for ends the process in silence: that is a failure too.
    PROCESS.with(|process| process.set_exit_code(1));
    static RT: WasmAdapter = WasmAdapter::new();
    let platform = Platform { unwinds: false, threads: false };
    let mut tally = Tally::new(|line| log(&line.to_string()));
    run_time(&RT, &mut tally).await;
    run_spawn_dynamically(&RT, platform, &mut tally).await;
    run_spawn_statically(&RT, static_slots!(WasmAdapter), platform, &mut tally).await;
    run_spawn_blocking(&RT, platform, &mut tally).await;
    run_channels(&RT, platform, &mut tally).await;
    run_records(&mut tally);
    run_heap_records(&mut tally);
    run_records_in_a_task(&RT, &mut tally).await;
    run_records_between_tasks(&RT, &mut tally).await;
    if tally.finish() {
        PROCESS.with(|process| process.set_exit_code(0));
    }
}
