//! The service that keeps a store in order, over the store's handle, on WebAssembly.

use anabranch::{
    Duration, RuntimeContext, RuntimeExt, SpawnDynamically,
    lifecycle::maintain,
    store::{Memory, Options, Retention, Store, StoreError, Timestamp},
};
use anabranch_conformance::Fault;
use anabranch_wasm::WasmAdapter;
use std::num::NonZeroU64;

/// The service over a store in memory: what its namespace does not keep goes while more is written.
pub async fn is_maintained(rt: &WasmAdapter) -> Result<(), Fault> {
    let fails = |_: StoreError| Fault::new("the store to do what it is asked");
    let store = Store::open(Memory::new(), Options::new(|| Timestamp::from_nanos(1))).map_err(fails)?;
    let last = NonZeroU64::new(3).ok_or(Fault::new("three"))?;
    store.set_retention("plant", Retention::Last(last)).map_err(fails)?;
    let ctx = RuntimeContext::new(*rt, "maintain");
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
