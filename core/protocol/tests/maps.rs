//! What findings accept and refuse of figures of maps, and how these are written.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::{
    CellPlaces, ClassName, Colours, Figure, FigureContent, MapRow, Maps, Mark, Panel, PanelContent,
    Source, Tile,
};
use convscope_protocol::{Array, Axis, Findings, Region, Values};
use ndarray::ArrayD;

const PROBABILITY: Colours = Colours::Viridis { low: 0.0, high: 1.0 };

fn findings() -> Findings {
    let mut findings = Findings::default();
    let mut add = |name: &str, values: Values| {
        let axes = values.shape().iter().map(|_| Axis::named("step")).collect();
        let meta = ArrayMeta { axes, ..ArrayMeta::default() };
        findings.add_array(Array { name: name.into(), meta, values }).unwrap();
    };
    add("picture", ArrayD::<u8>::zeros(&[1, 3, 16, 20][..]).into());
    add("probability", ArrayD::<f32>::zeros(&[1, 3, 4][..]).into());
    add("label", ArrayD::<u32>::zeros(&[1, 3, 4][..]).into());
    findings
}

fn source(array: &str, index: &[usize]) -> Source {
    Source { array: array.into(), index: index.to_vec() }
}

fn windows() -> CellPlaces {
    CellPlaces::Windows { height: 8, width: 8, rows: vec![0, 4, 8], columns: vec![0, 4, 8, 12] }
}

fn map(array: &str, cells: CellPlaces) -> PanelContent {
    PanelContent::Map { source: source(array, &[0]), colours: PROBABILITY, cells }
}

fn mark(top: i64, left: i64, height: u64, width: u64) -> Mark {
    let region = Region { top, left, height, width };
    Mark { region, fill: Some([128; 3]), title: "occluder".into() }
}

fn figure(rows: Vec<MapRow>) -> Figure {
    Figure {
        name: "occlusion".into(),
        title: String::new(),
        how_to_read: String::new(),
        caption: String::new(),
        content: FigureContent::Maps(Maps { rows }),
    }
}

fn row(panels: Vec<Panel>) -> MapRow {
    MapRow { label: "cat.jpg".into(), note: String::new(), height: 16, width: 20, panels }
}

fn panel(content: PanelContent) -> Panel {
    Panel { label: "(d)".into(), marks: Vec::new(), content }
}

/// The paper's five panels and an overlay.
fn whole() -> Figure {
    let photograph = source("picture", &[0]);
    let tile = Tile { source: photograph.clone(), title: "cat.jpg".into() };
    let names = vec![ClassName { class: 281, name: "tabby".into() }];
    let mut covered = panel(PanelContent::Map {
        source: photograph.clone(),
        colours: Colours::Photograph,
        cells: CellPlaces::Whole,
    });
    covered.marks = vec![mark(0, 0, 8, 8), mark(8, 12, 8, 8)];
    let tiles = vec![tile.clone(), tile];
    let colours = Colours::AroundGrey { limit: 1.0 };
    let limit = 0.5;
    figure(vec![row(vec![
        covered,
        panel(map("probability", windows())),
        panel(PanelContent::Tiles { columns: 2, colours, tiles, framed: Some(0) }),
        panel(PanelContent::Classes { source: source("label", &[0]), names, cells: windows() }),
        panel(PanelContent::Overlay {
            photograph,
            source: source("probability", &[0]),
            limit,
            cells: CellPlaces::Whole,
        }),
    ])])
}

fn refused(rows: Vec<MapRow>) -> String {
    findings().add_figure(figure(rows)).unwrap_err().to_string()
}

fn refused_panel(content: PanelContent) -> String {
    let message = refused(vec![row(vec![panel(content)])]);
    let start = "figure `occlusion`: row `cat.jpg`: panel `(d)`: ";
    message.strip_prefix(start).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[test]
fn panels_of_every_kind_are_taken() {
    findings().add_figure(whole()).unwrap();
}

#[test]
fn maps_come_back_from_json_as_they_were() {
    let json = serde_json::to_string(&whole()).unwrap();
    assert_eq!(serde_json::from_str::<Figure>(&json).unwrap(), whole());
    assert!(json.contains(r#""content":{"kind":"maps","rows":[{"label":"cat.jpg","height":16"#));
    assert!(json.contains(r#""cells":{"kind":"windows","height":8,"width":8,"rows":[0,4,8]"#));
}

#[test]
fn rows_have_panels_of_a_picture_with_pixels() {
    assert_eq!(refused(Vec::new()), "figure `occlusion`: it has no rows");
    assert_eq!(
        refused(vec![row(Vec::new())]),
        "figure `occlusion`: row `cat.jpg`: it has no panels"
    );
    let flat = MapRow { height: 0, ..row(vec![panel(map("probability", windows()))]) };
    assert_eq!(
        refused(vec![flat]),
        "figure `occlusion`: row `cat.jpg`: a picture of 0 × 20 pixels is none"
    );
}

#[test]
fn panels_refer_to_what_was_emitted_before() {
    let missing = source("activity", &[0]);
    let photograph = source("picture", &[0]);
    let cells = CellPlaces::Whole;
    assert_eq!(refused_panel(map("activity", windows())), "there is no array `activity`");
    assert_eq!(
        refused_panel(PanelContent::Overlay {
            photograph: photograph.clone(),
            source: missing,
            limit: 1.0,
            cells: cells.clone()
        }),
        "there is no array `activity`"
    );
    assert_eq!(
        refused_panel(PanelContent::Overlay {
            photograph: source("label", &[0]),
            source: source("probability", &[0]),
            limit: 1.0,
            cells: cells.clone()
        }),
        "`label` is no photograph: its values are indices"
    );
    assert_eq!(
        refused_panel(PanelContent::Overlay {
            photograph,
            source: source("probability", &[0]),
            limit: f32::NAN,
            cells: cells.clone()
        }),
        "the colours of `probability` end at NaN"
    );
    assert_eq!(
        refused_panel(map("picture", cells)),
        "`picture` has 3 channels; this colour map takes one"
    );
}

#[test]
fn classes_are_indices() {
    let classes = |array: &str| {
        let source = source(array, &[0]);
        PanelContent::Classes { source, names: Vec::new(), cells: CellPlaces::Whole }
    };
    assert_eq!(
        refused_panel(classes("probability")),
        "`probability` holds no classes: those are indices [row, column]"
    );
}

#[test]
fn windows_lie_within_the_picture_one_for_each_cell() {
    let places = |rows: &[usize], columns: &[usize]| CellPlaces::Windows {
        height: 8,
        width: 8,
        rows: rows.to_vec(),
        columns: columns.to_vec(),
    };
    let problem = |rows, columns| refused_panel(map("probability", places(rows, columns)));
    assert_eq!(problem(&[0, 4], &[0, 4, 8, 12]), "`probability` has 3 rows, and windows have 2");
    assert_eq!(
        problem(&[0, 4, 9], &[0, 4, 8, 12]),
        "the rows [0, 4, 9] of windows of 8 pixels do not ascend within a picture of 16"
    );
    assert_eq!(
        problem(&[0, 4, 8], &[0, 8, 8, 12]),
        "the columns [0, 8, 8, 12] of windows of 8 pixels do not ascend within a picture of 20"
    );
}

#[test]
fn marks_lie_within_the_picture() {
    let marked = |mark: Mark| {
        let mut panel = panel(map("probability", windows()));
        panel.marks.push(mark);
        findings().add_figure(figure(vec![row(vec![panel])]))
    };
    marked(mark(8, 12, 8, 8)).unwrap();
    for outside in [
        mark(-1, 0, 8, 8),
        mark(9, 0, 8, 8),
        mark(0, 13, 8, 8),
        mark(0, 0, 0, 8),
        mark(i64::MAX, 0, u64::MAX, 1),
    ] {
        assert!(marked(outside.clone()).is_err(), "{outside:?}");
    }
    assert_eq!(
        marked(mark(9, 0, 8, 8)).unwrap_err().to_string(),
        "figure `occlusion`: row `cat.jpg`: panel `(d)`: mark `occluder` of 8 × 8 pixels at row 9, \
         column 0 does not lie within a picture of 16 × 20"
    );
}

#[test]
fn tiles_have_columns_no_marks_and_a_frame_that_exists() {
    let tiles = |columns, framed| PanelContent::Tiles {
        columns,
        colours: Colours::Photograph,
        tiles: vec![Tile { source: source("picture", &[0]), title: String::new() }],
        framed,
    };
    assert_eq!(refused_panel(tiles(0, None)), "it has no columns");
    assert_eq!(refused_panel(tiles(1, Some(1))), "tile 1 of 1 has the frame");
    let mut marked = panel(tiles(1, None));
    marked.marks.push(mark(0, 0, 8, 8));
    assert!(refused(vec![row(vec![marked])]).ends_with("panel `(d)`: tiles take no marks"));
}
