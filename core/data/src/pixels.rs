//! Pixels: a picture in memory.

use std::fmt;
use std::sync::Arc;

use crate::DataError;

/// A picture of 8-bit red, green and blue, row by row from the top left; cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    height: usize,
    width: usize,
    values: Arc<[u8]>,
}

impl Pixels {
    /// Makes a picture of `height · width` triples of red, green and blue.
    ///
    /// # Errors
    /// Fails when the number of values is another, or zero.
    pub fn new(height: usize, width: usize, values: Vec<u8>) -> Result<Self, DataError> {
        let count = values.len();
        let needed = height.checked_mul(width).and_then(|area| area.checked_mul(3));
        if needed != Some(count) || count == 0 {
            return Err(DataError::WrongCount { height, width, count });
        }
        Ok(Self { height, width, values: values.into() })
    }

    /// Returns `[height, width]` in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Borrows the values, `[height, width, 3]` in row-major order.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Iterates over the pixels' red, green and blue, row by row.
    pub(crate) fn triples(&self) -> impl ExactSizeIterator<Item = [u8; 3]> + '_ {
        self.values.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]])
    }

    /// Cuts out a rectangle that lies inside the picture.
    pub(crate) fn cut(&self, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Self {
        let values = self
            .values
            .chunks_exact(self.width * 3)
            .skip(top)
            .take(height)
            .flat_map(|row| &row[left * 3..(left + width) * 3])
            .copied()
            .collect();
        Self { height, width, values }
    }

    /// Makes every pixel grey by its luma, as ITU-R BT.601 weighs the colours (PIL's `L`).
    pub(crate) fn greyed(&self) -> Self {
        let values = self.triples().flat_map(|pixel| [luma(pixel); 3]).collect();
        Self { height: self.height, width: self.width, values }
    }
}

/// PIL's own integer arithmetic, so that grey pictures agree to the bit.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pixels({} × {})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_refuse_a_wrong_number_of_values() {
        let error = Pixels::new(2, 1, vec![0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "1 × 2 pixels need three values each, got 5 values");
        assert!(Pixels::new(0, 4, Vec::new()).is_err());
    }

    #[test]
    fn a_cut_holds_its_own_pixels() {
        let pixels = Pixels::new(3, 4, (0..36).collect()).unwrap();
        let cut = pixels.cut([1, 2], [2, 1]);
        assert_eq!(cut.values(), [18, 19, 20, 30, 31, 32]);
    }

    #[test]
    fn grey_weighs_the_colours() {
        let pixels = Pixels::new(1, 3, vec![255, 0, 0, 0, 255, 0, 0, 0, 255]).unwrap();
        assert_eq!(pixels.greyed().values(), [76, 76, 76, 150, 150, 150, 29, 29, 29]);
    }
}
