//! What can go wrong when a report is written.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a report could not be written. Whatever happens, a report that stood there before is
/// still there, whole.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file system refused; most often the disk is full or the folder is not ours to write.
    #[error("cannot {action} {}: {source}", path.display())]
    Storage {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The output path names something that is no folder.
    #[error(
        "{} is a file, not a folder: give another folder with --out, or move it away",
        path.display()
    )]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The output path names no folder that could be renamed, such as `/`.
    #[error("{} cannot hold a report: give a folder of its own with --out", path.display())]
    NoName {
        /// The path that was given.
        path: PathBuf,
    },
    /// The output folder holds something that no report of convscope's has put there.
    #[error(
        "{} holds `{}`, which is not part of a convscope report: give another folder with --out, \
         or move it away",
        out.display(),
        file.display()
    )]
    ForeignFile {
        /// The output folder.
        out: PathBuf,
        /// The first foreign file, relative to it.
        file: PathBuf,
    },
    /// The report asks for a figure that its findings do not have.
    #[error("{result} has no figure `{figure}`; it has: {known}")]
    NoSuchFigure {
        /// Name of the result.
        result: String,
        /// The figure that was asked for.
        figure: String,
        /// The figures that exist.
        known: String,
    },
    /// A table is asked for that the findings do not have.
    #[error("{result} has no table `{table}`; it has: {known}")]
    NoSuchTable {
        /// Name of the result.
        result: String,
        /// The table that was asked for.
        table: String,
        /// The tables that exist.
        known: String,
    },
    /// An array cannot become a file of the wanted name.
    #[error("cannot write `{path}`: {reason}")]
    UnusablePath {
        /// The path that was wanted.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// An array that was wanted as a file is not among the findings.
    #[error("cannot write `{path}`: array `{array}` does not exist; there are: {known}")]
    NoSuchFile {
        /// The path that was wanted.
        path: String,
        /// Name of the array.
        array: String,
        /// The arrays that exist.
        known: String,
    },
    /// A figure shows an array that the findings do not have.
    #[error("figure `{figure}` shows array `{array}`, which does not exist; there are: {known}")]
    NoSuchArray {
        /// Name of the figure.
        figure: String,
        /// The array that it names.
        array: String,
        /// The arrays that exist.
        known: String,
    },
    /// A part of an array lies outside it, or is no picture.
    #[error(
        "figure `{figure}` shows {index:?} of array `{array}` with shape {shape:?}: expected an \
         index within it that leaves [row, column], or [channel, row, column] with one or three \
         channels"
    )]
    NotAPicture {
        /// Name of the figure.
        figure: String,
        /// Name of the array.
        array: String,
        /// The index into its leading axes.
        index: Vec<usize>,
        /// The shape of the array.
        shape: Vec<usize>,
    },
    /// A colour map for single numbers is asked to show colour pictures.
    #[error(
        "figure `{figure}` shows array `{array}` with three channels in a colour map for one: \
         use `photograph` or `around_grey`"
    )]
    TooManyChannels {
        /// Name of the figure.
        figure: String,
        /// Name of the array.
        array: String,
    },
    /// A colour scale has no extent.
    #[error(
        "figure `{figure}` has a colour scale from {low} to {high}: it needs finite ends in ascending order"
    )]
    BadScale {
        /// Name of the figure.
        figure: String,
        /// The lower end.
        low: f32,
        /// The upper end.
        high: f32,
    },
    /// A figure has nothing to draw.
    #[error(
        "figure `{figure}` has nothing to draw: it needs at least one tile in a block with at least one column"
    )]
    EmptyFigure {
        /// Name of the figure.
        figure: String,
    },
    /// A figure is larger than anyone could look at.
    #[error(
        "figure `{figure}` has {count} {what}, at most {most} can be drawn: show fewer maps or layers in one figure"
    )]
    TooLarge {
        /// Name of the figure.
        figure: String,
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A row of a table has another number of cells than the table has columns.
    #[error("table `{table}`, row {row}: expected {expected} cells, got {actual}")]
    RaggedTable {
        /// Name of the table.
        table: String,
        /// Number of the row, from 0.
        row: usize,
        /// Number of columns.
        expected: usize,
        /// Number of cells.
        actual: usize,
    },
    /// Drawing or encoding failed.
    #[error("cannot draw figure `{figure}`: {reason}")]
    Drawing {
        /// Name of the figure.
        figure: String,
        /// What the drawing library says.
        reason: String,
    },
}
