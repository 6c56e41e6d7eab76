//! Mistakes that can be seen without running a script, all at once: unknown names, wrong arguments,
//! parameters and their values, files that are missing, layers and classes that a model lacks.
//!
//! Nothing is reported that could still turn out right. What code may be skipped, or whose failure
//! is caught, says about files and models is left to the call; so is every value that is computed.

mod call;
mod catalogue;
mod facts;
mod handle;
mod known;
mod loading;
mod names;
mod parameters;
mod program;
mod tree;
mod walk;

use std::collections::BTreeSet;

use convscope_protocol::{PluginDescriptor, Schema};
use rhai::{Engine, ImmutableString, Position};

pub(crate) use catalogue::Catalogue;
use facts::Facts;
use program::{Parsed, Script};
pub(crate) use program::{Program, Reader};
pub(crate) use tree::literal_key;
use walk::{Mood, Walker};

use crate::state::State;
use crate::{Failure, register};

/// A mistake, and where it is.
pub(crate) struct Mistake {
    /// The number of the script.
    pub(crate) script: usize,
    pub(crate) position: Position,
    pub(crate) failure: Failure,
}

/// What runs as a whole: the statements of a script outside of functions, or a function by its
/// name and number of parameters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Script(usize),
    Function(usize, ImmutableString, usize),
}

/// What all parts of a check look at.
struct Check<'a> {
    state: &'a State,
    engine: &'a Engine,
    catalogue: Catalogue,
    program: &'a Program,
    /// What all scripts together say about their names.
    facts: Facts,
    /// Functions that take options, with the schema of those.
    options: Vec<(&'static str, Schema)>,
    /// Presets of preprocessing.
    presets: BTreeSet<String>,
}

/// Finds the mistakes of a script and of what it imports, in the order of their text.
pub(crate) fn mistakes(program: &Program, engine: &Engine, state: &State) -> Vec<Mistake> {
    let presets = state.workbench.presets();
    let check = Check {
        state,
        engine,
        catalogue: Catalogue::of(engine),
        program,
        facts: Facts::of(&program.parsed()),
        options: register::options(&presets),
        presets: presets.into_iter().collect(),
    };
    let mut mistakes = check.walk();
    for (number, script) in program.scripts.iter().enumerate() {
        let has_some = mistakes.iter().any(|mistake| mistake.script == number);
        if let (Ok(Parsed { refused: Some((failure, position)), .. }), false) =
            (&script.parsed, has_some)
        {
            let (failure, position) = (failure.clone(), *position);
            mistakes.push(Mistake { script: number, position, failure });
        }
    }
    mistakes.sort_by(|a, b| {
        (a.script, a.position, &a.failure.message).cmp(&(b.script, b.position, &b.failure.message))
    });
    mistakes.dedup_by(|a, b| {
        (a.script, a.position, &a.failure.message) == (b.script, b.position, &b.failure.message)
    });
    mistakes
}

/// Returns the names of options that a program asks for; nothing when that is a matter of the run.
pub(crate) fn asked_options(program: &Program) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for script in &program.scripts {
        all.extend(tree::options(&script.parsed.as_ref().ok()?.tree)?);
        if script.imports.values().any(Result::is_err) {
            return None;
        }
    }
    Some(all)
}

/// Returns the parameters of the analysis that is a method of a name; nothing when none or more than
/// one has this name.
pub(crate) fn schema<'a>(plugins: &'a [PluginDescriptor], method: &str) -> Option<&'a Schema> {
    let analyses = plugins.iter().flat_map(|plugin| &plugin.analyses);
    let mut matching = analyses.filter(|analysis| analysis.id == method);
    let first = matching.next()?;
    matching.next().is_none().then_some(&first.parameters)
}

impl<'a> Check<'a> {
    /// Walks everything that may run: first what surely does, then the rest.
    fn walk(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut done = BTreeSet::new();
        let mut sure = vec![(Unit::Script(0), Mood::Surely)];
        let mut rest = Vec::new();
        while let Some((unit, mood)) = sure.pop().or_else(|| rest.pop()) {
            if !done.insert(unit.clone()) {
                continue;
            }
            let mood = match &unit {
                Unit::Function(_, name, _)
                    if mood != Mood::Surely && self.facts.guarded.contains(name) =>
                {
                    Mood::Guarded
                }
                Unit::Script(_) if self.facts.exits => mood.min(Mood::Perhaps),
                _ => mood,
            };
            let Some(walker) = self.walked(&unit, mood, &mut mistakes) else { continue };
            mistakes.extend(walker.mistakes);
            for (unit, mood) in walker.reached {
                if mood == Mood::Surely { sure.push((unit, mood)) } else { rest.push((unit, mood)) }
            }
            if sure.is_empty() && rest.is_empty() {
                rest = self.uncalled(&done);
            }
        }
        mistakes
    }

    fn walked(&self, unit: &Unit, mood: Mood, mistakes: &mut Vec<Mistake>) -> Option<Walker<'_>> {
        let (Unit::Script(number) | Unit::Function(number, ..)) = *unit;
        let parsed = match &self.script(number).parsed {
            Ok(parsed) => parsed,
            Err((failure, position)) if mood != Mood::Guarded => {
                let (failure, position) = (failure.clone(), *position);
                mistakes.push(Mistake { script: number, position, failure });
                return None;
            }
            Err(_) => return None,
        };
        let mut walker = Walker::new(self, number, parsed, mood);
        match unit {
            Unit::Script(_) => walker.script(),
            Unit::Function(_, name, count) => {
                let mut functions = parsed.functions.iter();
                let is_meant =
                    |one: &&program::Function| one.name == *name && one.parameters.len() == *count;
                walker.function(functions.find(is_meant)?);
            }
        }
        Some(walker)
    }

    /// Returns the functions, of scripts that were walked, that nothing was seen to call.
    fn uncalled(&self, done: &BTreeSet<Unit>) -> Vec<(Unit, Mood)> {
        let scripts = self.program.scripts.iter().enumerate();
        scripts
            .filter(|(number, _)| done.contains(&Unit::Script(*number)))
            .filter_map(|(number, script)| Some((number, script.parsed.as_ref().ok()?)))
            .flat_map(|(number, parsed)| {
                let functions = parsed.functions.iter().filter(|one| !one.is_closure());
                functions
                    .map(move |one| Unit::Function(number, one.name.clone(), one.parameters.len()))
            })
            .filter(|unit| !done.contains(unit))
            .map(|unit| (unit, Mood::Perhaps))
            .collect()
    }

    fn script(&self, number: usize) -> &'a Script {
        &self.program.scripts[number]
    }

    fn parsed(&self, number: usize) -> Option<&'a Parsed> {
        self.script(number).parsed.as_ref().ok()
    }

    /// Returns the functions that a script may call: its own, and those of whoever imports it.
    fn functions(&self, number: usize) -> impl Iterator<Item = &'a program::Function> {
        let scripts = if number == 0 { &self.program.scripts[..1] } else { &self.program.scripts };
        scripts
            .iter()
            .filter_map(|script| script.parsed.as_ref().ok())
            .flat_map(|parsed| parsed.functions.iter().filter(|function| !function.is_closure()))
    }

    /// Returns whether a map may hold a function under a name.
    fn may_be_entry(&self, name: &str) -> bool {
        self.facts.keeps_functions
            && (self.facts.computes_keys || self.facts.mentioned.contains(name))
    }

    /// Returns the parameters of the analysis that is a method of a name.
    fn schema(&self, method: &str) -> Option<&'a Schema> {
        schema(&self.state.plugins, method)
    }

    /// Returns the parameters of an analysis, by its full name.
    fn schema_of(&self, full_name: &str) -> Option<&'a Schema> {
        let (plugin, analysis) = full_name.split_once('/')?;
        let plugin = self.state.plugins.iter().find(|one| one.id == plugin)?;
        plugin.analyses.iter().find(|one| one.id == analysis).map(|one| &one.parameters)
    }
}
