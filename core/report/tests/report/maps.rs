//! What figures of maps promise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convscope_protocol::figure::{CellPlaces, FigureContent, MapRow, PanelContent};
use convscope_protocol::{Findings, Values};
use resvg::usvg::roxmltree::Document;

use crate::occlusion::{LARGE, NAMES, Occlusion, SMALL};
use crate::pictures::render;
use crate::{refusals, sample};

fn rows(findings: &mut Findings) -> &mut Vec<MapRow> {
    let FigureContent::Maps(maps) = &mut findings.figures[0].content else { unreachable!() };
    &mut maps.rows
}

/// Returns the refusal of a figure that was changed behind the back of its findings.
fn refused(setting: Occlusion, change: impl FnOnce(&mut Vec<MapRow>)) -> String {
    let mut findings = setting.findings();
    change(rows(&mut findings));
    refusals::refused(findings)
}

#[test]
fn the_same_maps_have_the_same_bytes() {
    let drawn = || sample::drawn(LARGE.findings(), 0);
    assert!(drawn() == drawn());
}

#[test]
fn a_cell_of_a_map_has_one_colour_and_lies_around_the_middle_of_its_window() {
    // One panel of a picture of 60 pixels, 300 pixels wide: five pixels for each.
    let mut findings =
        Occlusion { height: 60, width: 60, window: 20, stride: 10, ..SMALL }.findings();
    rows(&mut findings)[0].panels.drain(..3);
    rows(&mut findings)[0].panels.truncate(1);
    let svg = sample::drawn(findings, 0);
    // The picture's corner: where the colour bar of the same width begins, and its frame above.
    let drawn = render(&svg);
    let colour = |x: u32, y: u32| {
        let pixel = drawn.pixel(x, y).unwrap();
        (pixel.red(), pixel.green(), pixel.blue())
    };
    let (left, top) = corner(&svg);
    // Windows at 0, 10, …, 40: cells from 5 to 55, each 10 wide. In the first row and column:
    let first = colour(left + 27, top + 27);
    for (x, y) in [(26, 26), (73, 26), (26, 73), (73, 73)] {
        assert_eq!(colour(left + x, top + y), first, "{x}, {y}");
    }
    assert_ne!(colour(left + 26 + 150, top + 26 + 50), first);
}

/// Returns where the first picture of a figure begins.
fn corner(svg: &str) -> (u32, u32) {
    let place = svg.split("<use ").nth(1).unwrap().split("translate(").nth(1).unwrap();
    let mut numbers = place.split([' ', ')']).map(|number| number.parse::<f64>().unwrap());
    // The map begins half a window less half a step from the picture: 5 of 60 pixels.
    let mut next = || numbers.next().unwrap().round() as u32 - 25;
    (next(), next())
}

#[test]
fn a_page_knows_the_numbers_of_every_map_and_a_file_does_not() {
    let findings = SMALL.findings();
    let Values::F32(probability) = &findings.array("probability").unwrap().values else {
        unreachable!()
    };
    let expected: Vec<f32> = probability.iter().copied().collect();
    let files = sample::written(&sample::report(SMALL.findings()));
    assert!(!files.text("figures/01-occlusion.svg").contains("data-values"));
    let page = Document::parse(page_body(files.text("report.html"))).unwrap();
    let told: Vec<serde_json::Value> = page
        .descendants()
        .filter_map(|node| node.attribute("data-values"))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    let units: Vec<&str> = told.iter().map(|map| map["unit"].as_str().unwrap()).collect();
    assert_eq!(units, ["activation", "probability", "", "drop of the probability"]);
    assert_eq!(told[2]["names"], serde_json::json!(["tabby", NAMES[2], NAMES[1]]));
    let map = &told[1];
    assert_eq!(map["rows"].as_array().unwrap().len(), 8);
    let end = |name: &str| map[name].as_f64().unwrap();
    let bytes = STANDARD.decode(map["values"].as_str().unwrap()).unwrap();
    let steps = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let told: Vec<f64> = steps
        .map(|step| end("low") + (end("high") - end("low")) * f64::from(step) / 65534.0)
        .collect();
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(expected) {
        assert!((told - f64::from(expected)).abs() < 1e-5, "{told} and {expected}");
    }
}

/// Returns the main part of a page, which is well-formed as XML too.
fn page_body(page: &str) -> &str {
    let start = page.find("<figure ").unwrap();
    let end = page.find("</figure>").unwrap() + "</figure>".len();
    &page[start..end]
}

#[test]
fn maps_without_a_number_say_so() {
    let mut findings = SMALL.findings();
    let empty = ndarray::ArrayD::from_elem(vec![1, 7, 7], f32::NAN);
    for array in &mut findings.arrays {
        if array.name == "probability" {
            array.values = empty.clone().into();
        }
    }
    let svg = sample::drawn(findings, 0);
    assert_eq!(svg.matches(">nothing to show<").count(), 1);
}

#[test]
fn a_figure_without_rows_or_panels_is_refused() {
    let expected = "figure `occlusion` has nothing to draw: it needs at least one tile in a block \
                    with at least one column, or rows with panels";
    assert_eq!(refused(SMALL, Vec::clear), expected);
    assert_eq!(refused(SMALL, |rows| rows[0].panels.clear()), expected);
    assert_eq!(refused(SMALL, |rows| rows[0].width = 0), expected);
}

#[test]
fn more_panels_or_rows_than_can_be_read_are_refused() {
    let panels = refused(SMALL, |rows| {
        let row = &mut rows[0];
        row.panels = row.panels.iter().cycle().take(10).cloned().collect();
    });
    assert!(panels.contains("has 10 panels in a row, at most 9 can be drawn"), "{panels}");
    let many = refused(SMALL, |rows| *rows = vec![rows[0].clone(); 101]);
    assert!(many.contains("has 101 rows, at most 100 can be drawn"), "{many}");
}

#[test]
fn cells_and_marks_beside_the_picture_are_refused() {
    let cells = refused(SMALL, |rows| {
        let PanelContent::Map { cells, .. } = &mut rows[0].panels[3].content else {
            unreachable!()
        };
        let CellPlaces::Windows { rows, .. } = cells else { unreachable!() };
        rows.pop();
    });
    assert_eq!(
        cells,
        "figure `occlusion`: the cells of array `probability` do not fit the picture that they lie \
         on"
    );
    let marks = refused(SMALL, |rows| rows[0].panels[0].marks[0].region.left = 60);
    assert_eq!(
        marks,
        "figure `occlusion`: the marks of panel `(a) picture and occluder` do not fit the picture \
         that they lie on"
    );
}

#[test]
fn class_maps_of_numbers_are_refused() {
    let words = refused(SMALL, |rows| {
        let PanelContent::Classes { source, .. } = &mut rows[0].panels[4].content else {
            unreachable!()
        };
        source.array = "probability".into();
    });
    assert!(words.starts_with("figure `occlusion` shows [0] of array `probability`"), "{words}");
}
