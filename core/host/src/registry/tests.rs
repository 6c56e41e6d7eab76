use std::fs;

use tempfile::TempDir;

use super::*;
use crate::testing::{PLUGIN, compile};

/// What users are told to do about faults of a plugin.
const AUTHORS: &str = "tell its authors";

/// Looks in one folder as if it had been given with `--plugin-dir`.
fn discover(folder: &TempDir) -> Registry {
    let search = Search::new(&[folder.path().to_owned()], &crate::Places::default());
    Registry::discover(&search.reserving(|name| name == "loop"))
}

/// Compiles the test plugin with definitions before it.
fn plugin(folder: &TempDir, name: &str, definitions: &str) -> Option<PathBuf> {
    let definitions = definitions.lines().map(|line| format!("#define {line}\n"));
    compile(folder.path(), name, &(definitions.collect::<String>() + PLUGIN))
}

/// The one reason for which a folder's one file is refused, and what to do about it.
fn refusal(folder: &TempDir) -> (String, String) {
    let registry = discover(folder);
    assert!(registry.plugins().is_empty(), "{:?}", registry.plugins());
    let [failure] = registry.failures() else { panic!("{:?}", registry.failures()) };
    (failure.reason.to_string(), failure.reason.help())
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
        ("MAJOR 7", "was built for version 7.1 of the plugin interface, this is 0.1", "build it"),
        ("MINOR 2", "needs version 0.2 of the plugin interface, this is 0.1", "a newer convscope"),
        (
            "MINOR 0",
            "was built for version 0.0 of the plugin interface, this is 0.1, and before 1.0 both",
            "build it again",
        ),
        (
            "MAGIC 17",
            "does not start with convscope's magic number, but with 0x0000000000000011",
            AUTHORS,
        ),
        ("SIZE 24", "the size of the description is 24, less than the", AUTHORS),
        ("ENTRY (CsPlugin *)0", "cs_plugin_entry returned nothing", AUTHORS),
        (
            "ENTRY (CsPlugin *)((char *)&plugin + 1)",
            "the address of the description is not aligned",
            AUTHORS,
        ),
        ("ID \"Org example\"", "the plugin's id `Org example` is not like `org.exam", AUTHORS),
        ("ID \"\\xff\"", "the plugin's id is not UTF-8", AUTHORS),
        ("ANALYSIS \"Look At\"", "the analysis' id `Look At` is not in snake_case", AUTHORS),
        ("COUNT 0", "the list of analyses is empty", AUTHORS),
        ("COUNT 100000", "the list of analyses has 100000 entries, more than 1000", AUTHORS),
        ("COUNT 2", "the analysis' id `look` appears twice", AUTHORS),
        ("RUN NULL", "the run function of look is missing", AUTHORS),
        ("INIT refuses", "its init function failed with status 1", AUTHORS),
        ("ANALYSIS \"loop\"", "its analysis `loop` is called like a word of the script", AUTHORS),
    ];
    for (definitions, expected, help) in cases {
        let folder = tempfile::tempdir().unwrap();
        if plugin(&folder, "bad", definitions).is_none() {
            return;
        }
        let (reason, advice) = refusal(&folder);
        assert!(reason.contains(expected), "{definitions}: {reason}");
        assert!(advice.contains(help), "{definitions}: {advice}");
    }
}

#[test]
fn schemas_out_of_order_are_refused_each_with_its_reason() {
    let of = |x: &str| format!(r#"{{"type": "object", "properties": {{"x": {x}}}}}"#);
    let named = r##"{"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": "##;
    let cases = [
        ("{".to_owned(), "the parameter schema is no JSON"),
        (r#"{"type": "array"}"#.to_owned(), "must describe an object"),
        (r#"{"type": "object", "if": {}}"#.to_owned(), "keyword `if` is not accepted"),
        (of(r#"{"type": "integer", "minimum": "one"}"#), "x: `minimum` must be "),
        (format!("{named}{{}}}}"), "x: `$ref` to `#/$defs/a`, which is not in `$defs`"),
        (
            format!(r##"{named}{{"a": {{"type": "array", "items": {{"$ref": "#/$defs/a"}}}}}}}}"##),
            "nest too deeply or contain themselves",
        ),
        (wide(), "more than 10000 parts when every `$ref` is followed"),
        (of(r#"{"anyOf": [{"type": "string"}, {"type": "string"}]}"#), "x: two alternatives take "),
        (of("{}"), "x: says neither a type, nor values, nor a role"),
        (
            r#"{"type": "object", "properties": {}, "required": ["x"]}"#.to_owned(),
            "`required` names `x`, which is no property",
        ),
        (of(r#"{"type": "integer", "default": "a"}"#), "x: the default is refused: "),
    ];
    for (schema, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        if plugin(&folder, "bad", &format!("SCHEMA {schema:?}")).is_none() {
            return;
        }
        let (reason, help) = refusal(&folder);
        assert!(reason.starts_with("the parameters of look: "), "{schema}: {reason}");
        assert!(reason.contains(expected), "{schema}: {reason}");
        assert!(help.contains(AUTHORS), "{schema}: {help}");
    }
}

/// A short schema that is endless once every reference is followed: each definition has ten parts of
/// the next.
fn wide() -> String {
    let ten = |name: usize| -> Vec<String> {
        (0..10).map(|key| format!(r##""k{key}": {{"$ref": "#/$defs/d{name}"}}"##)).collect()
    };
    let object = |parts: &[String]| {
        format!(r#"{{"type": "object", "properties": {{{}}}}}"#, parts.join(", "))
    };
    let mut definitions: Vec<String> =
        (0..6).map(|name| format!(r#""d{name}": {}"#, object(&ten(name + 1)))).collect();
    definitions.push(r#""d6": {"type": "integer"}"#.to_owned());
    let properties = ten(0).join(", ");
    format!(
        r#"{{"type": "object", "properties": {{{properties}}}, "$defs": {{{}}}}}"#,
        definitions.join(", ")
    )
}

#[test]
fn a_missing_and_an_undefined_symbol_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = "int nothing(void); int nothing(void) { return 0; }";
    if compile(folder.path(), "empty", source).is_none() {
        return;
    }
    let (reason, help) = refusal(&folder);
    assert_eq!(reason, "is no plugin of convscope: it does not export cs_plugin_entry");
    assert!(help.contains("export_plugin!") && help.contains("CS_EXPORT"), "{help}");
    let folder = tempfile::tempdir().unwrap();
    let source = format!("int absent(void);\n#define RESULT absent()\n{PLUGIN}");
    compile(folder.path(), "undefined", &source);
    let (reason, help) = refusal(&folder);
    assert!(reason.starts_with("cannot be loaded: "), "{reason}");
    assert!(reason.contains("undefined symbol: absent"), "{reason}");
    assert!(help.contains("every library that it needs"), "{help}");
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

mod files;
mod places;
