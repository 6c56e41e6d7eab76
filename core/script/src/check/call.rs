//! Calls: whether there is such a function, and whether it takes what it is given.

use rhai::{ASTFlags, BinaryExpr, Expr, FnCallExpr, FnPtr, ImmutableString, Position};

use super::Unit;
use super::facts::EXIT;
use super::handle::Handle;
use super::known::{Content, Known};
use super::program::Function;
use super::walk::{Mood, Walker};
use crate::register::{self, unknown_analysis, unknown_property};
use crate::suggest::{did_you_mean, listed};
use crate::{Failure, explain, kind};

impl<'a> Walker<'a> {
    /// Walks a call of a function by its name.
    pub(super) fn call(&mut self, call: &'a FnCallExpr, position: Position) -> Known {
        if let Some(Expr::DynamicConstant(value, _)) = call.args.first()
            && call.name == "curry"
            && let Some(pointer) = value.read_lock::<FnPtr>()
        {
            let captured = call.args.len() - 1;
            self.arguments(call.args.get(1..).unwrap_or_default());
            self.closure(pointer.fn_name(), captured);
            return Known::new(Content::Function, position);
        }
        let arguments = self.arguments(&call.args);
        let content = if call.is_operator_call() {
            operator(&call.name, &arguments)
        } else if call.is_qualified() {
            self.qualified(call, &arguments, position);
            Content::Unknown
        } else if call.name == "option" && !self.is_scripted("option") {
            self.unqualified(&call.name, &arguments, position);
            return self.option(&arguments, position);
        } else {
            self.unqualified(&call.name, &arguments, position)
        };
        Known::new(content, position)
    }

    fn arguments(&mut self, arguments: &'a [Expr]) -> Vec<Known> {
        arguments.iter().map(|argument| self.expression(argument)).collect()
    }

    fn unqualified(
        &mut self,
        name: &ImmutableString,
        arguments: &[Known],
        position: Position,
    ) -> Content {
        let check = self.check;
        if name == EXIT {
            self.may_leave();
        }
        if self.is_scripted(name) {
            let count = arguments.len();
            let unit = Unit::Function(self.number, name.clone(), count);
            self.reached.push((unit, self.mood()));
            let has_one =
                self.scripted().any(|one| one.name == *name && one.parameters.len() == count);
            if !has_one && !check.catalogue.takes(name, arguments) {
                self.refuse(name, arguments, position);
            }
            return Content::Unknown;
        }
        if !check.catalogue.takes(name, arguments) {
            self.refuse(name, arguments, position);
            return Content::Unknown;
        }
        match name.as_str() {
            "load_images" => self.load_images(arguments),
            "load_model" => return Content::Model(self.load_model(arguments)),
            _ => self.options(name, arguments),
        }
        check.catalogue.returned(name, arguments).map_or(Content::Unknown, Content::of)
    }

    /// Says that there is no such function, or that it does not take the arguments.
    fn refuse(&mut self, name: &str, arguments: &[Known], position: Position) {
        if !self.is_fatal() || self.check.facts.asked_for.contains(name) {
            return;
        }
        let failure = if self.check.catalogue.knows(name) || self.is_scripted(name) {
            self.misused(name, arguments)
        } else if self.has_variable(name) {
            let help =
                format!("`{name}` is a variable: what it holds is called by `{name}.call(…)`");
            unknown_function(name).with_help(help)
        } else {
            let scripted = || self.scripted().map(|one| one.name.as_str());
            let own = || self.check.catalogue.own().chain(scripted());
            let all = self.check.catalogue.names().chain(scripted());
            let help = did_you_mean(name, own())
                .or_else(|| did_you_mean(name, all))
                .unwrap_or_else(|| format!("functions: {}", listed(own(), 20)));
            unknown_function(name).with_help(help)
        };
        self.report(failure, position);
    }

    /// Says that a function does not take the arguments.
    fn misused(&self, name: &str, arguments: &[Known]) -> Failure {
        let types: Vec<&str> = arguments.iter().map(Known::type_name).collect();
        let scripted = signatures(self.scripted().filter(|one| one.name == name));
        if let (Some(help), false) = (scripted, self.check.catalogue.knows(name)) {
            return does_not_take(name, &types).with_help(help);
        }
        let signature = format!("{name} ({})", types.join(", "));
        let check = self.check;
        explain::unknown_function(&signature, "", check.engine, &check.state.plugins)
    }

    /// Walks a call of a function of a module.
    fn qualified(&mut self, call: &'a FnCallExpr, arguments: &[Known], position: Position) {
        let Some(module) = self.module(&call.namespace) else { return };
        let Some(parsed) = self.check.parsed(module) else { return };
        let (name, count) = (&call.name, arguments.len());
        let unit = Unit::Function(module, name.clone(), count);
        self.reached.push((unit, self.mood()));
        let public = || parsed.functions.iter().filter(|one| one.is_public());
        if public().any(|one| one.name == *name && one.parameters.len() == count)
            || !self.is_fatal()
        {
            return;
        }
        let same = signatures(public().filter(|one| one.name == *name));
        let failure = if let Some(help) = same {
            let types: Vec<&str> = arguments.iter().map(Known::type_name).collect();
            does_not_take(name, &types).with_help(help)
        } else {
            let names = || public().map(|one| one.name.as_str());
            let help = did_you_mean(name, names()).or_else(|| {
                let names = listed(names(), 20);
                (!names.is_empty()).then(|| format!("functions: {names}"))
            });
            let message = format!("the imported script has no function `{name}`");
            Failure { help, ..Failure::new(kind::UNKNOWN_FUNCTION, message) }
        };
        self.report(failure, position);
    }

    /// Walks a chain of points and indices.
    pub(super) fn chain(&mut self, parts: &'a BinaryExpr, flags: ASTFlags, is_dot: bool) -> Known {
        let (mut parts, mut flags, mut is_dot) = (parts, flags, is_dot);
        let mut value = self.expression(&parts.lhs);
        loop {
            let (element, next) = match &parts.rhs {
                rest if flags.contains(ASTFlags::BREAK) => (rest, None),
                Expr::Dot(next, flags, _) => (&next.lhs, Some((next, *flags, true))),
                Expr::Index(next, flags, _) => (&next.lhs, Some((next, *flags, false))),
                last => (last, None),
            };
            value = match element {
                Expr::Property(property, position) if is_dot => {
                    self.property(&value, &property.2, *position)
                }
                Expr::MethodCall(call, position) if is_dot => self.method(&value, call, *position),
                index => {
                    self.expression(index);
                    Known::nothing(index.start_position())
                }
            };
            match next {
                Some(next) => (parts, flags, is_dot) = next,
                None => return value,
            }
        }
    }

    fn property(&mut self, of: &Known, name: &ImmutableString, position: Position) -> Known {
        let handle = match &of.content {
            Content::Map(entries) => {
                // Of two entries of one name the last counts; the engine refuses those anyway.
                let entry = entries.iter().rev().find(|entry| entry.key == *name);
                return entry.map_or(Known::nothing(position), |entry| entry.value.clone());
            }
            Content::Model(_) => Handle::Model,
            Content::Handle(Handle::Result) => {
                let is_array = !register::RESULT.contains(&name.as_str());
                let content =
                    if is_array { Content::Handle(Handle::Tensor) } else { Content::Unknown };
                return Known::new(content, position);
            }
            Content::Handle(handle) => *handle,
            _ => return Known::nothing(position),
        };
        if let Some((what, names)) = handle.properties()
            && !names.contains(&name.as_str())
            && self.is_fatal()
        {
            self.report(unknown_property(what, name, names), position);
        }
        Known::nothing(position)
    }

    fn method(&mut self, of: &Known, call: &'a FnCallExpr, position: Position) -> Known {
        let name = &call.name;
        let mut all = vec![of.clone()];
        all.extend(self.arguments(&call.args));
        let arguments = &all[1..];
        let check = self.check;
        if self.is_scripted(name) {
            let unit = Unit::Function(self.number, name.clone(), arguments.len());
            self.reached.push((unit, self.mood().min(Mood::Perhaps)));
            return Known::nothing(position);
        }
        // An entry of a map may hold a function.
        if matches!(of.content, Content::Map(_))
            || matches!(of.content, Content::Unknown) && check.may_be_entry(name)
        {
            return Known::nothing(position);
        }
        if !check.catalogue.takes(name, &all) {
            self.refuse_method(name, &all, position);
            return Known::nothing(position);
        }
        self.method_of_ours(name, &all, position);
        let content = check.catalogue.returned(name, &all).map_or(Content::Unknown, Content::of);
        Known::new(content, position)
    }

    fn refuse_method(&mut self, name: &str, all: &[Known], position: Position) {
        let takes_parameters = matches!(all, [_, Known { content: Content::Map(_), .. }]);
        let may_be_model = matches!(
            all.first().map(|first| &first.content),
            Some(Content::Unknown | Content::Model(_))
        );
        if takes_parameters && may_be_model && !self.check.catalogue.knows(name) {
            if self.is_fatal() {
                self.report(unknown_analysis(&self.check.state.plugins, name), position);
            }
        } else {
            self.refuse(name, all, position);
        }
    }

    /// Looks into the arguments of methods that convscope offers.
    fn method_of_ours(&mut self, name: &str, all: &[Known], position: Position) {
        let [of, arguments @ ..] = all else { return };
        match (name, &of.content, arguments) {
            ("run", _, [analysis, parameters]) => self.run(of, analysis, parameters),
            ("layer", Content::Model(Some(outline)), [layer]) => {
                if let Some((text, _)) = layer.text()
                    && self.is_certain()
                    && let Err(failure) = crate::value::find_layer(outline.description(), text)
                {
                    self.report(failure, layer.position);
                }
            }
            ("save_npy", _, [_, path]) => {
                if let Some((text, _)) = path.text()
                    && self.is_fatal()
                    && let Err(failure) = crate::value::check_output(text)
                {
                    self.report(failure, path.position);
                }
            }
            (_, _, [parameters])
                if matches!(of.content, Content::Unknown | Content::Model(_))
                    && self.check.schema(name).is_some() =>
            {
                if let Some(schema) = self.check.schema(name) {
                    self.parameters(schema, parameters, of, position);
                }
            }
            _ => self.options(name, arguments),
        }
    }

    fn run(&mut self, of: &Known, analysis: &Known, parameters: &Known) {
        let Some((name, _)) = analysis.text() else { return };
        let plugins = &self.check.state.plugins;
        match register::full_name(plugins, name) {
            Ok(full) => {
                if let Some(schema) = self.check.schema_of(&full) {
                    self.parameters(schema, parameters, of, analysis.position);
                }
            }
            Err(failure) if self.is_fatal() => self.report(failure, analysis.position),
            Err(_) => {}
        }
    }
}

impl Content {
    fn of(handle: Handle) -> Self {
        if handle == Handle::Model { Self::Model(None) } else { Self::Handle(handle) }
    }
}

fn unknown_function(name: &str) -> Failure {
    Failure::new(kind::UNKNOWN_FUNCTION, format!("unknown function `{name}`"))
}

fn does_not_take(name: &str, types: &[&str]) -> Failure {
    let types = match types {
        [] => "no arguments".to_owned(),
        _ => format!("({})", types.join(", ")),
    };
    Failure::new(kind::WRONG_TYPE, format!("`{name}` does not take {types}"))
}

/// Says how functions are to be called; nothing when there is none.
fn signatures<'a>(functions: impl Iterator<Item = &'a Function>) -> Option<String> {
    let all: Vec<String> = functions.map(|function| format!("`{function}`")).collect();
    (!all.is_empty()).then(|| format!("it is {}", all.join("\nor ")))
}

/// Says what an operator makes of values.
fn operator(name: &str, arguments: &[Known]) -> Content {
    let [a, b] = arguments else { return Content::Unknown };
    match (name, &a.content, &b.content) {
        ("+", Content::Text(a, _), Content::Text(b, _)) => Content::text(&format!("{a}{b}").into()),
        _ => Content::Unknown,
    }
}
