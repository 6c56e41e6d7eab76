//! JPEG: decoded strictly, where browsers and most libraries show what they can.

use std::path::Path;

use image::DynamicImage;
use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{MAX_SIDE, check_size, flatten, unsupported};
use crate::{DataError, Pixels};

/// Decodes a JPEG file and turns it as its EXIF orientation says.
///
/// Decoders fill what a truncated or damaged file lacks with grey; a network must not see that.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Pixels, DataError> {
    let damaged = |reason: String| DataError::DamagedPicture { path: path.to_owned(), reason };
    let refuse = |error| match error {
        DecodeErrors::Unsupported(what) => unsupported(path, &format!("{what:?}")),
        error => damaged(error.to_string()),
    };
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize);
    // Stray bytes between the segments of the header do no harm; strictness begins behind it.
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refuse)?;
    let size = decoder.info().map(|info| (u32::from(info.width), u32::from(info.height)));
    let (Some(size), Some(space)) = (size, decoder.input_colorspace()) else {
        return Err(damaged("its header states no size".to_owned()));
    };
    check_size(size, path)?;
    let survey = Survey::of(bytes);
    if !survey.is_whole {
        return Err(damaged("the file ends before the picture does".to_owned()));
    }
    if space == ColorSpace::CMYK && !survey.is_adobe {
        let what = "CMYK without a note of Adobe's on whether its inks are inverted";
        return Err(unsupported(path, what));
    }
    let target = if space == ColorSpace::Luma { space } else { ColorSpace::RGB };
    decoder.set_options(options.set_strict_mode(true).jpeg_set_out_colorspace(target));
    let values = decoder.decode().map_err(refuse)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let (width, height) = size;
    let image = if target == ColorSpace::Luma {
        image::GrayImage::from_raw(width, height, values).map(DynamicImage::from)
    } else {
        image::RgbImage::from_raw(width, height, values).map(DynamicImage::from)
    };
    let mut image = image.ok_or_else(|| damaged("it decodes to another size".to_owned()))?;
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    flatten(image, path)
}

/// What the markers of a JPEG file say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Survey {
    /// The end marker was found. What follows it does not matter.
    is_whole: bool,
    /// Adobe's segment was found, whose programs store inks inverted.
    is_adobe: bool,
}

impl Survey {
    /// Steps over segments by their lengths: a thumbnail inside one has an end marker too.
    fn of(bytes: &[u8]) -> Self {
        let mut survey = Self::default();
        let mut rest = bytes;
        while let Some(start) = rest.iter().position(|&byte| byte == 0xff) {
            let Some((&marker, behind)) = rest[start + 1..].split_first() else { return survey };
            rest = match marker {
                0xd9 => return Self { is_whole: true, ..survey },
                // Any number of 0xff may stand before a marker.
                0xff => &rest[start + 1..],
                // A stuffed 0xff of the coded data, and the markers without a length.
                0x00 | 0x01 | 0xd0..=0xd8 => behind,
                _ => match behind {
                    [high, low, content @ ..] => {
                        survey.is_adobe |= marker == 0xee && content.starts_with(b"Adobe");
                        let length = usize::from(u16::from_be_bytes([*high, *low])).max(2);
                        behind.get(length..).unwrap_or_default()
                    }
                    _ => return survey,
                },
            };
        }
        survey
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: [u8; 2] = [0xff, 0xd8];
    const THUMBNAIL: [u8; 6] = [0xff, 0xe1, 0, 4, 0xff, 0xd9];
    const ADOBE: [u8; 9] = [0xff, 0xee, 0, 7, b'A', b'd', b'o', b'b', b'e'];
    const DATA: [u8; 8] = [0xff, 0xda, 0, 2, 1, 0xff, 0x00, 2];

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let file = [&START[..], &THUMBNAIL, &DATA].concat();
        assert_eq!(Survey::of(&file), Survey::default());
        let whole = [&file[..], &[0xff, 0xff, 0xd9], b"trailer"].concat();
        assert_eq!(Survey::of(&whole), Survey { is_whole: true, is_adobe: false });
    }

    #[test]
    fn a_file_that_ends_anywhere_before_its_end_marker_is_not_whole() {
        let file = [&START[..], &THUMBNAIL, &ADOBE, &DATA, &[0xff, 0xd9]].concat();
        assert_eq!(Survey::of(&file), Survey { is_whole: true, is_adobe: true });
        for length in 0..file.len() {
            assert!(!Survey::of(&file[..length]).is_whole, "{length}");
        }
    }
}
