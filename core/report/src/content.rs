//! A report with every name resolved and every figure drawn: what page, manifest and folder
//! are written from.

use std::sync::Arc;

use convscope_protocol::figure::FigureContent as FigureKind;
use convscope_protocol::{Array, Figure, Findings, Table};

use crate::chart::{Scene, list};
use crate::figure::{self, DrawnFigure};
use crate::names::Names;
use crate::report::{Entry, Provenance, Report};
use crate::{ReportError, data};

/// A resolved report.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) title: &'a str,
    pub(crate) results: Vec<ResultContent<'a>>,
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) files: Vec<FileContent<'a>>,
}

/// An array as a file of its own.
#[derive(Debug)]
pub(crate) struct FileContent<'a> {
    pub(crate) array: &'a Array,
    /// Relative to the folder.
    pub(crate) path: &'a str,
}

/// Findings, and the files that hold them.
#[derive(Debug)]
pub(crate) struct ResultContent<'a> {
    pub(crate) name: String,
    pub(crate) findings: &'a Arc<Findings>,
    /// One for each array, relative to the folder.
    pub(crate) arrays: Vec<String>,
    /// One for each table, relative to the folder.
    pub(crate) tables: Vec<String>,
}

/// What stands on the page, in order.
#[derive(Debug)]
pub(crate) enum Section<'a> {
    Text(&'a str),
    Result { result: usize, figures: Vec<FigureContent<'a>>, tables: Vec<TableContent<'a>> },
    Figure(FigureContent<'a>),
    Table(TableContent<'a>),
}

/// A drawn figure.
#[derive(Debug)]
pub(crate) struct FigureContent<'a> {
    pub(crate) result: usize,
    pub(crate) figure: &'a Figure,
    pub(crate) caption: String,
    /// From 1, over the whole report.
    pub(crate) number: usize,
    /// Relative to the folder.
    pub(crate) file: String,
    pub(crate) drawn: DrawnFigure,
    /// The table that it shows, if it shows one.
    pub(crate) table: Option<&'a Table>,
}

/// A table of the page.
#[derive(Debug)]
pub(crate) struct TableContent<'a> {
    pub(crate) table: &'a Table,
    pub(crate) caption: String,
    /// The CSV file, relative to the folder.
    pub(crate) file: String,
}

impl<'a> Content<'a> {
    /// Resolves and draws everything.
    pub(crate) fn new(report: &'a Report, provenance: &Provenance) -> Result<Self, ReportError> {
        let mut builder = Builder {
            provenance,
            digits: digits(report),
            results: Vec::new(),
            names: Names::default(),
            figures: 0,
            files: Vec::new(),
        };
        let sections = report.entries.iter().map(|entry| builder.section(entry));
        let sections = sections.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Self { title: &report.title, results: builder.results, sections, files: builder.files })
    }

    /// Returns all figures in order.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &FigureContent<'a>> {
        self.sections.iter().flat_map(|section| match section {
            Section::Result { figures, .. } => figures.as_slice(),
            Section::Figure(figure) => std::slice::from_ref(figure),
            Section::Text(_) | Section::Table(_) => &[],
        })
    }
}

/// Digits of the numbers of figures: two, or as many as the last one needs.
fn digits(report: &Report) -> usize {
    let figures = |entry: &Entry| match entry {
        Entry::Findings { findings, .. } => findings.figures.len(),
        Entry::Figure { .. } => 1,
        Entry::Text(_) | Entry::Table { .. } | Entry::File { .. } => 0,
    };
    let count: usize = report.entries.iter().map(figures).sum();
    count.to_string().len().max(2)
}

struct Builder<'a, 'p> {
    provenance: &'p Provenance,
    digits: usize,
    results: Vec<ResultContent<'a>>,
    names: Names,
    figures: usize,
    files: Vec<FileContent<'a>>,
}

impl<'a> Builder<'a, '_> {
    /// Returns what an entry shows on the page, if it shows something.
    fn section(&mut self, entry: &'a Entry) -> Result<Option<Section<'a>>, ReportError> {
        Ok(Some(match entry {
            Entry::Text(text) => Section::Text(text),
            Entry::Findings { result, findings } => {
                let result = self.result(result, findings)?;
                let mut figures: Vec<FigureContent<'a>> = Vec::new();
                for figure in &findings.figures {
                    figures.push(self.figure(result, findings, figure, None)?);
                }
                let drawn = |table: &Table| {
                    figures.iter().any(|figure| figure.table.is_some_and(|t| t.name == table.name))
                };
                let tables = findings.tables.iter().enumerate();
                let tables = tables
                    .filter(|(_, table)| !drawn(table))
                    .map(|(place, _)| self.table(result, findings, place, None))
                    .collect();
                Section::Result { result, figures, tables }
            }
            Entry::Figure { result, findings, figure, caption } => {
                let found = findings.figure(figure).ok_or_else(|| ReportError::NoSuchFigure {
                    result: result.clone(),
                    figure: figure.clone(),
                    known: list(findings.figures.iter().map(|figure| figure.name.as_str())),
                })?;
                let result = self.result(result, findings)?;
                Section::Figure(self.figure(result, findings, found, caption.as_deref())?)
            }
            Entry::Table { result, findings, table, caption } => {
                let place = findings.tables.iter().position(|known| known.name == *table);
                let place = place.ok_or_else(|| ReportError::NoSuchTable {
                    result: result.clone(),
                    table: table.clone(),
                    known: list(findings.tables.iter().map(|table| table.name.as_str())),
                })?;
                let result = self.result(result, findings)?;
                Section::Table(self.table(result, findings, place, caption.as_deref()))
            }
            Entry::File { findings, array, path } => {
                self.file(findings, array, path)?;
                return Ok(None);
            }
        }))
    }

    fn file(
        &mut self,
        findings: &'a Findings,
        array: &str,
        path: &'a str,
    ) -> Result<(), ReportError> {
        let refuse = |reason| Err(ReportError::UnusablePath { path: path.to_owned(), reason });
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| crate::names::safe(part) != *part) {
            return refuse("give names of letters, digits, `.`, `_` and `-`, with `/` between");
        }
        if ["data", "figures"].iter().any(|own| parts[0].eq_ignore_ascii_case(own)) {
            return refuse("`data` and `figures` are the report's own");
        }
        if path.strip_suffix(".npy").is_none() {
            return refuse("it must end in `.npy`");
        }
        let within = |inner: &str, outer: &str| {
            inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        let lower = path.to_lowercase();
        let mut taken = self.files.iter().map(|file| file.path.to_lowercase());
        if taken.any(|taken| within(&taken, &lower) || within(&lower, &taken)) {
            return refuse("another file has this name");
        }
        let array = findings.array(array).ok_or_else(|| ReportError::NoSuchFile {
            path: path.to_owned(),
            array: array.to_owned(),
            known: list(findings.arrays.iter().map(|array| array.name.as_str())),
        })?;
        self.files.push(FileContent { array, path });
        Ok(())
    }

    fn result(&mut self, name: &str, findings: &'a Arc<Findings>) -> Result<usize, ReportError> {
        let known = self.results.iter().position(|known| Arc::ptr_eq(known.findings, findings));
        if let Some(known) = known {
            return Ok(known);
        }
        findings.tables.iter().try_for_each(data::check_table)?;
        let name = self.names.take(name);
        let mut files = Names::default();
        let mut file = |wanted: &str, ending: &str| {
            let stem = files.take(wanted);
            format!("data/{name}/{stem}.{ending}")
        };
        let arrays = findings.arrays.iter().map(|array| file(&array.name, "npy")).collect();
        let tables = findings.tables.iter().map(|table| file(&table.name, "csv")).collect();
        self.results.push(ResultContent { name, findings, arrays, tables });
        Ok(self.results.len() - 1)
    }

    fn figure(
        &mut self,
        result: usize,
        findings: &'a Findings,
        figure: &'a Figure,
        caption: Option<&str>,
    ) -> Result<FigureContent<'a>, ReportError> {
        self.figures += 1;
        let number = self.figures;
        let caption = joined(caption, &figure.caption);
        let scene = Scene { findings, figure };
        let drawn = figure::draw(&scene, &caption, self.provenance, &format!("f{number}"))?;
        let name = crate::names::safe(&figure.name);
        let file = format!("figures/{number:0digits$}-{name}.svg", digits = self.digits);
        let table = match &figure.content {
            FigureKind::Table(shown) => findings.table(&shown.table),
            FigureKind::Grid(_) | FigureKind::Maps(_) | FigureKind::Picture(_) => None,
        };
        Ok(FigureContent { result, figure, caption, number, file, drawn, table })
    }

    fn table(
        &self,
        result: usize,
        findings: &'a Findings,
        place: usize,
        caption: Option<&str>,
    ) -> TableContent<'a> {
        let table = &findings.tables[place];
        let file = self.results[result].tables[place].clone();
        TableContent { table, caption: joined(caption, &table.caption), file }
    }
}

fn joined(before: Option<&str>, own: &str) -> String {
    match before {
        Some(before) => format!("{before} {own}").trim().to_owned(),
        None => own.to_owned(),
    }
}
