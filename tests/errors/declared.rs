//! The error types as their sources declare them.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Arm, Attribute, Expr, Fields, GenericArgument, ImplItem, Item, ItemImpl, Meta, Pat,
    PathArguments, Type,
};

use super::message::{Format, Known, Message};
use super::sources::Source;
use super::words::{Scope, docs};

/// A type of errors.
pub(crate) struct ErrorType {
    /// Where it is declared: `core/onnx`.
    pub(crate) part: String,
    /// Its name.
    pub(crate) name: String,
    /// What its errors are about.
    pub(crate) about: String,
    /// Its errors, in the order of the source.
    pub(crate) errors: Vec<Error>,
}

/// One error.
pub(crate) struct Error {
    /// The variant; empty where the type is a struct.
    pub(crate) variant: String,
    /// The message; nothing where it is that of another error.
    pub(crate) message: Option<Message>,
    /// Why it happens.
    pub(crate) cause: String,
    /// What to do about it.
    pub(crate) cure: Option<String>,
    /// Words for its fields, where they have no names.
    pub(crate) fields: Vec<String>,
    /// Types of errors that it carries.
    pub(crate) carries: BTreeSet<String>,
    /// What programs call it.
    pub(crate) kinds: Vec<String>,
    /// What the program itself says to do.
    pub(crate) helps: Vec<Message>,
}

/// Returns all types with messages, in the order of the files.
pub(crate) fn all(sources: &[Source], constants: &BTreeMap<String, String>) -> Vec<ErrorType> {
    let mut types = Vec::new();
    for source in sources {
        for item in &source.file.items {
            let declared = match item {
                Item::Enum(item) if item.variants.iter().any(|one| has_message(&one.attrs)) => {
                    let one = |variant: &syn::Variant| {
                        let name = variant.ident.to_string();
                        error(&name, &variant.attrs, &variant.fields, constants)
                    };
                    let errors = item.variants.iter().map(one).collect();
                    (item.ident.to_string(), &item.attrs, errors)
                }
                Item::Struct(item) if has_message(&item.attrs) => {
                    let errors = vec![error("", &item.attrs, &item.fields, constants)];
                    (item.ident.to_string(), &item.attrs, errors)
                }
                _ => continue,
            };
            let (name, attributes, mut errors): (_, _, Vec<Error>) = declared;
            for error in &mut errors {
                error.kinds = kinds(source, &name, &error.variant, None, constants);
                error.helps = told(source, &name, "help", &error.variant, constants);
            }
            let (about, _) = docs(attributes);
            types.push(ErrorType { part: source.part(), name, about, errors });
        }
    }
    let names: BTreeSet<String> = types.iter().map(|one| one.name.clone()).collect();
    for error in types.iter_mut().flat_map(|one| &mut one.errors) {
        error.carries.retain(|name| names.contains(name));
    }
    for source in sources {
        inherit(&mut types, source, constants);
    }
    types
}

/// Gives the kinds of errors that carry others to those.
fn inherit(types: &mut [ErrorType], source: &Source, constants: &BTreeMap<String, String>) {
    let carriers: Vec<(String, String, BTreeSet<String>)> = types
        .iter()
        .filter(|one| one.part == source.part())
        .flat_map(|one| {
            let carried =
                |error: &Error| (one.name.clone(), error.variant.clone(), error.carries.clone());
            one.errors.iter().map(carried)
        })
        .collect();
    for (of, variant, carried) in carriers {
        for one in types.iter_mut().filter(|one| one.name != of && carried.contains(&one.name)) {
            for error in one.errors.iter_mut().filter(|error| error.kinds.is_empty()) {
                let inner = Some((one.name.as_str(), error.variant.as_str()));
                error.kinds = kinds(source, &of, &variant, inner, constants);
            }
        }
    }
}

/// Returns what programs call a variant. Where it carries another error, `inner`, an arm for that one
/// goes before those for any.
fn kinds(
    source: &Source,
    name: &str,
    variant: &str,
    inner: Option<(&str, &str)>,
    constants: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut kinds = Vec::new();
    for arm in arms(source, name, "kind") {
        if !variants(&arm.pat).iter().any(|one| one == variant) {
            continue;
        }
        let carried = carried(&arm.pat);
        let texts = Scope::new(constants).texts(&arm.body);
        let found = texts.iter().map(Message::markdown);
        match inner {
            Some((of, variant)) if !carried.is_empty() => {
                if carried.iter().any(|(one, other)| one == of && other == variant) {
                    return found.collect();
                }
            }
            _ => kinds.extend(found),
        }
    }
    kinds
}

/// Returns the errors of other types, as (type, variant), that a pattern looks for within.
fn carried(pattern: &Pat) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut names = |path: &syn::Path| {
        let mut last = path.segments.iter().rev().map(|segment| segment.ident.to_string());
        if let (Some(variant), Some(of)) = (last.next(), last.next())
            && of != "Self"
        {
            found.push((of, variant));
        }
    };
    let mut inner = Vec::new();
    match pattern {
        Pat::Or(or) => inner.extend(&or.cases),
        Pat::Path(path) => names(&path.path),
        Pat::Struct(one) => {
            names(&one.path);
            inner.extend(one.fields.iter().map(|field| &*field.pat));
        }
        Pat::TupleStruct(one) => {
            names(&one.path);
            inner.extend(&one.elems);
        }
        _ => {}
    }
    found.extend(inner.into_iter().flat_map(carried));
    found
}

fn has_message(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("error"))
}

fn error(
    variant: &str,
    attributes: &[Attribute],
    fields: &Fields,
    constants: &BTreeMap<String, String>,
) -> Error {
    let names: Vec<BTreeSet<String>> = fields.iter().map(|field| names(&field.ty)).collect();
    let words: Vec<String> = names.iter().map(word).collect();
    let known = Known { constants, fields: &words };
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("error"));
    let message = attribute.and_then(|attribute| match &attribute.meta {
        Meta::List(list) => syn::parse2::<Format>(list.tokens.clone()).ok(),
        _ => None,
    });
    let (cause, cure) = docs(attributes);
    Error {
        variant: variant.to_owned(),
        message: message.map(|format| format.message(&known)),
        cause,
        cure,
        fields: words,
        carries: names.into_iter().flatten().collect(),
        kinds: Vec::new(),
        helps: Vec::new(),
    }
}

/// Returns a word for a field without a name, from the names in its type.
fn word(names: &BTreeSet<String>) -> String {
    let is = |name: &str| names.contains(name);
    if ["CsStatus", "i32", "u64", "usize"].iter().any(|name| is(name)) {
        return "number".to_owned();
    }
    if is("str") {
        return "what".to_owned();
    }
    match names.iter().next() {
        Some(name) if names.len() == 1 && name != "String" => {
            if name.ends_with("Error") {
                "reason".to_owned()
            } else {
                name.clone()
            }
        }
        _ => "reason".to_owned(),
    }
}

/// Returns the names of a type and of its arguments.
pub(crate) fn names(kind: &Type) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match kind {
        Type::Path(path) => {
            for segment in &path.path.segments {
                if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
                    for argument in &arguments.args {
                        if let GenericArgument::Type(inner) = argument {
                            found.extend(names(inner));
                        }
                    }
                }
            }
            found.extend(path.path.segments.last().map(|segment| segment.ident.to_string()));
        }
        Type::Reference(reference) => found.extend(names(&reference.elem)),
        _ => {}
    }
    found
}

/// Returns what a function of a type's, `match self { … }`, says of one variant.
fn told(
    source: &Source,
    name: &str,
    function: &str,
    variant: &str,
    constants: &BTreeMap<String, String>,
) -> Vec<Message> {
    let mut told = Vec::new();
    for arm in arms(source, name, function) {
        if variants(&arm.pat).iter().any(|one| one == variant) {
            for message in Scope::new(constants).texts(&arm.body) {
                if !told.contains(&message) {
                    told.push(message);
                }
            }
        }
    }
    told
}

fn arms<'a>(source: &'a Source, name: &str, function: &str) -> Vec<&'a Arm> {
    let is_of = |item: &&ItemImpl| {
        matches!(&*item.self_ty, Type::Path(path) if path.path.is_ident(name))
            && item.trait_.is_none()
    };
    let impls = source.file.items.iter().filter_map(|item| match item {
        Item::Impl(item) => Some(item),
        _ => None,
    });
    let functions =
        impls.filter(is_of).flat_map(|item| &item.items).filter_map(|item| match item {
            ImplItem::Fn(item) if item.sig.ident == function => Some(item),
            _ => None,
        });
    let expressions =
        functions.flat_map(|function| &function.block.stmts).filter_map(|one| match one {
            syn::Stmt::Expr(expression, _) => Some(expression),
            _ => None,
        });
    expressions.filter_map(matched).flatten().collect()
}

/// Returns the arms of `match self { … }`, whatever is called on it.
fn matched(expression: &Expr) -> Option<&Vec<Arm>> {
    match expression {
        Expr::Match(matching) => Some(&matching.arms),
        Expr::MethodCall(call) => matched(&call.receiver),
        _ => None,
    }
}

/// Returns the variants that a pattern names.
fn variants(pattern: &Pat) -> Vec<String> {
    let last = |path: &syn::Path| path.segments.last().map(|one| one.ident.to_string());
    match pattern {
        Pat::Guard(guard) => variants(&guard.pat),
        Pat::Or(or) => or.cases.iter().flat_map(variants).collect(),
        Pat::Path(path) => last(&path.path).into_iter().collect(),
        Pat::Struct(one) => last(&one.path).into_iter().collect(),
        Pat::TupleStruct(one) => last(&one.path).into_iter().collect(),
        _ => Vec::new(),
    }
}
