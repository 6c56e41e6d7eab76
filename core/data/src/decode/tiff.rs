//! TIFF: which kind of it a file is, where that kind is not read.

use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Values of the tag `PhotometricInterpretation`.
const PALETTE: u16 = 3;
const GREY: [u16; 2] = [0, 1];

/// Values of the tag `SampleFormat`.
const SIGNED: u16 = 2;
const FLOAT: u16 = 3;

/// Names what is not read in a file, where its tags say it.
pub(super) fn unread_kind(bytes: &[u8]) -> Option<String> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
    let mut first = |tag| decoder.find_tag_unsigned_vec::<u16>(tag).ok()??.first().copied();
    let format = first(Tag::SampleFormat);
    let colours = first(Tag::PhotometricInterpretation);
    let bits = first(Tag::BitsPerSample).unwrap_or(1);
    let samples = first(Tag::SamplesPerPixel).unwrap_or(1);
    Some(match (format, colours) {
        (Some(FLOAT), _) => "floating-point pixels".to_owned(),
        (Some(SIGNED), _) => "signed whole numbers as pixels".to_owned(),
        (_, Some(PALETTE)) => "a palette in a TIFF".to_owned(),
        _ if bits > 16 => format!("{bits}-bit pixels"),
        (_, Some(colours)) if GREY.contains(&colours) && samples == 2 => {
            "grey with transparency in a TIFF".to_owned()
        }
        _ => return None,
    })
}
