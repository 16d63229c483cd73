//! What the macros generate, compared with what was approved, and what they say to wrong use.
//!
//! `ANABRANCH_APPROVE=1 cargo test -p anabranch-macros` writes the expansions as they are now: read the difference.

use crate::{record_key, service};
use proc_macro2::TokenStream;
use std::{env, fs, path::Path};

/// Compares an expansion, formatted, with `expansions/NAME.rs`.
#[track_caller]
fn is_approved(name: &str, expansion: &TokenStream) {
    // The façade's macro is shown as a module: what stands in a macro cannot be formatted.
    let code = expansion
        .to_string()
        .replace("crate :: facade :: __if_alloc !", "mod __if_alloc")
        .replace(":: anabranch :: __if_alloc !", "mod __if_alloc");
    let expansion = prettyplease::unparse(&syn::parse_file(&code).expect("an expansion is Rust"));
    let approved = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions").join(name).with_extension("rs");
    if env::var_os("ANABRANCH_APPROVE").is_some() {
        fs::write(&approved, &expansion).expect("the folder can be written");
    }
    let approved = fs::read_to_string(&approved).expect("it was approved once: run the test with ANABRANCH_APPROVE=1");
    assert!(approved == expansion, "the expansion `{name}` has changed; it is now:\n{expansion}");
}

fn tokens(code: &str) -> TokenStream {
    code.parse().expect("a test's code has tokens")
}

fn service_of(arguments: &str, function: &str) -> TokenStream {
    service::expand(tokens(arguments), tokens(function))
}

/// The messages of the `compile_error!`s in an expansion.
fn errors(expansion: &TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(expansion.clone()).expect("errors are Rust, too");
    let errors = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last().is_some_and(|last| last.ident == "compile_error") => {
            Some(item.mac.parse_body::<syn::LitStr>().expect("an error is a text").value())
        }
        _ => None,
    });
    errors.collect()
}

/// `#[service(arguments)]` on `function` is one error, which contains all of `words`.
#[track_caller]
fn refuses(arguments: &str, function: &str, words: &[&str]) {
    let errors = errors(&service_of(arguments, function));
    let [error] = &errors[..] else { panic!("one error was expected, and not {errors:#?}") };
    assert!(words.iter().all(|word| error.contains(word)), "{error}\n does not contain all of {words:?}");
}

#[track_caller]
fn refuses_key(item: &str, words: &[&str]) {
    let errors = errors(&record_key::expand(tokens(item)));
    let [error] = &errors[..] else { panic!("one error was expected, and not {errors:#?}") };
    assert!(words.iter().all(|word| error.contains(word)), "{error}\n does not contain all of {words:?}");
}

const PLAIN: &str = "async fn f<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), E> { Ok(()) }";

/// A service with these parameters after its context.
fn with(parameters: &str) -> String {
    format!("async fn f<R: Runtime>(ctx: RuntimeContext<R>, {parameters}) -> Result<(), E> {{ Ok(()) }}")
}

mod expands {
    use super::*;

    #[test]
    fn a_service_that_runs_once() {
        let code = "
            /// Turns the fan on when it is hot.
            pub async fn cooling<R: Runtime>(ctx: RuntimeContext<R>, mut temperature: Consumer<f32>, fan: Producer<Fan>, limit: f32)
                -> Result<(), Elapsed> { Ok(()) }";
        is_approved("once", &service_of("", code));
    }

    #[test]
    fn a_service_that_is_restarted() {
        let code = "
            pub(crate) async fn moving_average<Rt>(ctx: anabranch::RuntimeContext<Rt>, input: &mut Consumer<f32>, output: &Producer<f32>,
                alarm: Producer<()>, over: usize) -> core::result::Result<(), &'static str> where Rt: Runtime { Ok(()) }";
        let arguments =
            "restart = \"on-failure\", backoff = \"50ms\", max_backoff = \"2min\", limit = 5, name = \"average\"";
        is_approved("restarted", &service_of(arguments, code));
    }

    #[test]
    fn a_service_of_several_instances() {
        let code = "async fn worker<R: Runtime>(ctx: RuntimeContext<R>, work: &mut Consumer<Job>, done: Producer<Done>, speed: u8)
            -> Result<(), Broken> { Ok(()) }";
        is_approved("instances", &service_of("restart = \"always\", instances = 4", code));
    }

    #[test]
    fn a_service_that_asks_for_a_heap_has_no_static_storage() {
        let code = "async fn r#loop<R: Runtime + SpawnDynamically>(ctx: RuntimeContext<R>) -> Result<(), E> { Ok(()) }";
        is_approved("needs_a_heap", &service_of("crate = crate::facade", code));
    }

    #[test]
    fn the_key_of_one_record() {
        let code = "#[record(key = \"sensor/temperature\", value = Temperature)] pub struct TemperatureKey;";
        is_approved("key", &record_key::expand(tokens(code)));
    }

    #[test]
    fn the_keys_of_several_records() {
        let code = "#[record(value = Vec<bool>, crate = crate)]
            enum Lamp { #[key = \"lamp/hall\"] Hall, #[record(key = \"lamp/stairs\")] Stairs }";
        is_approved("keys", &record_key::expand(tokens(code)));
    }

    #[test]
    fn a_static_slot_where_the_bounds_ask_for_no_more_than_a_runtime_without_a_heap_has() {
        let is_static = |bounds: &str| {
            let code = format!("async fn f<R: {bounds} {{ Ok(()) }}");
            service_of("", &code).to_string().contains("spawn_static <")
        };
        let rest = "(ctx: RuntimeContext<R>) -> Result<(), E>";
        assert!(is_static(&format!("anabranch::Runtime>{rest}")));
        assert!(is_static(&format!("TimeSource + SpawnStatically + Clone + 'static>{rest}")));
        assert!(is_static(&format!("Runtime>{rest} where Vec<u8>: Extend<u8>")));
        assert!(!is_static(&format!("Runtime + SpawnBlocking>{rest}")));
        assert!(!is_static(&format!("Runtime>{rest} where R: SpawnDynamically")));
        assert!(!is_static(&format!("OfMyOwn>{rest}")));
    }
}

mod arguments {
    use super::*;

    #[test]
    fn an_unknown_one_is_told_with_the_nearest_and_the_list() {
        let list = "`restart`, `backoff`, `max_backoff`, `limit`, `instances`, `name` or `crate`";
        refuses("restrat = \"never\"", PLAIN, &["no argument `restrat`", "did you mean `restart`?", list]);
        refuses("colour = 3", PLAIN, &["no argument `colour`", list]);
    }

    #[test]
    fn one_without_a_value_or_with_another_kind_of_value_is_shown_how_it_is_written() {
        refuses("restart", PLAIN, &["`restart` needs a value", "restart = \"on-failure\""]);
        refuses("restart = never", PLAIN, &["`restart` takes another value", "restart = \"on-failure\""]);
        refuses("limit = \"5\"", PLAIN, &["`limit` takes another value", "limit = 5"]);
        refuses("crate = 5", PLAIN, &["`crate` takes another value", "crate = ::anabranch"]);
        refuses("limit = 1, limit = 2", PLAIN, &["`limit` is given twice"]);
    }

    #[test]
    fn a_policy_that_does_not_exist_is_told_with_the_nearest() {
        let list = "\"never\", \"on-failure\" or \"always\"";
        refuses("restart = \"on_failure\"", PLAIN, &["no policy \"on_failure\"", "did you mean \"on-failure\"?", list]);
        refuses("restart = \"x\"", PLAIN, &["no policy \"x\"", list]);
    }

    #[test]
    fn a_pause_has_a_number_a_unit_and_a_length() {
        for pause in ["", "100", "ms", "1.5s", "-1s", "1h", "99999999999999999999min"] {
            let arguments = format!("restart = \"always\", backoff = \"{pause}\"");
            refuses(&arguments, PLAIN, &["is no length of time", "\"100ms\""]);
        }
        refuses("restart = \"always\", backoff = \"0ms\"", PLAIN, &["write at least \"1us\""]);
        let longer = "restart = \"always\", backoff = \"1min\"";
        refuses(longer, PLAIN, &["`max_backoff` (30s) is shorter than `backoff` (60s)"]);
        let shorter = "restart = \"always\", max_backoff = \"7us\"";
        refuses(shorter, PLAIN, &["`max_backoff` (7µs) is shorter than `backoff` (100ms)"]);
    }

    #[test]
    fn what_is_about_restarts_needs_a_policy() {
        refuses("limit = 5", PLAIN, &["`limit` is about restarts", "add `restart = \"on-failure\"`"]);
        refuses("restart = \"never\", backoff = \"1s\"", PLAIN, &["`backoff` is about restarts"]);
    }

    #[test]
    fn numbers_are_in_their_range_and_names_are_not_empty() {
        refuses("instances = 0", PLAIN, &["at least 1 instance"]);
        refuses("instances = 65536", PLAIN, &["no number of instances"]);
        refuses("restart = \"always\", limit = 4294967296", PLAIN, &["no number of restarts"]);
        refuses("name = \" \"", PLAIN, &["needs a name"]);
    }
}

mod signatures {
    use super::*;

    #[test]
    fn the_function_is_kept_beside_an_error() {
        assert!(service_of("limit = 5", PLAIN).to_string().starts_with("async fn f"));
    }

    #[test]
    fn it_is_a_plain_async_function() {
        let f = "(ctx: RuntimeContext<R>) -> Result<(), E> { Ok(()) }";
        refuses("", "struct F;", &["stands on an `async fn`"]);
        refuses("", &format!("fn f<R: Runtime>{f}"), &["asynchronous", "async fn name<R: Runtime>"]);
        refuses("", &format!("async unsafe fn f<R: Runtime>{f}"), &["cannot be `unsafe`"]);
        refuses("", &format!("const async fn f<R: Runtime>{f}"), &["cannot be `const`"]);
        refuses("", &format!("async extern \"C\" fn f<R: Runtime>{f}"), &["leave `extern` out"]);
        let variadic = "async fn f<R: Runtime>(ctx: RuntimeContext<R>, ...) -> Result<(), E> { Ok(()) }";
        refuses("", variadic, &["leave `...` out"]);
    }

    #[test]
    fn it_returns_a_result_of_nothing() {
        for output in ["", "-> ()", "-> Result<u8, E>", "-> Option<()>", "-> Outcome", "-> Result", "-> impl Future"] {
            let code = format!("async fn f<R: Runtime>(ctx: RuntimeContext<R>) {output} {{ Ok(()) }}");
            refuses("", &code, &["returns `Result<(), E>`"]);
        }
        let short = "async fn f<R: Runtime>(ctx: RuntimeContext<R>) -> io::Result<()> { Ok(()) }";
        assert_eq!(errors(&service_of("", short)), [""; 0], "an alias with the error in it is one, too");
    }

    #[test]
    fn it_is_generic_over_its_runtime_alone() {
        let f = "(ctx: RuntimeContext<R>) -> Result<(), E> { Ok(()) }";
        refuses(
            "",
            "async fn f(ctx: RuntimeContext<TokioAdapter>) -> Result<(), E> { Ok(()) }",
            &["generic over its runtime"],
        );
        refuses("", &format!("async fn f<R: Runtime, T>{f}"), &["and nothing else"]);
        refuses("", &format!("async fn f<R: Runtime, const N: usize>{f}"), &["and nothing else"]);
        refuses("", &format!("async fn f<'a, R: Runtime>{f}"), &["cannot borrow"]);
        refuses("", &with("work: impl Fn()"), &["name the type"]);
    }

    #[test]
    fn its_first_parameter_is_the_context_of_that_runtime() {
        for first in
            ["", "ctx: &RuntimeContext<R>", "ctx: RuntimeContext<S>", "ctx: RuntimeContext", "input: Consumer<u8>"]
        {
            let code = format!("async fn f<R: Runtime>({first}) -> Result<(), E> {{ Ok(()) }}");
            refuses("", &code, &["first parameter is the context", "`ctx: RuntimeContext<R>`"]);
        }
    }

    #[test]
    fn it_is_no_method() {
        refuses("", "async fn f<R: Runtime>(&self) -> Result<(), E> { Ok(()) }", &["not a method"]);
    }

    #[test]
    fn each_parameter_has_a_name() {
        refuses("", &with("(a, b): (u8, u8)"), &["needs a name"]);
        refuses("", &with("_: u8"), &["needs a name"]);
        let unnamed_context = "async fn f<R: Runtime>(_: RuntimeContext<R>) -> Result<(), E> { Ok(()) }";
        assert_eq!(errors(&service_of("", unnamed_context)), [""; 0], "the context is handed over by its place");
    }

    #[test]
    fn there_are_ten_after_the_context_at_most() {
        let parameters: Vec<_> = (0..11).map(|i| format!("p{i}: u8")).collect();
        assert_eq!(errors(&service_of("", &with(&parameters[..10].join(", ")))), [""; 0]);
        refuses("", &with(&parameters.join(", ")), &["at most 10 parameters"]);
    }

    #[test]
    fn ends_of_records_are_lent_in_the_way_that_fits_them() {
        refuses(
            "restart = \"always\"",
            &with("input: Consumer<u8>"),
            &["write `&mut Consumer<T>`, so that a restart goes on where the last run stopped"],
        );
        refuses("", &with("input: &Consumer<u8>"), &["write `&mut Consumer<T>`"]);
        refuses("", &with("output: &mut Producer<u8>"), &["`Producer<T>` or `&Producer<T>`"]);
        refuses("", &with("output: Producer"), &["write `Producer<T>`"]);
    }

    #[test]
    fn nothing_else_is_borrowed_unless_it_is_static() {
        refuses("", &with("name: &str"), &["cannot borrow", "`&'static`"]);
        assert_eq!(errors(&service_of("", &with("name: &'static str"))), [""; 0]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let code = "fn f(self, (a, b): (u8, u8)) {}";
        assert_eq!(errors(&service_of("", code)).len(), 4);
    }
}

mod keys {
    use super::*;

    #[test]
    fn a_key_has_a_name_and_a_type() {
        refuses_key("struct K;", &["which record is it the key of?"]);
        refuses_key("#[record(key = \"k\")] struct K;", &["of what type"]);
        refuses_key("#[record(value = u8)] enum K { A }", &["which record is it the key of?", "#[key = "]);
        refuses_key("#[record(key = \"\", value = u8)] struct K;", &["cannot be empty"]);
    }

    #[test]
    fn a_key_holds_nothing() {
        refuses_key("#[record(key = \"k\", value = u8)] struct K(u8);", &["holds nothing"]);
        refuses_key("#[record(key = \"k\", value = u8)] struct K { k: u8 }", &["holds nothing"]);
        refuses_key("#[record(value = u8)] enum K { #[key = \"k\"] A(u8) }", &["holds nothing"]);
        refuses_key("#[record(key = \"k\", value = T)] struct K<T>;", &["leave the generic parameters out"]);
        refuses_key("#[record(value = u8)] enum K {}", &["no variants"]);
        refuses_key("#[record(value = u8)] union K { a: u8 }", &["unit struct"]);
    }

    #[test]
    fn a_record_has_one_key_and_a_key_one_record() {
        let twice = "#[record(value = u8)] enum K { #[key = \"k\"] A, #[key = \"k\"] B }";
        refuses_key(twice, &["\"k\" is the key of `A` already"]);
        refuses_key("#[record(key = \"k\", value = u8)] #[key = \"l\"] struct K;", &["given twice"]);
        refuses_key("#[record(key = \"k\", key = \"l\", value = u8)] struct K;", &["given twice"]);
        refuses_key("#[record(key = \"k\", value = u8)] enum K { A }", &["each variant has a key of its own"]);
    }

    #[test]
    fn what_is_not_known_is_told_with_the_nearest() {
        refuses_key(
            "#[record(kay = \"k\", value = u8)] struct K;",
            &["did you mean `key`?", "`key`, `value` or `crate`"],
        );
        refuses_key("#[record(value = u8)] enum K { #[record(value = u8)] A }", &["no argument `value` here", "`key`"]);
        refuses_key("#[record] struct K;", &["write `#[record(key ="]);
        refuses_key("#[record(value = u8)] enum K { #[key(\"k\")] A }", &["write `#[key ="]);
        refuses_key("#[record(value = u8)] enum K { #[key = 5] A }", &["write `#[key ="]);
    }
}
