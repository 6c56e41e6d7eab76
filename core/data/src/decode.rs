//! Decoding picture files.

mod jpeg;

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{ContentHash, DataError, Pixels, file};

/// The largest file that is read as a picture.
const MAX_BYTES: u64 = 256 << 20;

/// The largest number of pixels that is decoded: 64 megapixels.
const MAX_PIXELS: u64 = 64_000_000;

/// What a decoder may allocate: the largest picture in its widest form (16-bit RGBA), twice.
const MAX_ALLOCATION: u64 = 2 * 8 * MAX_PIXELS;

/// A decoded picture with the hash of its file.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The pixels.
    pub pixels: Pixels,
    /// The hash of the file's bytes.
    pub hash: ContentHash,
}

/// Decodes a picture file; see [`decode_bytes`].
///
/// # Errors
/// Fails when the file cannot be read, is too large, damaged, or no picture that is read.
pub fn decode(path: &Path) -> Result<Pixels, DataError> {
    decode_bytes(&file::read(path, MAX_BYTES)?, path)
}

/// Decodes a picture file and hashes it in one reading.
///
/// # Errors
/// As [`decode`].
pub fn read_picture(path: &Path) -> Result<Picture, DataError> {
    let bytes = file::read(path, MAX_BYTES)?;
    Ok(Picture { pixels: decode_bytes(&bytes, path)?, hash: ContentHash::of_bytes(&bytes) })
}

/// Decodes the bytes of a PNG, JPEG, WebP, BMP, TIFF or GIF file, whatever its name is.
///
/// The picture is turned as its EXIF orientation says. Grey, palette, CMYK and 16-bit pictures
/// become 8-bit RGB. Transparent pixels are composed over white, as a page would show them: what
/// lies below full transparency is often noise that nobody was meant to see. Of several frames
/// the first is taken. Colour profiles are not applied, as torchvision and Keras do not either.
///
/// A picture with more than 64 megapixels is refused by its header, before it is decoded.
///
/// # Errors
/// Fails when the bytes are damaged, too large, or no picture that is read; `path` is for the
/// message.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Pixels, DataError> {
    let refuse = |error| refusal(path, &error);
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let Some(format) = reader.format() else {
        return Err(DataError::NotAPicture { path: path.to_owned() });
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    check_size(decoder.dimensions(), path)?;
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        let reason = "the file ends before the picture does".to_owned();
        return Err(DataError::DamagedPicture { path: path.to_owned(), reason });
    }
    let orientation = decoder.orientation().map_err(refuse)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    image.apply_orientation(orientation);
    flatten(image, path)
}

fn check_size((width, height): (u32, u32), path: &Path) -> Result<(), DataError> {
    let (path, width, height) = (path.to_owned(), u64::from(width), u64::from(height));
    match width * height {
        0 => Err(DataError::EmptyPicture { path, width, height }),
        1..=MAX_PIXELS => Ok(()),
        _ => Err(DataError::TooManyPixels { path, width, height, limit: MAX_PIXELS }),
    }
}

fn flatten(image: DynamicImage, path: &Path) -> Result<Pixels, DataError> {
    use DynamicImage::{ImageRgb32F, ImageRgba32F};
    if matches!(image, ImageRgb32F(_) | ImageRgba32F(_)) {
        // Their range is anyone's guess, and clipping it would be silent.
        let reason = "floating-point pixels; store them as 8 or 16 bits".to_owned();
        return Err(DataError::UnsupportedPicture { path: path.to_owned(), reason });
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values = if image.color().has_alpha() {
        let image = image.into_rgba8();
        image.pixels().flat_map(|pixel| over_white(pixel.0)).collect()
    } else {
        image.into_rgb8().into_raw()
    };
    Pixels::new(height, width, values)
}

fn over_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [red, green, blue].map(|value| {
        let mixed = u32::from(value) * alpha + 255 * (255 - alpha);
        ((mixed + 127) / 255) as u8
    })
}

fn refusal(path: &Path, error: &ImageError) -> DataError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error {
        ImageError::Unsupported(_) | ImageError::Limits(_) => {
            DataError::UnsupportedPicture { path, reason }
        }
        _ => DataError::DamagedPicture { path, reason },
    }
}

#[cfg(test)]
mod tests;
