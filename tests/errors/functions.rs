//! The words that functions of a file hand back.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprCall, ExprMethodCall, ImplItemFn, ItemFn, Local, ReturnType, Signature, Stmt,
};

use super::declared::names;
use super::message::Message;
use super::sources::Source;
use super::words::{Scope, called};

/// What functions hand back, by their names.
#[derive(Default)]
pub(crate) struct Functions {
    /// The texts of those that return one.
    pub(crate) texts: BTreeMap<String, Vec<Message>>,
    /// The reasons of those that fail with one, a `Result<_, String>`.
    pub(crate) reasons: BTreeMap<String, BTreeSet<Message>>,
}

impl Functions {
    /// Reads the functions of a file.
    pub(crate) fn of(source: &Source, constants: &BTreeMap<String, String>) -> Self {
        let mut search =
            Search { constants, functions: Self::default(), calls: BTreeMap::new(), at: None };
        search.visit_file(&source.file);
        let Search { mut functions, calls, .. } = search;
        // Each round goes one call deeper.
        for _ in 0..4 {
            for (name, inner) in &calls {
                let found: Vec<Message> = inner
                    .iter()
                    .filter_map(|one| functions.reasons.get(one))
                    .flatten()
                    .cloned()
                    .collect();
                functions.reasons.entry(name.clone()).or_default().extend(found);
            }
        }
        functions
    }
}

/// Returns the functions of which an expression may be the result.
pub(crate) fn results(expression: &Expr) -> Vec<String> {
    let last = |block: &Block| match block.stmts.last() {
        Some(Stmt::Expr(value, None)) => results(value),
        _ => Vec::new(),
    };
    match expression {
        Expr::Block(block) => last(&block.block),
        Expr::Call(call) => vec![called(&call.func)],
        Expr::If(branch) => {
            let other = branch.else_branch.iter().flat_map(|(_, other)| results(other));
            last(&branch.then_branch).into_iter().chain(other).collect()
        }
        Expr::Match(matching) => matching.arms.iter().flat_map(|arm| results(&arm.body)).collect(),
        Expr::MethodCall(call) => vec![call.method.to_string()],
        Expr::Paren(paren) => results(&paren.expr),
        _ => Vec::new(),
    }
}

/// A function that fails with a text.
struct Failing<'a> {
    name: String,
    scope: Scope<'a>,
}

struct Search<'a> {
    constants: &'a BTreeMap<String, String>,
    functions: Functions,
    /// The functions that those which fail with a text call.
    calls: BTreeMap<String, BTreeSet<String>>,
    at: Option<Failing<'a>>,
}

impl Search<'_> {
    fn function(&mut self, signature: &Signature, block: &Block) {
        let ReturnType::Type(_, kind) = &signature.output else { return };
        let (name, kind) = (signature.ident.to_string(), names(kind));
        let scope = Scope::new(self.constants);
        if !kind.contains("Result") {
            let texts = scope.texts_of(block);
            if !texts.is_empty() {
                self.functions.texts.insert(name, texts);
            }
        } else if kind.contains("String") {
            self.calls.entry(name.clone()).or_default();
            let before = self.at.replace(Failing { name, scope });
            self.visit_block(block);
            self.at = before;
        }
    }

    fn fails_with(&mut self, reason: &Expr) {
        let Some(Failing { name, scope }) = &self.at else { return };
        let reason = match reason {
            Expr::Closure(closure) => &*closure.body,
            reason => reason,
        };
        let texts = scope.texts(reason).into_iter().filter(Message::has_words);
        self.functions.reasons.entry(name.clone()).or_default().extend(texts);
    }

    fn calls(&mut self, function: String) {
        if let Some(Failing { name, .. }) = &self.at {
            self.calls.entry(name.clone()).or_default().insert(function);
        }
    }
}

impl<'e> Visit<'e> for Search<'_> {
    fn visit_item_fn(&mut self, item: &'e ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'e ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_local(&mut self, local: &'e Local) {
        visit::visit_local(self, local);
        if let (Some(init), Some(at)) = (&local.init, &mut self.at) {
            at.scope.declare(&local.pat, &init.expr);
        }
    }

    fn visit_expr_call(&mut self, call: &'e ExprCall) {
        match called(&call.func).as_str() {
            "Err" => call.args.iter().for_each(|reason| self.fails_with(reason)),
            name => self.calls(name.to_owned()),
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'e ExprMethodCall) {
        let name = call.method.to_string();
        if ["map_err", "ok_or", "ok_or_else"].contains(&name.as_str()) {
            call.args.iter().for_each(|reason| self.fails_with(reason));
        }
        self.calls(name);
        visit::visit_expr_method_call(self, call);
    }
}
