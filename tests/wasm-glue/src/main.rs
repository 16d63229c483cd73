//! `wasm-glue IN.wasm OUT_DIR --target nodejs|web|bundler`: wasm-bindgen at exactly the version that the modules use.

use std::{env::args, path::PathBuf, process::ExitCode};
use wasm_bindgen_cli_support::Bindgen;

const USAGE: &str = "usage: wasm-glue IN.wasm OUT_DIR --target nodejs|web|bundler";

/// Which kind of host loads the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Node: a CommonJS module, loaded with `require`.
    Nodejs,
    /// Browsers and workers without a bundler: an ES module whose default export loads the WebAssembly.
    Web,
    /// A bundler that imports WebAssembly as an ES module.
    Bundler,
}

#[derive(Debug, PartialEq, Eq)]
struct Order {
    module: PathBuf,
    out: PathBuf,
    target: Target,
}

fn order(words: &[String]) -> Result<Order, String> {
    let [module, out, flag, target] = words else { return Err(USAGE.into()) };
    if flag != "--target" {
        return Err(format!("unknown option `{flag}`; {USAGE}"));
    }
    let target = match target.as_str() {
        "nodejs" => Target::Nodejs,
        "web" => Target::Web,
        "bundler" => Target::Bundler,
        other => return Err(format!("unknown target `{other}`; {USAGE}")),
    };
    Ok(Order { module: module.into(), out: out.into(), target })
}

fn glue(order: &Order) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    match order.target {
        Target::Nodejs => bindgen.nodejs(true),
        // An instance that has panicked can be replaced.
        Target::Web => bindgen.web(true).map(|bindgen| bindgen.reset_state_function(true)),
        Target::Bundler => bindgen.bundler(true),
    }
    .and_then(|bindgen| bindgen.input_path(&order.module).typescript(true).generate(&order.out))
    .map_err(|error| format!("{}: {error:#}", order.module.display()))
}

fn main() -> ExitCode {
    let words: Vec<String> = args().skip(1).collect();
    let (outcome, code) = match order(&words) {
        Ok(order) => (glue(&order), 1),
        Err(usage) => (Err(usage), 2),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("wasm-glue: {message}");
            ExitCode::from(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn an_order_names_the_module_the_folder_and_the_target() {
        let expected = Order { module: "a.wasm".into(), out: "out".into(), target: Target::Web };
        assert_eq!(order(&words("a.wasm out --target web")), Ok(expected));
    }

    #[test]
    fn a_wrong_order_says_how_to_write_it() {
        for line in ["", "a.wasm", "a.wasm out", "a.wasm out --goal web", "a.wasm out --target moon"] {
            assert!(order(&words(line)).unwrap_err().contains(USAGE), "{line}");
        }
    }

    #[test]
    fn a_missing_module_is_named() {
        let order = Order { module: "no-such.wasm".into(), out: "out".into(), target: Target::Nodejs };
        assert!(glue(&order).unwrap_err().contains("no-such.wasm"));
    }
}
