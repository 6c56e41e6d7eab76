//! From a report to a folder of files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Map;

use crate::content::{Content, ResultContent};
use crate::folder::Target;
use crate::manifest::{self, ArrayEntry, FigureEntry, Manifest, ResultEntry, TableEntry};
use crate::report::{Provenance, Report};
use crate::{ReportError, data, page};

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Every file, relative to the folder, sorted.
    pub files: Vec<String>,
    /// What the user should know, such as figures that have become large.
    pub warnings: Vec<String>,
}

/// Writes a report into the folder `out`: whole, or not at all.
///
/// An older report of convscope's in `out` is replaced. Folders that are missing above `out` are
/// made.
///
/// # Errors
///
/// When `out` is a file or holds foreign files, when a figure does not fit its arrays, and when
/// the file system refuses. An older report then still stands in `out`.
pub fn write(report: &Report, provenance: &Provenance, out: &Path) -> Result<Written, ReportError> {
    let target = Target::open(out)?;
    let content = Content::new(report, provenance)?;
    let manifest = manifest_of(&content, provenance);
    let mut warnings: Vec<String> =
        content.figures().flat_map(|figure| figure.drawn.warnings.iter().cloned()).collect();
    warnings.extend(target.fill(|folder| write_files(folder, &content, provenance, &manifest))?);
    Ok(Written { files: manifest.files, warnings })
}

fn write_files(
    folder: &Path,
    content: &Content<'_>,
    provenance: &Provenance,
    manifest: &Manifest,
) -> Result<(), ReportError> {
    // First, so that a later run knows what a dead process has left.
    let path = folder.join(manifest::FILE);
    let text = manifest.text().map_err(|fault| storage("write", &path, fault.into()))?;
    put(&path, &text)?;
    for figure in content.figures() {
        put(&folder.join(&figure.file), &figure.drawn.svg)?;
    }
    for result in &content.results {
        for (file, array) in result.arrays.iter().zip(&result.findings.arrays) {
            data::write_array(&prepared(&folder.join(file))?, array)?;
        }
        for (file, table) in result.tables.iter().zip(&result.findings.tables) {
            data::write_table(&prepared(&folder.join(file))?, table)?;
        }
    }
    for file in &content.files {
        data::write_array(&prepared(&folder.join(file.path))?, file.array)?;
    }
    put(&folder.join("report.html"), &page::render(content, provenance))
}

fn manifest_of(content: &Content<'_>, provenance: &Provenance) -> Manifest {
    let results: Vec<ResultEntry> = content
        .results
        .iter()
        .enumerate()
        .map(|(place, result)| result_entry(content, place, result))
        .collect();
    let mut files = vec![manifest::FILE.to_owned(), "report.html".to_owned()];
    files.extend(content.figures().map(|figure| figure.file.clone()));
    for result in &content.results {
        files.extend(result.arrays.iter().chain(&result.tables).cloned());
    }
    files.extend(content.files.iter().map(|file| file.path.to_owned()));
    files.sort();
    Manifest {
        convscope: provenance.version.clone(),
        title: content.title.to_owned(),
        command: provenance.command.clone(),
        seed: provenance.seed,
        backend: provenance.backend.clone(),
        script_hash: provenance.script_hash.clone(),
        models: provenance.models.clone(),
        images: provenance.images.clone(),
        plugins: provenance.plugins.clone(),
        results,
        files,
        run: provenance.run.clone(),
    }
}

fn result_entry(content: &Content<'_>, place: usize, result: &ResultContent<'_>) -> ResultEntry {
    let findings = result.findings;
    let arrays = result.arrays.iter().zip(&findings.arrays).map(|(file, array)| ArrayEntry {
        name: array.name.clone(),
        file: file.clone(),
        shape: array.values.shape().to_vec(),
        dtype: array.values.dtype(),
        unit: array.meta.unit.clone(),
        axes: array.meta.axes.clone(),
        doc: array.meta.doc.clone(),
    });
    let tables = result.tables.iter().zip(&findings.tables).map(|(file, table)| TableEntry {
        name: table.name.clone(),
        file: file.clone(),
        caption: table.caption.clone(),
    });
    let figures = content.figures().filter(|figure| figure.result == place);
    let figures = figures.map(|figure| FigureEntry {
        name: figure.figure.name.clone(),
        file: figure.file.clone(),
        title: figure.figure.title.clone(),
        caption: figure.caption.clone(),
    });
    let scalars = findings.scalars.iter().map(|(name, value)| (name.clone(), (*value).into()));
    ResultEntry {
        name: result.name.clone(),
        origin: findings.origin.clone(),
        arrays: arrays.collect(),
        tables: tables.collect(),
        figures: figures.collect(),
        scalars: scalars.collect::<Map<_, _>>(),
        notes: findings.notes.clone(),
    }
}

fn put(path: &Path, text: &str) -> Result<(), ReportError> {
    let path = prepared(path)?;
    fs::write(&path, text).map_err(|fault| storage("write", &path, fault))
}

/// Makes the folder that a file goes into.
fn prepared(path: &Path) -> Result<PathBuf, ReportError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|fault| storage("create", folder, fault))?;
    }
    Ok(path.to_owned())
}

fn storage(action: &'static str, path: &Path, source: std::io::Error) -> ReportError {
    ReportError::Storage { action, path: path.to_owned(), source }
}
