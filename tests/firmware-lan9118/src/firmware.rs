//! The checks: each an async function that says what it found wrong.

use anabranch_embassy::{EmbassyAdapter, Sockets};
use anabranch_executor::{ConnectError, Duration, Endpoint, Network, RuntimeExt, TimeSource, Transport};
use board_mps2::{exit, println, wake_ups};
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, Stack, StackResources};
use lan9118::{Buffers, Lan9118, Mapped, StartError};
use static_cell::{ConstStaticCell, StaticCell};

board_mps2::panic_exits!();

static BUFFERS: [ConstStaticCell<Buffers>; 2] = [const { ConstStaticCell::new(Buffers::new()) }; 2];
static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
static SOCKETS: Sockets<1, 2048, 1024> = Sockets::new();

const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x57];
/// The host, as QEMU's network has it.
const HOST: &str = "10.0.2.2";
const NOBODY_LISTENS: u16 = 1;

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Lan9118<Mapped>>) {
    runner.run().await;
}

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let [first, second] = &BUFFERS;
    let driver = match lan9118::start(ADDRESS, first.take()) {
        Ok(driver) => driver,
        Err(error) => {
            println!("{error}");
            exit(1)
        }
    };
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) = embassy_net::new(driver, config, RESOURCES.init_with(StackResources::new), 7);
    spawner.spawn(network(runner).expect("it is started once"));
    let runtime = EmbassyAdapter::new(spawner).with_network(stack, &SOCKETS);
    let (mut passed, mut failed) = (0, 0);
    macro_rules! check {
        ($($check:ident),*) => { $( match $check(&runtime, stack).await {
            Ok(()) => { passed += 1; println!("ok   {}", stringify!($check)) }
            Err(fault) => { failed += 1; println!("FAIL {}: {fault}", stringify!($check)) }
        } )* };
    }
    check!(
        before_there_is_an_address_there_is_no_network,
        an_address_is_given,
        a_port_where_nobody_listens_refuses_each_time,
        who_does_not_answer_is_waited_for_without_a_wake_more_than_its_timers,
        an_idle_board_sleeps,
        nothing_was_damaged
    );
    match lan9118::start(ADDRESS, second.take()) {
        Err(StartError::Taken) => passed += 1,
        _ => failed += 1,
    }
    println!("{passed} passed, {failed} failed");
    exit(u8::from(failed > 0))
}

type Checked = Result<(), &'static str>;

fn must(holds: bool, fault: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(fault) }
}

const fn at(host: &'static str) -> Endpoint<'static> {
    Endpoint { host, port: NOBODY_LISTENS, transport: Transport::Tcp }
}

async fn before_there_is_an_address_there_is_no_network(runtime: &EmbassyAdapter, _: Stack<'static>) -> Checked {
    let refused = runtime.connect(&at(HOST)).await.err();
    must(refused == Some(ConnectError::NoNetwork), "it connects without an address")
}

async fn an_address_is_given(runtime: &EmbassyAdapter, stack: Stack<'static>) -> Checked {
    let given = runtime.timeout(Duration::from_secs(10), stack.wait_config_up()).await;
    must(given.is_ok() && stack.is_link_up(), "no address after ten seconds")
}

async fn a_port_where_nobody_listens_refuses_each_time(runtime: &EmbassyAdapter, _: Stack<'static>) -> Checked {
    // Each takes up to a second: so often does QEMU look at what the host says of a connection that is being opened.
    for _ in 0..10 {
        let refused = runtime.timeout(Duration::from_secs(10), runtime.connect(&at(HOST))).await;
        must(matches!(refused, Ok(Err(ConnectError::Refused))), "it does not refuse")?;
    }
    Ok(())
}

async fn who_does_not_answer_is_waited_for_without_a_wake_more_than_its_timers(
    runtime: &EmbassyAdapter,
    _: Stack<'static>,
) -> Checked {
    let before = wake_ups();
    let silent = runtime.timeout(Duration::from_secs(5), runtime.connect(&at("10.0.2.77"))).await;
    must(silent.is_err(), "somebody answers")?;
    let woken = wake_ups().wrapping_sub(before);
    println!("     woken {woken} times in 5 s of asking for an address that nobody has");
    must(woken <= 20, "it is woken more often than it asks") // once a second, for each an interrupt or two
}

async fn an_idle_board_sleeps(runtime: &EmbassyAdapter, _: Stack<'static>) -> Checked {
    runtime.sleep(Duration::from_secs(1)).await;
    let (before, frames) = (wake_ups(), lan9118::counts().received);
    runtime.sleep(Duration::from_secs(10)).await;
    let (woken, frames) = (wake_ups().wrapping_sub(before), lan9118::counts().received - frames);
    println!("     woken {woken} times in 10 s, by {frames} frames and one timer");
    must(woken <= 2 + 2 * frames, "it is woken though nothing is to be done")
}

async fn nothing_was_damaged(_: &EmbassyAdapter, _: Stack<'static>) -> Checked {
    let counts = lan9118::counts();
    println!("     {counts:?}");
    must(counts.received > 10 && counts.sent > 10, "frames are not counted")?;
    must(counts.errored + counts.oversized + counts.missed + counts.unsent + counts.resets == 0, "frames were lost")
}
