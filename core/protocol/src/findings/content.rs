//! Checks that a figure shows what exists, and nothing that cannot be drawn.

mod maps;

use super::Findings;
use crate::figure::{Colours, FigureContent, Source, Tile};
use crate::{Array, Values};

/// What is wrong with a figure, in words for
/// [`FindingsError::WrongFigure`](super::FindingsError::WrongFigure).
pub(super) struct Problem(pub(super) String);

impl Problem {
    /// Says where in the figure it is.
    fn within(mut self, place: &str) -> Self {
        self.0.insert_str(0, ": ");
        self.0.insert_str(0, place);
        self
    }
}

/// Checks the content of a figure against what was emitted before it.
pub(super) fn check_content(findings: &Findings, content: &FigureContent) -> Result<(), Problem> {
    match content {
        FigureContent::Picture(picture) => {
            check_source(findings, &picture.source, &picture.colours).map(drop)
        }
        FigureContent::Grid(grid) => {
            let mut blocks = grid.groups.iter().flat_map(|group| &group.blocks);
            blocks.try_for_each(|block| {
                let what = format!("block `{}`", block.label);
                check_tiles(findings, &what, block.columns, &block.colours, &block.tiles)
            })
        }
        FigureContent::Maps(maps) => maps::check_maps(findings, maps),
        FigureContent::Table(figure) => match findings.table(&figure.table) {
            Some(_) => Ok(()),
            None => Err(Problem(format!("there is no table `{}`", figure.table))),
        },
    }
}

fn check_tiles(
    findings: &Findings,
    what: &str,
    columns: usize,
    colours: &Colours,
    tiles: &[Tile],
) -> Result<(), Problem> {
    if columns == 0 {
        return Err(Problem(format!("{what} has no columns")));
    }
    tiles.iter().try_for_each(|tile| check_source(findings, &tile.source, colours).map(drop))
}

/// A part of an array that makes a picture.
struct Part<'a> {
    array: &'a Array,
    channels: usize,
    height: usize,
    width: usize,
}

fn find_part<'a>(findings: &'a Findings, source: &Source) -> Result<Part<'a>, Problem> {
    let Source { array: name, index } = source;
    let array =
        findings.array(name).ok_or_else(|| Problem(format!("there is no array `{name}`")))?;
    let shape = array.values.shape();
    let is_inside = index.len() <= shape.len()
        && index.iter().zip(shape).all(|(&place, &extent)| place < extent);
    if !is_inside {
        return Err(Problem(format!("`{name}` of shape {shape:?} has no part {index:?}")));
    }
    let (channels, height, width) = match shape[index.len()..] {
        [height, width] => (1, height, width),
        [channels @ (1 | 3), height, width] => (channels, height, width),
        _ => (0, 0, 0),
    };
    if height == 0 || width == 0 {
        return Err(Problem(format!(
            "`{name}` at {index:?} has shape {:?}; a picture is [row, column] or [channel, row, \
             column] with one or three channels",
            &shape[index.len()..]
        )));
    }
    Ok(Part { array, channels, height, width })
}

fn check_source<'a>(
    findings: &'a Findings,
    source: &Source,
    colours: &Colours,
) -> Result<Part<'a>, Problem> {
    let part = find_part(findings, source)?;
    let Part { array: Array { name, values, .. }, channels, .. } = &part;
    match *colours {
        Colours::Photograph if matches!(values, Values::U32(_)) => {
            Err(Problem(format!("`{name}` is no photograph: its values are indices")))
        }
        Colours::Signed { .. } | Colours::Viridis { .. } if *channels != 1 => {
            Err(Problem(format!("`{name}` has {channels} channels; this colour map takes one")))
        }
        Colours::AroundGrey { limit } | Colours::Signed { limit }
            if !(limit.is_finite() && limit >= 0.0) =>
        {
            Err(Problem(format!("the colours of `{name}` end at {limit}")))
        }
        Colours::Viridis { low, high } if !(low.is_finite() && high.is_finite() && low <= high) => {
            Err(Problem(format!("the colours of `{name}` go from {low} to {high}")))
        }
        _ => Ok(part),
    }
}
