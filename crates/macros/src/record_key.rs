//! `#[derive(RecordKey)]`: the names of records, tied to the type of their values.

use crate::known;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use std::collections::HashMap;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Lit, LitStr, Meta, Path, Result, Token, Type,
    ext::IdentExt, parse_quote,
};

const HOW: &str = "write `#[record(key = \"sensor/temperature\", value = Temperature)]`";
const HOW_VARIANT: &str = "write `#[key = \"sensor/temperature\"]`";

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    syn::parse2(item).and_then(|item| derive(&item)).unwrap_or_else(Error::into_compile_error)
}

fn derive(item: &DeriveInput) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a key is one name and one type: leave the generic parameters out",
        ));
    }
    let record = RecordAttribute::of(&item.attrs, &["key", "value", "crate"])?;
    let name = match &item.data {
        Data::Struct(data) => {
            unit(
                &data.fields,
                "a key is a name and holds nothing: make it a unit struct, or an enum with a variant for each record",
            )?;
            let key = key_of(&item.attrs, record.key.clone())?
                .ok_or_else(|| Error::new(item.ident.span(), format!("which record is it the key of? {HOW}")))?;
            quote!(#key)
        }
        Data::Enum(data) => {
            if let Some(key) = &record.key {
                return Err(Error::new(key.span(), format!("each variant has a key of its own: {HOW_VARIANT} there")));
            }
            variants(item, data)?
        }
        Data::Union(data) => {
            return Err(Error::new_spanned(
                data.union_token,
                "a key is a unit struct, or an enum with a variant for each record",
            ));
        }
    };
    let value = record.value.ok_or_else(|| {
        Error::new(item.ident.span(), "of what type are the record's values? Write `#[record(value = …)]`")
    })?;
    let krate = record.krate.unwrap_or_else(|| parse_quote!(::anabranch));
    let ident = &item.ident;
    Ok(quote_spanned! {ident.span()=>
        #[automatically_derived]
        impl #krate::RecordKey<#value> for #ident {
            fn name(&self) -> &str {
                #name
            }
        }
    })
}

/// The `match` from variants to keys.
fn variants(item: &DeriveInput, data: &syn::DataEnum) -> Result<TokenStream> {
    if data.variants.is_empty() {
        return Err(Error::new(
            item.ident.span(),
            "it has no variants, so it is the key of no record: add one for each",
        ));
    }
    let mut taken: HashMap<String, &Ident> = HashMap::new();
    let mut arms = Vec::new();
    for variant in &data.variants {
        unit(&variant.fields, "a key is a name and holds nothing: make it a unit variant")?;
        let record = RecordAttribute::of(&variant.attrs, &["key"])?;
        let key = key_of(&variant.attrs, record.key)?
            .ok_or_else(|| Error::new(variant.ident.span(), format!("which record is it the key of? {HOW_VARIANT}")))?;
        if let Some(first) = taken.insert(key.value(), &variant.ident) {
            let message = format!(
                "\"{}\" is the key of `{first}` already: a record has one key, so give this one another name",
                key.value()
            );
            return Err(Error::new(key.span(), message));
        }
        let name = &variant.ident;
        arms.push(quote!(Self::#name => #key));
    }
    Ok(quote!(match self { #(#arms),* }))
}

fn unit(fields: &Fields, message: &str) -> Result<()> {
    match fields {
        Fields::Unit => Ok(()),
        fields => Err(Error::new_spanned(fields, message)),
    }
}

/// The key, from `#[record(key = "…")]` or `#[key = "…"]`, of which there may be one.
fn key_of(attributes: &[Attribute], in_record: Option<LitStr>) -> Result<Option<LitStr>> {
    let mut key = in_record;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("key")) {
        let Meta::NameValue(meta) = &attribute.meta else {
            return Err(Error::new_spanned(attribute, HOW_VARIANT));
        };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else {
            return Err(Error::new_spanned(&meta.value, HOW_VARIANT));
        };
        if key.is_some() {
            return Err(Error::new_spanned(attribute, "a key is given twice: keep one of them"));
        }
        key = Some(text.clone());
    }
    match &key {
        Some(text) if text.value().is_empty() => {
            Err(Error::new(text.span(), "a record has a name: the key cannot be empty"))
        }
        _ => Ok(key),
    }
}

/// What stands in `#[record(…)]`.
#[derive(Default)]
struct RecordAttribute {
    key: Option<LitStr>,
    value: Option<Type>,
    krate: Option<Path>,
}

impl RecordAttribute {
    fn of(attributes: &[Attribute], known: &[&str]) -> Result<Self> {
        let mut record = RecordAttribute::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("record")) {
            if !matches!(attribute.meta, Meta::List(_)) {
                return Err(Error::new_spanned(attribute, HOW));
            }
            attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
                while !input.is_empty() {
                    let argument = input.call(Ident::parse_any)?;
                    let word = argument.to_string();
                    if !known.contains(&word.as_str()) {
                        let hint = known::nearest(&word, known).map(|meant| format!("; did you mean `{meant}`?"));
                        let message = format!(
                            "`#[record]` has no argument `{word}` here{} It takes {}",
                            hint.unwrap_or_default(),
                            known::list(known, '`')
                        );
                        return Err(Error::new(argument.span(), message));
                    }
                    input.parse::<Token![=]>()?;
                    let given = match word.as_str() {
                        "key" => record.key.replace(input.parse()?).is_some(),
                        "value" => record.value.replace(input.parse()?).is_some(),
                        _crate => record.krate.replace(input.call(Path::parse_mod_style)?).is_some(),
                    };
                    if given {
                        return Err(Error::new(argument.span(), format!("`{word}` is given twice: keep one of them")));
                    }
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(record)
    }
}
