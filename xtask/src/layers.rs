//! `cargo xtask check-layers`: the architecture's rules, checked in every manifest and every parsed source file.
//!
//! ```text
//!  rules.rs      what may import what, who may know a target, where `unsafe` stands: data, with reasons
//!  manifest.rs   the rules over the dependencies of a package
//!  source.rs     the rules over one parsed file; tokens.rs looks into macros, which the parser leaves alone
//! ```

mod manifest;
mod rules;
mod source;
mod tokens;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::workspace::{Package, Workspace};
use rules::{EXCEPTIONS, Exception, Layer, Rule, UNSAFE_LEAVES};

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Relative to the root.
    file: String,
    line: usize,
    rule: Rule,
    what: String,
}

pub fn check(workspace: &Workspace) -> Result<(), Failure> {
    let mut findings = Vec::new();
    let mut files = 0;
    let mut leaves_with_unsafe = Vec::new();
    let mut exceptions_needed = Vec::new();
    for package in &workspace.packages {
        let Some(layer) = Layer::of(&package.folder) else {
            findings.push(Finding::in_manifest(package, Rule::Import, format!("`{}` is in no layer", package.name)));
            continue;
        };
        findings.extend(manifest::check(package, layer, workspace));
        let sources = sources_of(workspace, package, layer)?;
        files += sources.len();
        findings.extend(source::check_package(&sources, package, workspace));
        leaves_with_unsafe
            .extend(sources.iter().filter(|source| source::has_unsafe(source)).map(|source| source.path.clone()));
        let needed = |exception: &&Exception| sources.iter().any(|source| source::needs(source, exception));
        exceptions_needed.extend(EXCEPTIONS.iter().filter(needed).map(|exception| exception.at));
    }
    let stale =
        UNSAFE_LEAVES.iter().filter(|leaf| !leaves_with_unsafe.iter().any(|path| rules::matches(leaf.at, path)));
    findings.extend(stale.map(|leaf| {
        let what = format!("`{}` is named as a leaf module, and there is no `unsafe` there: take it out", leaf.at);
        Finding::in_rules(Rule::Unsafe, what)
    }));
    let stale = EXCEPTIONS.iter().filter(|exception| !exceptions_needed.contains(&exception.at));
    findings.extend(stale.map(|exception| {
        let what = format!("`{}` has an exception for `{}`, and needs none", exception.at, exception.path);
        Finding::in_rules(Rule::Pure, what)
    }));
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("the layers hold: {} packages, {files} files; `unsafe` stands in", workspace.packages.len());
            UNSAFE_LEAVES.iter().for_each(|leaf| println!("  {}: {}", leaf.at, leaf.why));
            println!("and there are exceptions:");
            EXCEPTIONS
                .iter()
                .for_each(|exception| println!("  {}: `{}`: {}", exception.at, exception.path, exception.why));
            Ok(())
        }
        count => Err(Failure::new(format!(
            "places that break the layers: {count}; the rules and their reasons are in xtask/src/layers/rules.rs"
        ))),
    }
}

/// The parsed files of a package.
fn sources_of(workspace: &Workspace, package: &Package, layer: &'static Layer) -> Result<Vec<source::Source>, Failure> {
    let mut paths = Vec::new();
    walk(&workspace.root.join(&package.folder), &mut paths)
        .map_err(|error| Failure::new(format!("{} cannot be read ({error}): make it readable", package.folder)))?;
    paths.sort();
    let read = paths.iter().map(|path| {
        let shown = path.strip_prefix(&workspace.root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("{shown} cannot be read ({error}): make it readable UTF-8")))?;
        source::Source::parse(shown, &text, layer).map_err(|(file, line, error)| {
            Failure::new(format!("{file}:{line}: {error}: mend it, then check the layers again"))
        })
    });
    read.collect()
}

/// All Rust files below a package, without other packages, what is built, and what a macro test has expanded.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') && !path.join("Cargo.toml").is_file() {
                walk(&path, found)?;
            }
        } else if name.ends_with(".rs") && !name.ends_with(".expanded.rs") {
            found.push(path);
        }
    }
    Ok(())
}

impl Finding {
    fn in_manifest(package: &Package, rule: Rule, what: String) -> Self {
        Self { file: format!("{}/Cargo.toml", package.folder), line: 0, rule, what }
    }

    fn in_rules(rule: Rule, what: String) -> Self {
        Self { file: "xtask/src/layers/rules.rs".to_owned(), line: 0, rule, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}; {}", self.what, self.rule.way_out())
    }
}
