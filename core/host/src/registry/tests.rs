use std::fs;

use tempfile::TempDir;

use super::*;
use crate::testing::{PLUGIN, compile};

/// Looks in one folder as if it had been given with `--plugin-dir`.
fn discover(folder: &TempDir) -> Registry {
    Registry::discover(&Search::new(&[folder.path().to_owned()], &crate::Places::default()))
}

/// Compiles the test plugin with definitions before it.
fn plugin(folder: &TempDir, name: &str, definitions: &str) -> Option<PathBuf> {
    let definitions = definitions.lines().map(|line| format!("#define {line}\n"));
    compile(folder.path(), name, &(definitions.collect::<String>() + PLUGIN))
}

/// The one reason for which a folder's one file is refused.
fn refusal(folder: &TempDir) -> String {
    let registry = discover(folder);
    assert!(registry.plugins().is_empty(), "{:?}", registry.plugins());
    let [failure] = registry.failures() else { panic!("{:?}", registry.failures()) };
    failure.reason.to_string()
}

#[test]
fn a_plugin_in_order_is_loaded_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "good", "") else { return };
    let registry = discover(&folder);
    assert!(registry.failures().is_empty(), "{:?}", registry.failures());
    let [plugin] = registry.plugins() else { panic!("{registry:?}") };
    assert_eq!(plugin.path(), path.canonicalize().unwrap());
    assert_eq!(plugin.descriptor().version, "1.2.3");
    let hash = blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string();
    assert_eq!(plugin.descriptor().hash, hash);
    for name in ["look", "test/look", "org.example.test/look"] {
        let (plugin, analysis) = registry.analysis(name).unwrap();
        assert_eq!(plugin.full_name(analysis), "org.example.test/look");
    }
}

#[test]
fn descriptions_out_of_order_are_refused_each_with_its_reason() {
    let cases = [
        ("MAJOR 7", "was built for version 7.1 of the plugin interface, this is 0.1: build it"),
        (
            "MINOR 2",
            "needs version 0.2 of the plugin interface, this is 0.1: use a newer convscope",
        ),
        ("MINOR 0", "was built for version 0.0 of the plugin interface, this is 0.1, and before"),
        ("MAGIC 17", "does not start with convscope's magic number, but with 0x0000000000000011"),
        ("SIZE 24", "the size of the description is 24, less than the"),
        ("ENTRY (CsPlugin *)0", "cs_plugin_entry returned nothing"),
        (
            "ENTRY (CsPlugin *)((char *)&plugin + 1)",
            "the address of the description is not aligned",
        ),
        ("ID \"Org example\"", "the plugin's id `Org example` is not like `org.example.method`"),
        ("ID \"\\xff\"", "the plugin's id is not UTF-8"),
        ("ANALYSIS \"Look At\"", "the analysis' id `Look At` is not in snake_case"),
        ("COUNT 0", "the list of analyses is empty"),
        ("COUNT 100000", "the list of analyses has 100000 entries, more than 1000"),
        ("COUNT 2", "the analysis' id `look` appears twice"),
        ("RUN NULL", "the run function of look is missing"),
        ("INIT refuses", "its init function failed with status 1"),
        ("SCHEMA \"{\"", "the parameters of look: the parameter schema is no JSON"),
        (
            "SCHEMA \"{\\\"type\\\": \\\"object\\\", \\\"if\\\": {}}\"",
            "keyword `if` is not accepted",
        ),
    ];
    for (definitions, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        if plugin(&folder, "bad", definitions).is_none() {
            return;
        }
        let reason = refusal(&folder);
        assert!(reason.contains(expected), "{definitions}: {reason}");
    }
}

#[test]
fn a_missing_and_an_undefined_symbol_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = "int nothing(void); int nothing(void) { return 0; }";
    if compile(folder.path(), "empty", source).is_none() {
        return;
    }
    let reason = refusal(&folder);
    assert_eq!(reason, "is no plugin of convscope: it does not export cs_plugin_entry");
    let folder = tempfile::tempdir().unwrap();
    let source = format!("int absent(void);\n#define RESULT absent()\n{PLUGIN}");
    compile(folder.path(), "undefined", &source);
    let reason = refusal(&folder);
    assert!(reason.starts_with("cannot be loaded: "), "{reason}");
    assert!(reason.contains("undefined symbol: absent"), "{reason}");
}

#[test]
fn files_that_are_no_whole_library_are_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "whole", "") else { return };
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("libconvscope_{name}.so")), bytes).unwrap();
        refusal(&folder)
    };
    assert_eq!(refused("empty", b""), "the file is empty");
    let random: Vec<u8> =
        (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(refused("random", &random), "is no shared library");
    assert_eq!(refused("text", b"#!/bin/sh\necho no library\n"), "is no shared library");
    for part in [20, 100, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        let reason = refused("part", &whole[..part]);
        let named = ["truncated", "is no shared library"].iter().any(|word| reason.contains(word));
        assert!(named, "{part}: {reason}");
    }
    let mut other = whole.clone();
    other[18..20].copy_from_slice(&183_u16.to_le_bytes());
    if cfg!(target_arch = "x86_64") {
        let reason = refused("other", &other);
        assert_eq!(reason, "is made for the processor aarch64, this is x86_64");
    }
    let mut object = whole.clone();
    object[16..18].copy_from_slice(&1_u16.to_le_bytes());
    assert_eq!(refused("object", &object), "is no shared library but an object file");
}

#[test]
fn a_segment_beyond_the_end_is_a_truncated_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "segment", "") else { return };
    let mut bytes = fs::read(&path).unwrap();
    // The program headers begin where the ELF header says; the first loaded one gets a size that
    // reaches far beyond the file.
    let table = u64::from_le_bytes(bytes[32..40].try_into().unwrap()) as usize;
    let header = (0..64).map(|index| table + 56 * index).find(|&at| bytes[at] == 1).unwrap();
    bytes[header + 32..header + 40].copy_from_slice(&(1_u64 << 30).to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let reason = refusal(&folder);
    assert!(reason.starts_with("is truncated: it should have at least 1073741824"), "{reason}");
}

#[test]
fn the_first_of_two_plugins_with_one_id_wins() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = plugin(&folder, "a", "") else { return };
    plugin(&folder, "b", "ANALYSIS \"other\"");
    fs::copy(&first, folder.path().join("libconvscope_c.so")).unwrap();
    let registry = discover(&folder);
    assert_eq!(registry.plugins().len(), 1);
    assert!(registry.analysis("look").is_ok());
    let failures: Vec<_> = registry.failures().iter().map(|one| one.reason.to_string()).collect();
    let expected = format!(
        "org.example.test was already found in {}",
        first.canonicalize().unwrap().display()
    );
    assert_eq!(failures, [expected.clone(), expected]);
}

#[test]
fn one_file_under_two_names_is_found_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "one", "") else { return };
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, folder.path().join("libconvscope_two.so")).unwrap();
    let registry = discover(&folder);
    assert_eq!((registry.plugins().len(), registry.failures().len()), (1, 0), "{path:?}");
}

#[test]
fn a_short_name_that_two_plugins_offer_must_be_written_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = plugin(&folder, "a", "ID \"org.one\"") else { return };
    plugin(&folder, "b", "ID \"org.two\"");
    let registry = discover(&folder);
    let error = registry.analysis("look").unwrap_err();
    assert_eq!(error.to_string(), "`look` is offered by org.one/look and org.two/look");
    assert_eq!(error.help().unwrap(), "write the full name");
    let (plugin, _) = registry.analysis("two/look").unwrap();
    assert_eq!(plugin.descriptor().id, "org.two");
}

#[test]
fn an_unknown_analysis_is_answered_with_the_nearest_names() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = plugin(&folder, "a", "") else { return };
    let error = discover(&folder).analysis("loook").unwrap_err();
    assert_eq!(error.to_string(), "there is no analysis `loook`");
    assert_eq!(error.help().unwrap(), "did you mean `look`?");
}

#[test]
fn without_any_plugin_the_places_that_were_searched_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = discover(&folder).analysis("look").unwrap_err();
    let help = error.help().unwrap();
    assert!(help.contains(&folder.path().canonicalize().unwrap().display().to_string()), "{help}");
}

#[test]
fn a_folder_that_was_named_must_exist_and_those_of_the_environment_be_absolute() {
    let places = crate::Places {
        plugin_path: Some("relative".into()),
        executable: Some("/nowhere/at/all/convscope".into()),
        user_data: None,
    };
    let registry = Registry::discover(&Search::new(&["/nowhere/named".into()], &places));
    let failures: Vec<_> = registry
        .failures()
        .iter()
        .map(|one| format!("{} {}", one.path.display(), one.reason))
        .collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!(failures[0], "relative CONVSCOPE_PLUGIN_PATH may only hold absolute folders");
    assert!(failures[1].starts_with("/nowhere/named cannot be read: "), "{failures:?}");
}

#[test]
fn plugins_of_the_environment_are_found_but_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = plugin(&folder, "a", "") else { return };
    let places = crate::Places {
        plugin_path: Some(folder.path().as_os_str().to_owned()),
        ..crate::Places::default()
    };
    let registry = Registry::discover(&Search::new(&[], &places));
    assert!(registry.plugins().is_empty());
    assert!(registry.failures()[0].reason.to_string().starts_with("is not trusted"));
}
