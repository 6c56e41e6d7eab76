//! Anti-aliased resizing, within one grey level of PIL's.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::Interpolation;
use crate::Pixels;

/// Resizes a picture to `[height, width]`; a clone where it has that size already.
pub(super) fn resize(
    pixels: &Pixels,
    size: [usize; 2],
    interpolation: Interpolation,
) -> Result<Pixels, String> {
    // One axis after the other, columns first, as PIL does (before version 13 always). Values are
    // rounded and clipped in between, so that at sharp edges the order shows by up to twenty grey
    // levels.
    let narrowed = resize_axis(pixels, [pixels.size()[0], size[1]], interpolation)?;
    resize_axis(&narrowed, size, interpolation)
}

fn resize_axis(
    pixels: &Pixels,
    size: [usize; 2],
    interpolation: Interpolation,
) -> Result<Pixels, String> {
    if pixels.size() == size {
        return Ok(pixels.clone());
    }
    let filter = match interpolation {
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
    };
    let [rows, columns] = dimensions(pixels.size())?;
    let [height, width] = dimensions(size)?;
    let mut resized = vec![0; 3 * size[0] * size[1]];
    let source = TypedImageRef::<U8x3>::from_buffer(columns, rows, pixels.values())
        .map_err(|error| error.to_string())?;
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut resized)
        .map_err(|error| error.to_string())?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    // The typed form compiles one kind of pixel instead of all, which is minutes of build time.
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|error| error.to_string())?;
    Pixels::new(size[0], size[1], resized).map_err(|error| error.to_string())
}

fn dimensions(size: [usize; 2]) -> Result<[u32; 2], String> {
    let [height, width] = size.map(u32::try_from);
    match (height, width) {
        (Ok(height), Ok(width)) if height > 0 && width > 0 => Ok([height, width]),
        _ => Err(format!("a picture cannot have {} × {} pixels", size[1], size[0])),
    }
}
