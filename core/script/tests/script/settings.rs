//! Options of scripts, printing, progress.

use crate::fake::{Desk, marked, printed};

#[test]
fn an_option_has_its_default_unless_set() {
    let script = "print(option(\"top\", 9)); print(option(\"name\", \"x\"));";

    assert_eq!(printed(script), ["9", "x"]);
    let set = Desk::new().set("top", "3").set("name", "2024").set("top", "4");
    assert_eq!(set.run(script).printed(), ["4", "2024"]);
}

#[test]
fn an_option_is_of_its_defaults_kind() {
    let shown = |default: &str, value: &str| {
        let script = format!("let o = option(\"o\", {default}); print(`${{type_of(o)}} ${{o}}`);");
        Desk::new().set("o", value).run(&script).printed().remove(0)
    };

    assert_eq!(shown("1.5", "2"), "f64 2.0");
    assert_eq!(shown("true", "false"), "bool false");
    assert_eq!(shown("\"a\"", "\"quoted\""), "string quoted");
    assert_eq!(shown("[]", "[1, 2]"), "array [1, 2]");
    assert_eq!(shown("[]", "conv1"), "array [\"conv1\"]");
    assert_eq!(shown("()", "[1, \"x\"]"), "array [1, \"x\"]");
    assert_eq!(shown("()", "plain"), "string plain");
    assert_eq!(shown("#{}", "{\"a\": 1}"), "map #{\"a\": 1}");
}

#[test]
fn a_setting_of_the_wrong_kind_is_told() {
    let told = |default: &str, value: &str| {
        let mistake =
            Desk::new().set("o", value).run(&format!("option(\"o\", {default});")).mistake();
        assert_eq!(marked(&mistake), "option");
        mistake.message
    };

    assert_eq!(told("1", "many"), "`--set o=many`: a whole number is wanted");
    assert_eq!(told("1", "1.5"), "`--set o=1.5`: a whole number is wanted");
    assert_eq!(told("1.5", "x"), "`--set o=x`: a number is wanted");
    assert_eq!(told("true", "1"), "`--set o=1`: `true` or `false` is wanted");
    assert_eq!(told("#{}", "1"), "`--set o=1`: a JSON object is wanted");
    assert_eq!(told("|x| x", "1"), "the default of option `o` cannot be a function");
}

#[test]
fn an_option_without_default_is_required() {
    let mistake = Desk::new().run("option(\"model\");").mistake();

    assert_eq!(mistake.message, "this script needs `--set model=…`");
    assert_eq!(mistake.kind, "missing_option");
}

#[test]
fn a_setting_that_no_option_asks_for_is_told_before_anything_runs() {
    let left = Desk::new().set("modle", "x").run("print(1); option(\"model\", \"y\");");

    assert!(left.fake.printed.lock().unwrap().is_empty());
    let mistake = left.mistake();
    assert_eq!(mistake.message, "the script has no option `modle`");
    assert_eq!(mistake.label.unwrap(), "did you mean `model`?");
    assert!(mistake.place.is_none());
    // Where the names are computed, this can only be said in the end.
    let script = "for name in [\"a\"] { option(name, 1); }";
    let outcome = Desk::new().set("b", "1").run(script).outcome.unwrap();
    assert_eq!(outcome.warnings, ["the script did not use `--set b`"]);
}

#[test]
fn printing_and_progress_reach_the_program() {
    let left = Desk::new().run("print(1 + 1);\ndebug(\"x\"); progress(\"halfway\");");

    assert_eq!(*left.fake.asked.lock().unwrap(), ["progress halfway"]);
    assert_eq!(left.printed(), ["2", "debug line 2: \"x\""]);
}

#[test]
fn an_executable_script_runs() {
    assert_eq!(printed("#!/usr/bin/env convscope run\nprint(1);"), ["1"]);
}
