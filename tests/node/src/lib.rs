//! Runs the conformance suites in Node: a line a case, and an exit code that says whether all passed.

use anabranch::{
    Duration, RuntimeContext, RuntimeExt, SpawnDynamically,
    lifecycle::maintain,
    store::{Memory, Options, Retention, Store, StoreError, Timestamp},
};
use anabranch_conformance::{
    Fault, Platform, Report, Tally, run_channels, run_heap_records, run_lifecycle, run_records,
    run_records_between_tasks, run_records_in_a_task, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically,
    run_time, static_slots,
};
use anabranch_wasm::WasmAdapter;
use std::num::NonZeroU64;
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
    run_lifecycle(&RT, &mut tally).await;
    tally.case("a_store_is_maintained_beside_its_writer", is_maintained(&RT).await);
    if tally.finish() {
        PROCESS.with(|process| process.set_exit_code(0));
    }
}

/// The service over a store in memory: what its namespace does not keep goes while more is written.
async fn is_maintained(rt: &WasmAdapter) -> Result<(), Fault> {
    let fails = |_: StoreError| Fault::new("the store to do what it is asked");
    let store = Store::open(Memory::new(), Options::new(|| Timestamp::from_nanos(1))).map_err(fails)?;
    let last = NonZeroU64::new(3).ok_or(Fault::new("three"))?;
    store.set_retention("plant", Retention::Last(last)).map_err(fails)?;
    let ctx = RuntimeContext::new(rt.clone(), "maintain");
    let maintaining = rt.spawn(maintain(ctx, store.clone(), Duration::from_millis(1)));
    let looking = async {
        for number in 1..=10 {
            store.put("plant", "boiler", number)?;
            while store.stats()?.total_versions > 3 {
                rt.yield_now().await;
            }
        }
        store.stats()
    };
    let stats = rt.timeout(Duration::from_secs(20), looking).await;
    anabranch::JoinHandle::abort(&maintaining);
    let deep = stats.map_err(|_| Fault::new("it to drop what is not kept"))?.map_err(fails)?.deep.versions;
    if deep == 7 {
        Ok(())
    } else {
        Err(Fault { expected: "all but the newest three to be deep", numbers: Some((7, deep)) })
    }
}
