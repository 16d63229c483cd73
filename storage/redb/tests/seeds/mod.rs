//! Which seeds a test tries, and that each says of itself how it is tried again.

use std::{error::Error, ops::Range, thread};

/// The seeds that the surroundings ask for, or as many as a test tries by itself: fewer where nothing is optimised.
pub fn seeds(in_tests: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    match number("ANABRANCH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ANABRANCH_SEEDS").unwrap_or(if cfg!(debug_assertions) { in_tests / 100 } else { in_tests }),
    }
}

/// Tries each seed, on as many threads as there are, and names the first that fails.
pub fn each_seed(seeds: Range<u64>, play: fn(u64) -> Result<u64, Box<dyn Error>>) {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = |number: u64| {
        let mine = seeds.clone().filter(move |seed| seed % threads == number);
        mine.map(|seed| play(seed).unwrap_or_else(|error| panic!("ANABRANCH_SEED={seed}: {error}"))).sum::<u64>()
    };
    let played: u64 = thread::scope(|scope| {
        let share = &share;
        let all: Vec<_> = (0..threads).map(|number| scope.spawn(move || share(number))).collect();
        all.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).sum()
    });
    println!("{} seeds, {played} crashes", seeds.end - seeds.start);
}
