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
    ///
    /// Cure: See what the system says: make room (`df`), or give a folder that is yours to write
    /// with `--out`. Nothing half-written stays behind.
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
    ///
    /// Cure: Give another folder with `--out`, or move the file away: nothing that exists is
    /// written over, but a report.
    #[error(
        "{} is a file, not a folder: give another folder with --out, or move it away",
        path.display()
    )]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The output path names no folder that could be renamed, such as `/`.
    ///
    /// Cure: Give a folder of its own with `--out`, such as `--out report`.
    #[error("{} cannot hold a report: give a folder of its own with --out", path.display())]
    NoName {
        /// The path that was given.
        path: PathBuf,
    },
    /// The output folder holds something that no report of convscope's has put there.
    ///
    /// Cure: Give another folder with `--out`, or move the file away: a report replaces its whole
    /// folder, and would take your file with it.
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
    ///
    /// Cure: Take one of the figures that the message lists; in a script `result.figures` does so
    /// too.
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
    ///
    /// Cure: Take one of the tables that the message lists; in a script `result.tables` does so
    /// too.
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
    ///
    /// Cure: Give `save_npy` another name, as the message says.
    #[error("cannot write `{path}`: {reason}")]
    UnusablePath {
        /// The path that was wanted.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// An array that was wanted as a file is not among the findings.
    ///
    /// Cure: Take one of the arrays that the message lists; in a script `result.arrays` does so
    /// too.
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
    ///
    /// Cure: Authors of plugins: emit the array before the figure, and under the name that the
    /// figure gives. Users: tell them.
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
    ///
    /// Cure: Authors of plugins: let the index leave a picture of the array. Users: tell them.
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
    ///
    /// Cure: Authors of plugins: take the colours `photograph` or `around_grey` for three channels.
    /// Users: tell them.
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
    ///
    /// Cure: Authors of plugins: compute the ends from finite values, and widen them where both are
    /// equal. Users: tell them.
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
    /// Something lies beside the picture that it is drawn over, or has no place on it.
    ///
    /// Cure: Authors of plugins: give each cell of a map its window, and let windows and marks lie
    /// within the row's picture. Users: tell them.
    #[error("figure `{figure}`: {what} do not fit the picture that they lie on")]
    Misplaced {
        /// Name of the figure.
        figure: String,
        /// What does not fit.
        what: String,
    },
    /// A figure has nothing to draw.
    ///
    /// Cure: Authors of plugins: leave the figure out when there is nothing in it, and say so in a
    /// note. Users: tell them.
    #[error(
        "figure `{figure}` has nothing to draw: it needs at least one tile in a block with at least one column, or rows \
         with panels"
    )]
    EmptyFigure {
        /// Name of the figure.
        figure: String,
    },
    /// A figure is larger than anyone could look at.
    ///
    /// Cure: Ask for fewer maps, layers or pictures in one result, or spread them over several.
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
    ///
    /// Cure: Authors of plugins: give each row one cell per column. Users: tell them.
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
    ///
    /// Cure: This is a fault of convscope, or the memory is used up: please report it.
    #[error("cannot draw figure `{figure}`: {reason}")]
    Drawing {
        /// Name of the figure.
        figure: String,
        /// What the drawing library says.
        reason: String,
    },
}
