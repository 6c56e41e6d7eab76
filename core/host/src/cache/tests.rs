use std::path::Path;

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::{Array, Cell, Findings, Table, table::Column};
use ndarray::{ArcArray, IxDyn};

use super::*;
use crate::testing::{Heard, network};

fn cache(folder: &Path) -> Cache {
    Cache::new(&CacheOptions { folder: folder.to_owned(), limit: 1 << 20 }, "cpu".to_owned())
}

fn key(name: &str) -> Key {
    Parts::new().with(name).key()
}

fn findings() -> Findings {
    let mut findings = Findings::default();
    let values = Values::F32(ArcArray::from_elem(IxDyn(&[2]), 0.25));
    let meta =
        ArrayMeta { axes: vec![convscope_protocol::Axis::named("image")], ..ArrayMeta::default() };
    findings.add_array(Array { name: "score".to_owned(), meta, values }).unwrap();
    let column = |name: &str| Column { name: name.to_owned(), unit: String::new(), decimals: None };
    findings
        .add_table(Table {
            name: "all".to_owned(),
            caption: "All.".to_owned(),
            columns: vec![column("a"), column("b"), column("c"), column("d")],
            rows: vec![vec![
                Cell::Integer(3),
                Cell::Number(3.0),
                // Shortest texts that parsers round wrongly.
                Cell::Number(4.450_147_717_014_403e-308),
                Cell::Empty,
            ]],
        })
        .unwrap();
    findings.add_scalar("mean", 0.1 + 0.2).unwrap();
    findings.add_note("A note.".to_owned()).unwrap();
    findings
}

#[test]
fn findings_come_back_as_they_were_with_what_was_said() {
    let place = tempfile::tempdir().unwrap();
    let (cache, heard) = (cache(place.path()), Heard::default());
    assert!(cache.load_findings(&key("x"), &heard).is_none());
    let said = vec![(LogLevel::Warning, "p/a: look out".to_owned())];
    cache.save_findings(&key("x"), &findings(), said, &heard);
    assert_eq!(heard.lines(), [""; 0]);
    assert_eq!(cache.load_findings(&key("x"), &heard).unwrap(), findings());
    assert_eq!(heard.lines(), ["p/a: look out", "re-used the result of an earlier run"]);
    assert_eq!(cache.used(), CacheUse { results_reused: 1, ..CacheUse::default() });
}

#[test]
fn a_damaged_entry_is_reported_and_replaced() {
    let place = tempfile::tempdir().unwrap();
    let (cache, heard) = (cache(place.path()), Heard::default());
    cache.save_findings(&key("x"), &findings(), Vec::new(), &heard);
    let path = cache.store.path(&key("x"));
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(cache.holds(&key("x")));
    assert!(cache.load_findings(&key("x"), &heard).is_none());
    let expected = format!(
        "computed anew what the cache should hold, {}: its hash is another one",
        path.display()
    );
    assert_eq!(heard.lines(), [expected]);
    cache.save_findings(&key("x"), &findings(), Vec::new(), &heard);
    assert!(cache.load_findings(&key("x"), &heard).is_some());
    assert_eq!(cache.used().damaged, 1);
}

#[test]
fn an_entry_that_holds_something_else_is_damaged() {
    let place = tempfile::tempdir().unwrap();
    let (cache, heard) = (cache(place.path()), Heard::default());
    let row = Values::F32(ArcArray::zeros(IxDyn(&[3, 2])));
    let recall = Recall::new(&cache, &heard);
    recall.save(&key("rows"), std::slice::from_ref(&row));
    assert_eq!(recall.load(&key("rows"), 3), Some(vec![row]));
    assert_eq!(recall.load(&key("rows"), 4), None);
    assert!(cache.load_findings(&key("rows"), &heard).is_none());
    let lines = heard.lines();
    assert!(lines[0].ends_with(": it holds something else"), "{lines:?}");
    assert!(lines[1].ends_with(": it cannot be understood"), "{lines:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_one_warning() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let (cache, heard) = (cache(&file), Heard::default());
    for name in ["x", "y"] {
        assert!(cache.load_findings(&key(name), &heard).is_none());
        cache.save_findings(&key(name), &findings(), Vec::new(), &heard);
    }
    let lines = heard.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = format!("results are not kept for later runs: {} cannot be", file.display());
    assert!(lines[0].starts_with(&expected), "{lines:?}");
}

#[test]
fn a_key_says_what_computes_and_with_which_model() {
    let place = tempfile::tempdir().unwrap();
    let heard = Heard::default();
    let model = |hash: &str| {
        let network = network();
        let score = network.find("scores").unwrap();
        Model::new(Path::new("small.onnx"), network, score).hashed(hash)
    };
    let other = CacheOptions { folder: place.path().to_owned(), limit: 1 };
    let other = Cache::new(&other, "cpu avx2".to_owned());
    let key = |cache: &Cache, hash| Some(cache.of_model(&model(hash), &heard)?.key());
    let cache = cache(place.path());
    assert!(key(&cache, "").is_none(), "nothing is known of a model without a hash");
    assert!(key(&cache, "1").is_some());
    assert_eq!(key(&cache, "1"), key(&cache, "1"));
    assert_ne!(key(&cache, "1"), key(&cache, "2"));
    assert_ne!(key(&cache, "1"), key(&other, "1"));
}
