//! The rules over one parsed source file. Comments and strings are no code, and tests are proof: they may import, wait
//! and read clocks.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Macro, Meta, UseTree};

use super::Finding;
use super::rules::{
    self, BLOCKING_CALLS, CONSOLE_MACROS, EXCEPTIONS, Exception, IMPURE_PATHS, Layer, Nature, QUOTES, Rule,
    TARGET_PLACES, UNSAFE_LEAVES,
};
use super::tokens::{self, Seen};
use crate::workspace::{Package, Workspace};

/// A parsed file of a package.
pub struct Source {
    /// Relative to the root.
    pub path: String,
    layer: &'static Layer,
    file: syn::File,
}

impl Source {
    /// Parses a file; where that fails, the file, the line and why.
    pub fn parse(path: String, text: &str, layer: &'static Layer) -> Result<Self, (String, usize, String)> {
        match syn::parse_file(text) {
            Ok(file) => Ok(Self { path, layer, file }),
            Err(error) => Err((path, error.span().start().line, error.to_string())),
        }
    }

    /// Whether the whole file is no part of the product: a crate's own `tests/`, `benches/` and `examples/`, and what
    /// runs while it is built.
    fn is_proof(&self) -> bool {
        self.layer.name == "proof"
            || self.path.ends_with("/build.rs")
            || self.path.split('/').any(|name| matches!(name, "tests" | "benches" | "examples"))
    }
}

/// Checks all files of a package: together, because `#[cfg(test)] mod x;` makes another file a test.
pub fn check_package(sources: &[Source], package: &Package, workspace: &Workspace) -> Vec<Finding> {
    let tests: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    let crates: BTreeMap<String, &'static Layer> = workspace
        .packages
        .iter()
        .filter(|other| other.name != package.name)
        .filter_map(|other| Some((other.name.replace('-', "_"), Layer::of(&other.folder)?)))
        .collect();
    let mut findings = Vec::new();
    for source in sources {
        let is_test = source.is_proof() || tests.iter().any(|test| rules::matches(test, &source.path));
        findings.extend(check(source, is_test, &crates));
    }
    findings
}

pub fn has_unsafe(source: &Source) -> bool {
    let crates = BTreeMap::new();
    let mut checker = Checker::new(source, false, &crates);
    checker.may_hold_unsafe = false;
    checker.visit_file(&source.file);
    checker.findings.iter().any(|finding| finding.rule == Rule::Unsafe)
}

/// Whether a file does what this exception lets it do.
pub fn needs(source: &Source, exception: &Exception) -> bool {
    let crates = BTreeMap::new();
    let mut checker = Checker::new(source, source.is_proof(), &crates);
    checker.excepted = &[];
    checker.visit_file(&source.file);
    let what = format!("`{}`", exception.path);
    exception.at == source.path && checker.findings.iter().any(|finding| finding.what.starts_with(&what))
}

fn check(source: &Source, is_test: bool, crates: &BTreeMap<String, &'static Layer>) -> Vec<Finding> {
    let mut checker = Checker::new(source, is_test, crates);
    checker.visit_file(&source.file);
    let is_root = source.path.ends_with("/src/lib.rs");
    if is_root && source.layer.nature == Nature::Pure && !source.file.attrs.iter().any(is_no_std) {
        checker.find_at(1, Rule::NoStd, format!("the {} layer uses the standard library", source.layer.name));
    }
    checker.findings
}

/// `#![no_std]`, or the same by `cfg_attr`.
fn is_no_std(attribute: &Attribute) -> bool {
    attribute.path().is_ident("no_std")
        || matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg_attr") && list.tokens.to_string().contains("no_std"))
}

/// The files that this one declares as tests: `#[cfg(test)] mod x;` is `x.rs` or everything in `x/`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let below = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        file => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let modules = source.file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() && module.attrs.iter().any(is_for_tests) => Some(&module.ident),
        _ => None,
    });
    modules.flat_map(|name| [format!("{below}/{name}.rs"), format!("{below}/{name}/**")]).collect()
}

/// `#[test]`, `#[tokio::test]`, or a `cfg` that only a test or a model run satisfies.
fn is_for_tests(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last().map(|segment| segment.ident.to_string());
    match last.as_deref() {
        Some("test" | "bench") => true,
        Some("cfg") => attribute.parse_args::<Meta>().is_ok_and(|predicate| needs_test(&predicate)),
        _ => false,
    }
}

fn needs_test(predicate: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated).unwrap_or_default()
    };
    match predicate {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("loom"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => {
            let parts = parts(list);
            !parts.is_empty() && parts.iter().all(needs_test)
        }
        _ => false,
    }
}

/// Walks one file.
struct Checker<'a> {
    source: &'a Source,
    /// How deep in test code the walk is.
    tests: usize,
    may_know_targets: bool,
    may_hold_unsafe: bool,
    excepted: &'static [Exception],
    /// Our crates, by the names they have in code.
    crates: &'a BTreeMap<String, &'static Layer>,
    /// What `use` has given a name to in this file: `Clock` is `std::time::Instant`.
    names: BTreeMap<String, Vec<String>>,
    /// What `use …::*` has opened.
    open: Vec<Vec<String>>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn new(source: &'a Source, is_test: bool, crates: &'a BTreeMap<String, &'static Layer>) -> Self {
        let within = |at: &str| rules::matches(at, &source.path);
        let mut names = Names::default();
        names.visit_file(&source.file);
        Self {
            source,
            tests: usize::from(is_test),
            may_know_targets: TARGET_PLACES.iter().copied().any(within),
            may_hold_unsafe: UNSAFE_LEAVES.iter().any(|leaf| within(leaf.at)),
            excepted: EXCEPTIONS,
            crates,
            names: names.names,
            open: names.open,
            findings: Vec::new(),
        }
    }

    fn find(&mut self, span: Span, rule: Rule, what: String) {
        self.find_at(span.start().line, rule, what);
    }

    fn find_at(&mut self, line: usize, rule: Rule, what: String) {
        self.findings.push(Finding { file: self.source.path.clone(), line, rule, what });
    }

    fn is_pure(&self) -> bool {
        self.tests == 0 && self.source.layer.nature == Nature::Pure
    }

    fn is_unsafe(&mut self, line: usize, what: &str) {
        if !self.may_hold_unsafe {
            self.find_at(line, Rule::Unsafe, format!("{what} outside the leaf modules"));
        }
    }

    /// A path as it is written, its first name resolved where `use` gave it one.
    fn path(&mut self, written: &[String], line: usize) {
        let first = &written[0];
        // Where the `use` itself breaks a rule it is reported there, once.
        let resolved: Vec<Vec<String>> = match self.names.get(first) {
            Some(full) if self.broken_by(full).is_none() => vec![[full, &written[1..]].concat()],
            Some(_) => return,
            None => {
                let opened = self.open.iter().filter(|open| self.broken_by(open).is_none());
                opened.map(|open| [open, written].concat()).chain([written.to_vec()]).collect()
            }
        };
        if let Some((rule, what)) = resolved.iter().find_map(|path| self.broken_by(path)) {
            self.find_at(line, rule, what);
        }
    }

    /// The rule that using this path breaks.
    fn broken_by(&self, path: &[String]) -> Option<(Rule, String)> {
        if self.tests > 0 {
            return None;
        }
        let layer = self.source.layer;
        let full = path.join("::");
        if let Some(other) = self.crates.get(&path[0]).filter(|other| !layer.may_import(other)) {
            return Some((Rule::Import, format!("the {} layer uses `{full}` of the {} layer", layer.name, other.name)));
        }
        if layer.nature == Nature::Pure {
            let below =
                |part: &str| full.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            let is_excepted =
                self.excepted.iter().any(|exception| exception.at == self.source.path && below(exception.path));
            if let Some((_, does)) = IMPURE_PATHS.iter().find(|(part, _)| below(part)).filter(|_| !is_excepted) {
                return Some((Rule::Pure, format!("`{full}` {does}")));
            }
        }
        let last = path.last()?.as_str();
        if layer.nature != Nature::Free && path.len() > 1 && BLOCKING_CALLS.contains(&last) {
            return Some((Rule::Blocking, format!("`{full}` blocks an async thread")));
        }
        None
    }

    fn console(&mut self, name: &str, line: usize) {
        if self.is_pure() && CONSOLE_MACROS.contains(&name) {
            self.find_at(line, Rule::Pure, format!("`{name}!` writes to a console"));
        }
    }
}

impl<'ast> Visit<'ast> for Checker<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_test = attributes_of(item).iter().any(is_for_tests);
        self.tests += usize::from(is_test);
        visit::visit_item(self, item);
        self.tests -= usize::from(is_test);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let is_test = function.attrs.iter().any(is_for_tests);
        self.tests += usize::from(is_test);
        visit::visit_impl_item_fn(self, function);
        self.tests -= usize::from(is_test);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let line = attribute.span().start().line;
        let Meta::List(list) = &attribute.meta else { return };
        let is = |name: &str| list.path.is_ident(name);
        if (is("cfg") || is("cfg_attr")) && !self.may_know_targets && tokens::names_a_target(&list.tokens) {
            self.find_at(line, Rule::Target, format!("`cfg({})` asks for a target", list.tokens));
        }
        let whole = quote_list(list);
        if tokens::allows_without_reason(&whole) {
            self.find_at(line, Rule::Allow, format!("`{whole}` gives no reason"));
        }
        if is("unsafe") {
            self.is_unsafe(line, "an unsafe attribute");
        }
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.is_unsafe(block.span().start().line, "an `unsafe` block");
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if let syn::Safety::Unsafe(token) = &signature.safety {
            self.is_unsafe(token.span().start().line, "an `unsafe fn`");
        }
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(token) = &item.unsafety {
            self.is_unsafe(token.span().start().line, "an `unsafe impl`");
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if let Some(token) = &item.unsafety {
            self.is_unsafe(token.span().start().line, "an `unsafe trait`");
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        if let Some(token) = &item.unsafety {
            self.is_unsafe(token.span().start().line, "an `unsafe extern`");
        }
        visit::visit_item_foreign_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.span().start().line;
        self.visit_attributes(&item.attrs);
        let mut paths = Vec::new();
        full_paths(&item.tree, &[], &mut |path, _| paths.push(path));
        for path in paths {
            if let Some((rule, what)) = self.broken_by(&path) {
                self.find_at(line, rule, what);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&names, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let method = call.method.to_string();
        if let Some((rule, what)) = self.broken_by(&["self".to_owned(), method]) {
            self.find(call.method.span(), rule, what);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let line = call.path.span().start().line;
        self.console(&name, line);
        if name == "cfg" && !self.may_know_targets && tokens::names_a_target(&call.tokens) {
            self.find_at(line, Rule::Target, format!("`cfg!({})` asks for a target", call.tokens));
        }
        let is_quoted = QUOTES.contains(&name.as_str());
        let mut seen = Vec::new();
        tokens::look(&call.tokens, &mut |what, line| seen.push((what, line)));
        for (what, line) in seen {
            match what {
                Seen::Unsafe => self.is_unsafe(line, "`unsafe` in a macro"),
                Seen::Target if !self.may_know_targets => {
                    self.find_at(line, Rule::Target, "a `cfg` in a macro asks for a target".to_owned());
                }
                Seen::AllowWithoutReason => {
                    self.find_at(line, Rule::Allow, "an `allow` in a macro gives no reason".to_owned());
                }
                Seen::Path(path) if !is_quoted => {
                    self.console(path.last().map_or("", String::as_str), line);
                    self.path(&path, line);
                }
                Seen::Target | Seen::Path(_) => {}
            }
        }
        self.visit_path(&call.path);
    }
}

impl Checker<'_> {
    fn visit_attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            self.visit_attribute(attribute);
        }
    }
}

/// Collects what `use` gives names to.
#[derive(Default)]
struct Names {
    names: BTreeMap<String, Vec<String>>,
    open: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if let Some((_, name)) = &item.rename {
            self.names.insert(name.to_string(), vec![item.ident.to_string()]);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        full_paths(&item.tree, &[], &mut |path, name| match name {
            Some(name) => {
                self.names.insert(name, path);
            }
            None => self.open.push(path),
        });
    }
}

/// The paths of a `use`, each with the name that it gives, or none for `*`.
fn full_paths(tree: &UseTree, before: &[String], found: &mut dyn FnMut(Vec<String>, Option<String>)) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => full_paths(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) if name.ident == "self" => found(before.to_vec(), before.last().cloned()),
        UseTree::Name(name) => found(with(&name.ident), Some(name.ident.to_string())),
        UseTree::Rename(rename) if rename.ident == "self" => found(before.to_vec(), Some(rename.rename.to_string())),
        UseTree::Rename(rename) => found(with(&rename.ident), Some(rename.rename.to_string())),
        UseTree::Glob(_) => found(before.to_vec(), None),
        UseTree::Group(group) => group.items.iter().for_each(|tree| full_paths(tree, before, found)),
    }
}

/// An attribute's tokens with its name: `allow (dead_code)`.
fn quote_list(list: &syn::MetaList) -> proc_macro2::TokenStream {
    let name = list.path.segments.last().map(|segment| proc_macro2::TokenTree::Ident(segment.ident.clone()));
    let group = proc_macro2::Group::new(proc_macro2::Delimiter::Parenthesis, list.tokens.clone());
    name.into_iter().chain([proc_macro2::TokenTree::Group(group)]).collect()
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
