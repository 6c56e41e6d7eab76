//! What findings accept and refuse, and in which words.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::{
    Block, Colours, Figure, FigureContent, Grid, Group, Picture, Source, TableFigure, Tile,
};
use convscope_protocol::table::Column;
use convscope_protocol::{Array, Axis, Cell, Findings, Table, Values};
use ndarray::ArrayD;

fn array(name: &str, shape: &[usize]) -> Array {
    let axes = shape.iter().map(|_| Axis::named("step")).collect();
    let meta = ArrayMeta { axes, ..ArrayMeta::default() };
    Array { name: name.into(), meta, values: Values::from(ArrayD::<f32>::zeros(shape)) }
}

fn picture(array: &str, index: &[usize], colours: Colours) -> Figure {
    let source = Source { array: array.into(), index: index.to_vec() };
    let picture = Picture { source, colours, label: String::new() };
    figure(FigureContent::Picture(picture))
}

fn figure(content: FigureContent) -> Figure {
    Figure {
        name: "map".into(),
        title: String::new(),
        how_to_read: String::new(),
        caption: String::new(),
        content,
    }
}

fn findings() -> Findings {
    let mut findings = Findings::default();
    findings.add_array(array("projection.fire3/concat", &[2, 3, 4, 4])).unwrap();
    findings
}

#[test]
fn arrays_need_a_free_name_and_axes_that_fit() {
    let mut findings = findings();
    let mut refused = |array: Array| findings.add_array(array).unwrap_err().to_string();
    assert_eq!(
        refused(array("Projection", &[1])),
        "array `Projection`: a name is snake case, optionally with a point and a layer's name"
    );
    assert!(refused(array("projection.", &[1])).starts_with("array `projection.`: a name"));
    assert_eq!(
        refused(array("projection.fire3/concat", &[1])),
        "array `projection.fire3/concat` was emitted before"
    );
    let mut unnamed = array("count", &[2, 2]);
    unnamed.meta.axes.pop();
    assert_eq!(refused(unnamed), "array `count` of shape [2, 2]: 1 axes are named for 2");
    let mut labelled = array("count", &[2]);
    labelled.meta.axes = vec![Axis::labelled("class", vec!["cat".into()])];
    assert_eq!(
        refused(labelled),
        "array `count` of shape [2]: axis `class` has 1 labels for 2 steps"
    );
}

#[test]
fn every_row_of_a_table_has_one_cell_per_column() {
    let column = Column { name: "map".into(), unit: String::new(), decimals: None };
    let rows = vec![vec![Cell::Integer(1)], vec![]];
    let table =
        Table { name: "winner".into(), caption: String::new(), columns: vec![column], rows };
    assert_eq!(
        findings().add_table(table).unwrap_err().to_string(),
        "table `winner`: row 1 has 0 cells for 1 columns"
    );
}

#[test]
fn figures_refer_to_what_was_emitted_before() {
    let name = "projection.fire3/concat";
    let grey = Colours::AroundGrey { limit: 1.0 };
    let refused = |figure: Figure| findings().add_figure(figure).unwrap_err().to_string();
    findings().add_figure(picture(name, &[1], grey.clone())).unwrap();
    findings().add_figure(picture(name, &[1, 2], grey.clone())).unwrap();
    assert_eq!(
        refused(picture("patch", &[], grey.clone())),
        "figure `map`: there is no array `patch`"
    );
    assert_eq!(
        refused(picture(name, &[2], grey.clone())),
        "figure `map`: `projection.fire3/concat` of shape [2, 3, 4, 4] has no part [2]"
    );
    assert_eq!(
        refused(picture(name, &[], grey)),
        "figure `map`: `projection.fire3/concat` at [] has shape [2, 3, 4, 4]; a picture is [row, \
         column] or [channel, row, column] with one or three channels"
    );
    assert_eq!(
        refused(picture(name, &[0], Colours::Signed { limit: 1.0 })),
        "figure `map`: `projection.fire3/concat` has 3 channels; this colour map takes one"
    );
    assert_eq!(
        refused(picture(name, &[0], Colours::AroundGrey { limit: f32::NAN })),
        "figure `map`: the colours of `projection.fire3/concat` end at NaN"
    );
    assert_eq!(
        refused(picture(name, &[0, 0], Colours::Viridis { low: 1.0, high: 0.0 })),
        "figure `map`: the colours of `projection.fire3/concat` go from 1 to 0"
    );
    let table = FigureContent::Table(TableFigure { table: "winner".into() });
    assert_eq!(refused(figure(table)), "figure `map`: there is no table `winner`");
}

#[test]
fn photographs_are_bytes_or_numbers_but_no_indices() {
    let mut findings = findings();
    let values = Values::from(ArrayD::<u32>::zeros(&[4, 4][..]));
    findings.add_array(Array { values, ..array("switch", &[4, 4]) }).unwrap();
    assert_eq!(
        findings.add_figure(picture("switch", &[], Colours::Photograph)).unwrap_err().to_string(),
        "figure `map`: `switch` is no photograph: its values are indices"
    );
    // Patches at the border of a picture have numbers: what lies beyond is NaN.
    findings.add_figure(picture("projection.fire3/concat", &[0], Colours::Photograph)).unwrap();
}

#[test]
fn the_tiles_of_a_grid_are_checked_too() {
    let tile =
        Tile { source: Source { array: "patch".into(), index: vec![] }, title: String::new() };
    let refused = |columns: usize| {
        let colours = Colours::AroundGrey { limit: 1.0 };
        let block = Block { label: "patches".into(), columns, colours, tiles: vec![tile.clone()] };
        let group = Group { label: String::new(), note: String::new(), blocks: vec![block] };
        let grid = Grid { groups: vec![group], unit: String::new() };
        findings().add_figure(figure(FigureContent::Grid(grid))).unwrap_err().to_string()
    };
    assert_eq!(refused(1), "figure `map`: there is no array `patch`");
    assert_eq!(refused(0), "figure `map`: block `patches` has no columns");
}

#[test]
fn scalars_are_finite_and_notes_have_words_and_count_once() {
    let mut findings = findings();
    assert_eq!(
        findings.add_scalar("share", f64::NAN).unwrap_err().to_string(),
        "scalar `share` is NaN, not a finite number"
    );
    assert_eq!(findings.add_note(" ".into()).unwrap_err().to_string(), "a note has no words");
    findings.add_note("Approximate.".into()).unwrap();
    findings.add_note("Approximate.".into()).unwrap();
    assert_eq!(findings.notes, ["Approximate."]);
}
