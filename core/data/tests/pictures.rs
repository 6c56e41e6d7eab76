//! Compares decoding with PIL's. `make_pictures.py` made the files in `golden/`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::{Path, PathBuf};

use convscope_data::{Pixels, decode, decode_bytes, read_npy};

/// A file and what PIL makes of it; `None` where PIL refuses it.
struct Case {
    path: PathBuf,
    size: [usize; 2],
    wanted: Option<Vec<u8>>,
}

impl Case {
    fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Grey levels by which decoders that are all right differ: JPEG's and WebP's transforms and
    /// colour conversions are rounded as each likes, and so is interpolated chroma.
    fn tolerance(&self) -> u8 {
        let name = self.name();
        let kind = self.path.extension().unwrap_or_default();
        if name.starts_with("42") {
            12
        } else if kind == "jpg" || kind == "webp" || name.starts_with("jpeg") {
            3
        } else {
            1
        }
    }

    fn difference(&self, pixels: &Pixels) -> u8 {
        let wanted = self.wanted.as_ref().unwrap();
        let pairs = pixels.values().iter().zip(wanted);
        pairs.map(|(got, wanted)| got.abs_diff(*wanted)).max().unwrap()
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn cases(folder: &str) -> Vec<Case> {
    let files = std::fs::read_dir(golden(folder)).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let table = read_npy(&golden(&format!("{folder}.npy"))).unwrap();
    let rows = table.values().unwrap().chunks(table.shape().extents()[1]);
    assert_eq!(rows.len(), paths.len());
    let case = |(path, row): (PathBuf, &[f32])| {
        let size = [row[0] as usize, row[1] as usize];
        let values = row[2..].iter().take(3 * size[0] * size[1]).map(|&value| value as u8);
        let values: Vec<u8> = values.collect();
        Case { path, size, wanted: (!values.is_empty()).then_some(values) }
    };
    paths.into_iter().zip(rows).map(case).collect()
}

#[test]
fn every_kind_of_picture_has_the_pixels_that_pil_shows() {
    let mut wrong = Vec::new();
    for case in cases("pictures") {
        match decode(&case.path) {
            Ok(pixels) if pixels.size() != case.size => wrong.push(format!(
                "{}: size {:?}, PIL says {:?}",
                case.name(),
                pixels.size(),
                case.size
            )),
            Ok(pixels) if case.difference(&pixels) > case.tolerance() => {
                wrong.push(format!("{}: differs by {}", case.name(), case.difference(&pixels)));
            }
            Ok(_) => {}
            Err(error) => wrong.push(error.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_damaged_body_is_refused_or_shown_as_pil_does() {
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for case in cases("damaged") {
        match (decode(&case.path), &case.wanted) {
            (Err(error), _) => {
                assert!(error.to_string().contains(&case.name()), "{error}");
                refused += 1;
            }
            (Ok(_), None) => wrong.push(format!("{}: PIL refuses it", case.name())),
            (Ok(pixels), Some(_)) if case.difference(&pixels) > case.tolerance() => {
                wrong.push(format!("{}: differs by {}", case.name(), case.difference(&pixels)));
            }
            (Ok(_), Some(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 5, "{refused}");
}

#[test]
fn a_truncated_picture_is_refused_or_whole() {
    let mut wrong = Vec::new();
    for case in cases("pictures") {
        let bytes = std::fs::read(&case.path).unwrap();
        let whole = decode_bytes(&bytes, &case.path).unwrap();
        // Nothing that follows the pixels needs to be there, such as a second frame.
        for length in 0..bytes.len() {
            match decode_bytes(&bytes[..length], &case.path) {
                Ok(pixels) if pixels != whole => {
                    wrong.push(format!("{} at {length} of {}", case.name(), bytes.len()));
                    break;
                }
                Ok(_) => {}
                Err(error) => assert!(error.to_string().contains(&case.name()), "{error}"),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_bytes_never_panic() {
    for case in cases("pictures") {
        let whole = std::fs::read(&case.path).unwrap();
        for place in 0..whole.len() {
            for value in [0xff, whole[place] ^ 0x11] {
                let mut bytes = whole.clone();
                bytes[place] = value;
                match decode_bytes(&bytes, &case.path) {
                    Ok(pixels) => {
                        let [height, width] = pixels.size();
                        assert_eq!(pixels.values().len(), height * width * 3);
                    }
                    Err(error) => assert!(error.to_string().contains(&case.name()), "{error}"),
                }
            }
        }
    }
}

#[test]
fn kinds_that_are_not_read_are_refused_by_name() {
    for (name, what) in [
        (
            "cmyk_without_adobe.jpg",
            "CMYK without a note of Adobe's on whether its inks are inverted",
        ),
        ("float.tif", "floating-point pixels"),
        ("grey_alpha.tif", "grey with transparency in a TIFF"),
        ("int32.tif", "signed whole numbers as pixels"),
        ("palette.tif", "a palette in a TIFF"),
    ] {
        let path = golden("refused").join(name);
        let error = decode(&path).unwrap_err().to_string();
        let wanted = format!(
            "{} is a picture of a kind that is not read: {what}; save it as an 8-bit PNG",
            path.display()
        );
        assert_eq!(error, wanted);
    }
}
