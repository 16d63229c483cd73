//! `cargo +nightly fuzz run --features libfuzzer blocks fuzz/corpus/blocks fuzz/seeds/blocks`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::blocks::try_it(data));
