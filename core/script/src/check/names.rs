//! Names: variables, functions of scripts, and modules, as each place knows them.

use rhai::{ImmutableString, Position};

use super::known::{Content, Known};
use super::program::Function;
use super::walk::Walker;
use crate::suggest::{did_you_mean, listed};
use crate::{Failure, kind};

impl<'a> Walker<'a> {
    /// Looks a variable up.
    pub(super) fn variable(&mut self, name: &ImmutableString, position: Position) -> Known {
        let facts = &self.check.script(self.number).facts;
        if let Some((_, known)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            let changes = match &known.content {
                Content::List(_) | Content::Map(_) => facts.changed.contains(name),
                _ => false,
            };
            if changes || facts.assigned.contains(name) {
                return Known::nothing(position);
            }
            return Known::new(known.content.clone(), position);
        }
        if self.is_scripted(name) {
            return Known::new(Content::Function, position);
        }
        self.report(self.unknown_variable(name), position);
        Known::nothing(position)
    }

    fn unknown_variable(&self, name: &str) -> Failure {
        let known = || self.variables.iter().map(|(name, _)| name.as_str()).filter(|n| *n != name);
        let mut failure =
            Failure::new(kind::UNKNOWN_VARIABLE, format!("unknown variable `{name}`"));
        failure.help = did_you_mean(name, known()).or_else(|| {
            let mut names: Vec<&str> = known().collect();
            names.sort_unstable();
            names.dedup();
            (!names.is_empty()).then(|| format!("variables: {}", listed(names, 12)))
        });
        failure
    }

    /// Returns the functions of scripts that may be called here.
    pub(super) fn scripted(&self) -> impl Iterator<Item = &'a Function> + use<'a> {
        self.check.functions(self.number)
    }

    /// Returns whether a function of a script has a name.
    pub(super) fn is_scripted(&self, name: &str) -> bool {
        self.scripted().any(|function| function.name == name)
    }

    /// Returns whether a variable of a name is known here.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    /// Finds the script that a module's name stands for; nothing where that is not known. A name
    /// that stands for nothing is reported.
    pub(super) fn module(&mut self, namespace: &rhai::Namespace) -> Option<usize> {
        let (first, rest) = namespace.path.split_first()?;
        if first.name == "global" {
            return None;
        }
        let Some((_, module)) = self.modules.iter().rev().find(|(name, _)| *name == first.name)
        else {
            self.report(self.unknown_module(&first.name), first.pos);
            return None;
        };
        module.filter(|_| rest.is_empty())
    }

    fn unknown_module(&self, name: &str) -> Failure {
        let help = did_you_mean(name, self.modules.iter().map(|(name, _)| name.as_str()))
            .unwrap_or_else(|| format!("begin with `import \"…\" as {name};`"));
        Failure::new(kind::UNKNOWN_MODULE, format!("nothing is imported as `{name}`"))
            .with_help(help)
    }

    /// Checks that a script offers a variable to those who import it.
    pub(super) fn module_variable(
        &mut self,
        namespace: &rhai::Namespace,
        name: &ImmutableString,
        position: Position,
    ) {
        let Some(module) = self.module(namespace) else { return };
        let script = self.check.script(module);
        if script.exports.contains(name) || !self.is_fatal() {
            return;
        }
        let known = script.exports.iter().map(ImmutableString::as_str);
        let help = did_you_mean(name, known.clone())
            .unwrap_or_else(|| format!("exported: {}", listed(known, 12)));
        let message = format!("the imported script exports no `{name}`");
        self.report(Failure::new(kind::UNKNOWN_VARIABLE, message).with_help(help), position);
    }
}
