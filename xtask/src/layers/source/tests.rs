//! Each rule fires on its small bad example, and leaves its good twin alone.

use super::*;

const ENGINE: &str = "crates/query/src/plan.rs";
const CORE: &str = "crates/core/src/record.rs";
const ADAPTER: &str = "runtimes/tokio/src/spawn.rs";
const APP: &str = "apps/cli/src/main.rs";
const LEAF: &str = "crates/core/src/buffer/lock.rs";

/// The rules that a file at this path breaks.
fn broken(path: &str, text: &str) -> Vec<Rule> {
    let source = Source::parse(path.to_owned(), text, Layer::of(path).unwrap()).ok().unwrap();
    let folders = ["executor", "store", "core"].map(|name| (format!("anabranch_{name}"), format!("crates/{name}")));
    let mut crates: BTreeMap<String, &'static Layer> =
        folders.iter().map(|(name, folder)| (name.clone(), Layer::of(folder).unwrap())).collect();
    crates.insert("anabranch_tokio".to_owned(), Layer::of("runtimes/tokio").unwrap());
    check(&source, source.is_proof(), &crates).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn an_import_that_points_up_or_sideways() {
    assert_eq!(broken(ENGINE, "use anabranch_store::Store;"), [Rule::Import]);
    assert_eq!(broken(CORE, "fn f() { anabranch_tokio::TokioAdapter::current(); }"), [Rule::Import]);
    assert_eq!(broken(CORE, "use { anabranch_tokio as runtime }; fn f() { runtime::go() }"), [Rule::Import]);
    assert_eq!(broken(CORE, "fn f() { assert!(anabranch_tokio::works()); }"), [Rule::Import]);
    assert_eq!(broken(CORE, "use anabranch_executor::Runtime;"), []);
    assert_eq!(broken(ADAPTER, "use anabranch_core::Record;"), []);
}

#[test]
fn a_target_outside_the_adapters() {
    assert_eq!(broken(CORE, "#[cfg(target_arch = \"wasm32\")] fn f() {}"), [Rule::Target]);
    assert_eq!(broken(CORE, "#[cfg(not(any(test, unix)))] fn f() {}"), [Rule::Target]);
    assert_eq!(broken(CORE, "#![cfg_attr(target_os = \"none\", no_std)]"), [Rule::Target]);
    assert_eq!(broken(CORE, "fn f() -> bool { cfg!(target_os = \"none\") }"), [Rule::Target]);
    assert_eq!(broken(CORE, "macro_rules! m { () => { #[cfg(windows)] fn f() {} } }"), [Rule::Target]);
    assert_eq!(broken(APP, "fn f() { if cfg!(unix) {} }"), [Rule::Target]);
    assert_eq!(broken(ADAPTER, "#[cfg(target_arch = \"wasm32\")] fn f() {}"), []);
    assert_eq!(broken("crates/executor/src/maybe_send.rs", "#[cfg(target_os = \"none\")] fn f() {}"), []);
    assert_eq!(broken("tests/firmware-bare/src/main.rs", "#[cfg(target_os = \"none\")] fn f() {}"), []);
    assert_eq!(broken(CORE, "#[cfg(feature = \"std\")] fn f() {}"), []);
}

#[test]
fn unsafe_outside_the_leaf_modules() {
    assert_eq!(broken(CORE, "fn f() { unsafe { g() } }"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "unsafe fn f() {}"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "struct S; unsafe impl Send for S {}"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "unsafe trait T {}"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "unsafe extern \"C\" { fn f(); }"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "#[unsafe(no_mangle)] fn f() {}"), [Rule::Unsafe]);
    assert_eq!(broken(CORE, "macro_rules! m { () => { unsafe { g() } } }"), [Rule::Unsafe]);
    assert_eq!(broken(ADAPTER, "impl S { unsafe fn f(&self) {} }"), [Rule::Unsafe]);
    assert_eq!(broken(LEAF, "fn f() { unsafe { g() } }"), []);
    assert_eq!(broken(CORE, "#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe { }\";"), []);
}

#[test]
fn an_allow_without_a_reason() {
    assert_eq!(broken(CORE, "#[allow(dead_code)] fn f() {}"), [Rule::Allow]);
    assert_eq!(broken(CORE, "#![allow(dead_code)]"), [Rule::Allow]);
    assert_eq!(broken(CORE, "fn f() { #[expect(unused)] let a = 1; }"), [Rule::Allow]);
    assert_eq!(broken(CORE, "#[cfg_attr(test, allow(dead_code))] fn f() {}"), [Rule::Allow]);
    assert_eq!(broken(CORE, "macro_rules! m { () => { #[allow(dead_code)] fn f() {} } }"), [Rule::Allow]);
    assert_eq!(broken("tests/conformance/src/lib.rs", "#[allow(dead_code)] fn f() {}"), [Rule::Allow]);
    assert_eq!(broken(CORE, "#[allow(dead_code, reason = \"read by the debugger\")] fn f() {}"), []);
    assert_eq!(broken(CORE, "fn f(a: Option<u8>) { a.expect(\"a bug\"); assert!(a.expect(\"b\") > 1); }"), []);
}

#[test]
fn an_engine_that_reads_a_clock_or_does_io() {
    assert_eq!(broken(ENGINE, "fn f() { std::thread::sleep(d); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "use std::thread; fn f() { thread::sleep(d); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "use std::time::*; fn f() { Instant::now(); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "use std::time::{Duration, Instant as Clock}; fn f() { Clock::now(); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "fn f() { let t = std::time::SystemTime::now(); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "fn f() { assert!(std::time::Instant::now() > t); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "extern crate std as s; fn f() { s::thread::sleep(d); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "fn f() { println!(\"x\"); }"), [Rule::Pure]);
    assert_eq!(broken(ENGINE, "use std::fs::File;"), [Rule::Pure]);
    assert_eq!(
        broken(CORE, "trait T { type Instant; } fn f<R: T>(now: R::Instant, then: core::time::Duration) {}"),
        []
    );
    assert_eq!(broken(CORE, "use std::sync::Mutex; fn f(m: &Mutex<u8>) { m.lock(); }"), []);
    assert_eq!(broken(ADAPTER, "fn f() { std::time::Instant::now(); }"), []);
}

#[test]
fn an_exception_is_no_hole_for_others() {
    let sleeps = "fn f() { std::thread::sleep(d); }";
    let Exception { at, .. } = &EXCEPTIONS[0];
    assert_eq!(broken(at, sleeps), []);
    assert_eq!(broken(at, "fn f() { std::time::Instant::now(); }"), [Rule::Pure]);
    assert_eq!(broken(LEAF, sleeps), [Rule::Pure]);
    let source = |text| Source::parse((*at).to_owned(), text, Layer::of(at).unwrap()).ok().unwrap();
    assert!(needs(&source(sleeps), &EXCEPTIONS[0]) && !needs(&source("fn f() {}"), &EXCEPTIONS[0]));
}

#[test]
fn a_pure_crate_that_needs_the_standard_library() {
    assert_eq!(broken("crates/query/src/lib.rs", "//! Queries."), [Rule::NoStd]);
    assert_eq!(broken("crates/query/src/lib.rs", "#![no_std]"), []);
    assert_eq!(broken("crates/query/src/lib.rs", "#![cfg_attr(not(feature = \"std\"), no_std)]"), []);
    assert_eq!(broken("crates/anabranch/src/lib.rs", "//! The façade."), []);
}

#[test]
fn a_call_that_blocks_an_async_thread() {
    assert_eq!(broken(ADAPTER, "fn f() { tokio::task::block_in_place(|| 1); }"), [Rule::Blocking]);
    assert_eq!(broken(ADAPTER, "fn f(h: Handle) { h.block_on(async {}); }"), [Rule::Blocking]);
    assert_eq!(broken(ADAPTER, "use futures::executor::block_on; fn f() { block_on(async {}); }"), [Rule::Blocking]);
    assert_eq!(broken(ENGINE, "fn f() { assert!(rt.block_on(async { true })); }"), [Rule::Blocking]);
    assert_eq!(broken(APP, "fn main() { runtime.block_on(async {}); }"), []);
}

#[test]
fn tests_may_import_wait_and_read_clocks() {
    let test = "fn t() { anabranch_tokio::go(); std::thread::sleep(d); rt.block_on(async {}); println!(); }";
    assert_eq!(broken(CORE, &format!("#[cfg(test)] mod tests {{ use anabranch_tokio::X; {test} }}")), []);
    assert_eq!(broken(CORE, &format!("#[cfg(all(test, not(loom)))] mod tests {{ {test} }}")), []);
    assert_eq!(broken(CORE, &format!("#[test] {test}")), []);
    assert_eq!(broken(CORE, &format!("#[tokio::test] async {test}")), []);
    assert_eq!(broken("crates/core/tests/loom.rs", test), []);
    assert_eq!(broken("crates/core/build.rs", "fn main() { std::env::var(\"OUT_DIR\"); }"), []);
    assert_eq!(broken(CORE, &format!("#[cfg(not(test))] {test}")).len(), 4);
    assert_eq!(broken(CORE, &format!("#[cfg(any(test, feature = \"std\"))] {test}")).len(), 4);
}

#[test]
fn a_name_that_only_a_test_imports_means_nothing_outside_it() {
    let text = "fn f<I: Clock>(at: I) { Instant::of(at); } #[cfg(test)] mod tests { use std::time::Instant; }";
    assert_eq!(broken(CORE, text), []);
}

#[test]
fn a_file_that_is_declared_for_tests_is_a_test() {
    let root =
        Source::parse("crates/core/src/record.rs".to_owned(), "#[cfg(test)] mod tests; mod ring;", &rules::LAYERS[3]);
    assert_eq!(
        test_modules(&root.ok().unwrap()),
        ["crates/core/src/record/tests.rs", "crates/core/src/record/tests/**"]
    );
}

#[test]
fn comments_strings_and_quoted_code_are_no_code_of_ours() {
    let text = "// std::thread::sleep(d) block_on\n/* unsafe {} */ const S: &str = \"std::time::Instant::now()\";";
    assert_eq!(broken(ENGINE, text), []);
    assert_eq!(broken("crates/macros/src/service.rs", "fn f() { quote!(::anabranch_core::Record); }"), []);
    assert_eq!(broken("crates/macros/src/service.rs", "fn f() { quote!(unsafe { x }); }"), [Rule::Unsafe]);
}

#[test]
fn a_file_that_is_no_rust_says_where() {
    let (file, line, _) = Source::parse(CORE.to_owned(), "fn f() {\n let", &rules::LAYERS[0]).err().unwrap();
    assert_eq!((file.as_str(), line > 0), (CORE, true));
}
