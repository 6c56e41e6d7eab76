//! Small pictures in a panel, one of them with a frame.

use convscope_protocol::figure::{Colours, Tile};

use crate::chart::Scene;
use crate::pixels::Pixels;
use crate::svg::{Area, Canvas, whole};
use crate::{ReportError, colour, theme};

/// Between tiles, in tenths of a pixel.
const GAP: i32 = 40;
/// Tiles of one panel.
const MOST: usize = 400;

/// Tiles in rows, each in a square.
pub(super) struct TilesPlan {
    columns: usize,
    /// Of the square, in tenths of a pixel.
    side: i32,
    tiles: Vec<TilePlan>,
    framed: Option<usize>,
    is_photographed: bool,
}

struct TilePlan {
    title: String,
    /// `None` where there is nothing to show.
    picture: Option<Pixels>,
    size: (i32, i32),
}

impl TilesPlan {
    /// Lays tiles out in a panel that is `width` tenths of a pixel wide.
    pub(super) fn new(
        scene: &Scene<'_>,
        columns: usize,
        colours: &Colours,
        tiles: &[Tile],
        framed: Option<usize>,
        width: i32,
    ) -> Result<Self, ReportError> {
        if columns == 0 || tiles.is_empty() {
            return Err(scene.empty());
        }
        scene.limit("tiles in a panel", tiles.len().max(columns), MOST)?;
        let side = ((width - GAP * whole(columns - 1)) / whole(columns) / 10 * 10).max(10);
        let tiles = tiles.iter().map(|tile| {
            let numbers = scene.numbers(&tile.source, colours)?;
            let scale = f64::from(side) / numbers.side() as f64;
            let grown = |extent: usize| ((extent as f64 * scale).round() as i32).max(10);
            let size = (grown(numbers.width), grown(numbers.height));
            let numbers = if scale < 10.0 { numbers.shrunk(scale / 10.0) } else { numbers };
            let picture = (!numbers.is_absent()).then(|| colour::paint(&numbers, colours));
            Ok(TilePlan { title: tile.title.clone(), picture, size })
        });
        let tiles = tiles.collect::<Result<_, ReportError>>()?;
        let is_photographed = *colours == Colours::Photograph;
        Ok(Self { columns, side, tiles, framed, is_photographed })
    }

    /// Returns the height of all rows.
    pub(super) fn height(&self) -> i32 {
        let rows = whole(self.tiles.len().div_ceil(self.columns));
        rows * self.side + (rows - 1) * GAP
    }

    /// Draws all tiles.
    pub(super) fn draw(&self, canvas: &Canvas, (left, top): (i32, i32)) -> Result<(), ReportError> {
        for (place, tile) in self.tiles.iter().enumerate() {
            let (width, height) = tile.size;
            let step = self.side + GAP;
            let area = Area {
                x: left + whole(place % self.columns) * step + (self.side - width) / 20 * 10,
                y: top + whole(place / self.columns) * step + (self.side - height) / 20 * 10,
                width,
                height,
            };
            match &tile.picture {
                Some(picture) => {
                    if picture.has_gaps() {
                        canvas.hatch(area, theme::FAINT);
                    }
                    canvas.picture(picture, area, &tile.title)?;
                }
                None => canvas.frame(area, theme::FAINT)?,
            }
            if self.framed == Some(place) {
                canvas.frame(area.grown(10), theme::TEXT)?;
                canvas.frame(area.grown(20), theme::TEXT)?;
            } else if self.is_photographed {
                canvas.frame(area.grown(10), theme::FAINT)?;
            }
        }
        Ok(())
    }
}
