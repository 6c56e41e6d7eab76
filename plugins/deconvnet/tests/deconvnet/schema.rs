//! The parameters as users see them.

use convscope_deconvnet::Deconvnet;
use convscope_sdk::fake::FakeHost;

#[test]
fn the_signature_shows_every_default() {
    let schema = FakeHost::schema(&Deconvnet).unwrap();
    assert_eq!(
        schema.summary(),
        "images, layers, maps = 6, choose = \"random\", top = 9, spots_per_image = 1, start = \
         \"activation\", overlap = \"sum\", lrn = \"exact\""
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
    let schema = FakeHost::schema(&Deconvnet).unwrap();
    let form = |name: &str| schema.parameter(name).unwrap().form.to_string();
    println!("{}", serde_json::to_string_pretty(schema.json()).unwrap());
    for (name, words) in [
        ("images", "pictures or tensors"),
        (
            "layers",
            "the name of a layer with feature maps, or a list of the name of a layer with feature maps",
        ),
        ("maps", "a whole number of at least 1, or a list of a whole number of at least 0"),
        ("choose", "\"random\" or \"strongest\""),
        ("top", "a whole number from 1 to 100"),
        ("spots_per_image", "a whole number from 1 to 100"),
        ("start", "\"one\" or \"activation\""),
    ] {
        assert_eq!(form(name), words);
    }
}
