//! From pixels of a row's picture to its panels.

use convscope_protocol::figure::{MapRow, Mark};

use crate::pixels::Numbers;
use crate::svg::Area;

/// What all panels of a row share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Height and width of the picture in its own pixels.
    pub(super) extent: (usize, usize),
    /// Height and width as drawn, in tenths of a pixel.
    pub(super) size: (i32, i32),
    /// Width of a panel: the longer side of the picture.
    pub(super) width: i32,
}

impl Frame {
    /// Shrinks or grows a row's picture to panels so wide.
    pub(super) fn new(row: &MapRow, width: i32) -> Self {
        let scale = f64::from(width) / row.height.max(row.width).max(1) as f64;
        let scaled = |extent: usize| ((extent as f64 * scale).round() as i32).max(10);
        Self {
            extent: (row.height, row.width),
            size: (scaled(row.height), scaled(row.width)),
            width,
        }
    }

    /// The picture in whole pixels of the panel.
    pub(super) fn pixels(&self) -> (usize, usize) {
        let whole = |tenths: i32| (tenths / 10).max(1) as usize;
        (whole(self.size.0), whole(self.size.1))
    }

    /// Tenths of a pixel of the figure to a pixel of the picture.
    pub(super) fn tenths(&self) -> f64 {
        f64::from(self.width) / self.extent.0.max(self.extent.1) as f64
    }

    /// Where first and last row and first and last column lie on the panel.
    pub(super) fn area(&self, [top, bottom, left, right]: [f64; 4]) -> Area {
        let place = |at: f64, extent: usize, size: i32| {
            (at / extent as f64 * f64::from(size)).round() as i32
        };
        let [y, end_y] = [top, bottom].map(|row| place(row, self.extent.0, self.size.0));
        let [x, end_x] = [left, right].map(|column| place(column, self.extent.1, self.size.1));
        Area { x, y, width: end_x - x, height: end_y - y }
    }

    /// Where a mark lies on the panel. `None` if it leaves the picture or has no area.
    pub(super) fn mark(&self, mark: &Mark) -> Option<Area> {
        let ends = |start: i64, length: u64, extent: usize| {
            let start = u64::try_from(start).ok()?;
            let end = start.checked_add(length)?;
            (length > 0 && end <= extent as u64).then_some((start as f64, end as f64))
        };
        let (top, bottom) = ends(mark.region.top, mark.region.height, self.extent.0)?;
        let (left, right) = ends(mark.region.left, mark.region.width, self.extent.1)?;
        Some(self.area([top, bottom, left, right]))
    }

    /// Averages numbers that have more pixels than the panel.
    pub(super) fn shrunk(&self, numbers: Numbers) -> Numbers {
        let (height, width) = self.pixels();
        let factor = height as f64 / numbers.height as f64;
        let factor = factor.max(width as f64 / numbers.width as f64);
        if factor < 1.0 { numbers.shrunk(factor) } else { numbers }
    }
}
