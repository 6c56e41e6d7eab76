//! What is looked up in the syntax tree of a script while it runs, and before.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// Finds where a key is written in a literal map that is an argument of a call: the position of the
/// key, or of its value.
pub(crate) fn literal_key(tree: &AST, call: Position, key: &str) -> Option<(Position, Position)> {
    let mut found = None;
    tree.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some((this, position)) = call_at(path.last())
            && position == call
        {
            let maps = this.args.iter().filter_map(|argument| match argument {
                Expr::Map(entries, _) => Some(entries.0.iter()),
                _ => None,
            });
            found = maps
                .flatten()
                .find(|(name, _)| name.name == key)
                .map(|(name, value)| (name.pos, value.start_position()));
        }
        found.is_none()
    });
    found
}

/// Returns the names of options that a script asks for; nothing when one of them is computed, or
/// what is imported is.
pub(super) fn options(tree: &AST) -> Option<BTreeSet<String>> {
    let mut names = Some(BTreeSet::new());
    tree.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(Stmt::Import(parts, _))) = path.last()
            && !matches!(parts.0, Expr::StringConstant(..))
        {
            names = None;
        }
        if let Some((call, _)) = call_at(path.last())
            && call.name == "option"
        {
            match call.args.first() {
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

fn call_at<'a>(node: Option<&ASTNode<'a>>) -> Option<(&'a FnCallExpr, Position)> {
    match node? {
        ASTNode::Stmt(Stmt::FnCall(call, position))
        | ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position)) => {
            Some((call, *position))
        }
        _ => None,
    }
}
