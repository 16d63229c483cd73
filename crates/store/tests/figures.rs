//! How long the hot paths take, and how much memory: `cargo test --release -p anabranch-store --test figures -- --ignored --nocapture`.

mod common;

use anabranch_store::{Memory, Options, Store, Timestamp};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn store(hot_bytes: usize) -> Store {
    let clock = || Timestamp::from_nanos(1000);
    Store::open(Memory::new(), Options::new(clock).hot_bytes(hot_bytes)).unwrap()
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The best of five: what others do on the machine comes on top.
fn each(name: &str, count: u32, mut run: impl FnMut(u32)) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        (0..count).for_each(&mut run);
        best = best.min(begin.elapsed());
    }
    println!("{name}: {:.0} ns", best.as_nanos() as f64 / f64::from(count));
}

const VALUE: &str = "a value of exactly 32 bytes here";

#[test]
#[ignore = "figures, not a proof"]
fn figures() {
    let one_key = store(64 << 20);
    each("put, one key", 200_000, |_| drop(black_box(one_key.put("plant", "boiler", VALUE).unwrap())));
    let keys: Vec<String> = (0..10_000).map(|number| format!("sensor/{number}")).collect();
    let many = store(64 << 20);
    each("put, 10,000 keys", 200_000, |place| {
        drop(black_box(many.put("plant", &keys[place as usize * 7919 % keys.len()], VALUE).unwrap()));
    });
    each("get, hot, one key", 1_000_000, |_| drop(black_box(many.get("plant", "sensor/1").unwrap())));
    each("get, hot, 10,000 keys", 1_000_000, |place| {
        drop(black_box(many.get("plant", &keys[place as usize * 7919 % keys.len()]).unwrap()));
    });
    let cold = store(0);
    keys.iter().for_each(|key| drop(cold.put("plant", key, VALUE).unwrap()));
    each("get, not hot, 10,000 keys", 200_000, |place| {
        drop(black_box(cold.get("plant", &keys[place as usize * 7919 % keys.len()]).unwrap()));
    });
    drop((one_key, many, cold));

    let before = resident();
    let long = store(0);
    for decade in 3..=6 {
        let count = 10_i64.pow(decade);
        let there = long.stats().unwrap().total_versions as i64;
        (there..count).for_each(|_| drop(long.put("plant", "boiler", VALUE).unwrap()));
        if decade == 6 {
            println!("memory of a version: {} bytes", (resident() - before) / 1_000_000);
            println!("as it says itself: {} bytes", long.stats().unwrap().memory_bytes / 1_000_000);
        }
        each(&format!("get_at in the middle of {count}"), 200_000, |place| {
            let at = Timestamp::from_nanos(1000 + count / 2 + i64::from(place % 100));
            drop(black_box(long.get_at("plant", "boiler", at).unwrap()));
        });
        each(&format!("get_at anywhere in {count}"), 200_000, |place| {
            let at = Timestamp::from_nanos(1000 + i64::from(place) * 7919 % count);
            drop(black_box(long.get_at("plant", "boiler", at).unwrap()));
        });
        each(&format!("a page of 100 in the middle of {count}"), 5_000, |_| {
            let at = Timestamp::from_nanos(1000 + count / 2);
            drop(black_box(long.history("plant", "boiler", ..at, 100).unwrap()));
        });
    }
    let begin = Instant::now();
    let verified = long.verify(&mut |_| ()).unwrap();
    println!("verify: {:.0} ns a version", begin.elapsed().as_nanos() as f64 / verified.versions as f64);
    let begin = Instant::now();
    let exported = long
        .export(
            &mut |bytes| {
                black_box(bytes);
                Ok(())
            },
            &mut |_| (),
        )
        .unwrap();
    println!(
        "export: {:.0} ns and {} bytes a version",
        begin.elapsed().as_nanos() as f64 / 1e6,
        exported.bytes / 1_000_000
    );
    drop(long);

    let before = resident();
    let keys = store(0);
    (0..1_000_000).for_each(|number| drop(keys.put("plant", &format!("sensor/{}", number % 10_000), VALUE).unwrap()));
    println!("memory of a version, 10,000 keys: {} bytes", (resident() - before) / 1_000_000);
}
