//! The compiler that the tests are written for: what it says to wrong use is compared word for word, and its lints are
//! errors, so another version fails tests that are right.

use std::process::{Command, ExitCode, Stdio};

use crate::failure::Failure;

/// As the manifest has it: `1.95`.
const WANTED: &str = env!("CARGO_PKG_RUST_VERSION");

/// What chooses the toolchain of every rustup program that is started from here on.
const CHOICE: &str = "RUSTUP_TOOLCHAIN";

/// Where another compiler is in use, runs this program again under the wanted one, and gives how that ended.
pub fn switch() -> Result<Option<ExitCode>, Failure> {
    let in_use = printed("rustc", &["--version"]).unwrap_or_default();
    if is_wanted(&in_use) {
        return Ok(None);
    }
    let name = format!("{WANTED}.0");
    if std::env::var(CHOICE).is_ok_and(|choice| choice == name) {
        return Err(Failure::new(format!("{CHOICE}={name} gives `{}`: see `rustup toolchain list`", in_use.trim())));
    }
    let Some(toolchains) = printed("rustup", &["toolchain", "list"]) else {
        eprintln!("xtask: this is `{}`, and the tests are written for {WANTED}: some may fail for that", in_use.trim());
        return Ok(None);
    };
    if !toolchains.lines().any(|line| line.starts_with(&name)) {
        let words = ["toolchain", "install", &name, "--profile", "minimal"];
        let typed = format!("rustup {}", words.join(" "));
        eprintln!("setup: Rust {WANTED} is missing (in use is `{}`); running: {typed}", in_use.trim());
        let status = Command::new("rustup").args(words).stdin(Stdio::null()).stdout(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(Failure::new(format!("`{typed}` did not succeed; with the network at hand, type it yourself")));
        }
    }
    let again = std::env::current_exe()
        .and_then(|program| Command::new(program).args(std::env::args_os().skip(1)).env(CHOICE, &name).status());
    match again {
        Ok(status) => Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })),
        Err(error) => {
            Err(Failure::new(format!("it cannot run itself again ({error}): type {CHOICE}={name} before it")))
        }
    }
}

/// Where the standard library's sources are installed, and how a compiler that finds none there writes their place.
pub fn standard_library() -> Option<(String, String)> {
    let sysroot = printed("rustc", &["--print", "sysroot"])?;
    let version = printed("rustc", &["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "))?;
    Some((format!("{}/lib/rustlib/src/rust", sysroot.trim()), format!("/rustc/{commit}")))
}

/// `rustc 1.95.0 (59807616e 2026-04-14)`
fn is_wanted(version: &str) -> bool {
    let number = version.strip_prefix("rustc ").and_then(|rest| rest.strip_prefix(WANTED));
    number.is_some_and(|rest| rest.starts_with('.'))
}

fn printed(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_wanted_whatever_its_last_number() {
        assert!(
            is_wanted(&format!("rustc {WANTED}.0 (59807616e 2026-04-14)")) && is_wanted(&format!("rustc {WANTED}.2"))
        );
        assert!(!is_wanted("rustc 1.9.0") && !is_wanted(&format!("rustc {WANTED}0.1")) && !is_wanted(""));
    }
}
