//! Compares decoding and resizing with PIL's. `make_goldens.py` made the files in `golden/`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::path::{Path, PathBuf};

use convscope_data::{Pixels, decode, read_card, read_npy};

/// The colour of `golden/cmyk.jpg` in PIL: `Image.open(...).convert("RGB").getpixel((3, 3))`.
const CMYK_IN_PIL: [u8; 3] = [207, 46, 114];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The picture of `make_goldens.py`: a gradient in red, stripes in green, noise in blue.
fn synthetic(height: usize, width: usize) -> Pixels {
    let pixel = |place: usize| {
        let (y, x) = (place / width, place % width);
        let red = 255 * x / (width - 1);
        let green = 255 * ((x / 3 + y / 5) % 2);
        let blue = ((x * 7919 + y * 104_729) ^ (x * y)) % 256;
        [red, green, blue].map(|value| value as u8)
    };
    Pixels::new(height, width, (0..height * width).flat_map(pixel).collect()).unwrap()
}

/// Prepares the synthetic picture by a card and returns the largest difference from PIL's.
fn difference(filter: &str, way: &str, size: [usize; 2], shorter: usize) -> u8 {
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("m.toml");
    let text =
        format!("[input]\nresize = {shorter}\ninterpolation = \"{filter}\"\ncrop = [16, 16]\n");
    std::fs::write(&card, text).unwrap();
    let rules = read_card(&card).unwrap().preprocessing.unwrap();
    let prepared = rules.prepare(&synthetic(size[0], size[1]), [3, 16, 16]).unwrap();
    let wanted = read_npy(&golden(&format!("{filter}_{way}.npy"))).unwrap();
    assert_eq!(wanted.shape().extents(), [16, 16, 3]);
    let pairs = prepared.pixels.values().iter().zip(wanted.values().unwrap());
    pairs.map(|(got, wanted)| got.abs_diff(*wanted as u8)).max().unwrap()
}

#[test]
fn resizing_and_cropping_agree_with_pil_within_one_grey_level() {
    for filter in ["bilinear", "bicubic"] {
        for (way, size, shorter) in
            [("down", [97, 131], 21), ("tall", [131, 60], 23), ("up", [11, 9], 24)]
        {
            let difference = difference(filter, way, size, shorter);
            assert!(difference <= 1, "{filter}, {way}: {difference}");
        }
    }
}

#[test]
fn a_cmyk_jpeg_has_the_colours_that_pil_shows() {
    let pixels = decode(&golden("cmyk.jpg")).unwrap();
    assert_eq!(pixels.size(), [8, 16]);
    for pixel in pixels.values().chunks(3) {
        for (got, wanted) in pixel.iter().zip(CMYK_IN_PIL) {
            assert!(got.abs_diff(wanted) <= 2, "{pixel:?}");
        }
    }
}
