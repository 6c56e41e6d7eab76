//! What figures of maps promise.

use convscope_protocol::Findings;
use convscope_protocol::figure::{CellPlaces, FigureContent, MapRow, PanelContent};

use crate::occlusion::{LARGE, Occlusion, SMALL};
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
