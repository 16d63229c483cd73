//! How long the hot paths take, and how much memory: `cargo test --release -p anabranch-store --test figures -- --ignored --nocapture`.

mod common;

use anabranch_store::{Memory, Options, Store, Timestamp};
use std::collections::HashMap;
use std::hint::black_box;

fn store(hot_bytes: usize) -> Store {
    let clock = || Timestamp::from_nanos(1000);
    Store::open(Memory::new(), Options::new(clock).hot_bytes(hot_bytes)).unwrap()
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Nanoseconds that this thread has run: what others do on the machine is not counted.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

/// The best of five.
fn each(name: &str, count: u32, mut run: impl FnMut(u32)) {
    let mut best = u64::MAX;
    for _ in 0..5 {
        let begin = cpu();
        (0..count).for_each(&mut run);
        best = best.min(cpu() - begin);
    }
    println!("{name}: {:.0} ns", best as f64 / f64::from(count));
}

const VALUE: &str = "a value of exactly 32 bytes here";

/// Alone in its process: memory that was freed is not counted twice.
#[test]
#[ignore = "figures, not a proof"]
fn memory() {
    for keys in [1, 10_000] {
        let before = resident();
        let store = store(0);
        (0..1_000_000)
            .for_each(|number| drop(store.put("plant", &format!("sensor/{}", number % keys), VALUE).unwrap()));
        let says = store.stats().unwrap().memory_bytes / 1_000_000;
        println!("memory of a version, {keys} keys: {} bytes; it says {says}", (resident() - before) / 1_000_000);
        std::mem::forget(store);
    }
}

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
    // What nothing that threads share could do in less.
    let map = keys.iter().map(|key| (("plant".to_string(), key.clone()), many.get("plant", key).unwrap()));
    let map: std::sync::RwLock<HashMap<_, _>> = std::sync::RwLock::new(map.collect());
    each("a map under a lock, 10,000 keys", 1_000_000, |place| {
        let names = ("plant".to_string(), keys[place as usize * 7919 % keys.len()].clone());
        drop(black_box(map.read().unwrap().get(&names).unwrap().clone()));
    });
    let cold = store(0);
    keys.iter().for_each(|key| drop(cold.put("plant", key, VALUE).unwrap()));
    each("get, not hot, 10,000 keys", 200_000, |place| {
        drop(black_box(cold.get("plant", &keys[place as usize * 7919 % keys.len()]).unwrap()));
    });
    drop((one_key, many, cold));

    let long = store(0);
    for decade in 3..=6 {
        let count = 10_i64.pow(decade);
        let there = long.stats().unwrap().total_versions as i64;
        (there..count).for_each(|_| drop(long.put("plant", "boiler", VALUE).unwrap()));
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
    let begin = cpu();
    let verified = long.verify(&mut |_| ()).unwrap();
    println!("verify: {:.0} ns a version", (cpu() - begin) as f64 / verified.versions as f64);
    let begin = cpu();
    let exported = long
        .export(
            &mut |bytes| {
                black_box(bytes);
                Ok(())
            },
            &mut |_| (),
        )
        .unwrap();
    println!("export: {:.0} ns and {} bytes a version", (cpu() - begin) as f64 / 1e6, exported.bytes / 1_000_000);
}
