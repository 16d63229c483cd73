//! `cargo +nightly fuzz run --features libfuzzer cbor fuzz/corpus/cbor fuzz/seeds/cbor`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::cbor::try_it(data));
