//! Analyses as methods of models, and their results.

use crate::fake::{Desk, LOADED, marked, printed};

#[test]
fn an_analysis_is_a_method_with_named_parameters() {
    let script = format!("{LOADED} model.occlusion(#{{ images: photos, window: 16 }});");

    let asked = Desk::new().run(&script).asked();

    assert_eq!(
        asked.last().unwrap(),
        "run org.convscope.fake/occlusion {\"images\": 2 images, \"window\": 16}"
    );
}

#[test]
fn an_analysis_runs_by_its_full_name_too() {
    let script = format!(
        "{LOADED} model.run(\"org.convscope.fake/deconvnet\", #{{ images: photos }});
         model.run(\"occlusion\", #{{ images: photos }});"
    );

    let outcome = Desk::new().run(&script).outcome.unwrap();

    let names: Vec<&str> = outcome.analyses.iter().map(|run| run.analysis.as_str()).collect();
    assert_eq!(names, ["org.convscope.fake/deconvnet", "org.convscope.fake/occlusion"]);
}

#[test]
fn a_parameter_that_is_nothing_is_not_passed_on() {
    let script = format!("{LOADED} model.occlusion(#{{ images: photos, layers: () }});");

    let asked = Desk::new().run(&script).asked();

    assert!(asked.last().unwrap().ends_with("{\"images\": 2 images}"));
}

#[test]
fn arrays_are_arguments_alone_and_in_lists() {
    let script = format!(
        "{LOADED} let a = model.occlusion(#{{ images: photos }}).probability;
         let layers = [1]; layers.insert(0, a);
         model.deconvnet(#{{ images: photos, layers: layers, window: 1 + 1 }});"
    );

    let asked = Desk::new().run(&script).asked();

    assert!(
        asked.last().unwrap().contains("\"layers\": [tensor probability [2, 3], 1]"),
        "{asked:?}"
    );
}

#[test]
fn results_of_the_same_analysis_get_numbers() {
    let script = format!("{LOADED} for i in 0..3 {{ model.occlusion(#{{ images: photos }}); }}");

    let outcome = Desk::new().run(&script).outcome.unwrap();

    let names: Vec<&str> = outcome.analyses.iter().map(|run| run.result.as_str()).collect();
    assert_eq!(names, ["occlusion", "occlusion-2", "occlusion-3"]);
}

#[test]
fn what_two_plugins_offer_must_be_said_in_full() {
    let script = format!("{LOADED} model.occlusion(#{{ images: photos }});");
    let mut desk = Desk::new();
    desk.fake.two_plugins = true;

    let mistake = desk.run(&script).mistake();

    assert_eq!(mistake.kind, "ambiguous_analysis");
    assert_eq!(
        mistake.message,
        "more than one plugin offers this: `org.convscope.fake/occlusion`, \
         `com.example.other/occlusion`"
    );
    assert!(mistake.help.unwrap().contains("model.run(\"org.convscope.fake/occlusion\""));
}

#[test]
fn a_failure_can_be_caught_and_looked_at() {
    let script = format!(
        "{LOADED} try {{ let p = #{{ images: photos }}; p.windw = 3; model.occlusion(p); }}
         catch (e) {{ print(`${{e.kind}}: ${{e.message}} (${{e.key}}) ${{e.help}}`); }}"
    );

    assert_eq!(
        printed(&script),
        ["unknown_parameter: unknown parameter `windw` (windw) did you mean `window`?"]
    );
}

#[test]
fn an_uncaught_failure_points_at_the_call() {
    let script =
        format!("{LOADED} let p = #{{ images: photos }};\n p.windw = 3;  model.occlusion(p);");

    let mistake = Desk::new().run(&script).mistake();

    assert_eq!(mistake.kind, "unknown_parameter");
    assert_eq!(marked(&mistake), "occlusion");
    assert_eq!(mistake.place.unwrap().line, 3);
    assert_eq!(mistake.label.unwrap(), "did you mean `window`?");
}

#[test]
fn a_wrong_value_in_a_literal_map_is_pointed_at() {
    let script = format!(
        "{LOADED} let none = 1; none -= 1; model.occlusion(#{{ images: photos, window: none }});"
    );

    let mistake = Desk::new().run(&script).mistake();

    assert_eq!(mistake.message, "`window` must be at least 1, not 0");
    assert_eq!(marked(&mistake), "none");
    assert_eq!(mistake.key.unwrap(), "window");
}

#[test]
fn a_result_offers_what_was_found() {
    let script = format!(
        "{LOADED} let r = model.occlusion(#{{ images: photos }});
         print(r.arrays); print(r.scalars.share); print(r.notes); print(r.parameters.window);
         print(r.analysis); print(r); print(r.figures); print(r.figure(\"probability\").title);
         print(r.table(\"winners\").rows); print(r.tables.len());
         print(r[\"projection.conv1\"].shape);"
    );

    assert_eq!(
        printed(&script),
        [
            "[\"probability\", \"winner\", \"projection.conv1\"]",
            "0.75",
            "[\"approximate\"]",
            "32",
            "org.convscope.fake/occlusion",
            "occlusion: arrays `probability`, `winner`, `projection.conv1`; 1 figures, 2 tables",
            "[probability: Probability]",
            "Probability",
            "[#{\"map\": 4}, #{\"map\": ()}]",
            "2",
            "[1, 1]",
        ]
    );
}

#[test]
fn what_was_not_found_is_said_with_what_there_is() {
    let ask = |what: &str| {
        let script = format!("{LOADED} let r = model.occlusion(#{{ images: photos }});\n r{what};");
        let mistake = Desk::new().run(&script).mistake();
        (mistake.message, mistake.label.or(mistake.help).unwrap())
    };

    let (message, help) = ask(".probabilty");
    assert_eq!(message, "`occlusion` has no array `probabilty`");
    assert_eq!(help, "did you mean `probability`?");
    assert_eq!(ask(".figurs").1, "did you mean `figures`?");
    let (_, help) = ask("[\"projection\"]");
    assert_eq!(help, "there is one per layer: write `[\"projection.conv1\"]` for the first");
    let (message, help) = ask(".figure(\"maps\")");
    assert_eq!(message, "`occlusion` has no figure `maps`");
    assert_eq!(help, "figures: `probability`");
    let (message, help) = ask(".table(\"winner\")");
    assert_eq!(message, "`occlusion` has no table `winner`");
    assert_eq!(help, "did you mean `winners`?");
}

#[test]
fn arrays_are_saved_below_the_output_folder_only() {
    let save = |path: &str| {
        let script = format!(
            "{LOADED} let r = model.occlusion(#{{ images: photos }});
             r.save_npy(\"probability\", \"{path}\");"
        );
        Desk::new().run(&script).outcome
    };

    assert!(save("maps/p.npy").is_ok());
    for path in ["/tmp/p.npy", "../p.npy", "a/../../p.npy", "", "a\\\\p.npy", "data/p.npy", "p.txt"]
    {
        let error = save(path).unwrap_err().to_string();
        assert!(error.contains("cannot write to `"), "{error}");
    }
}
