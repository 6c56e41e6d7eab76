//! Decoding picture files.

mod jpeg;
mod tiff;

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{ContentHash, DataError, Pixels, file};

/// The largest file that is read as a picture.
const MAX_BYTES: u64 = 256 << 20;

/// The largest number of pixels that is decoded: 64 megapixels.
const MAX_PIXELS: u64 = 64_000_000;

/// The longest side that is decoded, as JPEG and GIF cannot have a longer one.
const MAX_SIDE: u64 = 65_535;

/// What a decoder may allocate: the largest picture in its widest form (16-bit RGBA), twice.
const MAX_ALLOCATION: u64 = 2 * 8 * MAX_PIXELS;

/// What to do about a picture that is not read.
const ADVICE: &str = "save it as an 8-bit PNG";

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
/// * The picture is turned as its EXIF orientation says.
/// * Grey, palette and CMYK pictures become RGB; 16-bit values are divided by 257 and rounded.
/// * Transparent pixels are composed over white, as a page would show them: what lies below full
///   transparency is often noise that nobody was meant to see. PIL's `convert("RGB")` shows it.
/// * Of several frames or pages the first is taken. What it leaves of a GIF's canvas is
///   transparent, and so is a pixel whose colour the palette lacks.
/// * Colour profiles are not applied, as torchvision and Keras do not either.
/// * TIFF with floating-point or 32-bit pixels, a palette or grey with transparency is refused, and CMYK JPEG that does not say whether
///   its inks are inverted.
///
/// A picture with more than 64 megapixels, or a side of more than 65,535 pixels, is refused by its
/// header, before it is decoded. Truncated and damaged files are refused; where no checksum tells
/// and the damaged bits still are a picture, it is the one that PIL shows.
///
/// # Errors
/// Fails when the bytes are damaged, too large, or no picture that is read; `path` is for the
/// message.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Pixels, DataError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let Some(format) = reader.format() else {
        return Err(DataError::NotAPicture { path: path.to_owned() });
    };
    if format == ImageFormat::Jpeg {
        return jpeg::decode(bytes, path);
    }
    let refuse = |error| match error {
        ImageError::Unsupported(_) | ImageError::Limits(_) => {
            let kind = if format == ImageFormat::Tiff { tiff::unread_kind(bytes) } else { None };
            unsupported(path, &kind.unwrap_or_else(|| error.to_string()))
        }
        _ => DataError::DamagedPicture { path: path.to_owned(), reason: error.to_string() },
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    check_size(decoder.dimensions(), path)?;
    let orientation = decoder.orientation().map_err(refuse)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    image.apply_orientation(orientation);
    flatten(image, path)
}

fn check_size((width, height): (u32, u32), path: &Path) -> Result<(), DataError> {
    let (path, width, height) = (path.to_owned(), u64::from(width), u64::from(height));
    match width * height {
        0 => Err(DataError::EmptyPicture { path, width, height }),
        _ if width.max(height) > MAX_SIDE => {
            Err(DataError::SideTooLong { path, width, height, limit: MAX_SIDE })
        }
        1..=MAX_PIXELS => Ok(()),
        _ => Err(DataError::TooManyPixels { path, width, height, limit: MAX_PIXELS }),
    }
}

fn flatten(image: DynamicImage, path: &Path) -> Result<Pixels, DataError> {
    use DynamicImage::{ImageRgb32F, ImageRgba32F};
    if matches!(image, ImageRgb32F(_) | ImageRgba32F(_)) {
        // Their range is anyone's guess, and clipping it would be silent.
        return Err(unsupported(path, "floating-point pixels"));
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

fn unsupported(path: &Path, what: &str) -> DataError {
    let reason = format!("{what}; {ADVICE}");
    DataError::UnsupportedPicture { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
