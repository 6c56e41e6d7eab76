//! The words that an expression may yield, as far as they are written out.

use std::collections::BTreeMap;

use syn::{Attribute, Block, Expr, Lit, Meta, Pat, Stmt};

use super::functions::Functions;
use super::message::{Format, Known, Message};

/// The beginning of the paragraph that says what to do.
const CURE: &str = "Cure: ";

/// Returns the documentation of an item: the cause, and the cure where there is one.
pub(crate) fn docs(attributes: &[Attribute]) -> (String, Option<String>) {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let paragraphs =
        text.split("\n\n").map(|paragraph| without_links(&paragraph.replace('\n', " ")));
    let (cures, causes): (Vec<String>, Vec<String>) =
        paragraphs.partition(|paragraph| paragraph.starts_with(CURE));
    let cure = cures.iter().map(|cure| cure[CURE.len()..].to_owned()).collect::<Vec<_>>().join(" ");
    (causes.join("\n\n"), (!cure.is_empty()).then_some(cure))
}

/// Turns links to items of the sources into plain code; those to the page stay.
fn without_links(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("`]") {
            Some((name, rest)) if !rest.starts_with('(') => {
                plain.extend(["`", name, "`", rest]);
            }
            _ => plain.extend(["[`", piece]),
        }
    }
    plain
}

/// What names stand for where an expression is.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    constants: &'a BTreeMap<String, String>,
    texts: BTreeMap<String, Vec<Message>>,
    functions: Option<&'a Functions>,
}

impl<'a> Scope<'a> {
    /// A scope without variables.
    pub(crate) fn new(constants: &'a BTreeMap<String, String>) -> Self {
        Self { constants, texts: BTreeMap::new(), functions: None }
    }

    /// A scope in which functions may be called.
    pub(crate) fn with(constants: &'a BTreeMap<String, String>, functions: &'a Functions) -> Self {
        Self { functions: Some(functions), ..Self::new(constants) }
    }

    /// Returns the texts that a block may yield.
    pub(crate) fn texts_of(&self, block: &Block) -> Vec<Message> {
        self.of_block(&block.stmts)
    }

    /// Forgets a name: another thing has it from here on.
    pub(crate) fn forget(&mut self, name: &str) {
        self.texts.remove(name);
    }

    /// Remembers what a `let` names.
    pub(crate) fn declare(&mut self, pattern: &Pat, value: &Expr) {
        let texts = self.texts(value);
        match pattern {
            Pat::Ident(name) if !texts.is_empty() => {
                self.texts.insert(name.ident.to_string(), texts);
            }
            Pat::Ident(name) => {
                self.texts.remove(&name.ident.to_string());
            }
            Pat::Type(typed) => self.declare(&typed.pat, value),
            _ => {}
        }
    }

    /// Returns the texts that an expression may yield.
    pub(crate) fn texts(&self, expression: &Expr) -> Vec<Message> {
        match expression {
            Expr::Block(block) => self.of_block(&block.block.stmts),
            Expr::Call(call) => match called(&call.func).as_str() {
                "Err" | "Ok" | "Some" | "from" => {
                    call.args.first().map(|first| self.texts(first)).unwrap_or_default()
                }
                name => {
                    let texts = self.functions.and_then(|functions| functions.texts.get(name));
                    texts.cloned().unwrap_or_default()
                }
            },
            Expr::If(branch) => {
                let mut texts = self.of_block(&branch.then_branch.stmts);
                if let Some((_, other)) = &branch.else_branch {
                    texts.extend(self.texts(other));
                }
                texts
            }
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => vec![Message::fixed(&text.value())],
                _ => Vec::new(),
            },
            Expr::Macro(called) if called.mac.path.is_ident("format") => {
                let format = called.mac.parse_body::<Format>().unwrap();
                vec![format.message(&Known { constants: self.constants, fields: &[] })]
            }
            Expr::Match(matching) => {
                matching.arms.iter().flat_map(|arm| self.texts(&arm.body)).collect()
            }
            Expr::MethodCall(call) if call.method == "unwrap_or" => {
                call.args.iter().flat_map(|argument| self.texts(argument)).collect()
            }
            Expr::MethodCall(call) => {
                let keeps = ["as_str", "clone", "into", "to_owned", "to_string"];
                let is_kept = keeps.iter().any(|name| call.method == name);
                if is_kept { self.texts(&call.receiver) } else { Vec::new() }
            }
            Expr::Paren(paren) => self.texts(&paren.expr),
            Expr::Path(path) => {
                let name = path.path.segments.last().map(|last| last.ident.to_string());
                let name = name.unwrap_or_default();
                match (self.texts.get(&name), self.constants.get(&name)) {
                    (Some(texts), _) => texts.clone(),
                    (None, Some(text)) => vec![Message::fixed(text)],
                    (None, None) => Vec::new(),
                }
            }
            Expr::Reference(reference) => self.texts(&reference.expr),
            Expr::Return(returned) => {
                returned.expr.as_ref().map(|value| self.texts(value)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn of_block(&self, statements: &[Stmt]) -> Vec<Message> {
        let mut scope = self.clone();
        let mut texts = Vec::new();
        for (number, statement) in statements.iter().enumerate() {
            match statement {
                Stmt::Local(local) => {
                    if let Some(init) = &local.init {
                        scope.declare(&local.pat, &init.expr);
                    }
                }
                Stmt::Expr(value, _) if number + 1 == statements.len() => {
                    texts = scope.texts(value);
                }
                _ => {}
            }
        }
        texts
    }
}

/// Returns the name of what is called; empty where it has none.
pub(crate) fn called(function: &Expr) -> String {
    match function {
        Expr::Path(path) => {
            path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
        }
        _ => String::new(),
    }
}
