//! The rules over what a package depends on.

use super::Finding;
use super::rules::{Layer, Nature, PLATFORM_CRATES, Rule, TARGET_PLACES, matches};
use super::tokens::names_a_target;
use crate::workspace::{Dependency, DependencyKind, Package, Workspace};

pub fn check(package: &Package, layer: &Layer, workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule, what| findings.push(Finding::in_manifest(package, rule, what));
    let may_know_targets = TARGET_PLACES.iter().any(|place| matches(place, &format!("{}/Cargo.toml", package.folder)));
    for dependency in &package.dependencies {
        let name = &dependency.name;
        if let Some(target) = dependency.target.as_deref().filter(|target| !may_know_targets && is_platform(target)) {
            find(Rule::Target, format!("it depends on `{name}` for `{target}` only"));
        }
        if dependency.kind == DependencyKind::Development {
            continue;
        }
        if let Some(imported) =
            workspace.packages.iter().find(|other| other.name == *name && other.name != package.name)
        {
            if let Some(other) = Layer::of(&imported.folder).filter(|other| !layer.may_import(other)) {
                find(Rule::Import, format!("the {} layer imports `{name}` of the {} layer", layer.name, other.name));
            }
        } else if matches!(layer.nature, Nature::Pure | Nature::Glue) && knows_a_platform(dependency) {
            find(Rule::Platform, format!("the {} layer depends on `{name}`, which knows a platform", layer.name));
        }
    }
    findings
}

/// A target triple, or a `cfg(…)` that asks for a part of one; `cfg(loom)` asks for none.
fn is_platform(target: &str) -> bool {
    match target.strip_prefix("cfg(") {
        Some(_) => target.parse().is_ok_and(|tokens| names_a_target(&tokens)),
        None => true,
    }
}

fn knows_a_platform(dependency: &Dependency) -> bool {
    PLATFORM_CRATES.iter().any(|name| match name.ends_with('-') {
        true => dependency.name.starts_with(name),
        false => dependency.name == *name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, dependencies: Vec<Dependency>) -> Package {
        let name = format!("anabranch-{}", folder.rsplit('/').next().unwrap_or_default());
        Package { name, folder: folder.to_owned(), dependencies, programs: Vec::new() }
    }

    fn on(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), kind: DependencyKind::Normal, target: None }
    }

    fn rules_broken_by(folder: &str, dependency: Dependency) -> Vec<Rule> {
        let others =
            ["crates/executor", "crates/store", "crates/query", "crates/core", "runtimes/tokio", "runtimes/sim"];
        let workspace = Workspace {
            root: ".".into(),
            target: "target".into(),
            packages: others.map(|folder| package(folder, Vec::new())).into(),
            xtask: "xtask".into(),
        };
        let layer = Layer::of(folder).unwrap();
        check(&package(folder, vec![dependency]), layer, &workspace).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn an_engine_imports_no_engine_beside_it_and_no_adapter() {
        assert_eq!(rules_broken_by("crates/query", on("anabranch-store")), [Rule::Import]);
        assert_eq!(rules_broken_by("crates/core", on("anabranch-tokio")), [Rule::Import]);
        assert_eq!(rules_broken_by("crates/store", on("anabranch-executor")), [Rule::Import]);
        assert_eq!(rules_broken_by("runtimes/tokio", on("anabranch-sim")), [Rule::Import]);
        assert_eq!(rules_broken_by("crates/core", on("anabranch-executor")), []);
        assert_eq!(rules_broken_by("crates/anabranch", on("anabranch-tokio")), []);
    }

    #[test]
    fn a_build_dependency_is_an_import_and_a_development_dependency_is_proof() {
        let dependency = |kind| Dependency { kind, ..on("anabranch-sim") };
        assert_eq!(rules_broken_by("crates/core", dependency(DependencyKind::Build)), [Rule::Import]);
        assert_eq!(rules_broken_by("crates/core", dependency(DependencyKind::Development)), []);
    }

    #[test]
    fn only_adapters_depend_on_a_platform() {
        assert_eq!(rules_broken_by("crates/core", on("tokio")), [Rule::Platform]);
        assert_eq!(rules_broken_by("crates/executor", on("embassy-time")), [Rule::Platform]);
        assert_eq!(rules_broken_by("crates/anabranch", on("tokio-util")), [Rule::Platform]);
        assert_eq!(rules_broken_by("runtimes/tokio", on("tokio")), []);
        assert_eq!(rules_broken_by("apps/cli", on("tokio")), []);
        assert_eq!(rules_broken_by("crates/core", on("critical-section")), []);
    }

    #[test]
    fn only_adapters_depend_on_something_for_one_target() {
        let for_target = |target: &str| Dependency { target: Some(target.to_owned()), ..on("portable-atomic") };
        assert_eq!(rules_broken_by("crates/core", for_target("cfg(target_arch = \"wasm32\")")), [Rule::Target]);
        assert_eq!(rules_broken_by("crates/core", for_target("thumbv7m-none-eabi")), [Rule::Target]);
        assert_eq!(rules_broken_by("crates/core", for_target("cfg(unix)")), [Rule::Target]);
        assert_eq!(rules_broken_by("crates/core", for_target("cfg(loom)")), []);
        assert_eq!(rules_broken_by("runtimes/wasm", for_target("cfg(target_arch = \"wasm32\")")), []);
    }
}
