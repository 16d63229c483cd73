//! `cargo +nightly fuzz run --features libfuzzer import fuzz/corpus/import fuzz/seeds/import`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::import::try_it(data));
