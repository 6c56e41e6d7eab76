//! Walks a script in the order of its text, with the variables that each place knows.

use rhai::{
    Expr, FlowControl, FnPtr, Ident, ImmutableString, Position, Stmt, SwitchCasesCollection,
};

use super::known::{Content, Known};
use super::program::{Function, Parsed};
use super::{Check, Mistake, Unit};
use crate::Failure;

/// How much is sure about the code at a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    /// Failures are, or may be, caught.
    Guarded,
    /// Whether it runs depends on what happens.
    Perhaps,
    /// It runs whenever the script runs to its end.
    Surely,
}

/// Walks one script, or one of its functions.
pub(super) struct Walker<'a> {
    pub(super) check: &'a Check<'a>,
    /// The script's number.
    pub(super) number: usize,
    pub(super) parsed: &'a Parsed,
    mood: Mood,
    /// Whether the rest of this body, or of this round of a loop, may be left out.
    may_end: Leaving,
    /// The variables of each place, the innermost last.
    pub(super) variables: Vec<(ImmutableString, Known)>,
    /// What is imported: its name, and the script's number where that is known.
    pub(super) modules: Vec<(ImmutableString, Option<usize>)>,
    pub(super) mistakes: Vec<Mistake>,
    /// What was found to run as well.
    pub(super) reached: Vec<(Unit, Mood)>,
}

/// What was left before its end, perhaps.
#[derive(Clone, Copy, Default)]
struct Leaving {
    body: bool,
    round: bool,
}

impl<'a> Walker<'a> {
    pub(super) fn new(check: &'a Check<'a>, number: usize, parsed: &'a Parsed, mood: Mood) -> Self {
        Self {
            check,
            number,
            parsed,
            mood,
            may_end: Leaving::default(),
            variables: Vec::new(),
            modules: Vec::new(),
            mistakes: Vec::new(),
            reached: Vec::new(),
        }
    }

    /// Walks the statements outside of functions.
    pub(super) fn script(&mut self) {
        self.statements(self.parsed.tree.statements());
    }

    /// Walks a function, which sees all modules of its script, but no variables.
    pub(super) fn function(&mut self, function: &'a Function) {
        self.modules.clone_from(&self.check.script(self.number).modules);
        for name in &function.parameters {
            self.define(name, Known::nothing(Position::NONE));
        }
        self.statements(&function.body);
    }

    /// Says how much is sure about the code here.
    pub(super) fn mood(&self) -> Mood {
        let leaves = self.may_end.body || self.may_end.round;
        if leaves { self.mood.min(Mood::Perhaps) } else { self.mood }
    }

    /// Returns whether a failure here ends every run of the script. What may turn out one way or
    /// the other, such as what lies on the disk, is looked at only then.
    pub(super) fn is_certain(&self) -> bool {
        self.mood() == Mood::Surely
    }

    /// Returns whether a failure here ends the script.
    pub(super) fn is_fatal(&self) -> bool {
        self.mood != Mood::Guarded
    }

    /// Reports a mistake.
    pub(super) fn report(&mut self, failure: Failure, position: Position) {
        self.mistakes.push(Mistake { script: self.number, position, failure });
    }

    fn define(&mut self, name: &ImmutableString, value: Known) {
        self.variables.push((name.clone(), value));
    }

    fn statements(&mut self, statements: &'a [Stmt]) -> Option<Known> {
        statements.iter().map(|statement| self.statement(statement)).last().flatten()
    }

    /// Walks statements with variables of their own; returns what is known of the last one's value.
    fn block(&mut self, statements: &'a [Stmt]) -> Option<Known> {
        let (variables, modules) = (self.variables.len(), self.modules.len());
        let last = self.statements(statements);
        self.variables.truncate(variables);
        self.modules.truncate(modules);
        last
    }

    /// Walks what may be left out.
    pub(super) fn perhaps<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.within(Mood::Perhaps, walk)
    }

    fn within<T>(&mut self, mood: Mood, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.mood;
        self.mood = before.min(mood);
        let result = walk(self);
        self.mood = before;
        result
    }

    /// Notes that what follows in this body may be left out.
    pub(super) fn may_leave(&mut self) {
        self.may_end.body = true;
    }

    /// Walks the rounds of a loop: `break` and `continue` leave nothing but it.
    fn rounds(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = self.may_end.round;
        walk(self);
        self.may_end.round = before;
    }

    fn statement(&mut self, statement: &'a Stmt) -> Option<Known> {
        match statement {
            Stmt::Expr(expression) => return Some(self.expression(expression)),
            Stmt::FnCall(call, position) => return Some(self.call(call, *position)),
            Stmt::Block(block) => return self.block(block.statements()),
            Stmt::Var(parts, ..) => {
                let value = self.expression(&parts.1);
                self.define(&parts.0.name, value);
            }
            Stmt::Assignment(parts) => {
                self.expression(&parts.1.lhs);
                self.expression(&parts.1.rhs);
            }
            Stmt::If(parts, _) => {
                self.expression(&parts.expr);
                self.perhaps(|walker| {
                    walker.block(parts.body.statements());
                    walker.block(parts.branch.statements());
                });
            }
            Stmt::Switch(parts, _) => self.switch(&parts.0, &parts.1),
            Stmt::While(parts, _) => self.rounds(|walker| {
                walker.expression(&parts.expr);
                walker.perhaps(|walker| walker.block(parts.body.statements()));
            }),
            Stmt::Do(parts, ..) => self.rounds(|walker| {
                walker.block(parts.body.statements());
                walker.perhaps(|walker| walker.expression(&parts.expr));
            }),
            Stmt::For(parts, _) => self.for_each(&parts.0, parts.1.as_ref(), &parts.2),
            Stmt::TryCatch(parts, _) => self.caught(parts),
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                self.may_end.round = true;
            }
            Stmt::Return(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                self.may_leave();
            }
            Stmt::Import(parts, _) => self.import(&parts.0, &parts.1),
            Stmt::Export(parts, _) => {
                self.variable(&parts.0.name, parts.0.pos);
            }
            _ => {}
        }
        None
    }

    fn switch(&mut self, value: &'a Expr, cases: &'a SwitchCasesCollection) {
        self.expression(value);
        self.perhaps(|walker| {
            for case in &cases.expressions {
                walker.expression(&case.lhs);
                walker.expression(&case.rhs);
            }
        });
    }

    fn for_each(&mut self, name: &'a Ident, counter: Option<&'a Ident>, parts: &'a FlowControl) {
        let over = self.expression(&parts.expr);
        let runs = matches!(&over.content, Content::List(items) if !items.is_empty());
        let variables = self.variables.len();
        if let Some(counter) = counter {
            self.define(&counter.name, Known::nothing(counter.pos));
        }
        self.define(&name.name, Known::nothing(name.pos));
        let mood = if runs { Mood::Surely } else { Mood::Perhaps };
        self.rounds(|walker| {
            walker.within(mood, |walker| walker.block(parts.body.statements()));
        });
        self.variables.truncate(variables);
    }

    fn caught(&mut self, parts: &'a FlowControl) {
        self.within(Mood::Guarded, |walker| walker.block(parts.body.statements()));
        let variables = self.variables.len();
        if let Expr::Variable(variable, _, position) = &parts.expr {
            self.define(&variable.1, Known::nothing(*position));
        }
        self.perhaps(|walker| walker.block(parts.branch.statements()));
        self.variables.truncate(variables);
    }

    fn import(&mut self, name: &'a Expr, alias: &'a Ident) {
        self.expression(name);
        let position = name.position();
        let target = self.check.script(self.number).imports.get(&position);
        let module = match target {
            Some(Ok(module)) => {
                self.reached.push((Unit::Script(*module), self.mood()));
                Some(*module)
            }
            Some(Err(failure)) => {
                if self.is_certain() {
                    self.report(failure.clone(), position);
                }
                None
            }
            None => None,
        };
        if !alias.name.is_empty() {
            self.modules.push((alias.name.clone(), module));
        }
    }

    /// Walks an expression; returns what is known of its value.
    pub(super) fn expression(&mut self, expression: &'a Expr) -> Known {
        let position = expression.start_position();
        let content = match expression {
            Expr::BoolConstant(value, _) => Content::Boolean(*value),
            Expr::IntegerConstant(number, _) => Content::Integer(*number),
            Expr::FloatConstant(number, _) => Content::Float(**number),
            Expr::CharConstant(letter, _) => Content::Letter(*letter),
            Expr::StringConstant(text, _) => Content::text(text),
            Expr::InterpolatedString(parts, _) => self.interpolated(parts),
            Expr::Unit(_) => Content::Unit,
            Expr::Array(items, _) => {
                Content::List(items.iter().map(|item| self.expression(item)).collect())
            }
            Expr::Map(entries, _) => {
                let entries = entries.0.iter();
                let entry = |(key, value): &'a (Ident, Expr)| self.entry(key, value);
                Content::Map(entries.map(entry).collect())
            }
            Expr::DynamicConstant(value, _) => {
                if let Some(pointer) = value.read_lock::<FnPtr>() {
                    self.closure(pointer.fn_name(), 0);
                    Content::Function
                } else {
                    Content::Unknown
                }
            }
            Expr::Variable(variable, _, position) if variable.2.is_empty() => {
                return self.variable(&variable.1, *position);
            }
            Expr::Variable(variable, _, position) => {
                self.module_variable(&variable.2, &variable.1, *position);
                Content::Unknown
            }
            Expr::Stmt(block) => match (self.block(block.statements()), block.statements()) {
                // A closure that captures variables is such a block.
                (Some(closure), [Stmt::Share(_), _]) => return closure,
                _ => Content::Unknown,
            },
            Expr::FnCall(call, position) => return self.call(call, *position),
            Expr::Dot(parts, flags, _) => return self.chain(parts, *flags, true),
            Expr::Index(parts, flags, _) => return self.chain(parts, *flags, false),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                self.alternatives(parts);
                Content::Unknown
            }
            _ => Content::Unknown,
        };
        Known::new(content, position)
    }

    fn entry(&mut self, key: &'a Ident, value: &'a Expr) -> super::known::Entry {
        let value = self.expression(value);
        super::known::Entry { key: key.name.clone(), position: key.pos, value }
    }

    /// Puts a string together where all its parts are known.
    fn interpolated(&mut self, parts: &'a [Expr]) -> Content {
        let parts: Vec<Known> = parts.iter().map(|part| self.expression(part)).collect();
        let text: Option<String> = parts
            .iter()
            .map(|part| match &part.content {
                Content::Text(text, _) => Some(text.to_string()),
                Content::Integer(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        text.map_or(Content::SomeText, |text| Content::text(&text.into()))
    }

    /// Walks expressions of which only the first is sure to be evaluated.
    fn alternatives(&mut self, parts: &'a [Expr]) {
        let Some((first, rest)) = parts.split_first() else { return };
        self.expression(first);
        self.perhaps(|walker| {
            for part in rest {
                walker.expression(part);
            }
        });
    }

    /// Walks a closure where it is written, with a number of captured variables: they come first
    /// among its parameters.
    pub(super) fn closure(&mut self, name: &str, captured: usize) {
        let functions = &self.parsed.functions;
        let Some(function) = functions.iter().find(|function| function.name == name) else {
            return;
        };
        let (variables, before) = (self.variables.len(), self.may_end);
        for parameter in function.parameters.iter().skip(captured) {
            self.define(parameter, Known::nothing(Position::NONE));
        }
        self.perhaps(|walker| walker.block(&function.body));
        self.variables.truncate(variables);
        self.may_end = before;
    }
}
