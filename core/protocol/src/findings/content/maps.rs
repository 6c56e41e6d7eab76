//! Checks of [`Maps`].

use super::{Part, Problem, check_source, check_tiles, find_part};
use crate::figure::{CellPlaces, Colours, MapRow, Maps, Mark, Panel, PanelContent};
use crate::{Findings, Values};

pub(super) fn check_maps(findings: &Findings, maps: &Maps) -> Result<(), Problem> {
    if maps.rows.is_empty() {
        return Err(Problem("it has no rows".to_owned()));
    }
    maps.rows.iter().try_for_each(|row| {
        check_row(findings, row).map_err(|problem| problem.within(&format!("row `{}`", row.label)))
    })
}

fn check_row(findings: &Findings, row: &MapRow) -> Result<(), Problem> {
    let &MapRow { height, width, .. } = row;
    if height == 0 || width == 0 {
        return Err(Problem(format!("a picture of {height} × {width} pixels is none")));
    }
    if row.panels.is_empty() {
        return Err(Problem("it has no panels".to_owned()));
    }
    row.panels.iter().try_for_each(|panel| {
        let checked = panel.marks.iter().try_for_each(|mark| check_mark(mark, row));
        checked
            .and_then(|()| check_panel(findings, panel, row))
            .map_err(|problem| problem.within(&format!("panel `{}`", panel.label)))
    })
}

fn check_panel(findings: &Findings, panel: &Panel, row: &MapRow) -> Result<(), Problem> {
    match &panel.content {
        PanelContent::Map { source, colours, cells } => {
            check_cells(cells, &check_source(findings, source, colours)?, row)
        }
        PanelContent::Classes { source, cells, .. } => {
            let part = find_part(findings, source)?;
            if !matches!(part.array.values, Values::U32(_)) || part.channels != 1 {
                let name = &part.array.name;
                return Err(Problem(format!(
                    "`{name}` holds no classes: those are indices [row, column]"
                )));
            }
            check_cells(cells, &part, row)
        }
        PanelContent::Overlay { photograph, source, limit, cells } => {
            check_source(findings, photograph, &Colours::Photograph)?;
            let colours = Colours::Signed { limit: *limit };
            check_cells(cells, &check_source(findings, source, &colours)?, row)
        }
        PanelContent::Tiles { columns, colours, tiles, framed } => {
            if !panel.marks.is_empty() {
                return Err(Problem("tiles take no marks".to_owned()));
            }
            if let Some(framed) = framed.filter(|&framed| framed >= tiles.len()) {
                return Err(Problem(format!("tile {framed} of {} has the frame", tiles.len())));
            }
            check_tiles(findings, "it", *columns, colours, tiles)
        }
    }
}

/// Checks that a rectangle has an area within the picture.
fn check_mark(mark: &Mark, row: &MapRow) -> Result<(), Problem> {
    let region = &mark.region;
    let is_inside = |start: i64, extent: u64, whole: usize| {
        let end = u64::try_from(start).ok().and_then(|start| start.checked_add(extent));
        extent > 0 && end.is_some_and(|end| end <= whole as u64)
    };
    if is_inside(region.top, region.height, row.height)
        && is_inside(region.left, region.width, row.width)
    {
        return Ok(());
    }
    Err(Problem(format!(
        "mark `{}` of {} × {} pixels at row {}, column {} does not lie within a picture of {} × {}",
        mark.title, region.height, region.width, region.top, region.left, row.height, row.width
    )))
}

/// Checks that every cell has a place within the picture.
fn check_cells(cells: &CellPlaces, part: &Part<'_>, row: &MapRow) -> Result<(), Problem> {
    let CellPlaces::Windows { height, width, rows, columns } = cells else {
        return Ok(());
    };
    let check = |axis: &str, starts: &[usize], window: usize, cells: usize, whole: usize| {
        let name = &part.array.name;
        if starts.len() != cells {
            let places = starts.len();
            return Err(Problem(format!(
                "`{name}` has {cells} {axis}s, and windows have {places}"
            )));
        }
        let ascend = starts.windows(2).all(|pair| pair[0] < pair[1]);
        let last = starts.last().and_then(|&last| last.checked_add(window));
        if window == 0 || !ascend || last.is_none_or(|end| end > whole) {
            return Err(Problem(format!(
                "the {axis}s {starts:?} of windows of {window} pixels do not ascend within a \
                 picture of {whole}"
            )));
        }
        Ok(())
    };
    check("row", rows, *height, part.height, row.height)?;
    check("column", columns, *width, part.width, row.width)
}
