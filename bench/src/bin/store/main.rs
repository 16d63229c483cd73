//! The store beside KoruDelta, SQLite and bare redb: what is written and read a second, what is synced, what it takes.
//!
//! `cargo xtask bench store` runs it; `--only WORD` runs the cases whose name holds the word.
//!
//! ```text
//!  work       writes.rs  durable.rs  hot.rs  past.rs  mixed.rs  footprint.rs  lifecycle.rs
//!  peers      peers/: sqlite.rs, koru.rs, bare_redb.rs
//!  measures   time of the processor where others on the machine must not count, syncs and bytes counted in counted.rs
//! ```
//!
//! SQLite does less than we do: it keeps a time for a version's id, and computes no digest.

mod counted;
mod durable;
mod footprint;
mod hot;
mod lifecycle;
mod mixed;
mod past;
mod peers;
mod writes;

use anabranch_bench::Report;
use anabranch_store::{Backend, Durability, Options, Store, Timestamp, Write};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// 32 bytes, as a small reading has.
pub const VALUE: &str = "a value of exactly 32 bytes here";
pub const NAMESPACE: &str = "plant";
/// When all begins; each version is a nanosecond later than the one before.
pub const BEGIN: i64 = 1_774_791_420_000_000_000;
/// Measured rounds.
pub const ROUNDS: usize = 7;
/// As many as the machine of the bounds has.
pub const MILLION: i64 = 1_000_000;

/// Runs `case` when its name is asked for.
pub fn asked(name: &str) -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only").skip(1);
    arguments.next().is_none_or(|word| name.contains(&word))
}

/// A store over a backend, whose clock stands still: versions are a nanosecond apart.
pub fn store(backend: impl Backend + Send + Sync + 'static, hot_bytes: usize) -> Store {
    let options = Options::new(|| Timestamp::from_nanos(BEGIN)).hot_bytes(hot_bytes);
    Store::open(backend, options).expect("the store opens")
}

/// Versions of one key, of which many share a commit.
pub fn fill_chain(store: &Store, key: &str, versions: i64) {
    const IN_FLIGHT: i64 = 1_000;
    let relaxed = store.with_durability(Durability::Relaxed);
    let submit = |_| relaxed.submit(vec![Write::put(NAMESPACE, key, VALUE)]).expect("the writer lives");
    for done in (0..versions).step_by(IN_FLIGHT as usize) {
        let tickets: Vec<_> = (0..IN_FLIGHT.min(versions - done)).map(submit).collect();
        tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("it is written")));
    }
    store.flush().expect("it is flushed");
}

/// Nanoseconds that this thread has run: what others do on the machine is not counted.
pub fn cpu_of_thread() -> f64 {
    nanoseconds(rustix::time::ClockId::ThreadCPUTime)
}

/// Nanoseconds that all threads of this process have run.
pub fn cpu_of_process() -> f64 {
    nanoseconds(rustix::time::ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: rustix::time::ClockId) -> f64 {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()).as_secs_f64() * 1e9
}

/// Nanoseconds of this thread for each of `count` calls.
pub fn each(count: u32, mut work: impl FnMut(u32)) -> f64 {
    let begin = cpu_of_thread();
    (0..count).for_each(&mut work);
    (cpu_of_thread() - begin) / f64::from(count)
}

/// Numbers by a seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn draw(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: i64) -> i64 {
        (self.draw() % bound.unsigned_abs()) as i64
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench")
}

/// A directory on the disk that holds the sources, and not in memory, as the system's own may be.
pub fn directory() -> tempfile::TempDir {
    std::fs::create_dir_all(folder()).expect("the folder for results can be made");
    tempfile::tempdir_in(folder()).expect("a directory can be made")
}

fn main() -> ExitCode {
    if footprint::be_measured() {
        return ExitCode::SUCCESS;
    }
    let mut report = Report::default();
    println!("     {:58} {:>10} {:>10} peer", "case", "ours", "peer's");
    writes::run(&mut report);
    hot::run(&mut report);
    durable::run(&mut report);
    past::run(&mut report);
    footprint::run(&mut report);
    lifecycle::run(&mut report);
    mixed::run(&mut report);
    match report.write(&folder(), "store") {
        Ok((holding, all)) => println!("{holding} of {all} bounds hold; target/bench/store.json has the figures"),
        Err(error) => {
            eprintln!("cannot write target/bench/store.json: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
