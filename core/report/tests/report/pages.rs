//! What a page promises: words stay words, nothing is fetched, everything can be reached.

use std::sync::Arc;

use convscope_protocol::figure::{FigureContent, PanelContent};
use convscope_protocol::table::Cell;
use convscope_report::{Entry, Report};
use resvg::usvg::roxmltree::{Document, Node};

use crate::occlusion::SMALL;
use crate::sample::{self, Files};

const HOSTILE: &str =
    "</title><script>alert('1')</script><img src=x onerror=\"alert(2)\">&\u{0}\u{7}";

fn hostile() -> Files {
    let mut findings = sample::gallery();
    for figure in &mut findings.figures {
        figure.title = HOSTILE.into();
        figure.how_to_read = HOSTILE.into();
        figure.caption = HOSTILE.into();
        if let FigureContent::Grid(grid) = &mut figure.content {
            for group in &mut grid.groups {
                group.label = HOSTILE.into();
                group.note = HOSTILE.into();
                for block in &mut group.blocks {
                    block.label = HOSTILE.into();
                    block.tiles.iter_mut().for_each(|tile| tile.title = HOSTILE.into());
                }
            }
        }
        if let FigureContent::Maps(maps) = &mut figure.content {
            for row in &mut maps.rows {
                (row.label, row.note) = (HOSTILE.into(), HOSTILE.into());
                for panel in &mut row.panels {
                    panel.label = HOSTILE.into();
                    panel.marks.iter_mut().for_each(|mark| mark.title = HOSTILE.into());
                    if let PanelContent::Classes { names, .. } = &mut panel.content {
                        for class in names {
                            class.name = HOSTILE.into();
                        }
                    }
                }
            }
        }
    }
    findings.arrays.iter_mut().for_each(|array| array.meta.unit = HOSTILE.into());
    findings.tables[0].caption = HOSTILE.into();
    findings.tables[0].columns[0].name = HOSTILE.into();
    findings.tables[0].rows[0][0] = Cell::Text(HOSTILE.into());
    findings.arrays[0].meta.doc = HOSTILE.into();
    findings.notes.push(HOSTILE.into());
    findings.scalars.push((HOSTILE.into(), f64::NAN));
    findings.origin.analysis = HOSTILE.into();
    findings.origin.semantics = HOSTILE.into();
    findings.origin.backend = HOSTILE.into();
    findings.origin.parameters.insert(HOSTILE.into(), HOSTILE.into());
    let entries = vec![
        Entry::Text(HOSTILE.into()),
        Entry::Findings { result: HOSTILE.into(), findings: Arc::new(findings) },
    ];
    sample::written(&Report { title: HOSTILE.into(), entries })
}

#[test]
fn hostile_words_stay_words() {
    let files = hostile();
    let page = files.text("report.html");
    assert!(page.contains("&lt;script&gt;alert("));
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</title>").count(), page.matches("<title>").count());
    assert!(!page.contains(['\u{0}', '\u{7}']));
}

#[test]
fn figures_are_well_formed_whatever_the_words_are() {
    for (name, bytes) in &hostile().0 {
        if name.starts_with("figures/") {
            let text = std::str::from_utf8(bytes).unwrap();
            let document = Document::parse(text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let tags: Vec<&str> = document
                .descendants()
                .filter(Node::is_element)
                .map(|n| n.tag_name().name())
                .collect();
            assert!(!tags.contains(&"script") && !tags.contains(&"img"), "{name}");
        }
    }
}

/// Says whether a browser shows a file.
fn is_shown(name: &str) -> bool {
    name == "report.html" || name.starts_with("figures/")
}

/// Returns every address in a text, by the attributes that a browser would follow by itself.
fn fetched(text: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for start in ["src=\"", "url(", "@import", " srcset=\"", "<link", "<iframe", "<image id"] {
        for (place, _) in text.match_indices(start) {
            addresses.push(text[place..].chars().take(200).collect());
        }
    }
    addresses
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let files = sample::written(&sample::report(sample::gallery()));
    for (name, bytes) in &files.0 {
        if is_shown(name) {
            for address in fetched(std::str::from_utf8(bytes).unwrap()) {
                assert!(address.contains("data:"), "{name}: {address}");
            }
        }
    }
    assert!(
        files.text("report.html").contains("default-src &#39;none&#39;")
            || files.text("report.html").contains("default-src 'none'")
    );
}

#[test]
fn every_link_leads_to_something_that_exists() {
    let files = sample::written(&sample::report(sample::gallery()));
    let page = files.text("report.html");
    let mut count = 0;
    for (place, start) in page.match_indices("href=\"") {
        let address = page[place + start.len()..].split('"').next().unwrap();
        if address.starts_with("data:") {
            continue;
        }
        count += 1;
        match address.strip_prefix('#') {
            Some(id) => assert!(page.contains(&format!(" id=\"{id}\"")), "{address}"),
            None => assert!(files.0.contains_key(address), "{address}"),
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn no_name_is_given_twice_on_a_page() {
    let findings = Arc::new(sample::gallery());
    let entry = || Entry::Findings { result: "twice".into(), findings: Arc::clone(&findings) };
    let files = sample::written(&Report { title: "Twice".into(), entries: vec![entry(), entry()] });
    let page = files.text("report.html");
    let mut names: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_figure_says_what_it_is_to_those_who_cannot_see_it() {
    let svg = sample::drawn(sample::gallery(), 0);
    let document = Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let text = |name: &str| {
        let found = root.children().find(|node| node.tag_name().name() == name);
        found.and_then(|node| node.text()).unwrap_or_default().to_owned()
    };
    assert_eq!(text("title"), "Strongest activations in conv1_relu");
    assert!(text("desc").contains("carried back to pixels"));
    let metadata: serde_json::Value = serde_json::from_str(&text("metadata")).unwrap();
    assert_eq!(metadata["origin"]["seed"], 1);
    assert!(svg.contains("<title>rank 1: photo_00.jpg, activation 9.00"));
    assert!(svg.contains("aria-label=\"map 17\""));
}

#[test]
fn maps_say_what_they_are_to_those_who_cannot_see_them() {
    let files = sample::written(&sample::report(SMALL.findings()));
    for name in ["report.html", "figures/01-occlusion.svg"] {
        let text = files.text(name);
        assert!(text.contains("aria-label=\"photo_00.jpg; (d) probability of tabby\""), "{name}");
        assert!(
            text.contains("<title>(d) probability of tabby; from 0.111 to 0.94 probability<"),
            "{name}"
        );
        assert!(text.contains("<title>occluder, 16 × 16 px</title>"), "{name}");
        assert!(text.contains("<title>(e) most probable class; 90 % tabby</title>"), "{name}");
    }
    let row = "<p class=\"row\">photo_00.jpg; tabby with a probability of 0.94</p>";
    assert!(files.text("report.html").contains(row));
}

#[test]
fn every_picture_is_stored_once() {
    // All tiles of the two maps show the same patch.
    let mut findings = sample::findings(&[sample::LOW]);
    if let FigureContent::Grid(grid) = &mut findings.figures[0].content {
        for group in &mut grid.groups {
            group.blocks.remove(0);
            group.blocks[0].tiles.iter_mut().for_each(|tile| tile.source.index = vec![0, 0]);
        }
    }
    let svg = sample::drawn(findings, 0);
    assert_eq!(svg.matches("<image ").count(), 1);
    assert_eq!(svg.matches("<use ").count(), 36);
}

#[test]
fn no_figure_and_no_page_holds_the_command_or_a_path() {
    let files = sample::written(&sample::report(sample::gallery()));
    for (name, bytes) in &files.0 {
        if is_shown(name) {
            let text = std::str::from_utf8(bytes).unwrap();
            let temporary = std::env::temp_dir();
            assert!(!text.contains("quickstart.rhai"), "{name}");
            assert!(!text.contains(temporary.to_str().unwrap()), "{name}");
        }
    }
}
