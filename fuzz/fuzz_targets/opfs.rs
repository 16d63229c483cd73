//! `cargo +nightly fuzz run --features libfuzzer opfs fuzz/corpus/opfs fuzz/seeds/opfs`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| anabranch_fuzz::opfs::try_it(data));
