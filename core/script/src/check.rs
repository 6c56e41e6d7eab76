//! Mistakes that can be seen without running a script: unknown functions and analyses, unknown
//! keys in literal maps of parameters and options.
//!
//! Nothing is reported that could still turn out right: a map may hold a function under any name,
//! so a method is unknown only when its name occurs nowhere else in the script.

use std::collections::BTreeSet;

use convscope_protocol::{PluginDescriptor, Schema};
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Ident, Position, Stmt};

use crate::Failure;
use crate::register::{OPTION_KEYS, unknown_analysis, unknown_option};
use crate::suggest::did_you_mean;

/// Names that the engine knows without a function of that name being registered.
const BUILT_IN: [&str; 9] =
    ["Fn", "call", "curry", "debug", "eval", "is_def_fn", "is_def_var", "is_shared", "type_of"];

/// Finds the first mistake of a script, in the order of its text.
pub(crate) fn first_mistake(
    engine: &Engine,
    tree: &AST,
    plugins: &[PluginDescriptor],
) -> Option<(Failure, Position)> {
    let names = Names::of(engine, tree);
    let mut mistakes = Vec::new();
    tree.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(call) = Call::at(path.last()) {
            mistakes.extend(call.mistakes(&names, plugins));
        }
        true
    });
    mistakes.into_iter().min_by_key(|(_, position)| *position)
}

/// Finds where a key is written in a literal map that is an argument of a call: the position of the
/// key, or of its value.
pub(crate) fn literal_key(tree: &AST, call: Position, key: &str) -> Option<(Position, Position)> {
    let mut found = None;
    tree.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(this) = Call::at(path.last())
            && this.position == call
        {
            let entries = this.maps().flat_map(|(_, entries)| entries);
            found = entries
                .filter(|(name, _)| name.name == key)
                .map(|(name, value)| (name.pos, value.start_position()))
                .next()
                .or(found);
        }
        found.is_none()
    });
    found
}

/// Returns the names of options that a script asks for; nothing when one of them is computed, or
/// other scripts are imported.
pub(crate) fn options(tree: &AST) -> Option<BTreeSet<String>> {
    let mut names = Some(BTreeSet::new());
    tree.walk(&mut |path: &[ASTNode<'_>]| {
        if matches!(path.last(), Some(ASTNode::Stmt(Stmt::Import(..)))) {
            names = None;
        }
        if let Some(call) = Call::at(path.last())
            && call.function.name == "option"
        {
            match call.function.args.first() {
                Some(Expr::StringConstant(name, _)) => {
                    names.as_mut().map(|names| names.insert(name.to_string()));
                }
                _ => names = None,
            }
        }
        names.is_some()
    });
    names
}

/// A call in a syntax tree.
struct Call<'a> {
    function: &'a FnCallExpr,
    position: Position,
    is_method: bool,
}

impl<'a> Call<'a> {
    fn at(node: Option<&ASTNode<'a>>) -> Option<Self> {
        let (function, position, is_method): (&FnCallExpr, _, _) = match node? {
            ASTNode::Stmt(Stmt::FnCall(call, position))
            | ASTNode::Expr(Expr::FnCall(call, position)) => (call, *position, false),
            ASTNode::Expr(Expr::MethodCall(call, position)) => (call, *position, true),
            _ => return None,
        };
        Some(Self { function, position, is_method })
    }

    /// Returns the literal maps among the arguments.
    fn maps(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = &'a (Ident, Expr)>)> {
        self.function.args.iter().enumerate().filter_map(|(index, argument)| match argument {
            Expr::Map(entries, _) => Some((index, entries.0.iter())),
            _ => None,
        })
    }

    fn mistakes(&self, names: &Names, plugins: &[PluginDescriptor]) -> Vec<(Failure, Position)> {
        let name = self.function.name.as_str();
        if self.function.is_operator_call()
            || self.function.is_qualified()
            || names.scripted.contains(name)
            || (self.is_method && names.elsewhere.contains(name))
        {
            return Vec::new();
        }
        if !names.native.contains(name) && !names.elsewhere.contains(name) {
            return vec![(self.unknown(names, plugins), self.position)];
        }
        let parameters = if self.is_method && self.function.args.len() == 1 {
            schema(plugins, name)
        } else {
            None
        };
        let options = OPTION_KEYS.iter().find(|(function, _)| *function == name);
        let is_last = |index| index + 1 == self.function.args.len();
        let maps = self.maps().filter(|(index, _)| is_last(*index));
        maps.flat_map(|(_, entries)| entries)
            .filter_map(|(key, _)| {
                let failure = if let Some(schema) = parameters {
                    let is_unknown = schema.parameter(&key.name).is_none();
                    is_unknown.then(|| unknown_parameter(&key.name, schema))
                } else {
                    options
                        .filter(|(_, known)| !known.contains(&key.name.as_str()))
                        .map(|(_, known)| unknown_option(&key.name, known))
                };
                Some((failure?, key.pos))
            })
            .collect()
    }

    fn unknown(&self, names: &Names, plugins: &[PluginDescriptor]) -> Failure {
        let name = self.function.name.as_str();
        let takes_parameters = matches!(self.function.args.as_slice(), [Expr::Map(..)]);
        if self.is_method && takes_parameters {
            return unknown_analysis(plugins, name);
        }
        let mut failure = Failure::new("unknown_function", format!("unknown function `{name}`"));
        let known = names.native.iter().chain(&names.scripted).map(String::as_str);
        failure.help = did_you_mean(name, known);
        failure
    }
}

/// Returns the parameters of the analysis that is a method of a name; nothing when none or more than
/// one has this name.
pub(crate) fn schema<'a>(plugins: &'a [PluginDescriptor], method: &str) -> Option<&'a Schema> {
    let analyses = plugins.iter().flat_map(|plugin| &plugin.analyses);
    let mut matching = analyses.filter(|analysis| analysis.id == method);
    let first = matching.next()?;
    matching.next().is_none().then_some(&first.parameters)
}

/// Says that an analysis has no parameter of a name.
fn unknown_parameter(key: &str, schema: &Schema) -> Failure {
    let all = match schema.parameters() {
        [] => "the analysis takes none".to_owned(),
        _ => format!("parameters: {}", schema.summary()),
    };
    let known = schema.parameters().iter().map(|parameter| parameter.name.as_str());
    let help = match did_you_mean(key, known) {
        Some(question) => format!("{question}\n{all}"),
        None => all,
    };
    Failure::new("unknown_parameter", format!("unknown parameter `{key}`"))
        .with_key(key)
        .with_help(help)
}

/// The names that occur in a script and in the engine.
struct Names {
    /// Functions of the engine.
    native: BTreeSet<String>,
    /// Functions of the script.
    scripted: BTreeSet<String>,
    /// Variables, parameters, keys of maps, properties and strings of the script.
    elsewhere: BTreeSet<String>,
}

impl Names {
    fn of(engine: &Engine, tree: &AST) -> Self {
        let mut elsewhere = BTreeSet::new();
        for function in tree.iter_functions() {
            elsewhere.extend(function.params.iter().map(ToString::to_string));
        }
        tree.walk(&mut |path: &[ASTNode<'_>]| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    elsewhere.insert(property.2.to_string());
                }
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    elsewhere.insert(text.to_string());
                }
                Some(ASTNode::Expr(Expr::Map(entries, _))) => {
                    elsewhere.extend(entries.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                    elsewhere.insert(variable.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
                    elsewhere.insert(parts.0.name.to_string());
                }
                _ => {}
            }
            true
        });
        Self {
            native: native_names(engine),
            scripted: tree.iter_functions().map(|function| function.name.to_owned()).collect(),
            elsewhere,
        }
    }
}

/// Returns the name of every function the engine knows, operators and properties left out.
pub(crate) fn native_names(engine: &Engine) -> BTreeSet<String> {
    let name = |info: rhai::FuncInfo| Some(info.metadata.name.to_string());
    let all = engine.collect_fn_metadata(None, name, true).into_iter();
    all.filter(|name| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
        .chain(BUILT_IN.map(str::to_owned))
        .chain(["print".to_owned()])
        .collect()
}
