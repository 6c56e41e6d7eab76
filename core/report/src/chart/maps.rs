//! Rows of panels, one row for each picture. Zeiler & Fergus (2013), figure 7.

mod axes;
mod cells;
mod classes;
mod foot;
mod frame;
mod overlay;
mod panel;
mod tiles;

use convscope_protocol::figure::{MapRow, Maps};
use plotters::style::text_anchor::HPos;

use self::axes::Numbered;
use self::classes::Palette;
use self::frame::Frame;
use self::panel::PanelPlan;
use super::legend::sentence;
use super::{HEADING, LABEL, Plan, Scene, WIDEST};
use crate::ReportError;
use crate::svg::{Area, Canvas, Role, whole};

/// The widest that a panel may be, in tenths of a pixel.
const WIDEST_PANEL: i32 = 3000;
/// More panels beside each other could not be read.
const MOST_PANELS: usize = 9;
/// Pictures of one figure.
const MOST_ROWS: usize = 100;
/// Between panels and rows.
const PANEL_GAP: i32 = 200;
const ROW_GAP: i32 = 260;
/// From the top of a row to the first line below its heading.
const HEADING_HEIGHT: i32 = 220;
/// From the words of a row to those of its panels.
const WORDS_GAP: i32 = 60;

/// How maps are laid out.
pub(crate) struct MapsPlan {
    rows: Vec<RowPlan>,
    /// Room for the numbers to the left of the first panels.
    axis: i32,
    /// Width of a panel.
    panel: i32,
    width: i32,
}

struct RowPlan {
    heading: String,
    notes: Vec<String>,
    /// Heading and notes for a page, in one line.
    words: String,
    panels: Vec<PanelPlan>,
}

impl MapsPlan {
    /// Lays maps out: all panels are equally wide.
    pub(crate) fn new(scene: &Scene<'_>, maps: &Maps) -> Result<Self, ReportError> {
        let columns = maps.rows.iter().map(|row| row.panels.len()).max().unwrap_or(0);
        let is_empty = |row: &MapRow| row.height == 0 || row.width == 0;
        if columns == 0 || maps.rows.iter().any(is_empty) {
            return Err(scene.empty());
        }
        scene.limit("rows", maps.rows.len(), MOST_ROWS)?;
        scene.limit("panels in a row", columns, MOST_PANELS)?;
        let axis = maps.rows.iter().map(|row| axes::room(row.height)).max().unwrap_or(0);
        let gaps = PANEL_GAP * (whole(columns) - 1);
        let panel = ((WIDEST - axis - gaps) / whole(columns) / 10 * 10).min(WIDEST_PANEL);
        let width = axis + panel * whole(columns) + gaps;
        let mut palette = Palette::default();
        let mut rows = Vec::new();
        for row in &maps.rows {
            let frame = Frame::new(row, panel);
            let panels =
                row.panels.iter().map(|one| PanelPlan::new(scene, one, frame, &mut palette));
            rows.push(RowPlan {
                heading: HEADING.fit(&row.label, width),
                notes: LABEL.wrap(&row.note, width),
                words: sentence(&[&row.label, &row.note]),
                panels: panels.collect::<Result<_, _>>()?,
            });
        }
        Ok(Self { rows, axis, panel, width })
    }
}

impl Plan for MapsPlan {
    fn size(&self) -> (i32, i32) {
        let rows: i32 = self.rows.iter().map(RowPlan::height).sum();
        (self.width, rows + ROW_GAP * (whole(self.rows.len()) - 1))
    }

    fn draw(&self, canvas: &Canvas, (left, top): (i32, i32)) -> Result<(), ReportError> {
        let mut y = top;
        for row in &self.rows {
            if !row.words.is_empty() || self.rows.len() > 1 {
                let area = Area { x: left, y, width: self.width, height: row.words_height() };
                canvas.part(Role::Row, &row.words, area, |canvas| {
                    canvas.text(&row.heading, (left, y + 140), HPos::Left, HEADING)?;
                    canvas.lines(&row.notes, (left, y + 140 + LABEL.line() + 20), LABEL)
                })?;
            }
            let panels_top = y + row.words_height();
            let height = row.panels_height();
            for (place, panel) in row.panels.iter().enumerate() {
                let numbered = if place == 0 { Numbered::Both } else { Numbered::Columns };
                let x = left + self.axis + whole(place) * (self.panel + PANEL_GAP);
                let start = if place == 0 { left } else { x - axes::OUTSIDE };
                let width = x + self.panel - start;
                let area = Area { x: start, y: panels_top, width, height };
                let words = sentence(&[&row.heading, &panel.name]);
                canvas.part(Role::Panel, &words, area, |canvas| {
                    panel.draw(canvas, (x, panels_top + row.labels_height()), numbered)
                })?;
            }
            y += row.height() + ROW_GAP;
        }
        Ok(())
    }
}

impl RowPlan {
    /// Height of heading and notes.
    fn words_height(&self) -> i32 {
        match (self.heading.is_empty(), self.notes.len()) {
            (true, 0) => 0,
            (_, notes) => HEADING_HEIGHT + whole(notes) * LABEL.line() + WORDS_GAP,
        }
    }

    /// Height of the words above the panels.
    fn labels_height(&self) -> i32 {
        let lines = self.panels.iter().map(|panel| panel.label.len()).max().unwrap_or(0);
        whole(lines) * LABEL.line() + 50
    }

    fn panels_height(&self) -> i32 {
        let below = self.panels.iter().map(PanelPlan::height).max().unwrap_or(0);
        self.labels_height() + below
    }

    fn height(&self) -> i32 {
        self.words_height() + self.panels_height()
    }
}
