//! The parameters as users see them.

use convscope_gradients::Saliency;
use convscope_sdk::fake::FakeHost;

#[test]
fn the_signature_shows_every_default() {
    let schema = FakeHost::schema(&Saliency).unwrap();
    assert_eq!(
        schema.summary(),
        "images, target = \"predicted\", layer, channel, position, start = \"one\", overlap = \
         \"sum\", lrn = \"exact\""
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
    let schema = FakeHost::schema(&Saliency).unwrap();
    let form = |name: &str| schema.parameter(name).unwrap().form.to_string();
    for name in ["images", "target", "layer", "channel", "position", "start", "overlap", "lrn"] {
        println!("{name}: {}", form(name));
    }
    assert_eq!(form("start"), "\"one\" or \"activation\"");
    assert_eq!(form("layer"), "the name of a layer");
}
