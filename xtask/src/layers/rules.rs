//! The rules as data: the layers and what each may import, who may know a target, where `unsafe` stands, and why.

/// A layer of the architecture.
#[derive(Debug, PartialEq)]
pub struct Layer {
    pub name: &'static str,
    /// The folders of its packages.
    pub at: &'static [&'static str],
    /// The layers it may import from. Tests and development dependencies are proof, not design: they are free.
    pub imports: &'static [&'static str],
    pub nature: Nature,
}

/// What a layer may do with the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nature {
    /// A state machine: no platform, no clock, no console, no waiting; `no_std`.
    Pure,
    /// Fits a platform: it may know a target, and must not block an async thread.
    Adapter,
    /// Ties the others together: it may use the standard library, and knows no platform.
    Glue,
    /// What people run, and what proves the rest: it may do as it likes, in its place.
    Free,
}

const EVERYTHING_BELOW_ADAPTERS: &[&str] = &["contract", "value", "macros", "core", "engine", "medium"];
const EVERYTHING_BELOW_THE_FACADE: &[&str] = &["contract", "value", "macros", "core", "engine", "adapter"];
const PRODUCT: &[&str] = &["contract", "value", "macros", "core", "engine", "adapter", "façade"];
const PRODUCT_AND_NODE: &[&str] = &["contract", "value", "macros", "core", "engine", "adapter", "façade", "node"];
const EVERYTHING: &[&str] = &[
    "contract", "value", "macros", "core", "engine", "medium", "adapter", "façade", "binding", "node", "app", "proof",
];

/// From the bottom to the top. Imports point down, and never sideways: no layer stands in its own list but the last.
pub const LAYERS: &[Layer] = &[
    Layer { name: "contract", at: &["crates/executor"], imports: &[], nature: Nature::Pure },
    Layer { name: "value", at: &["crates/value"], imports: &[], nature: Nature::Pure },
    Layer { name: "macros", at: &["crates/macros"], imports: &[], nature: Nature::Glue },
    // The one engine that uses the runtime contract: it runs the services.
    Layer { name: "core", at: &["crates/core"], imports: &["contract", "value", "macros"], nature: Nature::Pure },
    Layer {
        name: "engine",
        at: &["crates/store", "crates/vector", "crates/query"],
        imports: &["value", "macros"],
        nature: Nature::Pure,
    },
    // The seam of storages to their device, and a simulated one: what several of them share.
    Layer { name: "medium", at: &["storage/medium"], imports: &[], nature: Nature::Adapter },
    Layer {
        name: "adapter",
        at: &["runtimes/*", "storage/*", "connectors/*"],
        imports: EVERYTHING_BELOW_ADAPTERS,
        nature: Nature::Adapter,
    },
    Layer { name: "façade", at: &["crates/anabranch"], imports: EVERYTHING_BELOW_THE_FACADE, nature: Nature::Glue },
    Layer { name: "binding", at: &["bindings/*"], imports: PRODUCT, nature: Nature::Free },
    // What runs a config; the command is one that uses it.
    Layer { name: "node", at: &["apps/node"], imports: PRODUCT, nature: Nature::Free },
    Layer { name: "app", at: &["apps/*"], imports: PRODUCT_AND_NODE, nature: Nature::Free },
    Layer { name: "proof", at: &["tests/**", "examples/**", "xtask"], imports: EVERYTHING, nature: Nature::Free },
];

/// Where a target may be asked for.
pub const TARGET_PLACES: &[&str] = &[
    "runtimes/**",
    "storage/**",
    "connectors/**",
    // `Send` where tasks can move between threads: the contract itself differs there.
    "crates/executor/src/maybe_send.rs",
    // Board support and firmware are platforms.
    "examples/board-*/**",
    "examples/embassy-*/**",
    "examples/lan9118/**",
    "examples/*/embassy/**",
    "tests/firmware-*/**",
];

/// A module that may hold `unsafe`.
pub struct Leaf {
    pub at: &'static str,
    /// What cannot be said in safe code there; each block says beside it why it is sound.
    pub why: &'static str,
}

pub const UNSAFE_LEAVES: &[Leaf] = &[
    Leaf { at: "crates/core/src/buffer/lock.rs", why: "the lock hands out the one `&mut` to what it guards" },
    Leaf { at: "crates/core/src/buffer/waiters.rs", why: "the waiters' nodes live in the futures that wait" },
    Leaf { at: "crates/core/src/buffer/slots.rs", why: "a ring's slots are written before all of them hold a value" },
    Leaf { at: "crates/core/src/buffer/shared_ref.rs", why: "one pointer for records that are static or on the heap" },
    Leaf { at: "runtimes/embassy/src/slot.rs", why: "a task is placed into storage that the caller declared `static`" },
    Leaf {
        at: "examples/board-*/src/*.rs",
        why: "a board's registers, interrupts, instructions and stack are the machine itself",
    },
    Leaf {
        at: "examples/lan9118/src/mapped.rs",
        why: "a network controller's registers and its interrupt are device handles",
    },
    Leaf { at: "tests/firmware-dynamic/src/allocator.rs", why: "a board's allocator is told once what its memory is" },
    Leaf {
        at: "tests/firmware-bare-mqtt/src/buffer.rs",
        why: "the buffer of the MQTT crate that ours is compared with is given back by an unsafe call only",
    },
    // Tests: `GlobalAlloc` is an unsafe trait, whatever its methods do.
    Leaf { at: "crates/core/tests/allocations.rs", why: "an allocator that counts shows that no value costs one" },
    Leaf {
        at: "crates/core/tests/routing.rs",
        why: "an allocator that counts shows what a link and a routed value cost",
    },
    Leaf {
        at: "connectors/mqtt/tests/allocations.rs",
        why: "an allocator that counts shows that no value costs one on its way through the connector",
    },
];

/// A rule of pure layers that one file may break, for one path.
pub struct Exception {
    pub at: &'static str,
    pub path: &'static str,
    pub why: &'static str,
}

pub const EXCEPTIONS: &[Exception] = &[Exception {
    at: "crates/core/src/sync.rs",
    path: "std::thread::sleep",
    why: "the lock's last resort: a waiting thread of high priority that only yields keeps the owner from running for ever",
}];

/// Crates that know a platform, wait, read a clock or draw random numbers: not in what is pure, nor in the façade, which
/// gets them through adapters. A name that ends in `-` stands for all that begin with it.
pub const PLATFORM_CRATES: &[&str] = &[
    "async-io",
    "async-std",
    "blocking",
    "cortex-m",
    "cortex-m-",
    "embassy-executor",
    "embassy-net",
    "embassy-time",
    "fastrand",
    "getrandom",
    "js-sys",
    "libc",
    "mio",
    "rand",
    "redb",
    "rustix",
    "smol",
    "socket2",
    "sysinfo",
    "tokio",
    "tokio-",
    "wasm-bindgen",
    "wasm-bindgen-",
    "web-sys",
    "web-time",
];

/// Parts of the standard library that a pure layer is handed instead of reaching for.
pub const IMPURE_PATHS: &[(&str, &str)] = &[
    ("std::thread::sleep", "waits on a thread"),
    ("std::thread::spawn", "starts a thread"),
    ("std::thread::scope", "starts threads"),
    ("std::thread::Builder", "starts a thread"),
    ("std::time::Instant", "reads a clock"),
    ("std::time::SystemTime", "reads a clock"),
    ("std::net", "does I/O"),
    ("std::fs", "does I/O"),
    ("std::io", "does I/O"),
    ("std::process", "does I/O"),
    ("std::env", "reads its surroundings"),
];

/// Macros that write to a console.
pub const CONSOLE_MACROS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Calls that hold an async thread until something else has happened on it.
pub const BLOCKING_CALLS: &[&str] = &["block_on", "block_in_place"];

/// Macros whose tokens are code for somebody else's crate.
pub const QUOTES: &[&str] = &["quote", "quote_spanned", "parse_quote", "parse_quote_spanned"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Imports point down only, never sideways.
    Import,
    /// Only adapters know a platform.
    Platform,
    /// Only adapters ask for a target.
    Target,
    /// `unsafe` stands in named leaf modules.
    Unsafe,
    /// Whoever allows what a lint forbids says why.
    Allow,
    /// An engine is handed the time, and does no I/O.
    Pure,
    /// A pure layer builds without the standard library.
    NoStd,
    /// No async thread is blocked.
    Blocking,
}

impl Rule {
    /// What to do about a place that breaks it.
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Import => "move what is shared down, or let the façade tie the two together",
            Self::Platform => "let an adapter do it (runtimes/, storage/, connectors/) and hand it in",
            Self::Target => "ask in an adapter (runtimes/, storage/, connectors/) and hand the answer in",
            Self::Unsafe => "write it in safe code, or move it into a leaf module that UNSAFE_LEAVES names",
            Self::Allow => "mend what the lint says, or add `reason = \"…\"`",
            Self::Pure => "take it as an argument: the time, the input and the output are handed in",
            Self::NoStd => "begin the crate with `#![no_std]`, and take `std` in by a feature",
            Self::Blocking => "await it, or hand blocking work to `SpawnBlocking`",
        }
    }
}

impl Layer {
    /// The layer of a folder or a file.
    pub fn of(path: &str) -> Option<&'static Self> {
        LAYERS.iter().find(|layer| layer.at.iter().any(|at| matches(at, path) || matches(&format!("{at}/**"), path)))
    }

    pub fn may_import(&self, other: &Self) -> bool {
        self.imports.contains(&other.name)
    }
}

/// Whether a path is what a pattern says: `*` is any part of one name, a last `**` is everything below.
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut names = path.split('/');
    for part in pattern.split('/') {
        if part == "**" {
            return names.next().is_some();
        }
        let Some(name) = names.next() else { return false };
        let fits = match part.split_once('*') {
            Some((begin, end)) => {
                name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
            }
            None => name == part,
        };
        if !fits {
            return false;
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names_and_everything_below() {
        assert!(matches("runtimes/*", "runtimes/tokio") && !matches("runtimes/*", "runtimes/tokio/src/lib.rs"));
        assert!(matches("runtimes/**", "runtimes/tokio/src/lib.rs") && !matches("runtimes/**", "runtimes"));
        assert!(matches("examples/board-*/**", "examples/board-mps2/src/lib.rs"));
        assert!(!matches("examples/board-*/**", "examples/hello/src/main.rs"));
    }

    #[test]
    fn imports_point_down_and_never_sideways() {
        for (place, layer) in LAYERS.iter().enumerate() {
            for import in layer.imports.iter().filter(|_| layer.name != "proof") {
                let below = LAYERS[..place].iter().any(|lower| lower.name == *import);
                assert!(below, "{} imports {import}, which is not below it", layer.name);
            }
        }
    }

    #[test]
    fn the_design_s_folders_are_in_their_layers() {
        let layer = |path| Layer::of(path).map(|layer| layer.name);
        assert_eq!(layer("crates/executor"), Some("contract"));
        assert_eq!(layer("crates/core/src/buffer/ring.rs"), Some("core"));
        assert_eq!(layer("runtimes/sim"), Some("adapter"));
        assert_eq!(layer("storage/medium/src/lib.rs"), Some("medium"));
        assert_eq!(layer("storage/redb"), Some("adapter"));
        assert_eq!(layer("examples/sensors-to-alerts/node"), Some("proof"));
        assert_eq!(layer("crates/anabranch"), Some("façade"));
        assert_eq!(layer("crates/unheard-of"), None);
    }

    #[test]
    fn every_leaf_and_every_exception_says_why() {
        assert!(UNSAFE_LEAVES.iter().all(|leaf| !leaf.why.is_empty()));
        assert!(EXCEPTIONS.iter().all(|exception| !exception.why.is_empty()));
    }

    #[test]
    fn an_exception_is_one_file_and_one_path_that_would_be_forbidden() {
        for Exception { at, path, .. } in EXCEPTIONS {
            assert!(!at.contains('*') && at.ends_with(".rs"), "{at} is more than one file");
            assert!(IMPURE_PATHS.iter().any(|(forbidden, _)| forbidden == path), "{path} is allowed everywhere");
        }
    }
}
