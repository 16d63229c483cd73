//! How long the simulated network takes for messages: `cargo run --release -p anabranch-sim --example microseconds_a_connection`.

use anabranch_executor::{ByteStreamExt, Endpoint, Network, SpawnDynamically, Transport};
use anabranch_sim::{NetworkFaults, SimOptions};
use std::time::Instant;

const SEEDS: u64 = 2_000;
const MESSAGES: usize = 100;

fn main() {
    for (name, faults) in [("a perfect network", NetworkFaults::none()), ("a bad one", NetworkFaults::harsh())] {
        measure(name, "there and back, one after the other", faults, 1);
        measure(name, "there and back, all at once", faults, MESSAGES);
    }
}

/// A connection, and messages of 40 bytes that are answered; so many of them are under way at once.
fn measure(network: &str, what: &str, faults: NetworkFaults, at_once: usize) {
    let options = SimOptions::default().network(faults);
    let started = Instant::now();
    let (mut packets, mut steps) = (0, 0);
    for seed in 0..SEEDS {
        let mut sim = options.build(seed);
        let (server, client) = (sim.adapter().on_host("server"), sim.adapter().on_host("client"));
        let mut listener = server.listen(7).expect("a new host has free ports");
        drop(server.spawn(async move {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut buffer = [0; 256];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        }));
        let done = sim.block_on(async move {
            let endpoint = Endpoint { host: "server", port: 7, transport: Transport::Tcp };
            let mut stream = client.connect(&endpoint).await.expect("somebody listens");
            let mut buffer = [0; 256];
            for _ in 0..MESSAGES / at_once {
                for _ in 0..at_once {
                    stream.write_all(&[7; 40]).await.expect("an open connection");
                }
                let mut read = 0;
                while read < 40 * at_once {
                    read += stream.read(&mut buffer).await.expect("an open connection");
                }
            }
        });
        done.expect("the network survives its faults");
        packets += sim.network().counts().sent;
        steps += sim.steps();
    }
    let took = started.elapsed();
    println!(
        "{network}: {MESSAGES} messages {what}: {:>6.1} µs a connection ({} packets, {} steps, {:.0} ns a packet)",
        took.as_secs_f64() * 1e6 / SEEDS as f64,
        packets / SEEDS,
        steps / SEEDS,
        took.as_secs_f64() * 1e9 / packets as f64,
    );
}
