//! Parameters: the schema that a type becomes, and what an analysis receives.

use convscope_sdk::fake::{FakeError, FakeHost};
use convscope_sdk::protocol::{Role, Schema};
use convscope_sdk::{Analysis, AnalysisError, Host, OneOrMany, Position, Positions, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::probe::{images, run};

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// One.
    #[default]
    One,
    /// As much as there is.
    Activation,
}

/// Everything that a parameter may be.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Everything {
    /// Where it starts.
    #[serde(default)]
    start: Start,
    #[serde(default)]
    again: Option<Start>,
    #[serde(default)]
    position: Option<Positions>,
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f32,
    #[serde(default)]
    size: Option<[u32; 2]>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    maps: OneOrMany<usize>,
    #[serde(default)]
    deep: bool,
}

fn half() -> f32 {
    0.1
}

struct Accepting;

impl Analysis for Accepting {
    const ID: &'static str = "accepting";
    const NAME: &'static str = "Accepting";
    const DOC: &'static str = "Takes everything that a parameter may be.";
    type Parameters = Everything;

    fn run(&self, host: &Host<'_>, parameters: Everything) -> Result<(), AnalysisError> {
        assert_eq!(parameters.again, Some(Start::Activation));
        assert_eq!(
            parameters.position,
            Some(Positions(OneOrMany::Many(vec![Position::Max, Position::At([1, 2])])))
        );
        assert_eq!(parameters.maps.as_slice(), [0]);
        host.note(host.parameters_json()?)
    }
}

#[test]
fn derived_schemas_use_only_keywords_that_hosts_accept() {
    let given = json!({ "again": "activation", "position": ["max", [1, 2]] });
    let findings = FakeHost::new().run(&Accepting, &given).unwrap();
    let completed = findings.notes[0].as_str();
    assert!(completed.starts_with(r#"{"start":"one","again":"activation""#), "{completed}");
    assert!(completed.contains(r#""size":null,"names":[],"maps":0,"deep":false"#), "{completed}");
}

#[test]
fn what_the_schema_refuses_never_reaches_the_analysis() {
    let given = json!({ "share": 2, "start": "on", "positon": "max", "size": [1] });
    let Err(FakeError::Parameters(errors)) = FakeHost::new().run(&Accepting, &given) else {
        panic!("the parameters were accepted");
    };
    let said: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "unknown parameter `positon`",
            "`start`: expected \"one\" or \"activation\", got \"on\"",
            "`share`: expected a number from 0 to 1, got 2",
            "`size`: expected a list of 2: a whole number of at least 0, got [1]",
        ]
    );
    assert_eq!(errors[0].help.as_deref(), Some("did you mean `position`?"));
}

#[test]
fn labels_become_class_numbers_and_layers_exist() {
    let host = FakeHost::new().with_tensors("images", images(1));
    run(&host, &json!({ "target": ["cat", 1, "predicted"], "layer": "pool" }), |_, parameters| {
        let targets = [Target::Class(2), Target::Class(1), Target::Predicted];
        assert_eq!(parameters.target.as_slice(), targets);
        assert_eq!(parameters.layer.unwrap().as_str(), "pool");
        assert!(parameters.images.is_some());
        Ok(())
    })
    .unwrap();
    let refused = |given| run(&host, &given, |_, _| Ok(())).unwrap_err().to_string();
    assert_eq!(refused(json!({ "target": "cow" })), "`target`: no class is labelled \"cow\"");
    assert_eq!(refused(json!({ "target": 4 })), "`target`: no class 4; there are 4");
    assert_eq!(refused(json!({ "layer": "pol" })), "`layer`: no layer `pol`");
    assert_eq!(
        refused(json!({ "window": 9 })),
        "`window`: expected a whole number from 0 to 8 (px), got 9"
    );
    assert_eq!(refused(json!([])), "parameters must be a JSON object");
}

#[test]
fn roles_and_units_survive_the_derivation() {
    let schema = schemars::schema_for!(crate::probe::Parameters);
    let mut json = schema.to_value();
    json.as_object_mut().unwrap().remove("$schema");
    let schema = Schema::from_json(json).unwrap();
    let role = |name| schema.parameter(name).unwrap().role();
    assert_eq!(role("images"), Some(Role::Dataset));
    assert_eq!(role("layer"), Some(Role::Layer));
    assert_eq!(role("target"), Some(Role::Target));
    assert_eq!(schema.parameter("window").unwrap().unit(), "px");
    assert_eq!(schema.summary(), "images, layer, target = \"predicted\", window = 0");
}

/// A map has keys that no schema can list.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Unlisted {
    weights: std::collections::BTreeMap<String, f32>,
}

struct Refused;

impl Analysis for Refused {
    const ID: &'static str = "refused";
    const NAME: &'static str = "Refused";
    const DOC: &'static str = "Has a parameter that hosts refuse.";
    type Parameters = Unlisted;

    fn run(&self, _: &Host<'_>, _: Unlisted) -> Result<(), AnalysisError> {
        Ok(())
    }
}

#[test]
fn a_type_that_schemas_cannot_say_is_refused() {
    let error = FakeHost::new().run(&Refused, &json!({})).unwrap_err();
    assert_eq!(error.to_string(), "the schema of the analysis is refused");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "parameter schema: #/properties/weights: `additionalProperties` must be false"
    );
}
