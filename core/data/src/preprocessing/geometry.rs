//! Sizes of the resized picture, and where the crop lies in it.

use std::borrow::Cow;

use convscope_runtime::Tensor;

use super::{Centre, LongSide, Mean, Preprocessing, Resize};
use crate::DataError;

/// The largest resized picture, in pixels: a long, thin one would grow without bound.
const MAX_PIXELS: usize = 64_000_000;

/// Resizing and cropping of one picture; sizes are `[height, width]`, positions `[y, x]`.
#[derive(Debug)]
pub(super) struct Geometry {
    original: [usize; 2],
    pub(super) resized: [usize; 2],
    pub(super) start: [usize; 2],
    input: [usize; 2],
}

impl Geometry {
    pub(super) fn new(
        rules: &Preprocessing,
        original: [usize; 2],
        input: [usize; 2],
    ) -> Result<Self, DataError> {
        let resized = match (rules.resize, rules.crop) {
            (None, None) => input,
            (None, Some(_)) => original,
            (Some(Resize::Exact(size)), _) => size,
            (Some(Resize::ShorterSide { length, other }), _) => {
                shorter_side(original, length, other)
            }
        };
        if resized[0].checked_mul(resized[1]).is_none_or(|area| area > MAX_PIXELS) {
            let reason = format!(
                "a picture of {} would become {}; at most {MAX_PIXELS} pixels are made",
                shown(original),
                shown(resized)
            );
            return Err(rules.unfit("resize", reason));
        }
        let Some(crop) = rules.crop else {
            if resized == input {
                return Ok(Self { original, resized, start: [0, 0], input });
            }
            let reason = format!(
                "a picture of {} becomes {}, the network reads {}; add crop = {input:?}, or say \
                 resize = {input:?}",
                shown(original),
                shown(resized),
                shown(input)
            );
            return Err(rules.unfit("resize", reason));
        };
        check_crop(rules, crop, input)?;
        if (0..2).any(|axis| crop[axis] > resized[axis]) {
            let reason = format!(
                "{} does not fit into the picture of {} before it; resize it larger",
                shown(crop),
                shown(resized)
            );
            return Err(rules.unfit("crop", reason));
        }
        let start = [0, 1].map(|axis| {
            let half = (resized[axis] - crop[axis]) as f64 / 2.0;
            match rules.centre {
                Centre::Nearest => half.round_ties_even() as usize,
                Centre::Down => half.floor() as usize,
            }
        });
        Ok(Self { original, resized, start, input })
    }

    /// Returns the offset and the step from pixels of the input to pixels of the original.
    pub(super) fn mapping(&self) -> [[f64; 2]; 2] {
        let step = [0, 1].map(|axis| self.original[axis] as f64 / self.resized[axis] as f64);
        let offset = [0, 1].map(|axis| self.start[axis] as f64 * step[axis]);
        [offset, step]
    }

    /// Returns the part of a mean image that lies below the input.
    pub(super) fn crop_mean<'a>(
        &self,
        rules: &Preprocessing,
        image: &'a Tensor,
        channels: usize,
    ) -> Result<Cow<'a, [f32]>, DataError> {
        let extents = image.shape().extents();
        let [height, width] = self.input;
        if *extents == [channels, height, width] {
            return Ok(Cow::Borrowed(image.values()?));
        }
        let [rows, columns] = self.resized;
        if *extents == [channels, rows, columns] {
            let [top, left] = self.start;
            let values = image.values()?;
            let planes = values.chunks_exact(rows * columns);
            let cut = planes.flat_map(|plane| {
                plane
                    .chunks_exact(columns)
                    .skip(top)
                    .take(height)
                    .flat_map(move |row| &row[left..left + width])
            });
            return Ok(Cow::Owned(cut.copied().collect()));
        }
        let reason = format!(
            "its shape is {}; needed is [{channels}, {height}, {width}], or the resized \
             picture's [{channels}, {rows}, {columns}]",
            image.shape()
        );
        Err(rules.unfit("mean_image", reason))
    }
}

/// Checks the sizes that do not depend on a picture.
pub(super) fn check(
    rules: &Preprocessing,
    channels: usize,
    input: [usize; 2],
) -> Result<(), DataError> {
    let resized = match (rules.resize, rules.crop) {
        (resize, Some(crop)) => {
            check_crop(rules, crop, input)?;
            resize
        }
        (None, None) => Some(Resize::Exact(input)),
        (resize, None) => resize,
    };
    let resized = match resized {
        Some(Resize::Exact(size)) if rules.crop.is_none() && size != input => {
            let reason =
                format!("the picture becomes {}, the network reads {}", shown(size), shown(input));
            return Err(rules.unfit("resize", reason));
        }
        Some(Resize::Exact(size)) => Some(size),
        Some(Resize::ShorterSide { .. }) | None => None,
    };
    if let Mean::Image(image) = &rules.mean {
        let fits = |size: [usize; 2]| *image.shape().extents() == [channels, size[0], size[1]];
        if !fits(input) && resized.is_some_and(|size| !fits(size)) {
            let [height, width] = input;
            let reason = format!(
                "its shape is {}; needed is [{channels}, {height}, {width}]",
                image.shape()
            );
            return Err(rules.unfit("mean_image", reason));
        }
    }
    Ok(())
}

fn check_crop(rules: &Preprocessing, crop: [usize; 2], input: [usize; 2]) -> Result<(), DataError> {
    if crop == input {
        return Ok(());
    }
    let reason = format!("it cuts out {}, the network reads {}", shown(crop), shown(input));
    Err(rules.unfit("crop", reason))
}

fn shorter_side([height, width]: [usize; 2], length: usize, other: LongSide) -> [usize; 2] {
    let long = |longer: usize, shorter: usize| {
        // In this order, so that the rounding is torchvision's and that of Python's round.
        let exact = length as f64 * longer as f64 / shorter as f64;
        let rounded = match other {
            LongSide::Nearest => exact.round_ties_even(),
            LongSide::Down => exact.floor(),
        };
        rounded as usize
    };
    if width <= height { [long(height, width), length] } else { [length, long(width, height)] }
}

fn shown([height, width]: [usize; 2]) -> String {
    format!("{width} × {height}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_is_rounded_as_its_rule_says() {
        assert_eq!(shorter_side([300, 451], 256, LongSide::Nearest), [256, 385]);
        assert_eq!(shorter_side([300, 451], 256, LongSide::Down), [256, 384]);
        assert_eq!(shorter_side([451, 300], 256, LongSide::Down), [384, 256]);
        assert_eq!(shorter_side([7, 7], 256, LongSide::Nearest), [256, 256]);
        // 2 · 5 / 4 = 2.5 goes to the even 2.
        assert_eq!(shorter_side([4, 5], 2, LongSide::Nearest), [2, 2]);
    }
}
