//! Figures that cannot be drawn are refused, in words that say what to do.

use std::path::Path;
use std::sync::Arc;

use convscope_protocol::Findings;
use convscope_protocol::figure::{Block, Colours, Figure, FigureContent, Grid, Source};
use convscope_protocol::table::Cell;
use convscope_report::{Entry, Report, ReportError, write};

use crate::sample;

/// Writes a report that must be refused, and checks that nothing is left of it.
fn refused_report(report: &Report) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let fault = write(report, &sample::provenance(), &scratch.path().join("report")).unwrap_err();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    fault.to_string()
}

pub(crate) fn refused(findings: Findings) -> String {
    refused_report(&sample::report(findings))
}

fn with_grid(change: impl FnOnce(&mut Grid)) -> Findings {
    let mut findings = sample::findings(&[sample::LOW]);
    let FigureContent::Grid(grid) = &mut findings.figures[0].content else { unreachable!() };
    change(grid);
    findings
}

fn first(grid: &mut Grid) -> &mut Block {
    &mut grid.groups[0].blocks[0]
}

#[test]
fn an_array_that_does_not_exist() {
    let findings = with_grid(|grid| first(grid).tiles[0].source.array = "projecton".into());
    assert_eq!(
        refused(findings),
        "figure `strongest.conv1_relu` shows array `projecton`, which does not exist; there are: \
         projection.conv1_relu, patch.conv1_relu"
    );
}

#[test]
fn an_index_outside_an_array() {
    let findings = with_grid(|grid| first(grid).tiles[0].source.index = vec![4, 0]);
    assert_eq!(
        refused(findings),
        "figure `strongest.conv1_relu` shows [4, 0] of array `projection.conv1_relu` with shape \
         [4, 9, 3, 7, 7]: expected an index within it that leaves [row, column], or [channel, \
         row, column] with one or three channels"
    );
}

#[test]
fn a_colour_picture_in_a_map_for_single_numbers() {
    let findings = with_grid(|grid| first(grid).colours = Colours::Signed { limit: 1.0 });
    assert_eq!(
        refused(findings),
        "figure `strongest.conv1_relu` shows array `projection.conv1_relu` with three channels in \
         a colour map for one: use `photograph` or `around_grey`"
    );
}

#[test]
fn a_scale_without_extent() {
    for limit in [f32::NAN, f32::INFINITY, -1.0] {
        let findings = with_grid(|grid| first(grid).colours = Colours::AroundGrey { limit });
        let message = refused(findings);
        assert!(message.starts_with("figure `strongest.conv1_relu` has a colour scale from "));
        assert!(message.ends_with("it needs finite ends in ascending order"), "{message}");
    }
}

#[test]
fn a_grid_without_tiles_or_columns() {
    let expected = "figure `strongest.conv1_relu` has nothing to draw: it needs at least one tile \
                    in a block with at least one column, or rows with panels";
    assert_eq!(refused(with_grid(|grid| grid.groups.clear())), expected);
    assert_eq!(refused(with_grid(|grid| first(grid).columns = 0)), expected);
}

#[test]
fn a_grid_that_nobody_could_look_at() {
    let findings = with_grid(|grid| first(grid).columns = usize::MAX);
    let message = refused(findings);
    assert!(message.starts_with("figure `strongest.conv1_relu` has 1844"), "{message}");
    assert!(message.ends_with("show fewer maps or layers in one figure"), "{message}");
}

#[test]
fn a_figure_or_a_table_that_does_not_exist() {
    let findings = Arc::new(sample::findings(&[sample::LOW]));
    let entry = |entry| Report { title: String::new(), entries: vec![entry] };
    let message = refused_report(&entry(Entry::Figure {
        result: "deconvnet".into(),
        findings: Arc::clone(&findings),
        figure: "strongest".into(),
        caption: None,
    }));
    assert_eq!(message, "deconvnet has no figure `strongest`; it has: strongest.conv1_relu");
    let message = refused_report(&entry(Entry::Table {
        result: "deconvnet".into(),
        findings,
        table: "weakest".into(),
        caption: None,
    }));
    assert_eq!(message, "deconvnet has no table `weakest`; it has: strongest_map");
}

#[test]
fn files_that_cannot_be_written() {
    let findings = Arc::new(sample::findings(&[sample::LOW]));
    let report = |files: &[(&str, &str)]| {
        let entry = |(array, path): &(&str, &str)| Entry::File {
            findings: Arc::clone(&findings),
            array: (*array).into(),
            path: (*path).into(),
        };
        Report { title: String::new(), entries: files.iter().map(entry).collect() }
    };
    let known = findings.arrays[0].name.as_str();
    for path in ["", "/a.npy", "../a.npy", "a//b.npy", "a b.npy", "a/.b.npy", "a\\b.npy"] {
        assert_eq!(
            refused_report(&report(&[(known, path)])),
            format!(
                "cannot write `{path}`: give names of letters, digits, `.`, `_` and `-`, with `/` \
                 between"
            )
        );
    }
    assert_eq!(
        refused_report(&report(&[(known, "data/a.npy")])),
        "cannot write `data/a.npy`: `data` and `figures` are the report's own"
    );
    assert_eq!(
        refused_report(&report(&[(known, "a.txt")])),
        "cannot write `a.txt`: it must end in `.npy`"
    );
    for other in ["A.npy", "a.npy/b.npy"] {
        assert_eq!(
            refused_report(&report(&[(known, "a.npy"), (known, other)])),
            format!("cannot write `{other}`: another file has this name")
        );
    }
    let message = refused_report(&report(&[("nothing", "a.npy")]));
    let start = "cannot write `a.npy`: array `nothing` does not exist; there are: ";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn a_figure_of_a_table_that_does_not_exist() {
    let mut findings = sample::gallery();
    findings.tables.clear();
    assert_eq!(
        refused(findings),
        "figure `strongest_map` has no table `strongest_map`; it has: none"
    );
}

#[test]
fn a_table_with_a_row_that_is_too_short() {
    let mut findings = sample::findings(&[]);
    findings.tables[0].rows[3] = vec![Cell::Empty];
    assert_eq!(refused(findings), "table `strongest_map`, row 3: expected 5 cells, got 1");
}

#[test]
fn a_picture_of_nothing() {
    let mut findings = sample::findings(&[]);
    let empty = sample::array("empty", &[0, 4], &["row", "column"], |_| 0.0);
    let mut figure: Figure = sample::picture(&empty, Colours::Photograph, "");
    if let FigureContent::Picture(picture) = &mut figure.content {
        picture.source = Source { array: "empty".into(), index: vec![] };
    }
    findings.arrays.push(empty);
    findings.figures.push(figure);
    assert!(refused(findings).starts_with("figure `empty` shows [] of array `empty` with shape"));
}

#[test]
fn what_the_drawing_library_says_is_passed_on() {
    let fault = ReportError::Drawing { figure: "a".into(), reason: "too wide".into() };
    assert_eq!(fault.to_string(), "cannot draw figure `a`: too wide");
}

#[test]
fn a_folder_that_has_no_name() {
    let report = sample::report(sample::findings(&[]));
    let fault = write(&report, &sample::provenance(), Path::new("/")).unwrap_err();
    assert_eq!(fault.to_string(), "/ cannot hold a report: give a folder of its own with --out");
}
