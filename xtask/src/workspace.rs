//! What the workspace consists of, as `cargo metadata` tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;

pub const THUMBV7M: &str = "thumbv7m-none-eabi";
pub const THUMBV7EM: &str = "thumbv7em-none-eabihf";
pub const WASM32: &str = "wasm32-unknown-unknown";

/// Packages that only build for another target than the host, by how their folder begins.
const FOREIGN: &[(&str, &str)] = &[
    ("examples/board-", THUMBV7M),
    ("examples/embassy-", THUMBV7M),
    ("examples/sensors-to-alerts/embassy", THUMBV7M),
    ("examples/sensors-to-alerts/node", WASM32),
    ("examples/web", WASM32),
    ("tests/firmware-", THUMBV7M),
    ("tests/web", WASM32),
    ("bindings/javascript", WASM32),
];

pub struct Workspace {
    pub root: PathBuf,
    /// The one target directory that all builds share.
    pub target: PathBuf,
    pub packages: Vec<Package>,
    /// This program, for the steps that are tasks of its own; asked for at once, as a build may replace the file.
    pub xtask: PathBuf,
}

#[derive(Debug)]
pub struct Package {
    pub name: String,
    /// Its folder, relative to the root, with `/`.
    pub folder: String,
    pub dependencies: Vec<Dependency>,
    /// What it builds that runs: binaries, and modules for WebAssembly.
    pub programs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    pub name: String,
    pub kind: DependencyKind,
    /// `cfg(…)` or a triple, where the dependency is for some targets only.
    pub target: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DependencyKind {
    Normal,
    Build,
    Development,
}

impl Workspace {
    pub fn read() -> Result<Self, Failure> {
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .map_err(|e| Failure::new(format!("cargo does not start ({e}): install Rust from https://rustup.rs")))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("`cargo metadata` fails; mend the manifest it names:\n{told}")));
        }
        let json: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| Failure::new(format!("`cargo metadata` printed what is no JSON ({e}): update Rust")))?;
        Ok(Self::from_metadata(&json))
    }

    fn from_metadata(json: &Value) -> Self {
        let root = PathBuf::from(text(&json["workspace_root"]));
        let packages = list(&json["packages"]).map(|package| Package::from_metadata(&root, package)).collect();
        let xtask = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("xtask"));
        Self { target: PathBuf::from(text(&json["target_directory"])), root, packages, xtask }
    }

    pub fn package(&self, name: &str) -> Result<&Package, Failure> {
        self.packages.iter().find(|package| package.name == name).ok_or_else(|| {
            Failure::new(format!(
                "the package `{name}` is not in the workspace: add it, or take it out of xtask's tables"
            ))
        })
    }

    /// The package in this folder.
    pub fn package_in(&self, folder: &str) -> Result<&Package, Failure> {
        let found = self.packages.iter().find(|package| package.folder == folder);
        found.ok_or_else(|| {
            Failure::new(format!("there is no package in `{folder}`: add it, or take it out of xtask's tables"))
        })
    }

    /// The packages in or below any of these folders, each ending with `/`, that build for this machine.
    pub fn packages_below<'a>(&'a self, folders: &'a [&str]) -> impl Iterator<Item = &'a Package> {
        let here = self.packages.iter().filter(|package| package.foreign_target().is_none());
        here.filter(move |package| folders.iter().any(|folder| format!("{}/", package.folder).starts_with(folder)))
    }

    /// The package that builds this program.
    pub fn package_of(&self, program: &str) -> Result<&Package, Failure> {
        self.packages.iter().find(|package| package.programs.iter().any(|built| built == program)).ok_or_else(|| {
            Failure::new(format!(
                "no package of the workspace builds `{program}`: add it, or take it out of xtask's tables"
            ))
        })
    }

    /// The packages that build for another target only, with that target.
    pub fn foreign(&self) -> impl Iterator<Item = (&Package, &'static str)> {
        self.packages.iter().filter_map(|package| Some((package, package.foreign_target()?)))
    }

    /// `--workspace` without the packages that do not build for this machine.
    pub fn host_selection(&self) -> Vec<String> {
        let mut selection = vec!["--workspace".to_owned()];
        for (package, _) in self.foreign() {
            selection.extend(["--exclude".to_owned(), package.name.clone()]);
        }
        selection
    }

    /// A path below the target directory.
    pub fn built(&self, path: impl AsRef<Path>) -> PathBuf {
        self.target.join(path)
    }
}

impl Package {
    fn from_metadata(root: &Path, json: &Value) -> Self {
        let manifest = PathBuf::from(text(&json["manifest_path"]));
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(Path::new(""));
        let programs = list(&json["targets"])
            .filter(|target| list(&target["kind"]).any(|kind| kind == "bin" || kind == "cdylib"))
            .map(|target| text(&target["name"]).to_owned());
        Self {
            name: text(&json["name"]).to_owned(),
            folder: folder.to_string_lossy().replace('\\', "/"),
            dependencies: list(&json["dependencies"]).map(Dependency::from_metadata).collect(),
            programs: programs.collect(),
        }
    }

    /// The one program that it builds.
    pub fn program(&self) -> Result<&str, Failure> {
        match self.programs.as_slice() {
            [program] => Ok(program),
            programs => Err(Failure::new(format!(
                "`{}` builds {} programs where one is expected: give it one",
                self.name,
                programs.len()
            ))),
        }
    }

    /// The target this package is for, where that is not the host.
    pub fn foreign_target(&self) -> Option<&'static str> {
        FOREIGN.iter().find(|(begin, _)| self.folder.starts_with(begin)).map(|&(_, target)| target)
    }
}

impl Dependency {
    fn from_metadata(json: &Value) -> Self {
        Self {
            name: text(&json["name"]).to_owned(),
            kind: match json["kind"].as_str() {
                Some("dev") => DependencyKind::Development,
                Some("build") => DependencyKind::Build,
                _ => DependencyKind::Normal,
            },
            target: json["target"].as_str().map(str::to_owned),
        }
    }
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap_or_default()
}

fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_packages_with_their_folders_and_dependencies() {
        let json = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [{
                "name": "anabranch-board", "manifest_path": "/w/examples/board-mps2/Cargo.toml",
                "targets": [{ "name": "board", "kind": ["bin"] }, { "name": "board_lib", "kind": ["lib"] }],
                "dependencies": [
                    { "name": "tokio", "kind": "dev", "target": null },
                    { "name": "loom", "kind": null, "target": "cfg(loom)" },
                ],
            }],
        });
        let workspace = Workspace::from_metadata(&json);
        let board = workspace.package("anabranch-board").unwrap();
        assert_eq!(
            (board.folder.as_str(), board.programs.as_slice()),
            ("examples/board-mps2", &["board".to_owned()][..])
        );
        assert_eq!(board.foreign_target(), Some(THUMBV7M));
        assert_eq!(board.dependencies[0].kind, DependencyKind::Development);
        assert_eq!(board.dependencies[1].target.as_deref(), Some("cfg(loom)"));
        assert_eq!(workspace.host_selection(), ["--workspace", "--exclude", "anabranch-board"]);
        assert!(workspace.package("nothing").is_err());
    }

    #[test]
    fn a_folder_is_no_beginning_of_another_s_name() {
        let package =
            |folder: &str| serde_json::json!({ "name": folder, "manifest_path": format!("/w/{folder}/Cargo.toml") });
        let packages = ["connectors/mqtt", "connectors/mqtt-broker", "crates/core", "crates"].map(package);
        let workspace = Workspace::from_metadata(&serde_json::json!({ "workspace_root": "/w", "packages": packages }));
        let found = workspace.packages_below(&["crates/", "connectors/mqtt/"]).map(|package| package.name.as_str());
        assert_eq!(found.collect::<Vec<_>>(), ["connectors/mqtt", "crates/core", "crates"]);
    }
}
