//! What an analysis found.

use std::sync::Arc;

use convscope_protocol::{Figure, Findings, Table};
use convscope_report::Entry;

use super::Tensor;
use crate::state::Reserved;
use crate::suggest::{did_you_mean, listed};
use crate::{Failure, kind};

/// A handle of what an analysis found.
#[derive(Clone)]
pub(crate) struct Results {
    findings: Arc<Findings>,
    name: Arc<str>,
    reserved: Arc<Reserved>,
}

/// A handle of one figure.
#[derive(Clone)]
pub(crate) struct FigureHandle {
    result: Results,
    index: usize,
}

/// A handle of one table.
#[derive(Clone)]
pub(crate) struct TableHandle {
    result: Results,
    index: usize,
}

/// A kind of things that findings hold by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Array,
    Figure,
    Table,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Figure => "figure",
            Self::Table => "table",
        }
    }
}

impl Results {
    pub(crate) fn new(findings: Findings, name: &str, reserved: Arc<Reserved>) -> Self {
        Self { findings: Arc::new(findings), name: name.into(), reserved }
    }

    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Returns what the findings are called in this run.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Finds an array by name.
    pub(crate) fn array(&self, name: &str) -> Result<Tensor, Failure> {
        let names = || self.findings.arrays.iter().map(|array| array.name.as_str());
        let Some(array) = self.findings.array(name) else {
            let mut failure = self.missing(Part::Array, name, names());
            let below = format!("{name}.");
            if let Some(first) = names().find(|other| other.starts_with(&below)) {
                failure.help =
                    Some(format!("there is one per layer: write `[\"{first}\"]` for the first"));
            }
            return Err(failure);
        };
        Ok(Tensor::of_findings(array.clone(), Arc::clone(&self.reserved)))
    }

    pub(crate) fn figures(&self) -> Vec<FigureHandle> {
        let indices = 0..self.findings.figures.len();
        indices.map(|index| FigureHandle { result: self.clone(), index }).collect()
    }

    pub(crate) fn tables(&self) -> Vec<TableHandle> {
        let indices = 0..self.findings.tables.len();
        indices.map(|index| TableHandle { result: self.clone(), index }).collect()
    }

    /// Finds a figure by name.
    pub(crate) fn figure(&self, name: &str) -> Result<FigureHandle, Failure> {
        let names = self.findings.figures.iter().map(|figure| figure.name.as_str());
        let index = names.clone().position(|other| other == name);
        let index = index.ok_or_else(|| self.missing(Part::Figure, name, names))?;
        Ok(FigureHandle { result: self.clone(), index })
    }

    /// Finds a table by name.
    pub(crate) fn table(&self, name: &str) -> Result<TableHandle, Failure> {
        let names = self.findings.tables.iter().map(|table| table.name.as_str());
        let index = names.clone().position(|other| other == name);
        let index = index.ok_or_else(|| self.missing(Part::Table, name, names))?;
        Ok(TableHandle { result: self.clone(), index })
    }

    /// Returns everything as an entry of a report.
    ///
    /// # Errors
    ///
    /// When there is nothing, or a caption is given for more than one thing.
    pub(crate) fn entry(&self, caption: Option<String>) -> Result<Entry, Failure> {
        let things = (self.findings.figures.as_slice(), self.findings.tables.as_slice());
        match (things, caption) {
            (([], []), _) => Err(Failure::new(
                kind::NOTHING_TO_SHOW,
                format!("`{}` has neither figures nor tables", self.name),
            )),
            (_, None) => Ok(Entry::Findings {
                result: self.name().to_owned(),
                findings: Arc::clone(&self.findings),
            }),
            (([_], []), caption) => {
                Ok(FigureHandle { result: self.clone(), index: 0 }.entry(caption))
            }
            (([], [_]), caption) => {
                Ok(TableHandle { result: self.clone(), index: 0 }.entry(caption))
            }
            _ => {
                let message =
                    format!("a caption belongs to one figure, and `{}` has several", self.name);
                Err(Failure::new(kind::WRONG_TYPE, message).with_key("caption").with_help(
                    "add them one by one: `page.add(result.figure(\"…\"), #{ caption: … })`",
                ))
            }
        }
    }

    /// Returns an array as a file of its own, as an entry of a report.
    ///
    /// # Errors
    ///
    /// When there is no such array, or the path leads out of the output folder or into the
    /// report's own.
    pub(crate) fn file(&self, array: &str, path: &str) -> Result<Entry, Failure> {
        self.array(array)?;
        check_output(path)?;
        Ok(Entry::File {
            findings: Arc::clone(&self.findings),
            array: array.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Says that there is nothing of a name.
    pub(crate) fn missing<'a>(
        &self,
        part: Part,
        name: &str,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Failure {
        let kind = match part {
            Part::Array => kind::UNKNOWN_ARRAY,
            Part::Figure => kind::UNKNOWN_FIGURE,
            Part::Table => kind::UNKNOWN_TABLE,
        };
        let what = part.word();
        let all = listed(names.clone(), 12);
        let help = match did_you_mean(name, names) {
            Some(help) => help,
            None if all.is_empty() => format!("it has no {what}s at all"),
            None => format!("{what}s: {all}"),
        };
        let message = format!("`{}` has no {what} `{name}`", self.name);
        Failure::new(kind, message).with_help(help)
    }
}

/// Checks where a script wants to write an array.
///
/// # Errors
///
/// When the path leads out of the output folder or into the report's own, or ends in another way.
pub(crate) fn check_output(path: &str) -> Result<(), Failure> {
    let refuse = |help: &str| {
        Err(Failure::new(kind::OUT_OF_REACH, format!("cannot write to `{path}`")).with_help(help))
    };
    let usable = |part: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(letter)
    };
    if !path.split('/').all(usable) {
        return refuse(
            "a script writes below the output folder: give a relative path\n\
             of letters, digits, `.`, `_` and `-`, without `..`",
        );
    }
    let folder = path.split('/').next().unwrap_or_default();
    if ["data", "figures"].iter().any(|own| folder.eq_ignore_ascii_case(own)) {
        return refuse("`data` and `figures` are the report's own; choose another folder");
    }
    if path.strip_suffix(".npy").is_none() {
        return refuse("arrays are written as `.npy`: let the path end so");
    }
    Ok(())
}

impl FigureHandle {
    pub(crate) fn get(&self) -> &Figure {
        &self.result.findings.figures[self.index]
    }

    pub(crate) fn entry(&self, caption: Option<String>) -> Entry {
        Entry::Figure {
            findings: Arc::clone(&self.result.findings),
            result: self.result.name().to_owned(),
            figure: self.get().name.clone(),
            caption,
        }
    }
}

impl TableHandle {
    pub(crate) fn get(&self) -> &Table {
        &self.result.findings.tables[self.index]
    }

    pub(crate) fn entry(&self, caption: Option<String>) -> Entry {
        Entry::Table {
            findings: Arc::clone(&self.result.findings),
            result: self.result.name().to_owned(),
            table: self.get().name.clone(),
            caption,
        }
    }
}
