//! Takes results into findings, and refuses those that contradict themselves or each other.

use thiserror::Error;

use super::Findings;
use super::content::{Problem, check_content};
use crate::{Array, Figure, Table};

/// A result that findings do not take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FindingsError {
    /// A name that is no name.
    ///
    /// Cure: Name it like `activation` or `activation.fire9/concat`: small letters, digits and `_`,
    /// beginning with a letter.
    #[error("{what} `{name}`: a name is snake case, optionally with a point and a layer's name")]
    WrongName {
        /// Array, table, figure or scalar.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A name that is taken.
    ///
    /// Cure: Give each of its kind a name of its own, such as with the layer's name behind a point.
    #[error("{what} `{name}` was emitted before")]
    Twice {
        /// Array, table, figure or scalar.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Axes that do not describe the values.
    ///
    /// Cure: Name one axis for each of the array's, and as many labels as the axis has steps.
    #[error("array `{name}` of shape {shape:?}: {problem}")]
    WrongAxes {
        /// The array.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What does not fit.
        problem: String,
    },
    /// A row that has not one cell per column.
    ///
    /// Cure: Give each row one cell per column; an empty cell is a cell too.
    #[error("table `{name}`: row {row} has {cells} cells for {columns} columns")]
    WrongRow {
        /// The table.
        name: String,
        /// The row, from 0.
        row: usize,
        /// Its cells.
        cells: usize,
        /// The columns.
        columns: usize,
    },
    /// A figure that refers to what is not there, or cannot be drawn.
    ///
    /// Cure: Emit arrays and tables before the figures that show them, and let each part lie within
    /// its array.
    #[error("figure `{name}`: {problem}")]
    WrongFigure {
        /// The figure.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A number that is none.
    ///
    /// Cure: Leave the scalar out, or say in a note why there is none.
    #[error("scalar `{name}` is {number}, not a finite number")]
    NotFinite {
        /// The scalar.
        name: String,
        /// What it is.
        number: String,
    },
    /// A remark without words.
    ///
    /// Cure: Give the note words, or leave it out.
    #[error("a note has no words")]
    EmptyNote,
}

impl Findings {
    /// Takes an array.
    ///
    /// # Errors
    /// Refuses a name that is wrong or taken, and axes that do not describe the values.
    pub fn add_array(&mut self, array: Array) -> Result<(), FindingsError> {
        let Array { name, meta, values } = &array;
        check_name("array", name, self.array(name).is_some())?;
        let shape = values.shape();
        let wrong = |problem: String| {
            Err(FindingsError::WrongAxes { name: name.clone(), shape: shape.to_vec(), problem })
        };
        if meta.axes.len() != shape.len() {
            return wrong(format!("{} axes are named for {}", meta.axes.len(), shape.len()));
        }
        for (axis, &extent) in meta.axes.iter().zip(shape) {
            if let Some(labels) = &axis.labels
                && labels.len() != extent
            {
                let (axis, labels) = (&axis.name, labels.len());
                return wrong(format!("axis `{axis}` has {labels} labels for {extent} steps"));
            }
        }
        self.arrays.push(array);
        Ok(())
    }

    /// Takes a table.
    ///
    /// # Errors
    /// Refuses a name that is wrong or taken, and rows that have not one cell per column.
    pub fn add_table(&mut self, table: Table) -> Result<(), FindingsError> {
        let Table { name, columns, rows, .. } = &table;
        check_name("table", name, self.table(name).is_some())?;
        let columns = columns.len();
        if let Some((row, cells)) = rows.iter().enumerate().find(|(_, row)| row.len() != columns) {
            let (name, cells) = (name.clone(), cells.len());
            return Err(FindingsError::WrongRow { name, row, cells, columns });
        }
        self.tables.push(table);
        Ok(())
    }

    /// Takes a figure.
    ///
    /// # Errors
    /// Refuses a name that is wrong or taken, and references to arrays, parts of arrays or tables
    /// that were not taken before.
    pub fn add_figure(&mut self, figure: Figure) -> Result<(), FindingsError> {
        let name = &figure.name;
        check_name("figure", name, self.figure(name).is_some())?;
        check_content(self, &figure.content).map_err(|Problem(problem)| {
            FindingsError::WrongFigure { name: name.clone(), problem }
        })?;
        self.figures.push(figure);
        Ok(())
    }

    /// Takes a number.
    ///
    /// # Errors
    /// Refuses a name that is wrong or taken, and what is not finite.
    pub fn add_scalar(&mut self, name: &str, number: f64) -> Result<(), FindingsError> {
        check_name("scalar", name, self.scalars.iter().any(|(taken, _)| taken == name))?;
        if !number.is_finite() {
            let (name, number) = (name.to_owned(), number.to_string());
            return Err(FindingsError::NotFinite { name, number });
        }
        self.scalars.push((name.to_owned(), number));
        Ok(())
    }

    /// Takes a remark; one that was made before counts once.
    ///
    /// # Errors
    /// Refuses one without words.
    pub fn add_note(&mut self, note: String) -> Result<(), FindingsError> {
        if note.trim().is_empty() {
            return Err(FindingsError::EmptyNote);
        }
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        Ok(())
    }
}

fn check_name(what: &'static str, name: &str, is_taken: bool) -> Result<(), FindingsError> {
    let (stem, layer) = match name.split_once('.') {
        Some((stem, layer)) => (stem, Some(layer)),
        None => (name, None),
    };
    let is_stem = stem.starts_with(|first: char| first.is_ascii_lowercase())
        && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let is_layer = layer.is_none_or(|layer| !layer.is_empty() && !layer.contains(char::is_control));
    let name = name.to_owned();
    if !is_stem || !is_layer {
        return Err(FindingsError::WrongName { what, name });
    }
    if is_taken { Err(FindingsError::Twice { what, name }) } else { Ok(()) }
}
