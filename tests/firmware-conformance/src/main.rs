//! The conformance suites for runtimes and for records, run on Embassy in QEMU, with no allocator linked.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use anabranch_conformance::{
        Place, Platform, Tally, run_memory, run_records, run_records_in_a_task, run_spawn_statically, run_time,
        static_slots,
    };
    use anabranch_embassy::EmbassyAdapter;
    use embassy_executor::Spawner;
    use static_cell::StaticCell;

    board_mps2::panic_exits!();

    static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

    #[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
    async fn main(spawner: Spawner) {
        let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
        let platform = Platform { unwinds: false, threads: false };
        let mut tally = Tally::new(|line| board_mps2::println!("{line}"));
        run_time(runtime, &mut tally).await;
        run_spawn_statically(runtime, static_slots!(EmbassyAdapter), platform, &mut tally).await;
        run_memory(Place::Board, &mut tally);
        run_records(&mut tally);
        run_records_in_a_task(runtime, &mut tally).await;
        board_mps2::exit(u8::from(!tally.finish()))
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
