//! Reports.

use convscope_report::Entry;

use crate::fake::{Desk, LOADED, marked};

fn run(rest: &str) -> crate::fake::Left {
    Desk::new()
        .run(&format!("{LOADED} let found = model.occlusion(#{{ images: photos }});\n{rest}"))
}

fn kinds(entries: &[Entry]) -> Vec<String> {
    let kind = |entry: &Entry| match entry {
        Entry::Text(text) => format!("text {text}"),
        Entry::Findings { result, .. } => format!("findings {result}"),
        Entry::Figure { result, figure, caption, .. } => {
            format!("figure {result} {figure} {caption:?}")
        }
        Entry::Table { result, table, caption, .. } => {
            format!("table {result} {table} {caption:?}")
        }
        Entry::File { array, path, .. } => format!("file {array} {path}"),
        other => panic!("unknown: {other:?}"),
    };
    entries.iter().map(kind).collect()
}

#[test]
fn a_report_holds_what_was_added_when_it_was_saved() {
    let outcome = run("let page = report(\"Inside\"); page.text(\"**bold**\"); page.add(found);
        page.add(found.figure(\"probability\"), #{ caption: \"Dark.\" });
        page.add(found.table(\"drawn\")); page.save();")
    .outcome
    .unwrap();

    let report = outcome.report.unwrap();
    assert_eq!(report.title, "Inside");
    assert_eq!(
        kinds(&report.entries),
        [
            "text **bold**",
            "findings occlusion",
            "figure occlusion probability Some(\"Dark.\")",
            "table occlusion drawn None",
        ]
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
}

#[test]
fn saving_again_replaces() {
    let outcome = run("let page = report(\"x\"); page.add(found); page.save();
        page.text(\"more\"); page.save();")
    .outcome
    .unwrap();

    assert_eq!(outcome.report.unwrap().entries.len(), 2);
    assert!(outcome.warnings.is_empty());
}

#[test]
fn a_second_report_is_refused() {
    let mistake = run("let page = report(\"one\"); page.text(\"x\"); page.save();
        let other = report(\"two\"); other.text(\"y\"); other.save();")
    .mistake();

    assert_eq!(mistake.message, "a run writes one report, and `one` is saved");
    assert_eq!(mistake.help.as_deref(), Some("add everything to one report, or run two scripts"));
    assert_eq!(marked(&mistake), "save");
}

#[test]
fn an_empty_report_is_refused() {
    let mistake = run("report(\"one\").save();").mistake();

    assert_eq!(mistake.message, "the report `one` is empty");
    assert_eq!(mistake.help.unwrap(), "add something first: `page.text(…)`, `page.add(…)`");
}

#[test]
fn what_is_no_part_of_a_report_is_refused() {
    let mistake = run("report(\"one\").add(\"words\");").mistake();
    assert_eq!(mistake.message, "a report takes results, figures and tables, not a string");
    assert_eq!(mistake.help.unwrap(), "words are added with `page.text(…)`");

    let mistake = run("report(\"one\").add(found.probability);").mistake();
    assert_eq!(mistake.message, "a report takes results, figures and tables, not a Tensor");

    let mistake = run("report(\"one\").add(found, #{ caption: \"x\" });").mistake();
    assert_eq!(mistake.message, "a caption belongs to one figure, and `occlusion` has several");

    let mistake = run("report(\"one\").add(found, #{ captoin: \"x\" });").mistake();
    assert_eq!(mistake.message, "unknown option `captoin`");
    assert_eq!(marked(&mistake), "captoin");
    assert_eq!(mistake.label.unwrap(), "did you mean `caption`?");
}

#[test]
fn forgetting_to_save_is_noticed() {
    let warnings = |rest: &str| run(rest).outcome.unwrap().warnings;

    assert_eq!(warnings(""), ["the script ran analyses but saved no report: nothing is written"]);
    assert_eq!(
        warnings("let page = report(\"x\"); page.add(found);"),
        ["the report was never saved: end with `page.save()`"]
    );
    assert_eq!(
        warnings("let page = report(\"x\"); page.add(found); page.save(); page.text(\"late\");"),
        ["what was added to the report `x` after `save()` is not in it: 1 piece"]
    );
    assert!(warnings("found.save_npy(\"winner\", \"w.npy\");").is_empty());
}

#[test]
fn arrays_are_saved_with_a_report_or_without_one() {
    let save = "found.save_npy(\"winner\", \"w.npy\"); found.save_npy(\"probability\", \"w.npy\");";
    let report = |rest: &str| run(rest).outcome.unwrap().report.unwrap();

    let alone = report(save);
    assert_eq!(alone.title, "main");
    assert_eq!(kinds(&alone.entries), ["file probability w.npy"]);
    let both = report(&format!("{save} let page = report(\"x\"); page.add(found); page.save();"));
    assert_eq!(kinds(&both.entries), ["findings occlusion", "file probability w.npy"]);
}

#[test]
fn a_caption_is_a_string() {
    let add = |value: &str| {
        let add = "report(\"one\").add(model.deconvnet(#{ images: photos })";
        run(&format!("let three = 3; three += 0; {add}, #{{ caption: {value} }});")).mistake()
    };

    assert_eq!(add("three").message, "`caption` must be a string, not a whole number");
    assert_eq!(add("3").message, "`caption`: expected text, got 3");
}
