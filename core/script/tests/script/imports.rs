//! Imports.

use crate::fake::{Desk, marked};

#[test]
fn a_script_imports_from_its_folder_and_the_library() {
    let desk = Desk::new()
        .write("home/tools.rhai", "fn twice(x) { x * 2 } export const NAME = \"tools\";")
        .write("library/shared.rhai", "import \"other\" as o; fn thrice(x) { o::thrice(x) }")
        .write("library/other.rhai", "fn thrice(x) { x * 3 }");

    let left = desk.run(
        "import \"tools\" as t; import \"shared\" as s;
         print(t::twice(2)); print(s::thrice(2)); print(t::NAME);",
    );

    let sources: Vec<String> = left
        .outcome
        .as_ref()
        .unwrap()
        .sources
        .iter()
        .map(|source| source.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(sources, ["main.rhai", "tools.rhai", "shared.rhai", "other.rhai"]);
    assert_eq!(left.printed(), ["4", "6", "tools"]);
}

#[test]
fn paths_in_an_imported_script_start_at_that_script() {
    let asked = Desk::new()
        .write("home/models/tools.rhai", "fn load() { load_model(\"tiny.onnx\") }")
        .run("import \"models/tools\" as t; t::load();")
        .asked();

    assert!(asked[0].contains("/home/models/tiny.onnx "), "{asked:?}");
}

#[test]
fn imports_do_not_lead_elsewhere() {
    for name in ["../secret", "/etc/passwd", "a/../../b", "", "c:x", "a\\\\b"] {
        let mistake = Desk::new().run(&format!("import \"{name}\" as x;")).mistake();
        assert_eq!(mistake.kind, "out_of_reach", "{name}");
        assert!(mistake.message.starts_with("cannot import `"), "{}", mistake.message);
        assert!(marked(&mistake).starts_with('"'), "{}", marked(&mistake));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_script_does_not_lead_elsewhere() {
    let desk = Desk::new().write("outside.rhai", "fn f() { 1 }");
    std::os::unix::fs::symlink(desk.root.join("outside.rhai"), desk.root.join("home/in.rhai"))
        .unwrap();

    let mistake = desk.run("import \"in\" as x;").mistake();

    assert!(mistake.message.starts_with("cannot import `in`: it is `"), "{}", mistake.message);
    assert_eq!(mistake.help.unwrap(), "a link may not lead out of the script's folder");
}

#[test]
fn a_missing_import_is_told_with_where_it_was_sought() {
    let mistake = Desk::new().run("let a = 1;\nimport \"tols\" as t;").mistake();

    assert_eq!(mistake.message, "there is no script `tols.rhai` to import");
    assert_eq!(marked(&mistake), "\"tols\"");
    let help = mistake.help.unwrap();
    assert!(help.starts_with("looked in ") && help.contains("/library"), "{help}");
}

#[test]
fn a_circle_of_imports_is_told() {
    let mistake = Desk::new()
        .write("home/a.rhai", "import \"b\" as b;")
        .write("home/b.rhai", "import \"a\" as a;")
        .run("import \"a\" as a;")
        .mistake();

    assert_eq!(mistake.message, "imports go in a circle: a.rhai → b.rhai → a.rhai");
    assert_eq!(mistake.help.unwrap(), "move what both need into a third script");
    assert!(mistake.place.unwrap().path.ends_with("b.rhai"));
    let mistake = Desk::new().run("import \"main\" as m;").mistake();
    assert_eq!(mistake.message, "imports go in a circle: main.rhai → main.rhai");
}

#[test]
fn mistakes_in_an_imported_script_are_told_there() {
    let told = |module: &str, main: &str| {
        let mistake = Desk::new().write("home/tools.rhai", module).run(main).mistake();
        let place = mistake.place.clone().unwrap();
        assert!(place.path.ends_with("tools.rhai"), "{}", place.path.display());
        let stack: Vec<String> = mistake.stack.iter().map(|frame| frame.function.clone()).collect();
        (mistake.message.clone(), place.line, marked(&mistake), stack.join(" "))
    };
    let import = "import \"tools\" as t;";

    let tell = |message: &str, line: usize, word: &str, stack: &str| {
        (message.to_owned(), line, word.to_owned(), stack.to_owned())
    };
    assert_eq!(told("let a = ;", import), tell("unexpected `;`", 1, ";", "import"));
    assert_eq!(
        told("\nlod_model(\"x\");", import),
        tell("unknown function `lod_model`", 2, "lod_model", "import")
    );
    assert_eq!(told("\n\nthrow \"no\";", import), tell("no", 3, "throw", "import"));
    assert_eq!(
        told("fn f() { throw \"no\" }", &format!("{import} t::f();")),
        tell("no", 1, "throw", "f")
    );
}
