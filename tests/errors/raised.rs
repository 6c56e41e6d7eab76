//! Where the sources make messages, and of which words.
//!
//! A message is followed to its words as far as they are written out: through variables, through
//! closures and functions that only pass it on. What comes from elsewhere, such as the words of the
//! system, is not found, and needs not be.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprCall, ExprClosure, ExprMethodCall, ExprStruct, FnArg, ImplItemFn, ItemFn,
    ItemImpl, Local, Member, Pat, Path, Type,
};

use super::carriers;
use super::functions::{self, Functions};
use super::message::Message;
use super::sources::Source;
use super::types::Types;
use super::words::{Scope, called};

/// What a message belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sink {
    /// A field of an error.
    Field(Field),
    /// A failure of this kind, made in this part of the project.
    Kind(String, String),
}

/// A field of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field {
    /// The part of the project that declares the type, and its name.
    pub(crate) of: (String, String),
    /// The variant; empty for a struct. While words are looked for, also a function of the type's.
    pub(crate) variant: String,
    /// The field, or its number.
    pub(crate) name: String,
    /// The file that says so, where the field is that of a carrier.
    pub(crate) file: String,
}

/// The words that were found.
pub(crate) type Raised = BTreeMap<Sink, BTreeSet<Said>>;

/// Words of a message, with the help beside them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    /// The message, or the part of it.
    pub(crate) message: Message,
    /// What the program says to do.
    pub(crate) helps: Vec<Message>,
}

/// What a function passes on: which argument, and where it goes.
type Passed = BTreeSet<(usize, Sink)>;
/// Functions that pass arguments on, by name.
type Passers = BTreeMap<String, Passed>;

/// Finds the words of all messages. `errors` are the types of errors, as (part, name).
pub(crate) fn all(
    sources: &[Source],
    constants: &BTreeMap<String, String>,
    mut errors: BTreeSet<(String, String)>,
) -> Raised {
    errors.extend(carriers::types());
    let types = &Types::of(sources, errors);
    let mut passers: BTreeMap<String, Passers> = BTreeMap::new();
    let mut makers: BTreeMap<Field, Passed> = BTreeMap::new();
    let mut found = Raised::new();
    let functions: Vec<Functions> =
        sources.iter().map(|source| Functions::of(source, constants)).collect();
    // A function may stand below those that call it, and call others: three rounds find them all.
    for _ in 0..3 {
        found.clear();
        let before = std::mem::take(&mut passers);
        for (source, functions) in sources.iter().zip(&functions) {
            let mut search = Search {
                path: &source.path,
                part: source.part(),
                constants,
                functions,
                types,
                passers: before.get(&source.path).cloned().unwrap_or_default(),
                others: alone(&before, &source.part(), types),
                makers: &mut makers,
                of: String::new(),
                frames: Vec::new(),
                found: &mut found,
            };
            search.visit_file(&source.file);
            let of_file = search.passers;
            passers.insert(source.path.clone(), of_file);
        }
    }
    carriers::unload(resolved(found, &makers))
}

/// Returns what the files of a part pass on by functions whose names no other file uses.
fn alone(passers: &BTreeMap<String, Passers>, part: &str, types: &Types) -> Passers {
    let prefix = format!("{part}/");
    let files = passers.iter().filter(|(path, _)| path.starts_with(&prefix));
    let all = files.flat_map(|(_, of_file)| of_file.clone());
    all.filter(|(name, _)| types.is_alone(part, name)).collect()
}

/// Puts the words that functions of a type take where these functions put them.
fn resolved(found: Raised, makers: &BTreeMap<Field, Passed>) -> Raised {
    let mut raised = Raised::new();
    for (sink, said) in found {
        let made = match &sink {
            Sink::Field(field) => {
                let (name, file) = (String::new(), String::new());
                let function = Field { name, file, ..field.clone() };
                let place = field.name.parse::<usize>().ok();
                makers.get(&function).map(|passed| (passed, place, &field.file))
            }
            Sink::Kind(..) => None,
        };
        match made {
            None => raised.entry(sink).or_default().extend(said),
            Some((passed, place, file)) => {
                for (_, sink) in passed.iter().filter(|(passed, _)| Some(*passed) == place) {
                    let mut sink = sink.clone();
                    if let Sink::Field(field) = &mut sink {
                        field.file.clone_from(file);
                    }
                    raised.entry(sink).or_default().extend(said.iter().cloned());
                }
            }
        }
    }
    raised
}

/// What is known where an expression stands.
struct Frame<'a> {
    parameters: Vec<String>,
    passed: Passed,
    scope: Scope<'a>,
    closures: Passers,
}

struct Search<'a> {
    path: &'a str,
    part: String,
    constants: &'a BTreeMap<String, String>,
    functions: &'a Functions,
    types: &'a Types,
    passers: Passers,
    /// Functions of other files.
    others: Passers,
    /// Functions of error types that make errors.
    makers: &'a mut BTreeMap<Field, Passed>,
    /// The type whose functions are looked at.
    of: String,
    frames: Vec<Frame<'a>>,
    found: &'a mut Raised,
}

impl Search<'_> {
    fn enter(&mut self, parameters: Vec<String>) {
        let (mut scope, closures) = match self.frames.last() {
            Some(frame) => (frame.scope.clone(), frame.closures.clone()),
            None => (Scope::with(self.constants, self.functions), Passers::new()),
        };
        for name in &parameters {
            scope.forget(name);
        }
        self.frames.push(Frame { parameters, passed: BTreeSet::new(), scope, closures });
    }

    fn leave(&mut self) -> Passed {
        self.frames.pop().map(|frame| frame.passed).unwrap_or_default()
    }

    fn function(&mut self, name: &str, inputs: Vec<String>, block: &Block) {
        self.enter(inputs);
        self.visit_block(block);
        let passed = self.leave();
        if passed.is_empty() {
            return;
        }
        if let Some(of) = self.types.find(&self.part, &self.of) {
            let function = Field { of, variant: name.to_owned(), ..Field::default() };
            self.makers.insert(function, passed.clone());
        }
        self.passers.insert(name.to_owned(), passed);
    }

    /// Takes what goes to a sink: its words, or the parameter that brings them.
    fn take(&mut self, sink: &Sink, value: &Expr, helps: &[Message]) {
        let Some(frame) = self.frames.last() else { return };
        let texts = frame.scope.texts(value);
        if texts.is_empty() {
            self.hand_on(sink, &variable(value));
        }
        for message in texts {
            if message.has_words() {
                let said = Said { message, helps: helps.to_vec() };
                self.found.entry(sink.clone()).or_default().insert(said);
            } else if let Some(name) = message.last_value() {
                self.hand_on(sink, name);
            }
        }
    }

    /// Notes that a parameter goes to a sink.
    fn hand_on(&mut self, sink: &Sink, name: &str) {
        let is_it = |one: &String| one == name || one.replace('_', " ") == name;
        for frame in self.frames.iter_mut().rev() {
            if let Some(place) = frame.parameters.iter().position(is_it) {
                frame.passed.insert((place, sink.clone()));
                return;
            }
        }
    }

    fn field(&self, variant: &str, of: &(String, String), name: &str) -> Sink {
        let file = if carriers::is_one(of) { self.path } else { "" };
        let (variant, name) = (variant.to_owned(), name.to_owned());
        Sink::Field(Field { of: of.clone(), variant, name, file: file.to_owned() })
    }

    /// Returns the type and the variant that a path names, if they are errors.
    fn error(&self, path: &Path) -> Option<((String, String), String)> {
        let mut names = path.segments.iter().rev().map(|segment| segment.ident.to_string());
        let last = names.next()?;
        let find = |name: String| {
            let name = if name == "Self" { self.of.clone() } else { name };
            self.types.find(&self.part, &name)
        };
        match names.next().and_then(find) {
            Some(of) => Some((of, last)),
            None => Some((find(last)?, String::new())),
        }
    }

    /// Looks at a call, and returns whether it makes a failure.
    fn call(&mut self, call: &ExprCall, helps: &[Message]) {
        let Expr::Path(function) = &*call.func else { return };
        let names: Vec<String> =
            function.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let is_failure = names.contains(&"Failure") || self.of == "Failure" && names[0] == "Self";
        match (names.as_slice(), call.args.len()) {
            ([.., "new"], 2) if is_failure => {
                let Some(frame) = self.frames.last() else { return };
                for kind in frame.scope.texts(&call.args[0]) {
                    let sink = Sink::Kind(self.part.clone(), kind.plain());
                    self.take(&sink, &call.args[1], helps);
                }
            }
            ([.., "usage"], 1) if is_failure => {
                let sink = Sink::Kind(self.part.clone(), "usage".to_owned());
                self.take(&sink, &call.args[0], helps);
            }
            ([.., name], _) => {
                if let Some((of, variant)) = self.error(&function.path) {
                    for (place, argument) in call.args.iter().enumerate() {
                        let sink = self.field(&variant, &of, &place.to_string());
                        self.take(&sink, argument, helps);
                    }
                } else if names.iter().rev().nth(1).is_none_or(|of| is_module(of)) {
                    let name = (*name).to_owned();
                    self.pass(&name, call.args.iter(), helps);
                }
            }
            ([], _) => {}
        }
    }

    /// Takes the reasons for which a function fails, where they are handed to a closure.
    fn map_reasons(&mut self, failing: &Expr, closure: &Expr) {
        let names = functions::results(failing);
        let reasons = names.iter().filter_map(|name| self.functions.reasons.get(name));
        let reasons: BTreeSet<&Message> = reasons.flatten().collect();
        if reasons.is_empty() {
            return;
        }
        let passed = match closure {
            Expr::Closure(closure) => {
                self.enter(closure.inputs.iter().map(named).collect());
                self.visit_expr(&closure.body);
                self.leave()
            }
            closure => {
                let name = called(closure);
                let own = self.frames.last().and_then(|frame| frame.closures.get(&name));
                own.or_else(|| self.passers.get(&name)).cloned().unwrap_or_default()
            }
        };
        for (_, sink) in passed.iter().filter(|(place, _)| *place == 0) {
            let said =
                reasons.iter().map(|&message| Said { message: message.clone(), helps: Vec::new() });
            self.found.entry(sink.clone()).or_default().extend(said);
        }
    }

    fn pass<'e>(
        &mut self,
        name: &str,
        arguments: impl Iterator<Item = &'e Expr>,
        helps: &[Message],
    ) {
        let closure = self.frames.last().and_then(|frame| frame.closures.get(name));
        let passed = closure.or_else(|| self.passers.get(name)).or_else(|| self.others.get(name));
        let Some(passed) = passed.cloned() else { return };
        for (place, argument) in arguments.enumerate() {
            for (_, sink) in passed.iter().filter(|(passed, _)| *passed == place) {
                self.take(sink, argument, helps);
            }
        }
    }
}

impl<'e> Visit<'e> for Search<'_> {
    fn visit_item_impl(&mut self, item: &'e ItemImpl) {
        if let Type::Path(path) = &*item.self_ty
            && let Some(last) = path.path.segments.last()
        {
            self.of = last.ident.to_string();
        }
        visit::visit_item_impl(self, item);
        self.of.clear();
    }

    fn visit_item_fn(&mut self, item: &'e ItemFn) {
        let inputs = item.sig.inputs.iter().filter_map(parameter).collect();
        self.function(&item.sig.ident.to_string(), inputs, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'e ImplItemFn) {
        let inputs = item.sig.inputs.iter().filter_map(parameter).collect();
        self.function(&item.sig.ident.to_string(), inputs, &item.block);
    }

    fn visit_local(&mut self, local: &'e Local) {
        let Some(init) = &local.init else { return };
        if let (Expr::Closure(closure), Pat::Ident(name)) = (&*init.expr, &local.pat) {
            self.enter(closure.inputs.iter().map(named).collect());
            self.visit_expr(&closure.body);
            let passed = self.leave();
            if let Some(frame) = self.frames.last_mut() {
                frame.closures.insert(name.ident.to_string(), passed);
            }
            return;
        }
        visit::visit_local(self, local);
        if let Some(frame) = self.frames.last_mut() {
            frame.scope.declare(&local.pat, &init.expr);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'e ExprClosure) {
        self.enter(closure.inputs.iter().map(named).collect());
        self.visit_expr(&closure.body);
        self.leave();
    }

    fn visit_expr_call(&mut self, call: &'e ExprCall) {
        self.call(call, &[]);
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'e ExprMethodCall) {
        // `Failure::new(…).with_key(…).with_help(…)`: the help belongs to the message.
        let mut helps = Vec::new();
        let mut receiver = call;
        let made = loop {
            if receiver.method == "with_help"
                && let Some(frame) = self.frames.last()
            {
                helps.extend(receiver.args.iter().flat_map(|help| frame.scope.texts(help)));
            }
            match &*receiver.receiver {
                Expr::MethodCall(inner) => receiver = inner,
                Expr::Call(inner) => break Some(inner),
                _ => break None,
            }
        };
        if let Some(made) = made.filter(|_| !helps.is_empty()) {
            self.call(made, &helps);
            made.args.iter().for_each(|argument| self.visit_expr(argument));
            return;
        }
        let name = call.method.to_string();
        if name == "map_err" {
            call.args.iter().for_each(|argument| self.map_reasons(&call.receiver, argument));
        }
        self.pass(&name, call.args.iter(), &[]);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, made: &'e ExprStruct) {
        if let Some((of, variant)) = self.error(&made.path) {
            for field in &made.fields {
                if let Member::Named(name) = &field.member {
                    let sink = self.field(&variant, &of, &name.to_string());
                    self.take(&sink, &field.expr, &[]);
                }
            }
        }
        visit::visit_expr_struct(self, made);
    }
}

/// Says whether a segment of a path is a module, or the type at hand.
fn is_module(segment: &str) -> bool {
    segment == "Self" || segment.starts_with(|first: char| first.is_ascii_lowercase())
}

fn parameter(input: &FnArg) -> Option<String> {
    match input {
        FnArg::Typed(typed) => Some(named(&typed.pat)),
        FnArg::Receiver(_) => None,
    }
}

/// Returns the name that a pattern gives to the whole; empty where it gives none.
fn named(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(name) => name.ident.to_string(),
        Pat::Type(typed) => named(&typed.pat),
        _ => String::new(),
    }
}

/// Returns the variable that an expression passes on; empty where it is none.
fn variable(value: &Expr) -> String {
    match value {
        Expr::MethodCall(call) if call.args.is_empty() => variable(&call.receiver),
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string).unwrap_or_default(),
        Expr::Reference(reference) => variable(&reference.expr),
        _ => String::new(),
    }
}
