//! A script with all that it imports, read before it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rhai::{
    AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, ImmutableString, ParseErrorType, Position, Stmt,
};

use super::facts::Facts;
use crate::engine::MODULES;
use crate::imports::{Library, refuse_circle};
use crate::sources::Sources;
use crate::{Failure, engine, explain, kind};

/// A script with all that it imports.
pub(crate) struct Program {
    /// The scripts, the one that runs first.
    pub(super) scripts: Vec<Script>,
}

/// One script.
pub(super) struct Script {
    /// The file.
    pub(super) path: PathBuf,
    /// Its parts, or why it cannot be parsed.
    pub(super) parsed: Result<Parsed, (Failure, Position)>,
    /// What each import of a literal name leads to, by its place.
    pub(super) imports: BTreeMap<Position, Result<usize, Failure>>,
    /// The names under which its functions know what it imports.
    pub(super) modules: Vec<(ImmutableString, Option<usize>)>,
    /// The variables that it offers to those who import it.
    pub(super) exports: BTreeSet<ImmutableString>,
    /// What it says about its own names.
    pub(super) facts: Facts,
    /// The import that led here: the script it stands in, and where.
    pub(super) importer: Option<(usize, Position)>,
}

/// The parts of a script.
pub(super) struct Parsed {
    pub(super) tree: AST,
    pub(super) functions: Vec<Function>,
    /// The name that the engine itself refuses first.
    pub(super) refused: Option<(Failure, Position)>,
}

/// A function, or a closure.
pub(super) struct Function {
    pub(super) name: ImmutableString,
    pub(super) parameters: Vec<ImmutableString>,
    pub(super) body: Vec<Stmt>,
    access: FnAccess,
}

impl Function {
    /// Returns whether scripts that import this one may call it.
    pub(super) fn is_public(&self) -> bool {
        self.access == FnAccess::Public && !self.is_closure()
    }

    /// Returns whether it is a closure.
    pub(super) fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name, self.parameters.join(", "))
    }
}

/// What reads scripts.
pub(crate) struct Reader<'a> {
    /// The engine that runs them.
    engine: &'a Engine,
    /// An engine that accepts unknown names: the check says them all, not only the first.
    lenient: Engine,
    library: &'a Library,
    sources: &'a Sources,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(engine: &'a Engine, library: &'a Library, sources: &'a Sources) -> Self {
        Self { engine, lenient: engine::lenient(), library, sources }
    }

    /// Reads a script and what it imports. What cannot be read is remembered with the import.
    pub(crate) fn read(&self, path: &Path, text: &str) -> Program {
        let mut program = Program { scripts: Vec::new() };
        self.add(&mut program, path, text, None);
        program
    }

    fn add(
        &self,
        program: &mut Program,
        path: &Path,
        text: &str,
        importer: Option<(usize, Position)>,
    ) -> usize {
        let number = program.scripts.len();
        let parsed = self.parsed(path, text);
        let (imports, exports) = parsed.as_ref().map(names).unwrap_or_default();
        program.scripts.push(Script {
            path: path.to_path_buf(),
            facts: Facts::of(&parsed.iter()),
            parsed,
            imports: BTreeMap::new(),
            modules: Vec::new(),
            exports,
            importer,
        });
        for import in imports {
            let name = import.name.as_deref();
            let result = name.and_then(|name| self.import(program, number, &import, name));
            let script = &mut program.scripts[number];
            let target = result.as_ref().and_then(|result| result.as_ref().ok().copied());
            script.modules.push((import.alias, target));
            if let Some(result) = result {
                script.imports.insert(import.position, result);
            }
        }
        number
    }

    /// Reads what an import leads to; nothing when there are too many.
    fn import(
        &self,
        program: &mut Program,
        importer: usize,
        import: &Import,
        name: &str,
    ) -> Option<Result<usize, Failure>> {
        let script = &program.scripts[importer];
        let path = match self.library.find(script.path.parent(), name) {
            Ok(path) => path,
            Err(failure) => return Some(Err(failure)),
        };
        if let Err(failure) = refuse_circle(&program.chain(importer), &path) {
            return Some(Err(failure));
        }
        if let Some(known) = program.scripts.iter().position(|script| script.path == path) {
            return Some(Ok(known));
        }
        if program.scripts.len() > MODULES {
            return None;
        }
        let text = match Library::read(&path) {
            Ok(text) => text,
            Err(failure) => return Some(Err(failure)),
        };
        Some(Ok(self.add(program, &path, &text, Some((importer, import.position)))))
    }

    fn parsed(&self, path: &Path, text: &str) -> Result<Parsed, (Failure, Position)> {
        self.sources.add(path, text);
        let strict = self.sources.compile(self.engine, path);
        let (tree, refused) = match strict {
            Ok(tree) => (tree, None),
            Err(error) => {
                let unknown_name = matches!(
                    *error.0,
                    ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_)
                );
                let refused = explain::parse_failure(&error, self.sources, path);
                if !unknown_name || refused.0.kind == kind::NAMED_ARGUMENT {
                    return Err(refused);
                }
                match self.sources.parse(&self.lenient, path) {
                    Ok(tree) => (tree, Some(refused)),
                    Err(error) => return Err(explain::parse_failure(&error, self.sources, path)),
                }
            }
        };
        let functions = functions(&tree);
        Ok(Parsed { tree, functions, refused })
    }
}

impl Program {
    /// Returns the file of a script.
    pub(crate) fn path(&self, number: usize) -> &Path {
        &self.scripts[number].path
    }

    /// Returns the imports through which a script was reached, the innermost first: the script that
    /// each stands in, and where.
    pub(crate) fn importers(&self, number: usize) -> impl Iterator<Item = (usize, Position)> {
        let first = self.scripts[number].importer;
        std::iter::successors(first, |(script, _)| self.scripts[*script].importer)
    }

    /// Returns the scripts through which one was reached, the outermost first.
    fn chain(&self, number: usize) -> Vec<PathBuf> {
        let importers = self.importers(number).map(|(script, _)| script);
        let mut chain: Vec<PathBuf> =
            std::iter::once(number).chain(importers).map(|one| self.path(one).into()).collect();
        chain.reverse();
        chain
    }

    /// Returns the scripts that could be parsed.
    pub(super) fn parsed(&self) -> impl Iterator<Item = &Parsed> + Clone {
        self.scripts.iter().filter_map(|script| script.parsed.as_ref().ok())
    }
}

/// An import as it is written.
struct Import {
    /// Where the name is written.
    position: Position,
    /// What is imported, if that is no matter of the run.
    name: Option<String>,
    alias: ImmutableString,
}

/// Returns what a script imports and exports.
fn names(script: &Parsed) -> (Vec<Import>, BTreeSet<ImmutableString>) {
    let (mut imports, mut exports) = (Vec::new(), BTreeSet::new());
    script.tree.walk(&mut |path: &[ASTNode<'_>]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Import(parts, _))) => {
                let name = match &parts.0 {
                    Expr::StringConstant(name, _) => Some(name.to_string()),
                    _ => None,
                };
                let (position, alias) = (parts.0.position(), parts.1.name.clone());
                imports.push(Import { position, name, alias });
            }
            Some(ASTNode::Stmt(Stmt::Export(parts, _))) => {
                let alias = if parts.1.name.is_empty() { &parts.0.name } else { &parts.1.name };
                exports.insert(alias.clone());
            }
            Some(ASTNode::Stmt(Stmt::Var(parts, flags, _)))
                if flags.contains(ASTFlags::EXPORTED) =>
            {
                exports.insert(parts.0.name.clone());
            }
            _ => {}
        }
        true
    });
    (imports, exports)
}

/// Returns the functions of a script. The tree hands out their statements only one by one.
fn functions(tree: &AST) -> Vec<Function> {
    let all = tree.iter_fn_def().map(|definition| {
        let count = definition.params.len();
        let mut only = tree.clone_functions_only();
        only.retain_functions(|_, _, name, n| name == definition.name && n == count);
        let mut body = Vec::new();
        only.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        Function {
            name: definition.name.clone(),
            parameters: definition.params.to_vec(),
            body,
            access: definition.access,
        }
    });
    let mut all: Vec<Function> = all.collect();
    all.sort_by(|a, b| (&a.name, a.parameters.len()).cmp(&(&b.name, b.parameters.len())));
    all
}
