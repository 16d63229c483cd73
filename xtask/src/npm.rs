//! `npm`: builds the JavaScript package into `target/npm/anabranch`, as it is published.
//!
//! ```text
//!   bindings/javascript/src   ──cargo──▶ wasm ──wasm-glue──▶ engine.js, engine_bg.wasm ──wasm-opt──▶ ┐
//!   bindings/javascript/js    ─────────────────────────────────────────────────────────────▶ target/npm/parts
//!                                                              bundle.mjs: a file for each door  │
//!   index.d.ts, README.md, package.json ────────────────────────────────────────────▶ target/npm/anabranch
//!                                             what functions are called, for where.mjs ▶ target/npm/symbols
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::process::Run;
use crate::steps;
use crate::workspace::{WASM32, Workspace};

/// Where the package's sources are.
pub const SOURCES: &str = "bindings/javascript";

/// The package, as it is published.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.built("npm/anabranch")
}

/// An engine that the package has: its name in there, and the features that it is built with.
struct Variant {
    name: &'static str,
    features: &'static [&'static str],
}

const VARIANTS: &[Variant] = &[
    Variant { name: "engine", features: &["mqtt", "opfs"] },
    Variant { name: "engine-store", features: &["opfs"] },
    Variant { name: "engine-node", features: &["file", "mqtt"] },
];

/// What the glue does where the host calls what an instance has left with it that has been replaced since. A socket or a timer of one that
/// has panicked is nobody's fault, and an error that nobody catches would end a process of Node.
const STALE: &str = "throw new Error('Cannot invoke closure from previous WASM instance');";

/// What the compiler uses of WebAssembly, which all hosts have had since 2022: no more than that may be put in.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds all of it.
pub fn build(workspace: &Workspace) -> Result<(), Failure> {
    let (folder, parts, symbols) = (folder(workspace), workspace.built("npm/parts"), workspace.built("npm/symbols"));
    for folder in [&folder, &parts, &symbols] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| failed("empty", folder, &error))?;
        }
        fs::create_dir_all(folder).map_err(|error| failed("make", folder, &error))?;
    }
    // One is made smaller while the next is compiled: each takes one core, most of the time.
    thread::scope(|scope| {
        let engines = VARIANTS.iter().map(|variant| {
            let module = engine(workspace, variant, &parts)?;
            let parts = &parts;
            Ok(scope.spawn(move || make_smaller(workspace, variant, &module, parts)))
        });
        let smaller: Vec<_> = engines.collect::<Result<_, Failure>>()?;
        let ended = |one: ScopedJoinHandle<'_, Result<(), Failure>>| {
            one.join().unwrap_or_else(|_| Err(Failure::new("what runs wasm-opt panicked")))
        };
        smaller.into_iter().try_for_each(ended)
    })?;
    let sources = workspace.root.join(SOURCES);
    copy_all(&sources.join("js"), &parts)?;
    // Node reads from it that these are modules.
    copy(&sources.join("package.json"), &parts.join("package.json"))?;
    Run::new("node", [format!("{SOURCES}/bundle.mjs")]).args([&parts, &folder]).through(&workspace.root)?;
    for variant in VARIANTS {
        let module = format!("{}_bg.wasm", variant.name);
        copy(&parts.join(&module), &folder.join(&module))?;
    }
    for file in ["index.d.ts", "README.md"] {
        copy(&sources.join(file), &folder.join(file))?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&workspace.root.join(licence), &folder.join(licence))?;
    }
    manifest(&sources.join("package.json"), &folder.join("package.json"))?;
    println!("the package is in {}", folder.display());
    Run::new("node", [format!("{SOURCES}/sizes.mjs")]).args([folder]).through(&workspace.root)
}

/// Compiles an engine, writes its script beside the other parts, and gives where its module is.
fn engine(workspace: &Workspace, variant: &Variant, folder: &Path) -> Result<PathBuf, Failure> {
    let package = workspace.package_in(SOURCES)?;
    let program = package.program()?;
    let module = workspace.built(format!("{WASM32}/web/{program}.wasm"));
    let glued = workspace.built(format!("npm/glue-{}", variant.name));
    compiled(&package.name, variant).through(&workspace.root)?;
    for run in steps::glue(workspace, &module, &glued, "web")? {
        run.through(&workspace.root)?;
    }
    // The glue names its module by the file that it was made of, and may name it twice.
    let script = glued.join(format!("{program}.js"));
    let text = fs::read_to_string(&script).map_err(|error| failed("read", &script, &error))?;
    let (from, to) = (format!("{program}_bg.wasm"), format!("{}_bg.wasm", variant.name));
    if !text.contains(STALE) {
        return Err(Failure::new(format!("{} says something else than {STALE:?} now", script.display())));
    }
    let script = folder.join(format!("{}.js", variant.name));
    fs::write(&script, text.replace(&from, &to).replace(STALE, "return;"))
        .map_err(|error| failed("write", &script, &error))?;
    Ok(glued.join(from))
}

/// The compiler was asked for few bytes: of what it gives, `-Oz` makes no fewer of gzip than `-O3`, and slower ones. What the compiler
/// has left by itself stays so, called once or not: a host compiles a function when it is called first.
///
/// gzip looks back no further than 32 KiB, so functions that are alike are put beside one another (`order.mjs`): they are named by their
/// places, and then put in the order of their names, which are left out.
///
/// What it imports and exports gets short names, in its script as well, which is in the folder already. What its functions were called is
/// left beside, for `where.mjs`.
fn make_smaller(workspace: &Workspace, variant: &Variant, module: &Path, folder: &Path) -> Result<(), Failure> {
    let into = folder.join(format!("{}_bg.wasm", variant.name));
    let script = folder.join(format!("{}.js", variant.name));
    let tool = |name: &str| Run::new("node", [format!("{SOURCES}/{name}.mjs")]);
    // The lowest KiB is the stack's last: an access there, reached from below 0, is the trap that the next one would have been.
    let optimised = |from: &Path| {
        let run = Run::new("node", [format!("{SOURCES}/node_modules/binaryen/bin/wasm-opt")]).args([from]).args(["-o"]);
        run.args([&into])
            .args(["-O3", "--one-caller-inline-max-function-size=100", "--low-memory-unused"])
            .args(FEATURES)
    };
    optimised(module).args(["--strip-producers", "-g"]).through(&workspace.root)?;
    tool("order").args([&into]).through(&workspace.root)?;
    let symbols = workspace.built(format!("npm/symbols/{}.txt", variant.name)).display().to_string();
    let ordered = ["--reorder-functions-by-name".to_owned(), format!("--symbolmap={symbols}")];
    optimised(&into).args(ordered).through(&workspace.root)?;
    tool("names").args([&script, &into]).through(&workspace.root)
}

/// Builds a variant's module, and the standard library for it: by the profile's measure, and for few bytes where that has the choice.
/// Places in the source are left out: a panic has those in the module, for which there are symbols. Together that is a sixteenth.
///
/// A stable compiler does that when it is told to forget that it is one, and each does it in its own way: which one it is is settled
/// (`toolchain.rs`).
fn compiled(package: &str, variant: &Variant) -> Run {
    let build = Run::cargo(["build", "--profile", "web", "--target", WASM32, "--no-default-features"]);
    build
        .args(["-p", package, "--features", &variant.features.join(",")])
        .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zlocation-detail=none")
}

/// Rows of a benchmark: how long it takes to build a browser's engine where nothing is built yet, and then the others.
pub fn built_from_clean(workspace: &Workspace) -> Result<Vec<Value>, Failure> {
    let package = workspace.package_in(SOURCES)?;
    let clean = workspace.built("from-clean");
    let cleared = |clean: &Path| match clean.exists() {
        true => fs::remove_dir_all(clean).map_err(|error| failed("empty", clean, &error)),
        false => Ok(()),
    };
    cleared(&clean)?;
    let mut rows = Vec::new();
    for (place, variant) in VARIANTS.iter().enumerate() {
        let began = Instant::now();
        compiled(&package.name, variant).args(["--target-dir"]).args([&clean]).through(&workspace.root)?;
        let seconds = began.elapsed().as_secs_f64();
        // The first, which the others then take their dependencies from, is the one that is promised.
        let (bound, holds) = if place == 0 { ("<= 120", seconds <= 120.0) } else { ("shown", true) };
        let case = match place {
            0 => format!("building {} from clean", variant.name),
            _ => format!("building {} after it", variant.name),
        };
        rows.push(json!({
            "case": case, "unit": "s", "ours": seconds, "peers": {}, "ratio": null, "bound": bound, "holds": holds,
        }));
    }
    cleared(&clean)?;
    Ok(rows)
}

/// What is published does not say what it was built with. The rest stays as it is, in its order: of `exports` the first that fits is
/// taken.
fn manifest(from: &Path, to: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(from).map_err(|error| failed("read", from, &error))?;
    let (before, rest) = text.split_once(",\n  \"devDependencies\": {").ok_or_else(|| {
        Failure::new(format!("{} does not end with `devDependencies`: put them there", from.display()))
    })?;
    let (_, after) = rest.split_once('}').unwrap_or_default();
    let text = format!("{before}{after}");
    serde_json::from_str::<Value>(&text)
        .map_err(|error| Failure::new(format!("{} is no JSON ({error}): mend it", from.display())))?;
    fs::write(to, text).map_err(|error| failed("write", to, &error))
}

fn copy_all(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(from).map_err(|error| failed("read", from, &error))? {
        let path = entry.map_err(|error| failed("read", from, &error))?.path();
        if let Some(name) = path.file_name() {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(drop).map_err(|error| failed("copy", from, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}: {error}", path.display()))
}
