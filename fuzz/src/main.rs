//! Tries each target on its seeds and on what comes of them at random, for so many seconds of a processor's
//! time: `cargo run --release -- --seconds 50`.
//!
//! What breaks a promise is kept in `artifacts/`, and tried again by naming its file:
//! `cargo run --release -- TARGET FILE`. The same `--seed` alters in the same way.

use anabranch_fuzz::{TARGETS, Target};
use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// No input grows longer.
const LONGEST: usize = 64 << 10;

fn folder(kind: &str, target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *words {
        ["--write-seeds"] => write_seeds(),
        ["--seconds", seconds] => for_seconds(seconds, "1"),
        ["--seconds", seconds, "--seed", seed] => for_seconds(seconds, seed),
        [target, file] => once(target, file),
        _ => Err("usage: fuzz --seconds N [--seed N] | TARGET FILE | --write-seeds".into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn once(name: &str, file: &str) -> Outcome {
    let target = TARGETS.iter().find(|target| target.name == name);
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let target = target.ok_or_else(|| format!("{name} is no target: there are {}", names.join(", ")))?;
    (target.try_it)(&fs::read(file)?);
    println!("{file} breaks no promise of {name}");
    Ok(ExitCode::SUCCESS)
}

fn write_seeds() -> Outcome {
    for target in TARGETS {
        let folder = folder("seeds", target);
        fs::create_dir_all(&folder)?;
        for (name, seed) in (target.seeds)() {
            fs::write(folder.join(name), seed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn for_seconds(seconds: &str, seed: &str) -> Outcome {
    let each = Duration::from_secs_f64(seconds.parse::<f64>()? / TARGETS.len() as f64);
    let mut chance = Chance(seed.parse()?);
    let (mut passed, mut failed) = (0, 0);
    for target in TARGETS {
        let mut seeds = Vec::new();
        for entry in fs::read_dir(folder("seeds", target))? {
            seeds.push(fs::read(entry?.path())?);
        }
        // In the same order everywhere.
        seeds.sort_unstable();
        match alter(target, &seeds, each, &mut chance) {
            Ok(inputs) => {
                println!("{:8} {inputs:>9} inputs from {} seeds", target.name, seeds.len());
                passed += 1;
            }
            Err(input) => {
                let folder = folder("artifacts", target);
                fs::create_dir_all(&folder)?;
                let file = folder.join(format!("broken-{}", input.len()));
                fs::write(&file, input)?;
                println!("{:8} FAILED: cargo run --release -- {0} {}", target.name, file.display());
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries the seeds, and then what comes of them until the time is over: how many inputs, or the one that breaks a promise.
fn alter(target: &Target, seeds: &[Vec<u8>], time: Duration, chance: &mut Chance) -> Result<u64, Vec<u8>> {
    let broken = |input: &[u8]| catch_unwind(|| (target.try_it)(input)).is_err();
    if let Some(seed) = seeds.iter().find(|seed| broken(seed)) {
        return Err(seed.clone());
    }
    let begun = Begun::now();
    let mut inputs = seeds.len() as u64;
    // To ask how late it is takes as long as a small input does.
    while !inputs.is_multiple_of(32) || begun.worked() < time {
        let mut input = seeds[chance.below(seeds.len())].clone();
        for _ in 0..=chance.below(6) {
            change(&mut input, seeds, chance);
        }
        input.truncate(LONGEST);
        if broken(&input) {
            return Err(input);
        }
        inputs += 1;
    }
    Ok(inputs)
}

/// What this thread has worked since then: what else the machine does takes nothing from it.
struct Begun {
    worked: Option<Duration>,
    at: Instant,
}

impl Begun {
    fn now() -> Self {
        Self { worked: Self::until_now(), at: Instant::now() }
    }

    /// Of the clock on the wall where the system does not tell.
    fn worked(&self) -> Duration {
        let worked = Self::until_now().zip(self.worked).map(|(now, then)| now.saturating_sub(then));
        worked.unwrap_or_else(|| self.at.elapsed())
    }

    /// Linux has the nanoseconds first in this file.
    fn until_now() -> Option<Duration> {
        let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

/// Numbers that programs stumble over.
const NOTABLE: [u8; 10] = [0, 1, 0x1b, 0x20, 0x7f, 0x80, 0x81, 0x9f, 0xfe, 0xff];

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len().max(1));
    let end = at + chance.below(32);
    let range = at.min(input.len())..end.min(input.len());
    match chance.below(8) {
        0 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
        1 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = chance.below(256) as u8),
        2 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = NOTABLE[chance.below(NOTABLE.len())]),
        3 => input[range].fill(NOTABLE[chance.below(NOTABLE.len())]),
        4 => drop(input.drain(range)),
        5 => {
            let copied = input[range].to_vec();
            let to = chance.below(input.len().max(1)).min(input.len());
            input.splice(to..to, copied);
        }
        6 => {
            let more: Vec<u8> = (0..chance.below(16)).map(|_| chance.below(256) as u8).collect();
            let at = at.min(input.len());
            input.splice(at..at, more);
        }
        _ => {
            // The end of another.
            let other = &seeds[chance.below(seeds.len())];
            let from = chance.below(other.len().max(1)).min(other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}
