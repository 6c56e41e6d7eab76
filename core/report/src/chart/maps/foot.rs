//! What the colours of a panel mean: a bar, or the names of classes.

use plotters::element::Rectangle;
use plotters::style::{Color as _, RGBColor};

use super::classes::Entry;
use crate::ReportError;
use crate::chart::LABEL;
use crate::chart::legend::{Bar, sentence};
use crate::svg::{Area, Canvas, whole};
use crate::theme::RULE;

const MOST_UNIT_LINES: usize = 3;
const MOST_CLASS_LINES: usize = 2;
/// The side of a colour, and from there to its words.
const SWATCH: i32 = 100;
const SWATCH_GAP: i32 = 60;
/// From the top of a line to its baseline.
const RISE: i32 = 95;

/// What stands below a panel.
pub(super) enum Foot {
    /// Nothing: a photograph needs no words.
    None,
    /// A bar of colours with the unit below.
    Bar {
        /// As wide as the panel.
        bar: Bar,
        /// Below the bar.
        words: Vec<String>,
    },
    /// Classes below each other: the colour, and lines beside it.
    Classes(Vec<([u8; 3], Vec<String>)>),
}

impl Foot {
    /// Makes a bar with what is to be said of it, or nothing where there is no bar.
    pub(super) fn bar(bar: Option<Bar>, words: &[&str], width: i32) -> Self {
        match bar {
            None => Self::None,
            Some(bar) => Self::Bar { bar, words: folded(&sentence(words), width, MOST_UNIT_LINES) },
        }
    }

    /// Makes a legend of classes.
    pub(super) fn classes(entries: &[Entry], width: i32) -> Self {
        let room = width - SWATCH - SWATCH_GAP;
        let line = |entry: &Entry| (entry.colour, folded(&entry.words, room, MOST_CLASS_LINES));
        Self::Classes(entries.iter().map(line).collect())
    }

    /// Returns the height, in tenths of a pixel.
    pub(super) fn height(&self) -> i32 {
        match self {
            Self::None => 0,
            Self::Bar { words, .. } => Bar::HEIGHT + whole(words.len()) * LABEL.line(),
            Self::Classes(classes) => {
                let lines: usize = classes.iter().map(|(_, lines)| lines.len().max(1)).sum();
                whole(lines) * LABEL.line()
            }
        }
    }

    /// Draws it `width` tenths of a pixel wide.
    pub(super) fn draw(
        &self,
        canvas: &Canvas,
        (x, y): (i32, i32),
        width: i32,
    ) -> Result<(), ReportError> {
        match self {
            Self::None => Ok(()),
            Self::Bar { bar, words } => {
                bar.draw(canvas, (x, y), width)?;
                canvas.lines(words, (x, y + Bar::HEIGHT + RISE), LABEL)
            }
            Self::Classes(classes) => {
                let mut top = y;
                for ([r, g, b], lines) in classes {
                    let corners = [(x, top + 10), (x + SWATCH, top + 10 + SWATCH)];
                    canvas.draw(&Rectangle::new(corners, RGBColor(*r, *g, *b).filled()))?;
                    let swatch = Area { x, y: top + 10, width: SWATCH, height: SWATCH };
                    canvas.frame(swatch, RULE)?;
                    canvas.lines(lines, (x + SWATCH + SWATCH_GAP, top + RISE + 10), LABEL)?;
                    top += whole(lines.len().max(1)) * LABEL.line();
                }
                Ok(())
            }
        }
    }
}

/// Breaks words into lines; what `most` lines do not hold is cut.
pub(super) fn folded(words: &str, width: i32, most: usize) -> Vec<String> {
    let mut lines = LABEL.wrap(words, width);
    if lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(LABEL.fit(&rest, width));
    }
    lines
}
