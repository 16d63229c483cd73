//! `cargo +nightly fuzz run --features libfuzzer rows fuzz/corpus/rows fuzz/seeds/rows`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::rows::try_it(data));
