//! The parameters as users see them.

use convscope_occlusion::Occlusion;
use convscope_sdk::fake::FakeHost;

#[test]
fn the_signature_shows_every_default() {
    let schema = FakeHost::schema(&Occlusion).unwrap();
    assert_eq!(
        schema.summary(),
        "images, window = 32, windows, stride = 8, baseline = \"mean\", target = \"predicted\", \
         layer, map = \"strongest\", projections = 3, box"
    );
    let required: Vec<&str> = schema
        .parameters()
        .iter()
        .filter(|parameter| parameter.required)
        .map(|parameter| parameter.name.as_str())
        .collect();
    assert_eq!(required, ["images"]);
    assert!(schema.parameters().iter().all(|parameter| parameter.doc.ends_with('.')));
}

#[test]
fn the_forms_of_a_parameter_are_said_in_words() {
    let schema = FakeHost::schema(&Occlusion).unwrap();
    let form = |name: &str| schema.parameter(name).unwrap().form.to_string();
    for (name, words) in [
        ("images", "pictures or tensors"),
        ("window", "a whole number of at least 1, or a list of 2: a whole number of at least 1"),
        ("layer", "the name of a layer with feature maps"),
        ("projections", "a whole number from 0 to 24"),
    ] {
        assert_eq!(form(name), words);
    }
}
