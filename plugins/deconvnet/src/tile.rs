//! Where a receptive field lies in the tile that shows it.

use convscope_sdk::protocol::Region;

/// A receptive field on the picture: what of it is visible, and its place in a tile.
///
/// All tiles of a layer have the size of a whole receptive field, or of the picture where that is
/// smaller, so that clipped ones keep their place: what lies beyond the border stays empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// First row and column of the visible part in the picture.
    pub(crate) start: [usize; 2],
    /// `[height, width]` of the visible part.
    pub(crate) size: [usize; 2],
    /// Row and column of the visible part in the tile.
    pub(crate) offset: [usize; 2],
}

/// Returns the size of the tiles of a layer whose receptive field is `field` on pictures of
/// `picture`, both `[height, width]`.
pub(crate) fn tile_size(field: Region, picture: [usize; 2]) -> [usize; 2] {
    [field.height.min(picture[0] as u64) as usize, field.width.min(picture[1] as u64) as usize]
}

impl Tile {
    /// Places a receptive field, which may hang over the border, in a tile of `tile`.
    pub(crate) fn new(field: Region, picture: [usize; 2], tile: [usize; 2]) -> Self {
        let [(y, height, dy), (x, width, dx)] = [
            place(field.top, field.height, picture[0], tile[0]),
            place(field.left, field.width, picture[1], tile[1]),
        ];
        Self { start: [y, x], size: [height, width], offset: [dy, dx] }
    }

    /// Returns top, left, height and width of the visible part.
    pub(crate) fn region(&self) -> [u32; 4] {
        [self.start[0], self.start[1], self.size[0], self.size[1]].map(|number| number as u32)
    }
}

/// Returns start and length of what is visible along one axis, and its place in the tile.
fn place(start: i64, length: u64, picture: usize, tile: usize) -> (usize, usize, usize) {
    let border = i64::try_from(picture).unwrap_or(i64::MAX);
    let first = start.clamp(0, border);
    let end = start.saturating_add_unsigned(length).clamp(first, border);
    let visible = (end - first) as usize;
    let hidden = first.saturating_sub(start) as usize;
    (first as usize, visible, hidden.min(tile.saturating_sub(visible)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(top: i64, left: i64, size: u64) -> Region {
        Region { top, left, height: size, width: size }
    }

    #[test]
    fn a_field_inside_fills_its_tile() {
        let tile = Tile::new(field(3, 4, 5), [20, 20], [5, 5]);
        assert_eq!(tile, Tile { start: [3, 4], size: [5, 5], offset: [0, 0] });
    }

    #[test]
    fn a_field_over_the_border_keeps_its_place() {
        let tile = Tile::new(field(-2, 17, 5), [20, 20], [5, 5]);
        assert_eq!(tile, Tile { start: [0, 17], size: [3, 3], offset: [2, 0] });
        assert_eq!(tile.region(), [0, 17, 3, 3]);
    }

    #[test]
    fn a_field_larger_than_the_picture_stays_within_the_tile() {
        let size = tile_size(field(-4, -4, 30), [20, 20]);
        assert_eq!(size, [20, 20]);
        let tile = Tile::new(field(-4, -4, 30), [20, 20], size);
        assert_eq!(tile, Tile { start: [0, 0], size: [20, 20], offset: [0, 0] });
        let shifted = Tile::new(field(-20, 0, 30), [20, 20], size);
        assert_eq!(shifted, Tile { start: [0, 0], size: [10, 20], offset: [10, 0] });
    }
}
