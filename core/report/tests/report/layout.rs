//! No text lies over another or over a picture, and none leaves the page, whatever the words are.

use convscope_protocol::Findings;
use convscope_protocol::figure::{FigureContent, Maps, PanelContent};
use convscope_protocol::table::Cell;
use resvg::usvg::{Group, Node, Rect, TextChunk, Tree};

use crate::occlusion::{FINE, LARGE, Occlusion, SMALL};
use crate::pictures::tree;
use crate::sample;

#[derive(Default)]
struct Found {
    texts: Vec<(String, Rect)>,
    pictures: Vec<Rect>,
}

fn walk(group: &Group, found: &mut Found) {
    for node in group.children() {
        match node {
            Node::Group(group) => walk(group, found),
            Node::Text(text) => {
                let words = text.chunks().iter().map(TextChunk::text).collect();
                found.texts.push((words, text.abs_bounding_box()));
            }
            Node::Image(image) => found.pictures.push(image.abs_bounding_box()),
            Node::Path(_) => {}
        }
    }
}

/// Boxes overlap when they share more than half a pixel each way.
fn overlap(a: &Rect, b: &Rect) -> bool {
    let x = a.right().min(b.right()) - a.left().max(b.left());
    let y = a.bottom().min(b.bottom()) - a.top().max(b.top());
    x > 0.5 && y > 0.5
}

/// Returns what is wrong with a figure.
fn faults(tree: &Tree) -> Vec<String> {
    let mut found = Found::default();
    walk(tree.root(), &mut found);
    assert!(!found.texts.is_empty());
    let (width, height) = (tree.size().width(), tree.size().height());
    let mut faults = Vec::new();
    for (place, (words, area)) in found.texts.iter().enumerate() {
        let inside = area.left() >= 0.0 && area.top() >= 0.0;
        if !inside || area.right() > width || area.bottom() > height {
            faults.push(format!("`{words}` leaves the page"));
        }
        for (other, other_area) in &found.texts[..place] {
            if overlap(area, other_area) {
                faults.push(format!("`{words}` lies over `{other}`"));
            }
        }
        if found.pictures.iter().any(|picture| overlap(area, picture)) {
            faults.push(format!("`{words}` lies over a picture"));
        }
    }
    faults
}

fn assert_tidy(findings: &Findings) {
    for place in 0..findings.figures.len() {
        let svg = sample::drawn(findings.clone(), place);
        let faults = faults(&tree(&svg));
        assert!(faults.is_empty(), "{}: {faults:#?}", findings.figures[place].name);
    }
}

#[test]
fn figures_of_every_kind_are_tidy() {
    assert_tidy(&sample::gallery());
    assert_tidy(&sample::findings(&[sample::HIGH]));
}

#[test]
fn figures_with_endless_words_are_tidy() {
    let mut findings = sample::gallery();
    let endless = |start: &str| format!("{start} {} {}", "word ".repeat(80), "x".repeat(400));
    for figure in &mut findings.figures {
        figure.title = endless("title");
        figure.how_to_read = endless("reading");
        figure.caption = endless("caption");
        match &mut figure.content {
            FigureContent::Grid(grid) => {
                for group in &mut grid.groups {
                    group.label = endless("map");
                    group.note = endless("note");
                    group.blocks.iter_mut().for_each(|block| block.label = endless("block"));
                }
                grid.unit = endless("unit");
            }
            FigureContent::Picture(picture) => picture.label = endless("label"),
            FigureContent::Maps(maps) => relabel(maps, endless),
            FigureContent::Table(_) => {}
        }
    }
    for array in &mut findings.arrays {
        array.meta.unit = endless("unit");
    }
    let table = &mut findings.tables[0];
    table.columns[1].name = endless("column");
    table.rows[2][0] = Cell::Text(endless("cell"));
    findings.origin.backend = endless("backend");
    assert_tidy(&findings);
}

#[test]
fn figures_without_words_are_tidy() {
    let mut findings = sample::gallery();
    for figure in &mut findings.figures {
        figure.how_to_read.clear();
        figure.caption.clear();
        if let FigureContent::Grid(grid) = &mut figure.content {
            for group in &mut grid.groups {
                group.note.clear();
                group.blocks.iter_mut().for_each(|block| block.label.clear());
            }
        }
        if let FigureContent::Maps(maps) = &mut figure.content {
            relabel(maps, |_| String::new());
        }
    }
    assert_tidy(&findings);
}

/// Gives every word of maps anew.
fn relabel(maps: &mut Maps, words: impl Fn(&str) -> String) {
    for row in &mut maps.rows {
        (row.label, row.note) = (words("row"), words("note"));
        for panel in &mut row.panels {
            panel.label = words("panel");
            if let PanelContent::Classes { names, .. } = &mut panel.content {
                for class in names {
                    class.name = words("class");
                }
            }
        }
    }
}

#[test]
fn maps_of_one_and_of_many_pictures_are_tidy() {
    let wide = Occlusion { height: 96, width: 260, pictures: 2, ..SMALL };
    let tall = Occlusion { height: 260, width: 60, window: 60, ..SMALL };
    for setting in [LARGE, FINE, wide, tall] {
        assert_tidy(&setting.findings());
    }
}

#[test]
fn maps_with_as_many_panels_as_can_be_drawn_are_tidy() {
    for count in [1, 2, 9] {
        let mut findings = LARGE.findings();
        if let FigureContent::Maps(maps) = &mut findings.figures[0].content {
            for row in &mut maps.rows {
                row.panels = row.panels.iter().cycle().skip(4).take(count).cloned().collect();
            }
        }
        assert_tidy(&findings);
    }
}

#[test]
fn a_table_with_many_rows_and_columns_is_tidy() {
    let mut findings = sample::gallery();
    let table = &mut findings.tables[0];
    table.columns = table.columns.iter().cycle().take(30).cloned().collect();
    table.rows = (0..100)
        .map(|row| (0..30).map(|column| Cell::Integer(row * 1_000_000 * column)).collect())
        .collect();
    assert_tidy(&findings);
}

#[test]
fn the_check_finds_text_over_text_and_text_outside() {
    let svg = |x: i32| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='40' font-family='Inter'>\
             <text x='5' y='20' font-size='12'>one</text>\
             <text x='{x}' y='20' font-size='12'>another</text></svg>"
        )
    };
    assert!(faults(&tree(&svg(40))).is_empty());
    assert_eq!(faults(&tree(&svg(10))), ["`another` lies over `one`"]);
    assert_eq!(faults(&tree(&svg(90))), ["`another` leaves the page"]);
}
