//! The tools that the tests need, and how each gets onto this machine.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;
use crate::workspace::{THUMBV7EM, THUMBV7M, WASM32};

/// Something that a step needs and that a fresh machine with Rust may lack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tool {
    /// The standard library of a target.
    Target(&'static str),
    /// A component of the toolchain in use.
    Component(&'static str),
    /// A component of the nightly toolchain, and so that toolchain.
    Nightly(&'static str),
    /// A program that comes in a Debian package.
    Program { name: &'static str, package: &'static str },
    /// A library to link with, by the name that `pkg-config` has for it; it comes in a Debian package.
    Library { name: &'static str, package: &'static str },
    /// A cargo subcommand, in this version.
    Cargo { name: &'static str, version: &'static str },
    /// What the `package-lock.json` of a folder names, beside it.
    Npm { folder: &'static str },
}

pub const THUMB: Tool = Tool::Target(THUMBV7M);
pub const THUMB_DSP: Tool = Tool::Target(THUMBV7EM);
pub const WASM: Tool = Tool::Target(WASM32);
pub const CLIPPY: Tool = Tool::Component("clippy");
pub const RUSTFMT: Tool = Tool::Component("rustfmt");
pub const LLVM: Tool = Tool::Component("llvm-tools");
/// The standard library's sources: what is to be small is built with those.
pub const STD_SOURCES: Tool = Tool::Component("rust-src");
pub const MIRI: Tool = Tool::Nightly("miri");
pub const MIRI_SOURCES: Tool = Tool::Nightly("rust-src");
pub const QEMU: Tool = Tool::Program { name: "qemu-system-arm", package: "qemu-system-arm" };
pub const NODE: Tool = Tool::Program { name: "node", package: "nodejs" };
pub const NPM: Tool = Tool::Program { name: "npm", package: "npm" };
pub const CHROMIUM: Tool = Tool::Program { name: "chromium", package: "chromium" };
pub const PACKAGE_PACKAGES: Tool = Tool::Npm { folder: "bindings/javascript" };
pub const BROWSER_PACKAGES: Tool = Tool::Npm { folder: "tests/browser" };
pub const PROJECT_PACKAGES: Tool = Tool::Npm { folder: "bindings/javascript/tests/projects" };
pub const PEER_PACKAGES: Tool = Tool::Npm { folder: "bench/wasm" };
pub const MOSQUITTO: Tool = Tool::Program { name: "mosquitto", package: "mosquitto" };
pub const MOSQUITTO_CLIENTS: Tool = Tool::Program { name: "mosquitto_pub", package: "mosquitto-clients" };
pub const EJABBERD: Tool = Tool::Program { name: "ejabberdctl", package: "ejabberd" };
pub const PKG_CONFIG: Tool = Tool::Program { name: "pkg-config", package: "pkg-config" };
pub const OPENSSL: Tool = Tool::Library { name: "openssl", package: "libssl-dev" };
pub const OPENSSL_PROGRAM: Tool = Tool::Program { name: "openssl", package: "openssl" };
pub const DENY: Tool = Tool::Cargo { name: "deny", version: "0.20.2" };
pub const HACK: Tool = Tool::Cargo { name: "hack", version: "0.6.46" };
pub const COVERAGE: Tool = Tool::Cargo { name: "llvm-cov", version: "0.9.1" };

/// The workspace, whose folders some tools are for.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const ALL: &[Tool] = &[
    THUMB,
    THUMB_DSP,
    WASM,
    CLIPPY,
    RUSTFMT,
    LLVM,
    STD_SOURCES,
    MIRI,
    MIRI_SOURCES,
    QEMU,
    NODE,
    NPM,
    CHROMIUM,
    BROWSER_PACKAGES,
    PACKAGE_PACKAGES,
    PROJECT_PACKAGES,
    PEER_PACKAGES,
    MOSQUITTO,
    MOSQUITTO_CLIENTS,
    EJABBERD,
    PKG_CONFIG,
    OPENSSL,
    OPENSSL_PROGRAM,
    DENY,
    HACK,
    COVERAGE,
];

/// Installs what is missing of all tools.
pub fn setup() -> Result<(), Failure> {
    let missing = ensure(ALL);
    match missing.len() {
        0 => {
            println!("setup: all {} tools are there", ALL.len());
            Ok(())
        }
        count => {
            Err(Failure::new(format!("{count} tools are still missing: do what is said above, then run this again")))
        }
    }
}

/// Installs what is missing of these tools; it is a failure when one is missing then.
pub fn need(tools: &[Tool]) -> Result<(), Failure> {
    match ensure(tools).as_slice() {
        [] => Ok(()),
        missing => {
            let ways_out: Vec<String> = missing.iter().map(|(tool, way_out)| format!("{tool}: {way_out}")).collect();
            Err(Failure::new(format!("tools are missing: {}", ways_out.join("; "))))
        }
    }
}

/// Installs what is missing of these tools, saying so before, and gives those that could not be, each with the way out.
pub fn ensure(tools: &[Tool]) -> Vec<(Tool, String)> {
    let mut machine = Machine::look();
    let mut missing = Vec::new();
    for (place, &tool) in tools.iter().enumerate() {
        if tools[..place].contains(&tool) || machine.has(tool) {
            continue;
        }
        match install(tool, &machine) {
            // Looked at again, as one installation may bring more than its tool.
            Ok(after) => machine = after,
            Err(way_out) => {
                eprintln!("setup: {tool} is missing: {way_out}");
                missing.push((tool, way_out));
            }
        }
    }
    missing
}

/// Installs it, and gives the machine as it is then.
fn install(tool: Tool, machine: &Machine) -> Result<Machine, String> {
    let commands = tool.installation(machine)?;
    let typed = commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" && ");
    eprintln!("setup: {tool} is missing; running: {typed}");
    for words in &commands {
        let mut command = Command::new(&words[0]);
        let status = command.args(&words[1..]).current_dir(ROOT).stdin(Stdio::null()).stdout(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => {}
            _ => return Err(format!("`{typed}` did not succeed; with the network at hand, type it yourself")),
        }
    }
    let after = Machine::look();
    match after.has(tool) {
        true => Ok(after),
        false => Err(format!("`{typed}` succeeded, and yet it is not found: see that it is on the PATH")),
    }
}

impl Tool {
    /// The commands that install it here, or what a person has to type where this program may not.
    fn installation(self, machine: &Machine) -> Result<Vec<Vec<String>>, String> {
        let one = |words: &str| Ok(vec![words.split(' ').map(str::to_owned).collect()]);
        if matches!(self, Self::Target(_) | Self::Component(_) | Self::Nightly(_)) && !machine.rustup {
            return Err("rustup is not there to install it: get it from https://rustup.rs".to_owned());
        }
        match self {
            Self::Target(target) => one(&format!("rustup target add {target}")),
            Self::Component(component) => one(&format!("rustup component add {component}")),
            Self::Nightly(component) if machine.nightly.is_some() => {
                one(&format!("rustup component add --toolchain nightly {component}"))
            }
            Self::Nightly(_) => one("rustup toolchain install nightly --profile minimal --component miri,rust-src"),
            Self::Cargo { name, version } => one(&format!("cargo install --locked cargo-{name}@{version}")),
            // What packages would run when they are installed is not wanted: none of them has to be built.
            Self::Npm { folder } => one(&format!("npm ci --prefix {folder} --ignore-scripts --no-audit --no-fund")),
            Self::Program { package, .. } | Self::Library { package, .. } => {
                let apt = |rights: &str| {
                    let update = format!("{rights}apt-get update");
                    let install = format!("{rights}apt-get install --yes --no-install-recommends {package}");
                    [update, install]
                };
                let words = |line: String| line.split(' ').map(str::to_owned).collect();
                match machine.rights {
                    Rights::Root => Ok(apt("").map(words).to_vec()),
                    Rights::Sudo => Ok(apt("sudo -n ").map(words).to_vec()),
                    Rights::None => Err(format!("type: {}", apt("sudo ").join(" && "))),
                    Rights::NoDebian => {
                        Err(format!("install it with your system's packages (Debian's is called {package})"))
                    }
                }
            }
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => write!(f, "the Rust target {target}"),
            Self::Component(component) => write!(f, "the Rust component {component}"),
            Self::Nightly(component) => write!(f, "nightly Rust's {component}"),
            Self::Program { name, .. } => f.write_str(name),
            Self::Library { name, .. } => write!(f, "the library {name}"),
            Self::Cargo { name, version } => write!(f, "cargo-{name} {version}"),
            Self::Npm { folder } => write!(f, "what npm installs for {folder}"),
        }
    }
}

/// What this machine has, looked up once.
struct Machine {
    rustup: bool,
    targets: String,
    components: String,
    /// The components of nightly, where there is one.
    nightly: Option<String>,
    rights: Rights,
}

/// In whose name Debian packages can be installed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rights {
    Root,
    /// `sudo` asks for no password.
    Sudo,
    None,
    /// There is no `apt-get` here.
    NoDebian,
}

impl Machine {
    fn look() -> Self {
        let has_nightly = printed("rustup toolchain list").is_some_and(|list| has_line(&list, "nightly"));
        let targets = printed("rustup target list --installed");
        Self {
            rustup: targets.is_some(),
            targets: targets.unwrap_or_default(),
            components: printed("rustup component list --installed").unwrap_or_default(),
            nightly: has_nightly.then(|| printed("rustup component list --toolchain nightly --installed")).flatten(),
            rights: Rights::look(),
        }
    }

    fn has(&self, tool: Tool) -> bool {
        match tool {
            Tool::Target(target) => has_line(&self.targets, target),
            Tool::Component(component) => has_line(&self.components, component),
            Tool::Nightly(component) => self.nightly.as_deref().is_some_and(|list| has_line(list, component)),
            Tool::Program { name, .. } => on_path(name),
            Tool::Library { name, .. } => printed(&format!("pkg-config --exists {name}")).is_some(),
            Tool::Npm { folder } => npm_has_installed(&Path::new(ROOT).join(folder)),
            Tool::Cargo { name, version } => printed(&format!("cargo {name} --version"))
                .is_some_and(|said| said.split_whitespace().any(|word| word == version)),
        }
    }
}

impl Rights {
    fn look() -> Self {
        if !on_path("apt-get") {
            Self::NoDebian
        } else if printed("id -u").is_some_and(|id| id.trim() == "0") {
            Self::Root
        } else if printed("sudo -n true").is_some() {
            Self::Sudo
        } else {
            Self::None
        }
    }
}

/// Whether a line is this name, alone or followed by `-host`: rustup lists `clippy-x86_64-unknown-linux-gnu`.
fn has_line(list: &str, name: &str) -> bool {
    list.lines().filter_map(|line| line.strip_prefix(name)).any(|rest| rest.is_empty() || rest.starts_with(['-', ' ']))
}

/// What a command prints, when it succeeds.
fn printed(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let output = Command::new(words.next()?).args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether npm has installed all that the folder's lock file names; it keeps a list of its own of what it has. Optional
/// packages may be for other platforms.
fn npm_has_installed(folder: &Path) -> bool {
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).ok()?).ok();
    let [Some(wanted), Some(installed)] = ["package-lock.json", "node_modules/.package-lock.json"].map(read) else {
        return false;
    };
    let wanted = wanted["packages"].as_object().into_iter().flatten();
    // The folder's own package has no name there.
    let mut others = wanted.filter(|(name, its)| !name.is_empty() && its["optional"] != true);
    others.all(|(name, its)| installed["packages"][name]["integrity"] == its["integrity"])
}

/// Servers stand in `sbin`, which only root has on its path.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(servers).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Machine = Machine {
        rustup: true,
        targets: String::new(),
        components: String::new(),
        nightly: None,
        rights: Rights::Root,
    };

    fn typed(tool: Tool, machine: &Machine) -> String {
        let commands = tool.installation(machine).unwrap();
        commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" && ")
    }

    #[test]
    fn each_tool_has_its_command() {
        assert_eq!(typed(THUMB, &BARE), "rustup target add thumbv7m-none-eabi");
        assert_eq!(typed(DENY, &BARE), "cargo install --locked cargo-deny@0.20.2");
        assert_eq!(typed(MIRI, &BARE), "rustup toolchain install nightly --profile minimal --component miri,rust-src");
        let with_nightly = Machine { nightly: Some(String::new()), ..BARE };
        assert_eq!(typed(MIRI, &with_nightly), "rustup component add --toolchain nightly miri");
        assert!(typed(NODE, &BARE).ends_with("apt-get install --yes --no-install-recommends nodejs"));
        assert_eq!(
            typed(BROWSER_PACKAGES, &BARE),
            "npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund"
        );
        assert!(typed(OPENSSL, &BARE).ends_with("apt-get install --yes --no-install-recommends libssl-dev"));
    }

    #[test]
    fn without_the_right_to_install_the_exact_command_is_told() {
        let told = QEMU.installation(&Machine { rights: Rights::None, ..BARE }).unwrap_err();
        assert_eq!(
            told,
            "type: sudo apt-get update && sudo apt-get install --yes --no-install-recommends qemu-system-arm"
        );
        assert!(THUMB.installation(&Machine { rustup: false, ..BARE }).unwrap_err().contains("rustup.rs"));
    }

    #[test]
    fn npm_s_packages_are_there_when_all_that_the_lock_file_names_is_installed_as_it_says() {
        let folder = std::env::temp_dir().join(format!("xtask-npm-{}", std::process::id()));
        let modules = folder.join("node_modules");
        std::fs::create_dir_all(&modules).unwrap();
        let write = |lock: &Path, packages: &str| {
            std::fs::write(lock, format!("{{\"packages\":{{\"\":{{\"name\":\"x\"}}{packages}}}}}")).unwrap();
        };
        let package = |name: &str, hash: &str, rest: &str| {
            format!(",\"node_modules/{name}\":{{\"integrity\":\"sha512-{hash}\"{rest}}}")
        };
        let (lock, installed) = (folder.join("package-lock.json"), modules.join(".package-lock.json"));
        let here = package("ws", "a", "");
        write(&lock, &(here.clone() + &package("for-windows", "b", ",\"optional\":true")));
        assert!(!npm_has_installed(&folder), "nothing is installed");
        write(&installed, &package("ws", "other", ""));
        assert!(!npm_has_installed(&folder), "another version is");
        write(&installed, &here);
        assert!(npm_has_installed(&folder));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_rustup_lists_is_recognised_and_nothing_else() {
        let list = "clippy-x86_64-unknown-linux-gnu\nrust-src\nnightly-x86_64-unknown-linux-gnu (default)\n";
        assert!(["clippy", "rust-src", "nightly"].iter().all(|name| has_line(list, name)));
        assert!(!has_line(list, "clip") && !has_line(list, "miri"));
    }
}
