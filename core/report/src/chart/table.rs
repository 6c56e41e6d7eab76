//! A table of the findings, drawn.

use convscope_protocol::figure::TableFigure;
use convscope_protocol::table::{Cell, Column, Table};
use plotters::style::text_anchor::HPos;

use super::{Plan, Scene, WIDEST};
use crate::font::Weight;
use crate::svg::markup::{fixed, number};
use crate::svg::{Area, Canvas, Role, Type, whole};
use crate::theme::{RULE, SOFT, TEXT};
use crate::{ReportError, data};

const HEAD: Type = Type { size: 120, weight: Weight::SemiBold, ink: TEXT };
const BODY: Type = Type { size: 120, weight: Weight::Regular, ink: TEXT };
const NOTE: Type = Type { size: 115, weight: Weight::Regular, ink: SOFT };
const ROW: i32 = 220;
const GAP: i32 = 240;
/// No column is wider; what does not fit is cut, and whole in the CSV file.
const WIDEST_COLUMN: i32 = 3600;
/// More columns than these cannot be drawn.
const MOST_COLUMNS: usize = 40;
/// More rows than these are in the CSV file only.
const MOST_ROWS: usize = 60;

/// How a table is laid out.
pub(crate) struct TablePlan {
    name: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    left: Vec<bool>,
    widths: Vec<i32>,
    note: Option<String>,
}

impl TablePlan {
    /// Lays a table out.
    pub(crate) fn new(scene: &Scene<'_>, figure: &TableFigure) -> Result<Self, ReportError> {
        let table = scene.table(&figure.table)?;
        data::check_table(table)?;
        if table.columns.is_empty() {
            return Err(scene.empty());
        }
        scene.limit("columns", table.columns.len(), MOST_COLUMNS)?;
        let head: Vec<String> = table.columns.iter().map(heading).collect();
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .take(MOST_ROWS)
            .map(|row| row.iter().zip(&table.columns).map(|(c, column)| shown(c, column)).collect())
            .collect();
        let left = (0..head.len()).map(|column| is_text(table, column)).collect();
        let share = WIDEST / whole(head.len()) - GAP;
        let widths = head
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = rows.iter().map(|row| BODY.width(&row[column]));
                let wanted = cells.chain([HEAD.width(name)]).max().unwrap_or(0);
                wanted.min(WIDEST_COLUMN).min(share.max(600))
            })
            .collect();
        let more = table.rows.len().saturating_sub(MOST_ROWS);
        let note = (more > 0).then(|| format!("and {more} more rows in the CSV file"));
        Ok(Self { name: table.name.clone(), head, rows, left, widths, note })
    }

    fn width(&self) -> i32 {
        self.widths.iter().sum::<i32>() + GAP * (whole(self.widths.len()) - 1)
    }

    fn row(
        &self,
        canvas: &Canvas,
        cells: &[String],
        (left, baseline): (i32, i32),
        kind: Type,
    ) -> Result<(), ReportError> {
        let mut x = left;
        for ((cell, &width), &is_text) in cells.iter().zip(&self.widths).zip(&self.left) {
            let text = kind.fit(cell, width);
            if is_text {
                canvas.text(&text, (x, baseline), HPos::Left, kind)?;
            } else {
                canvas.text(&text, (x + width, baseline), HPos::Right, kind)?;
            }
            x += width + GAP;
        }
        Ok(())
    }
}

impl Plan for TablePlan {
    fn size(&self) -> (i32, i32) {
        let lines = 1 + whole(self.rows.len()) + i32::from(self.note.is_some());
        (self.width(), lines * ROW + 120)
    }

    fn draw(&self, canvas: &Canvas, (x, y): (i32, i32)) -> Result<(), ReportError> {
        let (width, height) = self.size();
        let area = Area { x, y, width, height };
        canvas.part(Role::Panel, &self.name, area, |canvas| {
            self.row(canvas, &self.head, (x, y + 150), HEAD)?;
            canvas.rule((x, y + ROW + 20), width, SOFT)?;
            let mut baseline = y + ROW + 190;
            for row in &self.rows {
                self.row(canvas, row, (x, baseline), BODY)?;
                baseline += ROW;
            }
            canvas.rule((x, baseline - ROW + 70), width, RULE)?;
            match &self.note {
                Some(note) => canvas.text(note, (x, baseline + 20), HPos::Left, NOTE),
                None => Ok(()),
            }
        })
    }
}

/// Says whether a column holds words: it is then set flush left.
pub(crate) fn is_text(table: &Table, column: usize) -> bool {
    table.rows.iter().any(|row| matches!(row.get(column), Some(Cell::Text(_))))
}

/// Writes the heading of a column, with its unit.
pub(crate) fn heading(column: &Column) -> String {
    let name = column.name.replace('_', " ");
    if column.unit.is_empty() { name } else { format!("{name} ({})", column.unit) }
}

/// Writes a cell as readers see it.
pub(crate) fn shown(cell: &Cell, column: &Column) -> String {
    match (cell, column.decimals) {
        (Cell::Integer(value), _) => value.to_string().replace('-', "−"),
        (Cell::Number(value), Some(decimals)) => fixed(*value, usize::from(decimals)),
        (Cell::Number(value), None) => number(*value),
        (Cell::Text(text), _) => text.clone(),
        (Cell::Empty, _) => String::new(),
    }
}
