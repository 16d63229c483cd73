//! `cargo +nightly fuzz run --features libfuzzer json fuzz/corpus/json fuzz/seeds/json`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::json::try_it(data));
