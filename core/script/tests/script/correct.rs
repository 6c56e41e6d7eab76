//! Scripts without mistakes: nothing may be reported that could still turn out right.

use crate::fake::{Desk, LOADED};

#[test]
fn a_script_that_uses_the_whole_language_has_no_mistakes_and_runs() {
    let desk = Desk::new().write("home/tools.rhai", include_str!("../scripts/tools.rhai"));

    let left = desk.run(include_str!("../scripts/correct.rhai"));

    let outcome = left.outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    assert_eq!(outcome.report.unwrap().title, "No mistakes");
}

#[test]
fn nothing_is_said_of_what_may_not_run_or_may_be_caught() {
    for script in [
        "if option(\"big\", false) { load_model(\"big.onnx\"); }",
        "switch option(\"kind\", 1) { 2 => load_model(\"big.onnx\"), _ => () }",
        "option(\"big\", false) && load_images(\"none\").len() > 0;",
        "let n = 0; while n > 0 { load_model(\"big.onnx\"); }",
        "let list = []; for i in list { load_model(\"big.onnx\"); }",
        "for i in [1] { if i == 1 { break; } load_model(\"big.onnx\"); }",
        "if true { return; } load_model(\"big.onnx\");",
        "if true { exit(); } load_model(\"big.onnx\");",
        "fn stop() { exit() } stop(); load_model(\"big.onnx\");",
        "Fn(\"exit\").call(); load_model(\"big.onnx\");",
        "let name = { \"big.onnx\"; \"models/tiny.onnx\" }; load_model(name);",
        "let f = || load_model(\"big.onnx\"); if false { f.call(); }",
        "fn load(name) { load_model(name) } try { load(\"big.onnx\"); } catch { }",
        "fn one() { two() } fn two() { load_model(\"big.onnx\") } try { one(); } catch { }",
        "try { import \"none\" as n; } catch { }",
        "if false { import \"none\" as n; n::anything(1); }",
    ] {
        let outcome = Desk::new().run(script).outcome;
        assert!(outcome.is_ok(), "{script}: {}", outcome.unwrap_err());
    }
}

#[test]
fn nothing_is_said_of_models_and_values_that_change() {
    for script in [
        "if photos.len() > 5 { model.layer(\"another\"); }",
        "let layers = [\"another\"]; layers[0] = \"conv1\"; \
         model.occlusion(#{ images: photos, layers: layers });",
        "let layers = [\"another\"]; layers.clear(); \
         model.occlusion(#{ images: photos, layers: layers });",
        "let layers = [\"another\"]; remove(layers, 0); \
         model.occlusion(#{ images: photos, layers: layers });",
        "let layers = [\"another\"]; layers.for_each(|i| { this = \"conv1\"; }); \
         model.occlusion(#{ images: photos, layers: layers });",
        "let m = #{ layers: [\"another\"] }; m.layers.clear(); \
         model.occlusion(#{ images: photos, layers: m.layers });",
        "let all = [[\"another\"]]; all[0].clear(); let o = #{ images: photos }; \
         o.layers = all[0]; model.occlusion(o);",
        "let w = 0; w += 8; model.occlusion(#{ images: photos, window: w });",
        "let w = 0; let set = || w = 8; set.call(); \
         model.occlusion(#{ images: photos, window: w });",
        "fn fill() { this.push(\"conv1\"); this.remove(0); } let layers = [\"another\"]; \
         layers.fill(); model.occlusion(#{ images: photos, layers: layers });",
        "let o = #{ windw: 1 }; o.remove(\"windw\"); o.images = photos; model.occlusion(o);",
    ] {
        let outcome = Desk::new().run(&format!("{LOADED} {script}")).outcome;
        assert!(outcome.is_ok(), "{script}: {}", outcome.unwrap_err());
    }
}

#[test]
fn functions_of_the_main_script_are_known_to_what_it_imports() {
    let desk = Desk::new().write("home/part.rhai", "print(helper(2));");

    assert_eq!(desk.run("fn helper(x) { x + 1 } import \"part\" as p;").printed(), ["3"]);
}

#[test]
fn a_module_imported_under_a_computed_name_is_left_to_the_call() {
    let desk = Desk::new().write("home/tools.rhai", "fn twice(x) { x * 2 }");

    let left =
        desk.run("let name = \"tools\"; name += \"\"; import name as t; print(t::twice(2));");

    assert_eq!(left.printed(), ["4"]);
}
