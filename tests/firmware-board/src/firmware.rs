//! The checks: each an async function that says what it found wrong.

use anabranch_embassy::EmbassyAdapter;
use anabranch_executor::{
    Duration, Moment, Runtime, RuntimeContext, RuntimeExt, SpawnBlocking, SpawnError, StaticSlot, TimeSource,
};
use board_mps2::{InstructionCounter, exit, println, seconds, wake_ups};
use core::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use embassy_executor::Spawner;
use static_cell::StaticCell;

board_mps2::panic_exits!();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    let (mut passed, mut failed) = (0, 0);
    macro_rules! check {
        ($($check:ident),*) => { $( match $check(runtime).await {
            Ok(()) => { passed += 1; println!("ok   {}", stringify!($check)) }
            Err(fault) => { failed += 1; println!("FAIL {}: {fault}", stringify!($check)) }
        } )* };
    }
    check!(
        instructions_are_counted_exactly,
        short_sleeps_are_never_early,
        an_hour_and_more_passes_as_on_another_clock,
        the_clock_never_goes_back_around_its_wrap,
        an_idle_board_sleeps,
        a_generic_task_runs_in_a_slot_sized_for_it,
        blocking_work_runs_inline,
        the_wall_clock_starts_when_it_is_told
    );
    println!("{passed} passed, {failed} failed");
    exit(u8::from(failed > 0))
}

type Checked = Result<(), &'static str>;

fn must(holds: bool, fault: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(fault) }
}

async fn instructions_are_counted_exactly(_: &EmbassyAdapter) -> Checked {
    let counter = InstructionCounter::calibrate().map_err(|_| "the counter does not calibrate")?;
    let sum = |n: u32| counter.of(|| (0..n).for_each(|i| _ = black_box(i)));
    let once = sum(100);
    must((0..50).all(|_| sum(100) == once), "the same code counts differently")?;
    println!("     {} instructions a round of a loop over a black box", sum(101) - once);
    must(sum(1_000) - sum(900) == sum(200) - once, "a hundred rounds more count differently here and there")
}

async fn short_sleeps_are_never_early(runtime: &EmbassyAdapter) -> Checked {
    let mut latest = Duration::ZERO;
    for micros in 0..500 {
        let asked = Duration::from_nanos(micros * 1_000 + micros % 7);
        let start = runtime.now();
        runtime.sleep(asked).await;
        let slept = runtime.now().since(start);
        must(slept >= asked, "a sleep ended early")?;
        latest = latest.max(slept - asked);
    }
    println!("     at most {latest:?} late");
    Ok(())
}

async fn an_hour_and_more_passes_as_on_another_clock(runtime: &EmbassyAdapter) -> Checked {
    let (start, seconds_before) = (runtime.now(), seconds());
    runtime.sleep(Duration::from_secs(3 * 3_600)).await; // the 32-bit counter wraps twice
    must(runtime.now().since(start).as_secs() == 3 * 3_600, "it slept for another time than asked")?;
    must((3 * 3_600..=3 * 3_600 + 1).contains(&(seconds() - seconds_before)), "another clock disagrees")
}

/// Reads the clock all the time while the 32-bit counter wraps, and lets alarms interrupt.
async fn the_clock_never_goes_back_around_its_wrap(runtime: &EmbassyAdapter) -> Checked {
    const WRAP_MICROS: u64 = 1 << 32;
    let boot = anabranch_embassy::Instant::from(embassy_time::Instant::MIN);
    let wraps = runtime.now().since(boot).as_micros() as u64 / WRAP_MICROS;
    let wrap = boot.after(Duration::from_micros((wraps + 1) * WRAP_MICROS));
    runtime.sleep_until(boot.after(wrap.since(boot) - Duration::from_millis(20))).await;
    must(runtime.now() < wrap, "it slept beyond the wrap")?;
    let (mut last, mut reads) = (runtime.now(), 0);
    while last.since(wrap) < Duration::from_millis(20) {
        let now = runtime.now();
        must(now >= last, "the clock went back")?;
        must(now.since(last) < Duration::from_millis(10), "the clock leapt")?;
        (last, reads) = (now, reads + 1);
        if reads % 16 == 0 {
            runtime.sleep(Duration::from_micros(3)).await;
        }
    }
    must(reads > 100, "too few readings to see anything")
}

async fn an_idle_board_sleeps(runtime: &EmbassyAdapter) -> Checked {
    let before = wake_ups();
    runtime.sleep(Duration::from_secs(60)).await;
    let woken = wake_ups().wrapping_sub(before);
    println!("     {woken} wake-ups in a minute");
    must((1..=2).contains(&woken), "a minute of sleep is one wake-up, or two")
}

async fn a_generic_task_runs_in_a_slot_sized_for_it(runtime: &'static EmbassyAdapter) -> Checked {
    static ROUNDS: AtomicU32 = AtomicU32::new(0);
    async fn task<R: Runtime>(context: RuntimeContext<R>, rounds: u32) {
        let mut every = context.interval(Duration::from_millis(10));
        for _ in 0..rounds {
            every.tick().await;
            ROUNDS.fetch_add(1, Relaxed);
        }
    }
    fn start<R: Runtime>(runtime: &'static R, rounds: u32) -> Result<(), SpawnError> {
        static SLOT: StaticSlot<{ anabranch_embassy::__slot_words!(task) }> = StaticSlot::new();
        runtime.spawn_static(&SLOT, move || task(RuntimeContext::new(runtime.clone(), "task"), rounds))
    }
    println!(
        "     a task of an interval and a loop takes {} bytes",
        size_of::<StaticSlot<{ anabranch_embassy::__slot_words!(task) }>>()
    );
    start(runtime, 3).map_err(|_| "the slot is free")?;
    must(start(runtime, 3) == Err(SpawnError::Busy), "a running task was started again")?;
    runtime.sleep(Duration::from_millis(31)).await;
    must(ROUNDS.load(Relaxed) == 3, "the task ran another number of rounds")?;
    start(runtime, 2).map_err(|_| "the slot of an ended task is not free")?;
    runtime.sleep(Duration::from_millis(21)).await;
    must(ROUNDS.load(Relaxed) == 5, "the slot's second task ran another number of rounds")
}

async fn blocking_work_runs_inline(runtime: &EmbassyAdapter) -> Checked {
    static RAN: AtomicU32 = AtomicU32::new(0);
    let work = runtime.spawn_blocking(|| RAN.fetch_add(1, Relaxed) + 41);
    must(RAN.load(Relaxed) == 0, "the work ran before anybody polled it")?;
    must(work.await == Ok(41) && RAN.load(Relaxed) == 1, "the work did not run once, or its value is lost")
}

async fn the_wall_clock_starts_when_it_is_told(runtime: &EmbassyAdapter) -> Checked {
    must(runtime.unix_time().is_none(), "a board knows the time by itself")?;
    runtime.set_unix_time(Duration::from_secs(1_700_000_000));
    runtime.sleep(Duration::from_millis(1_500)).await;
    let time = runtime.unix_time().ok_or("the time was forgotten")?;
    must(time.as_millis() == 1_700_000_001_500, "the wall clock runs wrong")
}
