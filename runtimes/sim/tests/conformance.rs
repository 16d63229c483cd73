//! The simulation keeps the contract of every runtime, under many seeds and with faults.

use anabranch_conformance::{
    Fault, NetworkFixture, Platform, run_network, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically,
    run_time, static_slots,
};
use anabranch_executor::{ByteStreamExt, Endpoint, SpawnDynamically, StreamError, Transport};
use anabranch_sim::{Faults, NetworkFaults, Sim, SimAdapter, SimOptions, SimStream, Verdict};

const PLATFORM: Platform = Platform { unwinds: true, threads: false };

/// Runs the whole suite; it panics in tasks by intention.
fn keeps_the_contract(sim: &mut Sim) -> Verdict {
    let rt = sim.static_adapter();
    let failed = sim.block_on(async {
        let (mut passed, mut failed) = (0, Vec::new());
        let mut report = |name: &'static str, outcome: Result<(), Fault>| match outcome {
            Ok(()) => passed += 1,
            Err(fault) => failed.push(format!("{name}: {fault}")),
        };
        run_time(rt, &mut report).await;
        run_spawn_dynamically(rt, PLATFORM, &mut report).await;
        run_spawn_statically(rt, static_slots!(SimAdapter), PLATFORM, &mut report).await;
        run_spawn_blocking(rt, PLATFORM, &mut report).await;
        assert!(passed + failed.len() > 30, "the suite has run");
        failed
    })?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

fn silently(test: impl FnOnce()) {
    // The cases that panic would print some thousand reports that nobody reads.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let intended = info.payload().downcast_ref::<&str>().is_some_and(|text| text.contains("asked to panic"));
        if !intended {
            hook(info);
        }
    }));
    test();
}

#[test]
fn the_simulation_keeps_the_contract_under_every_seed_and_on_bad_days() {
    silently(|| {
        SimOptions::default().panics_expected().check(0..200, keeps_the_contract);
        // No task is held up, for one case knows no other way to see a task end than to give it 30 ms.
        let faults = Faults { stall: 0.0, ..Faults::harsh() };
        SimOptions::default().panics_expected().faults(faults).check(0..200, keeps_the_contract);
    });
}

/// The peers of the network's cases, on hosts of their own.
struct Peers;

const ECHOES: u16 = 1;
const CLOSES: u16 = 2;
const NEVER_READS: u16 = 3;
const RESETS: u16 = 4;
const REFUSES: u16 = 5;

fn at(port: u16) -> Endpoint<'static> {
    Endpoint { host: "peers", port, transport: Transport::Tcp }
}

impl NetworkFixture for Peers {
    fn echoes(&self) -> Endpoint<'_> {
        at(ECHOES)
    }
    fn closes(&self) -> Endpoint<'_> {
        at(CLOSES)
    }
    fn never_reads(&self) -> Endpoint<'_> {
        at(NEVER_READS)
    }
    fn resets(&self) -> Endpoint<'_> {
        Endpoint { host: "resets", ..at(RESETS) }
    }
    fn refuses(&self) -> Endpoint<'_> {
        at(REFUSES)
    }
}

/// What a peer does with a connection.
async fn serve(port: u16, mut stream: SimStream) -> Result<(), StreamError> {
    let mut buffer = [0; 4_096];
    match port {
        CLOSES => stream.close().await?,
        NEVER_READS => std::future::pending().await,
        RESETS => {
            stream.read(&mut buffer[..1]).await?;
            stream.reset();
        }
        _ => loop {
            match stream.read(&mut buffer).await? {
                0 => return stream.close().await,
                count => stream.write_all(&buffer[..count]).await?,
            }
        },
    }
    Ok(())
}

fn keeps_the_network_s_contract(sim: &mut Sim) -> Verdict {
    let rt = sim.adapter();
    // A reset that is lost is never told again: where there is to be an error, no packet may be lost.
    sim.network().set_faults_between("localhost", "resets", NetworkFaults { loss: 0.0, ..NetworkFaults::harsh() });
    for port in [ECHOES, CLOSES, NEVER_READS, RESETS] {
        let mut listener = rt.on_host(if port == RESETS { "resets" } else { "peers" }).listen(port)?;
        let rt = rt.clone();
        drop(sim.adapter().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A peer may be told that its connection has ended.
                drop(rt.spawn(async move { serve(port, stream).await.ok() }));
            }
        }));
    }
    let (passed, failed) = sim.block_on(async {
        let (mut passed, mut failed) = (0, Vec::new());
        let mut report = |name: &'static str, outcome: Result<(), Fault>| match outcome {
            Ok(()) => passed += 1,
            Err(fault) => failed.push(format!("{name}: {fault}")),
        };
        run_network(&rt, &Peers, &mut report).await;
        (passed, failed)
    })?;
    assert!(passed + failed.len() > 10, "the suite has run");
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

#[test]
fn the_network_keeps_the_contract_under_every_seed_and_on_a_bad_line() {
    SimOptions::default().check(0..4, keeps_the_network_s_contract);
    let options = SimOptions::default().network(NetworkFaults::harsh());
    options.clone().check(0..8, keeps_the_network_s_contract);
    options.faults(Faults::harsh()).check(8..12, keeps_the_network_s_contract);
}
