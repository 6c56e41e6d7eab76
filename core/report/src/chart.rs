//! The kinds of figures. Adding one touches one new file and [`plan`].

mod grid;
mod legend;
mod maps;
mod picture;
mod table;

use convscope_protocol::figure::{Colours, FigureContent, Source};
use convscope_protocol::{Array, Figure, Findings, Table};

use crate::ReportError;
use crate::colour;
use crate::font::Weight;
use crate::pixels::Numbers;
use crate::svg::{Canvas, Type};
use crate::theme::{SOFT, TEXT};

pub(crate) use table::{heading, is_text, shown};

/// The widest that the panels of a figure may be, in tenths of a pixel: what a window of 1200
/// pixels shows.
pub(crate) const WIDEST: i32 = 11_400;

/// Headings of groups.
const HEADING: Type = Type { size: 140, weight: Weight::SemiBold, ink: TEXT };
/// Words inside figures.
const LABEL: Type = Type { size: 120, weight: Weight::Regular, ink: SOFT };

/// A figure whose layout is known and that has yet to be drawn.
pub(crate) trait Plan {
    /// Width and height in tenths of a pixel.
    fn size(&self) -> (i32, i32);

    /// Draws all panels and legends with the top left corner at `place`.
    fn draw(&self, canvas: &Canvas, place: (i32, i32)) -> Result<(), ReportError>;
}

/// Lays a figure out: the one list of kinds.
pub(crate) fn plan<'a>(scene: &Scene<'a>) -> Result<Box<dyn Plan + 'a>, ReportError> {
    Ok(match &scene.figure.content {
        FigureContent::Grid(grid) => Box::new(grid::GridPlan::new(scene, grid)?),
        FigureContent::Maps(maps) => Box::new(maps::MapsPlan::new(scene, maps)?),
        FigureContent::Picture(picture) => Box::new(picture::PicturePlan::new(scene, picture)?),
        FigureContent::Table(table) => Box::new(table::TablePlan::new(scene, table)?),
    })
}

/// A figure and the findings that it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) findings: &'a Findings,
    pub(crate) figure: &'a Figure,
}

impl<'a> Scene<'a> {
    /// Finds an array that the figure shows.
    fn array(&self, name: &str) -> Result<&'a Array, ReportError> {
        self.findings.array(name).ok_or_else(|| ReportError::NoSuchArray {
            figure: self.figure.name.clone(),
            array: name.to_owned(),
            known: list(self.findings.arrays.iter().map(|array| array.name.as_str())),
        })
    }

    /// Finds a table that the figure shows.
    fn table(&self, name: &str) -> Result<&'a Table, ReportError> {
        find_table(self.findings, &format!("figure `{}`", self.figure.name), name)
    }

    /// Reads the part of an array that becomes a picture, and checks that the colours fit.
    fn numbers(&self, source: &Source, colours: &Colours) -> Result<Numbers, ReportError> {
        let figure = || self.figure.name.clone();
        let array = self.array(&source.array)?;
        let numbers =
            Numbers::of(array, source).ok_or_else(|| self.not_a_picture(array, source))?;
        if numbers.channels != 1 && colour::is_single(colours) {
            return Err(ReportError::TooManyChannels {
                figure: figure(),
                array: source.array.clone(),
            });
        }
        match colour::ends(colours) {
            Some((low, high)) if !(low.is_finite() && high.is_finite() && low <= high) => {
                Err(ReportError::BadScale { figure: figure(), low, high })
            }
            _ => Ok(numbers),
        }
    }

    /// Refuses what would be larger than anyone could look at.
    fn limit(&self, what: &'static str, count: usize, most: usize) -> Result<(), ReportError> {
        if count <= most {
            return Ok(());
        }
        Err(ReportError::TooLarge { figure: self.figure.name.clone(), what, count, most })
    }

    fn not_a_picture(&self, array: &Array, source: &Source) -> ReportError {
        ReportError::NotAPicture {
            figure: self.figure.name.clone(),
            array: source.array.clone(),
            index: source.index.clone(),
            shape: array.values.shape().to_vec(),
        }
    }

    fn misplaced(&self, what: String) -> ReportError {
        ReportError::Misplaced { figure: self.figure.name.clone(), what }
    }

    fn empty(&self) -> ReportError {
        ReportError::EmptyFigure { figure: self.figure.name.clone() }
    }
}

/// Finds a table of findings.
pub(crate) fn find_table<'a>(
    findings: &'a Findings,
    result: &str,
    name: &str,
) -> Result<&'a Table, ReportError> {
    findings.table(name).ok_or_else(|| ReportError::NoSuchTable {
        result: result.to_owned(),
        table: name.to_owned(),
        known: list(findings.tables.iter().map(|table| table.name.as_str())),
    })
}

/// Writes names for an error message.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
