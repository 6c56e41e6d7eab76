//! Values that are written in a script, checked before it runs.

use convscope_script::ScriptError;

use crate::fake::{Desk, LOADED};

/// Returns message, line and column of every mistake.
fn told(script: &str) -> Vec<(String, usize, usize)> {
    match Desk::new().run(&format!("{LOADED}{script}")).outcome {
        Err(ScriptError::Mistakes(mistakes)) => mistakes
            .into_iter()
            .map(|mistake| {
                let place = mistake.place.unwrap();
                (mistake.message, place.line, place.column)
            })
            .collect(),
        other => panic!("no mistakes: {other:?}"),
    }
}

fn messages(parameters: &str) -> Vec<String> {
    let all = told(&format!("model.occlusion(#{{ images: photos, {parameters} }});"));
    all.into_iter().map(|(message, ..)| message).collect()
}

#[test]
fn objects_inside_parameters_are_checked_with_the_exact_place() {
    assert_eq!(
        messages("baseline: #{ knd: \"mean\" }"),
        ["parameter `baseline.kind` is required", "unknown parameter `baseline.knd`",]
    );
    assert_eq!(
        messages("baseline: #{ kind: \"blr\", radius: 0 }"),
        [
            "`baseline.kind`: expected \"mean\" or \"blur\", got \"blr\"",
            "`baseline.radius`: expected a number above 0, got 0",
        ]
    );
    let all = told("model.occlusion(#{\n  images: photos,\n  baseline: #{ kind: 3 },\n});");
    assert_eq!((all[0].1, all[0].2), (4, 22));
}

#[test]
fn what_is_partly_computed_is_checked_as_far_as_it_is_written() {
    let all = messages("layers: [photos.names[0], 3], baseline: #{ kind: photos.names[0], x: 1 }");

    assert_eq!(
        all,
        ["`layers[1]`: expected the name of a layer, got 3", "unknown parameter `baseline.x`",]
    );
    assert_eq!(
        messages("window: `${photos.len()}`"),
        ["`window`: expected a whole number of at least 1, got a string",]
    );
}

#[test]
fn things_of_another_kind_are_told_by_their_name() {
    assert_eq!(
        messages("window: photos, stride: |x| x, target: model"),
        [
            "`window`: expected a whole number of at least 1, got a set of images",
            "`stride`: expected a whole number, got a function",
            "`target`: expected a class number, or a class label, got a Model",
        ]
    );
    let all = told("model.occlusion(#{ images: \"photos\" });");
    assert_eq!(all[0].0, "`images`: expected pictures or tensors, got \"photos\"");
}

#[test]
fn a_value_is_followed_through_variables_and_functions_that_surely_run() {
    let script = "const WINDOW = 0;\n\
                  let layers = [\"conv1\", \"conv2\"];\n\
                  fn look(m) { m.deconvnet(#{ images: 1 }); m.layer(\"conv1\") }\n\
                  look(model);\n\
                  model.occlusion(#{ images: photos, window: WINDOW, layers: layers });";

    let expected = [
        ("`layers[1]`: the model has no layer `conv2`", 3, 24),
        ("`images`: expected pictures or tensors, got 1", 4, 37),
        ("`window`: expected a whole number of at least 1, got 0", 6, 44),
    ];
    assert_eq!(
        told(script),
        expected.map(|(message, line, column)| (message.into(), line, column))
    );
}

#[test]
fn properties_and_methods_of_known_things_are_checked() {
    let script = "let found = model.occlusion(#{ images: photos });\n\
                  print(photos.nmes);\n\
                  print(found.figure(\"probability\").titel);\n\
                  print(found.probability.maximum());\n\
                  print(photos.layer(\"conv1\"));";

    let all: Vec<(String, usize)> =
        told(script).into_iter().map(|(message, line, _)| (message, line)).collect();

    let expected = [
        ("a set of images has no property `nmes`", 3),
        ("a figure has no property `titel`", 4),
        ("unknown function `maximum`", 5),
        ("`layer` does not take (Images, string)", 6),
    ];
    assert_eq!(all, expected.map(|(message, line)| (message.to_owned(), line)));
}
