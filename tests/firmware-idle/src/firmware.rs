//! The checks: each says what it found, and what is wrong with it.

use crate::house;
use anabranch::{
    embassy::{EmbassyAdapter, Instant},
    prelude::*,
};
use board_mps2::{exit, println, stack, wake_ups};
use core::time::Duration;
use embassy_executor::Spawner;
use static_cell::StaticCell;

board_mps2::panic_exits!();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    stack::paint();
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    let (mut passed, mut failed) = (0, 0);
    macro_rules! check {
        ($($check:ident($($given:expr),*)),*) => { $( match $check($($given),*).await {
            Ok(()) => { passed += 1; println!("ok   {}", stringify!($check)) }
            Err(fault) => { failed += 1; println!("FAIL {}: {fault}", stringify!($check)) }
        } )* };
    }
    check!(the_deepest_of_the_stack_is_seen(), services_that_wait_on_records_never_wake_the_core(runtime));
    match house::start_what_ticks(runtime) {
        Some(began) => {
            check!(
                the_core_wakes_for_the_timers_that_are_due_and_for_nothing_else(runtime, began),
                an_hour_grows_nothing(runtime, began)
            );
        }
        None => {
            failed += 1;
            println!("FAIL a service does not start");
        }
    }
    println!("{passed} passed, {failed} failed");
    exit(u8::from(failed > 0))
}

/// An interrupt, with its handler, takes less than this of the stack, in bytes. In an hour one comes at a deeper moment than
/// in some minutes; what grows with each of fifty thousand wake-ups is far beyond it.
const INTERRUPT: usize = 256;

type Checked = Result<(), &'static str>;

fn must(holds: bool, fault: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(fault) }
}

/// Of the checks of what does not grow: that they would see it.
async fn the_deepest_of_the_stack_is_seen() -> Checked {
    #[inline(never)]
    fn takes<const BYTES: usize>() -> u8 {
        core::hint::black_box([1; BYTES])[BYTES - 1]
    }
    let before = stack::high_water();
    takes::<8_000>();
    let after = stack::high_water();
    println!("     the stack went {before} bytes deep, and {after} with a call that takes 8,000");
    must((64..4_000).contains(&before), "an empty program takes another stack than one thinks")?;
    must((8_000..9_000).contains(&after), "8,000 bytes of stack were not seen")?;
    stack::paint();
    must(stack::high_water() < 4_000, "what was painted over is still seen")
}

async fn services_that_wait_on_records_never_wake_the_core(runtime: &'static EmbassyAdapter) -> Checked {
    house::start_what_waits(runtime).ok_or("a service does not start")?;
    let before = wake_ups();
    runtime.sleep(Duration::from_secs(60)).await;
    must(wake_ups() - before == 1, "a minute in which one timer is due has another number of wake-ups than one")
}

async fn the_core_wakes_for_the_timers_that_are_due_and_for_nothing_else(
    runtime: &EmbassyAdapter,
    began: Instant,
) -> Checked {
    house::quiet(runtime, began).await;
    let (due, woken) = slept(runtime, Duration::from_secs(60)).await;
    println!("     {woken} wake-ups in a minute, {due} timers were due");
    must(due > 800, "timers were not due")?;
    must(woken == due, "the core woke for something else than a timer, or not at all")
}

async fn an_hour_grows_nothing(runtime: &EmbassyAdapter, began: Instant) -> Checked {
    // Until all was done that is done in the hour, by the services, which were restarted, and here.
    runtime.sleep(Duration::from_secs(180)).await;
    house::quiet(runtime, began).await;
    let held = house::held();
    let depth = stack::high_water();
    house::quiet(runtime, began).await; // looking took a while
    let (restarts, arrived) = (house::restarts(), house::arrived());
    must(restarts >= 2, "the sensor was not restarted")?;

    let (due, woken) = slept(runtime, Duration::from_secs(3_600)).await;

    let depth_after = stack::high_water();
    let (shown, worked) = (house::arrived().0 - arrived.0, house::arrived().1 - arrived.1);
    println!(
        "     {woken} wake-ups in an hour, {due} timers were due; {} restarts; {shown} and {worked} values; the \
         stack went {depth} bytes deep before, {depth_after} by then",
        house::restarts() - restarts
    );
    must((59..=60).contains(&(house::restarts() - restarts)), "the sensor was not restarted once a minute")?;
    must(worked == 4 * 3_600 && (35_900..36_000).contains(&shown), "values were lost on their way")?;
    must(woken == due, "the core woke for something else than a timer, or not at all")?;
    must(depth_after <= depth + INTERRUPT, "the stack went deeper than before")?;
    must(house::held() == held, "a record holds more, or lost values")
}

/// Sleeps, and says how many timers were due meanwhile, this one among them, and how many times the core woke.
async fn slept(runtime: &EmbassyAdapter, time: Duration) -> (u32, u32) {
    let (due, woken) = (house::timers_due(), wake_ups());
    runtime.sleep(time).await;
    (house::timers_due() - due + 1, wake_ups() - woken)
}
