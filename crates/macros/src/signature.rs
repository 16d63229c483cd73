//! What a service's function has to look like, and what is wrong when it does not.

use crate::arguments::{Arguments, Restart};
use proc_macro2::Span;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, Ident, ItemFn, Pat, PathArguments, Result, ReturnType, Safety, Type,
    TypeParam, TypeParamBound, TypePath, WherePredicate, punctuated::Punctuated, spanned::Spanned,
};

/// What `#[service]` needs to know of its function.
pub(crate) struct Signature<'a> {
    pub(crate) item: &'a ItemFn,
    /// The generic parameter that stands for the runtime.
    pub(crate) runtime: &'a TypeParam,
    /// All parameters but the context.
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Whether the size of its task is known for a runtime without a heap.
    pub(crate) sized_statically: bool,
}

/// A parameter after the context.
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) kind: Kind<'a>,
    /// The type as it is owned: without the `&` of a lent end.
    pub(crate) owned: &'a Type,
    /// Whether the function takes a reference.
    pub(crate) lent: bool,
}

/// What a parameter is, told by the last segment of its type.
pub(crate) enum Kind<'a> {
    /// `Consumer<T>`, with its `T`.
    Consumer(&'a Type),
    /// `Producer<T>`, with its `T`.
    Producer(&'a Type),
    Value,
}

/// A task's function has at most twelve parameters: the context, the supervisor and these.
const MOST_PARAMETERS: usize = 10;

/// Bounds that a runtime without a heap keeps, so that its task's size is known. With any other the static slot could not
/// be sized.
const KEPT_WITHOUT_HEAP: [&str; 10] = [
    "Runtime",
    "RuntimeAdapter",
    "TimeSource",
    "SpawnStatically",
    "MaybeSend",
    "MaybeSync",
    "Clone",
    "Debug",
    "Sized",
    "RuntimeExt",
];

const SHAPE: &str = "async fn name<R: Runtime>(ctx: RuntimeContext<R>, …) -> Result<(), E>";

impl<'a> Signature<'a> {
    /// Reads the function's signature. Everything that is wrong with it is told at once.
    pub(crate) fn of(item: &'a ItemFn, arguments: &Arguments) -> Result<Self> {
        let mut faults = Faults(None);
        check_qualifiers(item, &mut faults);
        check_output(&item.sig.output, item, &mut faults);
        let runtime = faults.note(runtime_of(item));
        if let Some(runtime) = runtime {
            faults.note(check_context(item, runtime));
        }
        let parameters: Vec<_> = (item.sig.inputs.iter().skip(1))
            .filter_map(|input| faults.note(Parameter::of(input, arguments.restart)))
            .collect();
        if let Some(first_too_many) = item.sig.inputs.iter().nth(1 + MOST_PARAMETERS) {
            let message = format!(
                "a service takes at most {MOST_PARAMETERS} parameters after its context: put values that belong together \
                 into one struct"
            );
            faults.add(Error::new_spanned(first_too_many, message));
        }
        match (faults.0, runtime) {
            (None, Some(runtime)) => {
                let sized_statically = bounds(item, runtime).all(kept_without_heap);
                Ok(Signature { item, runtime, parameters, sized_statically })
            }
            (Some(faults), _) => Err(faults),
            (None, None) => Err(Error::new(Span::call_site(), format!("a service is `{SHAPE}`"))),
        }
    }
}

/// Collects errors into one.
struct Faults(Option<Error>);

impl Faults {
    fn add(&mut self, fault: Error) {
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            none => *none = Some(fault),
        }
    }

    fn note<T>(&mut self, found: Result<T>) -> Option<T> {
        found.map_err(|fault| self.add(fault)).ok()
    }
}

fn check_qualifiers(item: &ItemFn, faults: &mut Faults) {
    let sig = &item.sig;
    if sig.asyncness.is_none() {
        faults.add(Error::new_spanned(sig.fn_token, format!("a service is asynchronous: write `{SHAPE}`")));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        faults.add(Error::new(
            token.span(),
            "a service is called by its supervisor, which knows no conditions: it cannot be `unsafe`",
        ));
    }
    if let Some(token) = &sig.constness {
        faults.add(Error::new(token.span(), "a service runs: it cannot be `const`"));
    }
    if let Some(abi) = &sig.abi {
        faults.add(Error::new_spanned(abi, "a service is a plain Rust function: leave `extern` out"));
    }
    if let Some(variadic) = &sig.variadic {
        faults.add(Error::new_spanned(variadic, "a service's parameters are known: leave `...` out"));
    }
}

fn check_output(output: &ReturnType, item: &ItemFn, faults: &mut Faults) {
    const SHALL: &str = "a service returns `Result<(), E>`, where `E` can be displayed, so that its supervisor can tell \
                         a failure from an end";
    match output {
        ReturnType::Default => faults.add(Error::new(item.sig.ident.span(), SHALL)),
        ReturnType::Type(_, output) => {
            let unit =
                last_segment(output).filter(|(name, _)| *name == "Result").and_then(|(_, of)| of.first().copied());
            if !matches!(unit, Some(Type::Tuple(unit)) if unit.elems.is_empty()) {
                faults.add(Error::new_spanned(output, SHALL));
            }
        }
    }
}

/// The one generic parameter.
fn runtime_of(item: &ItemFn) -> Result<&TypeParam> {
    let mut runtime = None;
    for parameter in &item.sig.generics.params {
        match parameter {
            GenericParam::Type(parameter) if runtime.is_none() => runtime = Some(parameter),
            GenericParam::Lifetime(lifetime) => {
                return Err(Error::new_spanned(
                    lifetime,
                    "a service outlives whoever starts it, so it cannot borrow: take values that it owns, or `&'static`",
                ));
            }
            other => {
                return Err(Error::new_spanned(
                    other,
                    "a service is generic over its runtime and nothing else, because its records have one type each: \
                     name the type, or write a service for each",
                ));
            }
        }
    }
    runtime.ok_or_else(|| {
        Error::new(
            item.sig.ident.span(),
            format!("a service is generic over its runtime, so that it runs on each: write `{SHAPE}`"),
        )
    })
}

/// The first parameter has to be the context of that runtime.
fn check_context(item: &ItemFn, runtime: &TypeParam) -> Result<()> {
    let shall = format!("`ctx: RuntimeContext<{}>`", runtime.ident);
    let Some(first) = item.sig.inputs.first() else {
        return Err(Error::new(item.sig.ident.span(), format!("the first parameter is the context: write {shall}")));
    };
    let FnArg::Typed(parameter) = first else { return Err(receiver(first)) };
    match last_segment(&parameter.ty) {
        Some(("RuntimeContext", of)) if of.len() == 1 && is_named(of[0], &runtime.ident) => Ok(()),
        _ => {
            let message = format!("the first parameter is the context, by value: write {shall}");
            Err(Error::new_spanned(&parameter.ty, message))
        }
    }
}

fn receiver(input: &FnArg) -> Error {
    Error::new_spanned(
        input,
        "a service is a function and not a method: move it out of the `impl`, and take what it needs as parameters",
    )
}

impl<'a> Parameter<'a> {
    fn of(input: &'a FnArg, restart: Restart) -> Result<Self> {
        let FnArg::Typed(parameter) = input else { return Err(receiver(input)) };
        let name = name_of(parameter)?;
        let (owned, reference) = match &*parameter.ty {
            Type::Reference(reference) => (&*reference.elem, Some(reference)),
            owned => (owned, None),
        };
        let Some((end @ ("Consumer" | "Producer"), of)) = last_segment(owned) else {
            let borrows =
                reference.is_some_and(|reference| reference.lifetime.as_ref().is_none_or(|of| of.ident != "static"));
            return Self::value(name, &parameter.ty, borrows);
        };
        let &[value] = &of[..] else {
            return Err(Error::new_spanned(owned, format!("say what its values are: write `{end}<T>`")));
        };
        let lent = reference.is_some();
        let mutable = reference.is_some_and(|reference| reference.mutability.is_some());
        match (end, lent) {
            ("Consumer", false) if restart != Restart::Never => Err(Error::new_spanned(
                &parameter.ty,
                "write `&mut Consumer<T>`, so that a restart goes on where the last run stopped",
            )),
            ("Consumer", true) if !mutable => {
                Err(Error::new_spanned(&parameter.ty, "reading moves a consumer on: write `&mut Consumer<T>`"))
            }
            ("Consumer", _) => Ok(Parameter { name, kind: Kind::Consumer(value), owned, lent }),
            (_, _) if mutable => Err(Error::new_spanned(
                &parameter.ty,
                "a producer is written through a shared reference: write `Producer<T>` or `&Producer<T>`",
            )),
            (_, _) => Ok(Parameter { name, kind: Kind::Producer(value), owned, lent }),
        }
    }
}

impl<'a> Parameter<'a> {
    /// One that is no end of a record.
    fn value(name: &'a Ident, ty: &'a Type, borrows: bool) -> Result<Self> {
        if borrows {
            return Err(Error::new_spanned(
                ty,
                "a service outlives whoever starts it, so it cannot borrow: take the value itself, an `Arc` of it, or \
                 `&'static`. Lent are only `&mut Consumer<T>` and `&Producer<T>`",
            ));
        }
        if matches!(ty, Type::ImplTrait(_)) {
            return Err(Error::new_spanned(
                ty,
                "a service is generic over its runtime and nothing else: name the type",
            ));
        }
        Ok(Parameter { name, kind: Kind::Value, owned: ty, lent: false })
    }
}

/// A parameter's name; a pattern has none.
fn name_of(parameter: &syn::PatType) -> Result<&Ident> {
    match &*parameter.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Ok(&pat.ident),
        pattern => Err(Error::new_spanned(
            pattern,
            "each parameter of a service needs a name, because `of` and `spawn` have it too: name it here, and take it \
             apart in the body",
        )),
    }
}

/// A path's last name, and the types in its angle brackets.
fn last_segment(ty: &Type) -> Option<(&str, Vec<&Type>)> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return None };
    let segment = path.segments.last()?;
    let of = match &segment.arguments {
        PathArguments::AngleBracketed(of) => {
            let types = of.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    ["Consumer", "Producer", "RuntimeContext", "Result"]
        .into_iter()
        .find(|name| segment.ident == name)
        .map(|name| (name, of))
}

fn is_named(ty: &Type, name: &Ident) -> bool {
    matches!(ty, Type::Path(TypePath { qself: None, path, .. }) if path.is_ident(name))
}

/// What the function asks of its runtime, inline and in its `where`.
fn bounds<'a>(item: &'a ItemFn, runtime: &'a TypeParam) -> impl Iterator<Item = &'a TypeParamBound> {
    let inline = &runtime.bounds;
    let in_where = item.sig.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let in_where = in_where.filter_map(|predicate| match predicate {
        WherePredicate::Type(of) if is_named(&of.bounded_ty, &runtime.ident) => Some(&of.bounds),
        _ => None,
    });
    std::iter::once(inline).chain(in_where).flat_map(Punctuated::iter)
}

fn kept_without_heap(bound: &TypeParamBound) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| KEPT_WITHOUT_HEAP.iter().any(|kept| last.ident == kept))
        }
        TypeParamBound::Lifetime(_) => true,
        _ => false,
    }
}
