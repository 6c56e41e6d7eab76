//! Figures as resvg draws them, against pictures that a person has looked at.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::occlusion::{LARGE, Occlusion};
use crate::sample;

/// Reads a figure with the bundled font and no other.
pub(crate) fn tree(svg: &str) -> Tree {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(include_bytes!("../../fonts/Inter-Regular.ttf").to_vec());
        fonts.load_font_data(include_bytes!("../../fonts/Inter-SemiBold.ttf").to_vec());
        Arc::new(fonts)
    });
    let options = Options { fontdb: Arc::clone(fonts), ..Options::default() };
    Tree::from_str(svg, &options).unwrap()
}

pub(crate) fn render(svg: &str) -> Pixmap {
    let tree = tree(svg);
    let size = tree.size().to_int_size();
    let mut pixmap = Pixmap::new(size.width(), size.height()).unwrap();
    resvg::render(&tree, Transform::default(), &mut pixmap.as_mut());
    pixmap
}

/// Compares with `golden/NAME.png`. `CONVSCOPE_BLESS=1` writes that file instead: look at it.
fn compare(name: &str, svg: &str) {
    let drawn = render(svg);
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/report/golden/{name}.png"));
    if std::env::var_os("CONVSCOPE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        drawn.save_png(&path).unwrap();
    }
    let expected = Pixmap::load_png(&path).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (expected.width(), expected.height()), "{name}");
    // Processors may round the edges of letters differently; a moved label is another matter.
    let far =
        drawn.data().iter().zip(expected.data()).filter(|(a, b)| a.abs_diff(**b) > 24).count();
    assert!(far * 2000 < drawn.data().len(), "{name}: {far} bytes differ");
}

#[test]
fn a_grid_of_a_low_layer_looks_as_it_did() {
    let low = sample::Layer { maps: 2, winners: 7, ..sample::LOW };
    compare("grid", &sample::drawn(sample::findings(&[low]), 0));
}

#[test]
fn a_map_with_a_colour_bar_looks_as_it_did() {
    compare("activity", &sample::drawn(sample::gallery(), 1));
}

#[test]
fn a_signed_map_with_gaps_looks_as_it_did() {
    compare("change", &sample::drawn(sample::gallery(), 2));
}

#[test]
fn maps_look_as_they_did() {
    compare("maps", &sample::drawn(sample::gallery(), 4));
}

#[test]
fn maps_of_several_pictures_look_as_they_did() {
    let setting = Occlusion { pictures: 2, ..LARGE };
    compare("maps_of_two", &sample::drawn(setting.findings(), 0));
}

#[test]
fn a_table_looks_as_it_did() {
    compare("table", &sample::drawn(sample::gallery(), 3));
}

#[test]
fn pixels_of_small_pictures_stay_sharp_squares() {
    const TOP: u32 = 24 + 27 + 6 + 19 + 24;
    let drawn = render(&sample::drawn(sample::gallery(), 1));
    // The map is 13 × 13 units, each a square of 34 pixels; its corner is at the margin, below
    // the title and the sentence under it.
    let mut colours = std::collections::BTreeSet::new();
    for y in TOP..TOP + 34 {
        for x in 24..24 + 34 {
            let pixel = drawn.pixel(x, y).unwrap();
            colours.insert((pixel.red(), pixel.green(), pixel.blue()));
        }
    }
    assert_eq!(colours.len(), 1, "{colours:?}");
}
