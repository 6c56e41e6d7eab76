//! The scripts that come with convscope.

use std::path::{Path, PathBuf};

use convscope_report::Entry;

use crate::fake::Desk;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[test]
fn the_quickstart_shows_every_layer() {
    let left = Desk::new().run_file(&root().join("examples/quickstart.rhai"));

    let outcome = left.outcome.unwrap();
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let entries = outcome.report.unwrap().entries;
    let figures = entries.iter().filter(|entry| matches!(entry, Entry::Figure { .. })).count();
    let tables = entries.iter().filter(|entry| matches!(entry, Entry::Table { .. })).count();
    assert_eq!((figures, tables), (5, 4));
    let Entry::Text(first) = &entries[0] else { panic!("no words first") };
    assert!(first.contains("use `scripts/deconvnet.rhai`."), "{first}");
    assert!(first.contains("The 2 photographs"), "{first}");
}

#[test]
fn the_quickstart_covers_one_photograph_coarsely_when_time_is_short() {
    let script = root().join("examples/quickstart.rhai");
    let asked = |desk: Desk| {
        let asked = desk.run_file(&script).asked();
        asked.into_iter().find(|line| line.contains("fake/occlusion ")).unwrap()
    };
    let slow = asked(Desk::new());
    assert!(slow.contains("\"images\": 2 images") && slow.contains("\"stride\": 16"), "{slow}");
    let quick = asked(Desk::new().set("quick", "true"));
    assert!(quick.contains("\"stride\": 32"), "{quick}");
}

#[test]
fn the_script_for_any_model_takes_its_options() {
    let script = root().join("scripts/deconvnet.rhai");
    let desk = || Desk::new().set("model", "mine.onnx").set("images", ".");

    let asked = desk().run_file(&script).asked();
    assert_eq!(
        asked.last().unwrap(),
        "run org.convscope.fake/deconvnet {\"choose\": \"random\", \"images\": 2 images, \
         \"spots_per_image\": 1, \"top\": 9}"
    );
    let asked = desk().set("layers", "[\"conv1\"]").set("maps", "12").run_file(&script).asked();
    assert!(asked.last().unwrap().contains("\"layers\": [\"conv1\"], \"maps\": 12,"), "{asked:?}");
    let mistake = Desk::new().set("images", ".").run_file(&script).mistake();
    assert_eq!(mistake.message, "this script needs `--set model=…`");
}
