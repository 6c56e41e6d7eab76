//! What an analysis found.

use std::path::{Component, Path};
use std::sync::Arc;

use convscope_protocol::{Figure, FigureContent, Findings, Table};

use super::Tensor;
use crate::Failure;
use crate::outcome::{Entry, SavedArray};
use crate::state::Reserved;
use crate::suggest::{listed, nearest};

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
            let mut failure = self.missing("array", name, names());
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
        let index = index.ok_or_else(|| self.missing("figure", name, names))?;
        Ok(FigureHandle { result: self.clone(), index })
    }

    /// Finds a table by name.
    pub(crate) fn table(&self, name: &str) -> Result<TableHandle, Failure> {
        let names = self.findings.tables.iter().map(|table| table.name.as_str());
        let index = names.clone().position(|other| other == name);
        let index = index.ok_or_else(|| self.missing("table", name, names))?;
        Ok(TableHandle { result: self.clone(), index })
    }

    /// Returns all figures, then the tables that no figure draws, as entries of a report.
    ///
    /// # Errors
    ///
    /// When there is nothing, or a caption is given for more than one thing.
    pub(crate) fn entries(&self, caption: Option<&String>) -> Result<Vec<Entry>, Failure> {
        let drawn = |table: &Table| {
            self.findings.figures.iter().any(|figure| {
                matches!(&figure.content, FigureContent::Table(drawn) if drawn.table == table.name)
            })
        };
        let tables = self.tables().into_iter().filter(|table| !drawn(table.get()));
        let figures = self.figures().into_iter().map(|figure| figure.entry(caption.cloned()));
        let entries: Vec<Entry> =
            figures.chain(tables.map(|table| table.entry(caption.cloned()))).collect();
        match entries.len() {
            0 => Err(Failure::new(
                "nothing_to_show",
                format!("`{}` has neither figures nor tables", self.name),
            )),
            2.. if caption.is_some() => Err(Failure::new(
                "wrong_type",
                format!("a caption belongs to one figure, and `{}` has several", self.name),
            )
            .with_key("caption")
            .with_help("add them one by one: `page.add(result.figure(\"…\"), #{ caption: … })`")),
            _ => Ok(entries),
        }
    }

    /// Notes that an array is wanted as a file.
    ///
    /// # Errors
    ///
    /// When there is no such array, or the path leads out of the output folder.
    pub(crate) fn save(&self, array: &str, path: &str) -> Result<SavedArray, Failure> {
        self.array(array)?;
        let given = Path::new(path);
        let inside = !path.is_empty()
            && !path.contains('\\')
            && given.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(Failure::new("out_of_reach", format!("cannot write to `{path}`"))
                .with_help(
                    "a script writes below the output folder: give a relative path without `..`",
                ));
        }
        if given.extension().is_none_or(|extension| extension != "npy") {
            return Err(Failure::new("wrong_type", format!("`{path}` does not end in `.npy`")));
        }
        let findings = Arc::clone(&self.findings);
        Ok(SavedArray { findings, array: array.to_owned(), path: given.to_path_buf() })
    }

    /// Says that there is nothing of a name.
    pub(crate) fn missing<'a>(
        &self,
        what: &str,
        name: &str,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Failure {
        let help = match nearest(name, names.clone()) {
            Some(other) => format!("did you mean `{other}`?"),
            None if names.clone().next().is_none() => format!("it has no {what}s at all"),
            None => format!("{what}s: {}", listed(names, 12)),
        };
        let message = format!("`{}` has no {what} `{name}`", self.name);
        Failure::new(&format!("unknown_{what}"), message).with_help(help)
    }
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
