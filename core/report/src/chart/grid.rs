//! Groups of blocks of small pictures. Zeiler & Fergus (2013), figure 2: for every feature map the
//! strongest projections beside the patches of the pictures that caused them.

use convscope_protocol::figure::{Block, Colours, Grid, Group};
use plotters::style::text_anchor::HPos;

use super::legend::{Legend, meaning, sentence};
use super::{HEADING, LABEL, Plan, Scene, WIDEST};
use crate::pixels::{Numbers, Pixels};
use crate::svg::markup::number;
use crate::svg::{Area, Canvas, Role, whole};
use crate::{ReportError, colour, theme};

/// The largest box of a tile, in pixels.
const LARGEST_BOX: usize = 88;
/// Tiles, empty boxes and groups of one figure.
const MOST_BOXES: usize = 20_000;
/// Between tiles, blocks, groups beside and below each other; in tenths of a pixel.
const TILE_GAP: i32 = 30;
const BLOCK_GAP: i32 = 120;
const COLUMN_GAP: i32 = 320;
const ROW_GAP: i32 = 260;
/// From the top of a group to the top of its block labels, and from there to the tiles.
const HEADING_HEIGHT: i32 = 220;
const BLOCK_LABEL_HEIGHT: i32 = 230;
const LEGEND_GAP: i32 = 240;

/// How a grid is laid out.
pub(crate) struct GridPlan {
    groups: Vec<GroupPlan>,
    /// Width and height of the box of every tile, in tenths of a pixel.
    tile: (i32, i32),
    group: (i32, i32),
    columns: usize,
    width: i32,
    legends: Vec<Legend>,
}

struct GroupPlan {
    label: String,
    notes: Vec<String>,
    blocks: Vec<BlockPlan>,
    note_lines: usize,
}

struct BlockPlan {
    label: String,
    columns: usize,
    rows: usize,
    is_photographed: bool,
    tiles: Vec<TilePlan>,
}

struct TilePlan {
    title: String,
    /// `None` where there is nothing to show.
    picture: Option<Pixels>,
    /// Width and height as drawn, in tenths of a pixel.
    size: (i32, i32),
}

impl GridPlan {
    /// Lays a grid out: all tiles get boxes of one size, and small pictures grow by whole factors.
    pub(crate) fn new(scene: &Scene<'_>, grid: &Grid) -> Result<Self, ReportError> {
        let blocks = || grid.groups.iter().flat_map(|group| &group.blocks);
        if blocks().all(|block| block.tiles.is_empty()) || blocks().any(|b| b.columns == 0) {
            return Err(scene.empty());
        }
        let rows =
            blocks().map(|block| block.tiles.len().div_ceil(block.columns)).max().unwrap_or(1);
        let boxes = blocks().map(|block| block.columns.saturating_mul(rows));
        let boxes = boxes.fold(grid.groups.len(), usize::saturating_add);
        scene.limit("groups and tiles", boxes, MOST_BOXES)?;
        let mut side = 1;
        for block in blocks() {
            for tile in &block.tiles {
                side = side.max(scene.numbers(&tile.source, &block.colours)?.side());
            }
        }
        let scale = scale(side);
        let own_scales = has_own_scales(grid);
        let mut tile = (0, 0);
        let mut groups = Vec::new();
        for group in &grid.groups {
            let mut plans = Vec::new();
            for block in &group.blocks {
                let mut tiles = Vec::new();
                for shown in &block.tiles {
                    // Read again rather than kept: only the small pictures stay in memory.
                    let numbers = scene.numbers(&shown.source, &block.colours)?;
                    let planned = TilePlan::new(&shown.title, &numbers, block, scale);
                    tile = (tile.0.max(planned.size.0), tile.1.max(planned.size.1));
                    tiles.push(planned);
                }
                plans.push(BlockPlan {
                    label: label(block, own_scales),
                    columns: block.columns,
                    rows,
                    is_photographed: block.colours == Colours::Photograph,
                    tiles,
                });
            }
            groups.push(GroupPlan::new(group, plans));
        }
        Ok(Self::arrange(groups, tile, grid, own_scales))
    }

    fn arrange(
        mut groups: Vec<GroupPlan>,
        tile: (i32, i32),
        grid: &Grid,
        own_scales: bool,
    ) -> Self {
        let tiles = groups.iter().map(|group| group.width(tile)).max().unwrap_or(0);
        let names = groups.iter().map(|group| HEADING.width(&group.label)).max().unwrap_or(0);
        let group_width = tiles.max(names.min(tiles.max(3000)));
        let columns = usize::try_from((WIDEST + COLUMN_GAP) / (group_width + COLUMN_GAP))
            .unwrap_or(1)
            .clamp(1, groups.len().max(1));
        let mut note_lines = 0;
        for group in &mut groups {
            group.notes = group.notes.iter().flat_map(|n| LABEL.wrap(n, group_width)).collect();
            group.label = HEADING.fit(&group.label, group_width);
            note_lines = note_lines.max(group.notes.len());
        }
        for group in &mut groups {
            group.note_lines = note_lines;
        }
        let height = groups.iter().map(|group| group.height(tile)).max().unwrap_or(0);
        let width = group_width * whole(columns) + COLUMN_GAP * (whole(columns) - 1);
        let legends = legends(grid, own_scales);
        Self { groups, tile, group: (group_width, height), columns, width, legends }
    }

    fn rows(&self) -> i32 {
        whole(self.groups.len().div_ceil(self.columns))
    }

    fn panels_height(&self) -> i32 {
        self.rows() * self.group.1 + (self.rows() - 1) * ROW_GAP
    }
}

impl Plan for GridPlan {
    fn size(&self) -> (i32, i32) {
        let sizes = || self.legends.iter().map(Legend::size);
        let width = sizes().map(|(width, _)| width).max().unwrap_or(0);
        let height: i32 = sizes().map(|(_, height)| height + LEGEND_GAP).sum();
        (self.width.max(width), self.panels_height() + height)
    }

    fn draw(&self, canvas: &Canvas, (left, top): (i32, i32)) -> Result<(), ReportError> {
        for (place, group) in self.groups.iter().enumerate() {
            let column = whole(place % self.columns);
            let row = whole(place / self.columns);
            let area = Area {
                x: left + column * (self.group.0 + COLUMN_GAP),
                y: top + row * (self.group.1 + ROW_GAP),
                width: self.group.0,
                height: self.group.1,
            };
            canvas.part(Role::Panel, &group.label, area, |canvas| {
                group.draw(canvas, (area.x, area.y), self.tile)
            })?;
        }
        let mut y = top + self.panels_height();
        for legend in &self.legends {
            y += LEGEND_GAP;
            legend.draw(canvas, (left, y))?;
            y += legend.size().1;
        }
        Ok(())
    }
}

impl GroupPlan {
    fn new(group: &Group, blocks: Vec<BlockPlan>) -> Self {
        let notes = if group.note.is_empty() { Vec::new() } else { vec![group.note.clone()] };
        Self { label: group.label.clone(), notes, blocks, note_lines: 0 }
    }

    fn width(&self, tile: (i32, i32)) -> i32 {
        let blocks: i32 = self.blocks.iter().map(|block| block.size(tile).0).sum();
        blocks + BLOCK_GAP * (whole(self.blocks.len()) - 1).max(0)
    }

    fn tiles_top(&self) -> i32 {
        let notes = whole(self.note_lines) * LABEL.line();
        let labelled = self.blocks.iter().any(|block| !block.label.is_empty());
        HEADING_HEIGHT + notes + if labelled { BLOCK_LABEL_HEIGHT } else { 0 }
    }

    fn height(&self, tile: (i32, i32)) -> i32 {
        let blocks = self.blocks.iter().map(|block| block.size(tile).1).max().unwrap_or(0);
        self.tiles_top() + blocks
    }

    fn draw(
        &self,
        canvas: &Canvas,
        (left, top): (i32, i32),
        tile: (i32, i32),
    ) -> Result<(), ReportError> {
        canvas.text(&self.label, (left, top + 140), HPos::Left, HEADING)?;
        canvas.lines(&self.notes, (left, top + 140 + LABEL.line() + 20), LABEL)?;
        let tiles_top = top + self.tiles_top();
        let mut x = left;
        for block in &self.blocks {
            let (width, _) = block.size(tile);
            let label = LABEL.fit(&block.label, width);
            canvas.text(&label, (x, tiles_top - 60), HPos::Left, LABEL)?;
            block.draw(canvas, (x, tiles_top), tile)?;
            x += width + BLOCK_GAP;
        }
        Ok(())
    }
}

impl BlockPlan {
    fn size(&self, tile: (i32, i32)) -> (i32, i32) {
        let extent =
            |count: usize, side: i32| whole(count) * side + (whole(count) - 1).max(0) * TILE_GAP;
        (extent(self.columns, tile.0), extent(self.rows, tile.1))
    }

    fn draw(
        &self,
        canvas: &Canvas,
        (left, top): (i32, i32),
        tile: (i32, i32),
    ) -> Result<(), ReportError> {
        for place in 0..self.columns * self.rows {
            let area = Area {
                x: left + whole(place % self.columns) * (tile.0 + TILE_GAP),
                y: top + whole(place / self.columns) * (tile.1 + TILE_GAP),
                width: tile.0,
                height: tile.1,
            };
            match self.tiles.get(place) {
                Some(TilePlan { title, picture: Some(picture), size }) => {
                    // A picture that is smaller than the box stands in its middle.
                    let inner = Area {
                        x: area.x + (tile.0 - size.0) / 20 * 10,
                        y: area.y + (tile.1 - size.1) / 20 * 10,
                        width: size.0,
                        height: size.1,
                    };
                    if picture.has_gaps() {
                        canvas.hatch(inner, theme::FAINT);
                    }
                    canvas.picture(picture, inner, title)?;
                    if self.is_photographed {
                        // Around it: a white picture on a white page has an edge.
                        canvas.frame(inner.grown(10), theme::FAINT)?;
                    }
                }
                _ => canvas.frame(area, theme::FAINT)?,
            }
        }
        Ok(())
    }
}

impl TilePlan {
    fn new(title: &str, numbers: &Numbers, block: &Block, scale: Scale) -> Self {
        let numbers = match scale {
            Scale::Grow(_) => numbers.clone(),
            Scale::Shrink(factor) => numbers.shrunk(factor),
        };
        let grown = |side: usize| match scale {
            Scale::Grow(factor) => whole(side * factor * 10),
            Scale::Shrink(_) => whole(side) * 10,
        };
        let size = (grown(numbers.width), grown(numbers.height));
        let picture = (!numbers.is_absent()).then(|| colour::paint(&numbers, &block.colours));
        Self { title: title.to_owned(), picture, size }
    }
}

/// From pixels of the array to pixels of the figure.
#[derive(Clone, Copy, Debug)]
enum Scale {
    /// Every pixel becomes a square of so many.
    Grow(usize),
    /// Pixels are averaged.
    Shrink(f64),
}

fn scale(side: usize) -> Scale {
    match LARGEST_BOX / side {
        0 => Scale::Shrink(LARGEST_BOX as f64 / side as f64),
        factor => Scale::Grow(factor),
    }
}

fn scaled_blocks(grid: &Grid) -> impl Iterator<Item = &Block> {
    let blocks = grid.groups.iter().flat_map(|group| &group.blocks);
    blocks.filter(|block| colour::ends(&block.colours).is_some())
}

/// Says whether blocks with the same kind of colours have different scales.
fn has_own_scales(grid: &Grid) -> bool {
    scaled_blocks(grid).any(|block| {
        scaled_blocks(grid).any(|other| {
            let same =
                std::mem::discriminant(&block.colours) == std::mem::discriminant(&other.colours);
            same && block.colours != other.colours
        })
    })
}

/// Writes the words above a block, with its scale where every block has one of its own.
fn label(block: &Block, own_scales: bool) -> String {
    match colour::ends(&block.colours) {
        Some((low, high)) if own_scales => {
            let scale = match block.colours {
                Colours::Viridis { .. } => {
                    format!("{} … {}", number(f64::from(low)), number(f64::from(high)))
                }
                _ => format!("±{}", number(f64::from(high))),
            };
            if block.label.is_empty() { scale } else { format!("{}, {scale}", block.label) }
        }
        _ => block.label.clone(),
    }
}

/// One legend for each kind of colours.
fn legends(grid: &Grid, own_scales: bool) -> Vec<Legend> {
    let mut legends: Vec<Legend> = Vec::new();
    for block in scaled_blocks(grid) {
        let meaning = meaning(&block.colours);
        let legend = if own_scales {
            let words = [&block.label, &grid.unit, meaning, "the limits stand above the blocks"];
            Legend::relative(&block.colours, &sentence(&words))
        } else {
            Legend::new(&block.colours, &sentence(&[&block.label, &grid.unit, meaning]))
        };
        legends.extend(legend.filter(|legend| !legends.contains(legend)));
    }
    legends
}
