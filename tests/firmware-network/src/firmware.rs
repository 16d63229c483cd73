//! The suite, and the cases that are this adapter's own.

use crate::{
    cable::{Cable, End},
    peers::{self, COUNTED, COUNTS, HOST, NAME, Peers, TIME, at},
};
use anabranch_conformance::{Fault, NetworkFixture, Report, Tally, run_network};
use anabranch_embassy::{EmbassyAdapter, Sockets, TimeServerError};
use anabranch_executor::{
    ByteStreamExt, ConnectError, Duration, Endpoint, Network, RuntimeExt, TimeSource, Tls, Transport,
};
use board_mps2::{exit, println};
use core::sync::atomic::Ordering::Relaxed;
use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use static_cell::StaticCell;

board_mps2::panic_exits!();

static CABLE: Cable = Cable::new();
static SOCKETS: Sockets<2, 2048, 1024> = Sockets::new();

#[embassy_executor::task(pool_size = 2)]
async fn run(mut runner: Runner<'static, End>) {
    runner.run().await;
}

fn stack<const N: usize>(
    spawner: Spawner,
    side: usize,
    resources: &'static StaticCell<StackResources<N>>,
) -> Stack<'static> {
    let address = |last| Ipv4Address::new(10, 0, 0, last);
    let dns_servers = [address(2)].into_iter().collect();
    let own = Ipv4Cidr::new(address(side as u8 + 1), 24);
    let config = Config::ipv4_static(StaticConfigV4 { address: own, gateway: None, dns_servers });
    let resources = resources.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(CABLE.end(side), config, resources, side as u64);
    spawner.spawn(run(runner).expect("two stacks, two tasks"));
    stack
}

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    static HERE: StaticCell<StackResources<4>> = StaticCell::new();
    static THERE: StaticCell<StackResources<{ peers::SOCKETS }>> = StaticCell::new();
    let (here, there) = (stack(spawner, 0, &HERE), stack(spawner, 1, &THERE));
    peers::start(spawner, there);
    let bare = EmbassyAdapter::new(spawner);
    let runtime = bare.with_network(here, &SOCKETS);
    let mut tally = Tally::new(|line| println!("{line}"));
    macro_rules! check {
        ($($check:ident),*) => { $( tally.case(stringify!($check), $check(&runtime).await); )* };
    }
    check!(before_the_link_is_up_there_is_no_network);
    here.wait_link_up().await; // the address is given from the beginning
    run_network(&runtime, &Peers, &mut tally).await;
    check!(
        a_name_is_resolved,
        more_connections_than_sockets_are_refused_until_one_is_free,
        a_closed_stream_that_is_dropped_delivers_what_was_written,
        a_dropped_stream_is_cut,
        without_a_cable_there_is_no_network_and_afterwards_there_is,
        what_cannot_be_connected_to_is_found_by_the_check,
        the_wall_clock_is_unknown_until_a_time_server_has_said_what_can_be_believed
    );
    tally.case("an_adapter_with_no_network_says_so", refuses_for_good(&bare, at(COUNTS)).await);
    let again = bare.with_network(here, &SOCKETS);
    let none = again.connect(&at(COUNTS)).await;
    tally.case("sockets_serve_one_adapter", must(matches!(none, Err(ConnectError::Other(_))), "a typed error"));
    exit(u8::from(!tally.finish()))
}

type Checked = Result<(), Fault>;

fn must(holds: bool, expected: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(Fault::new(expected)) }
}

const MS: Duration = Duration::from_millis(1);

async fn connected(
    runtime: &EmbassyAdapter,
    endpoint: Endpoint<'_>,
) -> Result<<EmbassyAdapter as Network>::Stream, Fault> {
    let connected = runtime.timeout(MS * 15_000, runtime.connect(&endpoint)).await;
    connected.ok().and_then(Result::ok).ok_or(Fault::new("to be connected"))
}

async fn before_the_link_is_up_there_is_no_network(runtime: &EmbassyAdapter) -> Checked {
    let refused = runtime.connect(&Peers.echoes()).await.err();
    must(refused == Some(ConnectError::NoNetwork), "NoNetwork at once")
}

async fn a_name_is_resolved(runtime: &EmbassyAdapter) -> Checked {
    let named = |host| Endpoint { host, ..Peers.echoes() };
    must(runtime.check(&named(NAME)) == Ok(()), "a check to take a name")?;
    let mut stream = connected(runtime, named(NAME)).await?;
    must(stream.write_all(b"!").await == Ok(()) && stream.read(&mut [0]).await == Ok(1), "an echo")?;
    static LONG: [u8; 300] = [b'x'; 300];
    for nobody in ["nobody.example", "", "a..b", core::str::from_utf8(&LONG).unwrap_or_default()] {
        let unknown = runtime.connect(&named(nobody)).await.err();
        must(unknown == Some(ConnectError::NameNotFound), "NameNotFound")?;
    }
    Ok(())
}

async fn more_connections_than_sockets_are_refused_until_one_is_free(runtime: &EmbassyAdapter) -> Checked {
    for _ in 0..5 {
        let first = connected(runtime, Peers.echoes()).await?;
        let _second = connected(runtime, Peers.echoes()).await?;
        let third = runtime.connect(&Peers.echoes()).await;
        must(matches!(third, Err(error @ ConnectError::Other(_)) if !error.is_permanent()), "a typed error")?;
        drop(first);
        connected(runtime, Peers.echoes()).await?;
    }
    Ok(())
}

async fn counted(runtime: &EmbassyAdapter, bytes: u32) -> bool {
    for _ in 0..1_000 {
        if COUNTED.load(Relaxed) == bytes {
            return true;
        }
        runtime.sleep(MS).await;
    }
    false
}

async fn a_closed_stream_that_is_dropped_delivers_what_was_written(runtime: &EmbassyAdapter) -> Checked {
    // As many as a buffer holds, so that most of them are on their way when the stream goes; and the sockets are needed
    // again at once.
    for round in 1..=10 {
        let mut stream = connected(runtime, at(COUNTS)).await?;
        let written = stream.write(&[7; 1_024]).await;
        must(written == Ok(1_024), "a buffer to take what fits")?;
        must(stream.close().await == Ok(()), "a close to wait for nothing")?;
        drop(stream);
        if round % 2 == 0 {
            must(counted(runtime, 1_024 * round).await, "the peer to see all, and the end")?;
        }
    }
    Ok(())
}

async fn a_dropped_stream_is_cut(runtime: &EmbassyAdapter) -> Checked {
    let before = COUNTED.load(Relaxed);
    let mut stream = connected(runtime, at(COUNTS)).await?;
    let _ = stream.write(&[7; 100]).await;
    drop(stream);
    runtime.sleep(MS * 100).await;
    must(COUNTED.load(Relaxed) == before, "no end in order")?;
    // The peer has two sockets for this: were it not told, none would listen any more.
    for _ in 0..4 {
        drop(connected(runtime, at(COUNTS)).await?);
        runtime.sleep(MS * 100).await;
    }
    Ok(())
}

async fn without_a_cable_there_is_no_network_and_afterwards_there_is(runtime: &EmbassyAdapter) -> Checked {
    let mut stream = connected(runtime, Peers.echoes()).await?;
    CABLE.plug(false);
    runtime.sleep(MS).await;
    let refused = runtime.connect(&Peers.echoes()).await.err();
    must(refused == Some(ConnectError::NoNetwork), "NoNetwork without a cable")?;
    must(stream.write(b"over").await == Ok(4), "an open connection to take what fits")?;
    let silent = runtime.timeout(MS * 5_000, stream.read(&mut [0; 4])).await;
    must(silent.is_err(), "no answer without a cable")?;
    CABLE.plug(true);
    let mut echo = [0; 4];
    let answered = runtime.timeout(MS * 20_000, stream.read(&mut echo)).await;
    must(answered == Ok(Ok(4)) && &echo == b"over", "an open connection to go on")?;
    connected(runtime, Peers.echoes()).await.map(drop)
}

async fn refuses_for_good(runtime: &EmbassyAdapter, endpoint: Endpoint<'_>) -> Checked {
    let checked = runtime.check(&endpoint).err();
    must(checked.is_some_and(ConnectError::is_permanent), "the check to find it")?;
    must(runtime.connect(&endpoint).await.err() == checked, "the attempt to say what the check says")
}

async fn what_cannot_be_connected_to_is_found_by_the_check(runtime: &EmbassyAdapter) -> Checked {
    let web = Transport::WebSocket { path: "/", protocol: "mqtt", tls: None };
    for transport in [Transport::Tls(Tls::default()), web] {
        refuses_for_good(runtime, Endpoint { transport, ..Peers.echoes() }).await?;
    }
    refuses_for_good(runtime, Endpoint { host: "2001:db8::7", ..Peers.echoes() }).await?;
    // Not found by a check: there is nothing to be seen wrong in it.
    must(runtime.check(&Endpoint { host: HOST, ..Peers.refuses() }) == Ok(()), "a port to be seen by nobody")
}

async fn the_wall_clock_is_unknown_until_a_time_server_has_said_what_can_be_believed(
    runtime: &EmbassyAdapter,
) -> Checked {
    must(runtime.unix_time().is_none(), "no time before anybody has said it")?;
    // Two seconds for an answer that does not come, one until the next, which is not believed; and two until the third.
    let _ = runtime.timeout(MS * 4_000, runtime.keep_unix_time(HOST, 7)).await;
    must(runtime.unix_time().is_none(), "no time from who does not know it")?;
    let _ = runtime.timeout(MS * 1_000, runtime.keep_unix_time(HOST, 8)).await;
    let time = runtime.unix_time().ok_or(Fault::new("the time when it was said"))?;
    must(Duration::from_secs(TIME).abs_diff(time) < MS * 1_100, "the time that was said, and what has passed since")?;
    must(runtime.keep_unix_time(NAME, 9).await == TimeServerError::Denied, "to be turned away")?;
    let nowhere = runtime.keep_unix_time("2001:db8::7", 9).await;
    must(matches!(nowhere, TimeServerError::Host(error) if error.is_permanent()), "to be told of a wrong address")
}
