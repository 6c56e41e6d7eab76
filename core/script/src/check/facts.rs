//! What a whole script says about its names, wherever it stands.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, FnCallExpr, ImmutableString, Stmt};

use super::program::Parsed;

/// The function that ends a script.
pub(super) const EXIT: &str = "exit";

/// Functions that leave the list or map they are called on as it is. Those that take a function are
/// not among them: it may change what it is called for.
const HARMLESS: [&str; 19] = [
    "contains",
    "debug",
    "get",
    "index_of",
    "is_empty",
    "keys",
    "len",
    "load_images",
    "max",
    "mean",
    "min",
    "option",
    "print",
    "sum",
    "to_debug",
    "to_json",
    "to_string",
    "type_of",
    "values",
];

/// What a script says about its names, wherever it stands. Collected from several scripts it holds
/// for all of them.
#[derive(Default)]
pub(super) struct Facts {
    /// Variables that are assigned to, as a whole or in part.
    pub(super) assigned: BTreeSet<ImmutableString>,
    /// Variables on which something is called that may change them.
    pub(super) changed: BTreeSet<ImmutableString>,
    /// Strings, keys, properties and variables: under each of these names a map may hold a function.
    pub(super) mentioned: BTreeSet<ImmutableString>,
    /// Functions that the script asks for before it calls them.
    pub(super) asked_for: BTreeSet<ImmutableString>,
    /// Whether maps may hold functions.
    pub(super) keeps_functions: bool,
    /// Whether maps get entries whose names are computed.
    pub(super) computes_keys: bool,
    /// Functions that are called where failures are caught, by them or by those they call.
    pub(super) guarded: BTreeSet<ImmutableString>,
    /// Whether a function, or what is imported, may end the script early.
    pub(super) exits: bool,
}

impl Facts {
    /// Collects the facts of some scripts.
    pub(super) fn of<'a>(scripts: &(impl Iterator<Item = &'a Parsed> + Clone)) -> Self {
        let mut facts = Self::default();
        for (number, script) in scripts.clone().enumerate() {
            // The first script itself is walked with an eye on this.
            if number > 0 {
                calls(script.tree.statements(), &mut |call| facts.exits |= call.name == EXIT);
            }
            for function in &script.functions {
                facts.mentioned.extend(function.parameters.iter().cloned());
                calls(&function.body, &mut |call| facts.exits |= call.name == EXIT);
            }
            script.tree.walk(&mut |path: &[ASTNode<'_>]| {
                facts.add(path);
                true
            });
        }
        facts.exits |= facts.mentioned.contains(EXIT);
        facts.follow_guarded(scripts);
        facts
    }

    fn add(&mut self, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(ASTNode::Expr(expression)) => self.add_expression(expression, path),
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => self.add_call(call),
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                self.mentioned.insert(variable.0.name.clone());
            }
            Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
                self.mentioned.insert(parts.0.name.clone());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => self.add_assignment(&parts.1.lhs),
            Some(ASTNode::Stmt(Stmt::TryCatch(parts, _))) => {
                calls(parts.body.statements(), &mut |call| self.guard(call));
            }
            _ => {}
        }
    }

    fn add_expression(&mut self, expression: &Expr, path: &[ASTNode<'_>]) {
        match expression {
            Expr::Property(property, _) => {
                self.mentioned.insert(property.2.clone());
            }
            Expr::StringConstant(text, _) => {
                self.mentioned.insert(text.clone());
            }
            Expr::Map(entries, _) => {
                self.mentioned.extend(entries.0.iter().map(|(key, _)| key.name.clone()));
            }
            Expr::FnCall(call, _) => {
                self.add_call(call);
                self.keeps_functions |= matches!(call.name.as_str(), "Fn" | "curry");
            }
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                if let Expr::Variable(variable, ..) = &parts.lhs
                    && changes(&parts.rhs)
                {
                    self.changed.insert(variable.1.clone());
                }
            }
            // A function that is handed to a function at once is not kept.
            Expr::DynamicConstant(..) => {
                let parent = path.len().checked_sub(2).and_then(|index| path.get(index));
                let is_argument = matches!(
                    parent,
                    Some(
                        ASTNode::Expr(Expr::FnCall(..) | Expr::MethodCall(..))
                            | ASTNode::Stmt(Stmt::FnCall(..))
                    )
                );
                self.keeps_functions |= !is_argument;
            }
            Expr::MethodCall(call, _) => {
                self.computes_keys |= matches!(call.name.as_str(), "set" | "mixin" | "fill_with");
            }
            _ => {}
        }
    }

    fn add_call(&mut self, call: &FnCallExpr) {
        match call.args.first() {
            Some(Expr::Variable(variable, ..))
                if !call.is_operator_call() && !HARMLESS.contains(&call.name.as_str()) =>
            {
                self.changed.insert(variable.1.clone());
            }
            Some(Expr::StringConstant(name, _)) if call.name == "is_def_fn" => {
                self.asked_for.insert(name.clone());
            }
            _ => {}
        }
    }

    fn add_assignment(&mut self, target: &Expr) {
        match target {
            Expr::Variable(variable, ..) => {
                self.assigned.insert(variable.1.clone());
            }
            Expr::Index(parts, ..) => {
                self.computes_keys |=
                    !matches!(parts.rhs, Expr::IntegerConstant(..) | Expr::StringConstant(..));
                self.add_assignment(&parts.lhs);
            }
            Expr::Dot(parts, ..) => {
                // What stands deeper is not looked at: it may be an index as well.
                self.computes_keys |= !matches!(parts.rhs, Expr::Property(..));
                self.add_assignment(&parts.lhs);
            }
            _ => {}
        }
    }

    /// Adds the functions that guarded functions call.
    fn follow_guarded<'a>(&mut self, scripts: &(impl Iterator<Item = &'a Parsed> + Clone)) {
        loop {
            let before = self.guarded.len();
            for function in scripts.clone().flat_map(|script| &script.functions) {
                if self.guarded.contains(&function.name) {
                    calls(&function.body, &mut |call| self.guard(call));
                }
            }
            if self.guarded.len() == before {
                return;
            }
        }
    }

    fn guard(&mut self, call: &FnCallExpr) {
        self.guarded.insert(call.name.clone());
        self.guarded.extend(pointed(call));
    }
}

/// Returns the functions that a call may lead to beside the one it names.
fn pointed(call: &FnCallExpr) -> Vec<ImmutableString> {
    let named = call.args.iter().filter_map(|argument| match argument {
        Expr::StringConstant(name, _) => Some(name.clone()),
        Expr::Variable(variable, ..) => Some(variable.1.clone()),
        Expr::DynamicConstant(value, _) => {
            value.read_lock::<rhai::FnPtr>().map(|pointer| pointer.fn_name().into())
        }
        _ => None,
    });
    named.collect()
}

/// Shows every call in some statements to `visit`.
fn calls(statements: &[Stmt], visit: &mut dyn FnMut(&FnCallExpr)) {
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            if let Some(
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)),
            ) = path.last()
            {
                visit(call);
            }
            true
        });
    }
}

/// Returns whether something in a chain behind a variable may change what that holds.
fn changes(rest: &Expr) -> bool {
    match rest {
        Expr::MethodCall(call, _) => !HARMLESS.contains(&call.name.as_str()),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => changes(&parts.lhs) || changes(&parts.rhs),
        _ => false,
    }
}
