//! The suites, and what happens to memory.

use crate::allocator;
use anabranch_conformance::{
    Fault, Platform, Report, Tally, run_heap_records, run_lifecycle, run_records_between_tasks, run_spawn_dynamically,
};
use anabranch_embassy::EmbassyAdapter;
use anabranch_executor::{Duration, RuntimeExt, SpawnDynamically, TimeSource};
use embassy_executor::Spawner;
use static_cell::StaticCell;

board_mps2::panic_exits!();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    allocator::start();
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    let platform = Platform { unwinds: false, threads: false };
    let mut tally = Tally::new(|line| board_mps2::println!("{line}"));
    run_spawn_dynamically(runtime, platform, &mut tally).await;
    run_heap_records(&mut tally);
    run_records_between_tasks(runtime, &mut tally).await;
    run_lifecycle(runtime, &mut tally).await;
    tally.case("tasks_that_ended_leave_nothing_but_storage_for_others", leaves_nothing(runtime).await);
    board_mps2::exit(u8::from(!tally.finish()))
}

async fn leaves_nothing(runtime: &EmbassyAdapter) -> Result<(), Fault> {
    let mut before = None;
    for _ in 0..100 {
        let tasks: [_; 10] = core::array::from_fn(|number| {
            let within = *runtime;
            runtime.spawn(async move {
                let large = [number as u8; 1_000];
                within.sleep(Duration::from_millis(number as u64 % 3)).await;
                within.yield_now().await;
                core::hint::black_box(large)[999]
            })
        });
        for (number, task) in tasks.into_iter().enumerate() {
            if task.await != Ok(number as u8) {
                return Err(Fault::new("each task to give its own value"));
            }
        }
        let used = allocator::used();
        let least = *before.get_or_insert(used);
        if used > least {
            return Err(Fault {
                expected: "no more memory after a hundred rounds than after one",
                numbers: Some((least as u64, used as u64)),
            });
        }
    }
    Ok(())
}
