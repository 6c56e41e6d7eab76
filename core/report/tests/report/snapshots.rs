//! The text of figures, pages and manifests, without what only a decoder reads.

use crate::sample;

/// Replaces the content of every data URL by its length.
fn readable(text: &str) -> String {
    let mut pieces = text.split("base64,");
    let mut readable = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
        readable.push_str("base64,…");
        readable.push_str(&piece[end.unwrap_or(piece.len())..]);
    }
    readable
}

fn small() -> sample::Layer {
    sample::Layer { maps: 1, winners: 4, side: 3, ..sample::LOW }
}

#[test]
fn the_text_of_a_grid_is_as_it_was() {
    insta::assert_snapshot!(readable(&sample::drawn(sample::findings(&[small()]), 0)));
}

#[test]
fn the_text_of_a_picture_is_as_it_was() {
    insta::assert_snapshot!(readable(&sample::drawn(sample::gallery(), 2)));
}

#[test]
fn the_text_of_a_table_is_as_it_was() {
    insta::assert_snapshot!(readable(&sample::drawn(sample::gallery(), 3)));
}

#[test]
fn the_text_of_maps_is_as_it_was() {
    insta::assert_snapshot!(readable(&sample::drawn(sample::gallery(), 4)));
}

#[test]
fn the_page_is_as_it_was() {
    let files = sample::written(&sample::report(sample::findings(&[small()])));
    let page = readable(files.text("report.html"));
    // Style and script are files of their own; what they do is tested elsewhere.
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, _) = rest.split_once("<script>").unwrap();
    insta::assert_snapshot!(format!("{head}{body}"));
}

#[test]
fn the_manifest_is_as_it_was() {
    let files = sample::written(&sample::report(sample::findings(&[small()])));
    insta::assert_snapshot!(files.text("manifest.json"));
}
