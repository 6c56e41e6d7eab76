//! What people are told about mistakes, and where.

use crate::fake::{Desk, LOADED, marked, mistake};

/// Returns message, marked word, and what else is said.
fn told(script: &str) -> (String, String, String) {
    let mistake = mistake(script);
    let word = marked(&mistake);
    (mistake.message, word, mistake.label.or(mistake.help).unwrap_or_default())
}

fn tell(message: &str, word: &str, help: &str) -> (String, String, String) {
    (message.to_owned(), word.to_owned(), help.to_owned())
}

#[test]
fn an_unknown_parameter_is_found_before_anything_runs() {
    let script = format!("{LOADED} model.occlusion(#{{ images: photos, windw: 32 }});");

    let left = Desk::new().run(&script);

    assert!(left.fake.asked.lock().unwrap().is_empty(), "nothing was loaded");
    let mistake = left.mistake();
    assert_eq!(mistake.message, "unknown parameter `windw`");
    assert_eq!(marked(&mistake), "windw");
    assert_eq!(mistake.label.unwrap(), "did you mean `window`?");
    assert_eq!(
        mistake.help.unwrap(),
        "parameters: images, window = 32, stride = 8, layers, target, baseline, layer"
    );
    let place = mistake.place.unwrap();
    assert_eq!((place.line, place.column), (2, 37));
}

#[test]
fn columns_count_characters() {
    let mistake = mistake("let größe = \"äöü\"; let x = größer;");

    assert_eq!(marked(&mistake), "größer");
    assert_eq!(mistake.place.unwrap().column, 28);
    assert_eq!(mistake.label.unwrap(), "did you mean `größe`?");
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    assert_eq!(
        told("let photos = 1; print(photo);"),
        tell("unknown variable `photo`", "photo", "did you mean `photos`?")
    );
    assert_eq!(
        told("let m = load_modl(\"x\");"),
        tell("unknown function `load_modl`", "load_modl", "did you mean `load_model`?")
    );
    assert_eq!(
        told("fn describe(x) { x } descrbe(1);"),
        tell("unknown function `descrbe`", "descrbe", "did you mean `describe`?")
    );
    assert_eq!(
        told(&format!("{LOADED} model.oclusion(#{{ images: photos }});")),
        tell("no plugin offers the analysis `oclusion`", "oclusion", "did you mean `occlusion`?")
    );
    assert_eq!(
        told(&format!("{LOADED} model.saliency(#{{ images: photos }});")),
        tell(
            "no plugin offers the analysis `saliency`",
            "saliency",
            "analyses: `deconvnet`, `occlusion`"
        )
    );
    assert_eq!(
        told(&format!("{LOADED} model.run(\"x/saliency\", #{{}});")),
        tell(
            "no plugin offers the analysis `x/saliency`",
            "\"x/saliency\"",
            "analyses: `deconvnet`, `occlusion`"
        )
    );
    assert_eq!(
        told(&format!("{LOADED} model.occlusion(images: photos);")),
        tell(
            "unknown variable `images`",
            "images",
            "parameters with names stand in a map: `#{ name: value }`"
        )
    );
    assert_eq!(
        told("print(tools::help());"),
        tell("nothing is imported as `tools`", "tools", "begin with `import \"…\" as tools;`")
    );
}

#[test]
fn a_function_in_a_map_is_no_unknown_function() {
    let left = Desk::new().run(
        "let tools = #{ occlusion: |o| print(o.anything), shout: |x| print(x) };
         tools.shout(1); tools.occlusion(#{ anything: 2 });",
    );

    assert_eq!(left.printed(), ["1", "2"]);
}

#[test]
fn wrong_arguments_are_told_with_the_right_ones() {
    let (message, word, help) = told(&format!("{LOADED} model.occlusion();"));
    assert_eq!(message, "`occlusion` takes one map of named parameters, not (Model)");
    assert_eq!(word, "occlusion");
    assert_eq!(
        help,
        "write `model.occlusion(#{ … })`\nparameters: images, window = 32, stride = 8, layers, target, baseline, layer"
    );

    let (message, _, help) = told(&format!("{LOADED} let p = report(\"x\"); p.text(3);"));
    assert_eq!(message, "`text` does not take (Report, int)");
    assert_eq!(help, "it is `text(report: Report, markdown: string)`");
}

#[test]
fn syntax_is_explained() {
    assert_eq!(told("let x = ;").0, "unexpected `;`");
    assert_eq!(
        told("let x = (1 + 2"),
        tell("expecting `)` for a matching ( in this expression", "", "")
    );
    assert_eq!(told("let s = \"abc").0, "open string is not terminated");
    assert_eq!(told("eval(\"1\");").0, "`eval` is switched off");
}

#[test]
fn what_a_script_throws_is_told_as_it_is() {
    assert_eq!(told("throw \"too few photographs\";").0, "too few photographs");
    assert_eq!(told("throw #{ message: \"no\", help: \"try more\" };").2, "try more");
    assert_eq!(told("throw;").0, "the script gave up");
}

#[test]
fn errors_of_the_language_are_told_in_plain_words() {
    assert_eq!(
        told("let a = [1]; a[3];").0,
        "array index 3 out of bounds: only 1 element in array"
    );
    assert_eq!(told("let m = #{}; m.key;").0, "the map has no entry `key`");
    assert_eq!(told("let n = 5; for x in n { }").0, "`for` needs a list, a range or a string");
    assert_eq!(told("let n = 3; if n { }").0, "bool is wanted here, not int");
    assert_eq!(told("1 / 0").0, "division by zero: 1 / 0");
    assert_eq!(told("let n = 3; n.size;").0, "a value of type int has no property `size`");
    let (message, word, help) = told("let twice = |x| 2 * x; twice(3);");
    assert_eq!((message.as_str(), word.as_str()), ("unknown function `twice`", "twice"));
    assert_eq!(help, "`twice` is a variable: what it holds is called by `twice.call(…)`");
}

#[test]
fn the_calls_that_led_there_are_told() {
    let mistake = mistake(
        "fn inner(a) { throw \"no\" }
         fn outer(a) { inner(a) }
         outer(1);",
    );

    let stack: Vec<(&str, usize)> = mistake
        .stack
        .iter()
        .map(|frame| (frame.function.as_str(), frame.place.as_ref().unwrap().line))
        .collect();
    assert_eq!(stack, [("inner", 2), ("outer", 3)]);
    assert_eq!(mistake.place.unwrap().line, 1);
}

#[test]
fn a_missing_script_is_told() {
    let error = convscope_script::run(
        std::path::Path::new("/nowhere/x.rhai"),
        std::sync::Arc::new(crate::fake::Bench::default()),
        &convscope_script::ScriptOptions::default(),
    )
    .unwrap_err();

    assert!(error.to_string().starts_with("cannot read the script `/nowhere/x.rhai`: "));
}
