//! The options of the inversion.

use convscope_sdk::protocol::FigureContent;
use convscope_sdk::protocol::attribute::On;
use serde_json::json;

use crate::{attribution, host, run};

#[test]
fn overlap_and_lrn_become_rules_of_their_layers() {
    let rules = |analysis: &str, parameters: serde_json::Value| {
        let host = host(1);
        run(&host, analysis, &parameters).unwrap();
        let [composite] = &host.composites()[..] else { panic!("one call carries back") };
        let rule = |rule: &convscope_sdk::protocol::attribute::Rule| match &rule.on {
            On::Kind(kind) => format!("{kind}: {}", rule.apply),
            On::Layer(layer) => panic!("a rule for {layer} alone"),
        };
        composite.rules.iter().map(rule).collect::<Vec<_>>()
    };
    let both = json!({ "overlap": "overwrite", "lrn": "skip" });
    let options = ["max_pooling: overwrite_overlap", "response_normalization: pass"];
    assert!(rules("saliency", json!({})).is_empty());
    assert_eq!(rules("saliency", both.clone()), options);
    assert_eq!(
        rules("guided_backprop", both.clone()),
        [&["rectifier: guided"], &options[..]].concat()
    );
    assert_eq!(rules("deconvolution", both), [&["rectifier: rectify"], &options[..]].concat());
    assert_eq!(
        rules("deconvolution", json!({ "overlap": "sum", "lrn": "exact" })),
        ["rectifier: rectify"]
    );
}

#[test]
fn overlap_changes_nothing_where_windows_do_not_overlap() {
    // The windows of the tiny network lie side by side, so that the rule has nothing to overwrite.
    for analysis in ["saliency", "guided_backprop", "deconvolution"] {
        let with = |overlap: &str| {
            attribution(&run(&host(2), analysis, &json!({ "overlap": overlap })).unwrap())
        };
        assert_eq!(with("sum"), with("overwrite"));
    }
}

#[test]
fn the_caption_states_every_option() {
    let caption = |parameters| {
        let findings = run(&host(1), "saliency", &parameters).unwrap();
        findings.figure("attribution").unwrap().caption.clone()
    };
    assert_eq!(
        caption(json!({})),
        "The signal starts from one unit that holds 1; where pooling windows overlap, signals add \
         up. Grey is zero; each picture has a symmetric scale of its own, which ends at the 99.5th \
         percentile of its absolute values."
    );
    let all = json!({ "start": "activation", "overlap": "overwrite", "lrn": "skip" });
    assert!(caption(all).starts_with(
        "The signal starts from one unit that holds its activation; where pooling windows overlap, \
         the last one wins; response normalizations are not inverted. Grey is zero"
    ));
}

#[test]
fn each_method_says_how_it_is_read() {
    let read = |analysis| {
        let findings = run(&host(1), analysis, &json!({})).unwrap();
        let figure = findings.figure("attribution").unwrap();
        assert!(matches!(figure.content, FigureContent::Grid(_)));
        (figure.title.clone(), figure.how_to_read.clone())
    };
    let (title, how) = read("saliency");
    assert_eq!(title, "Saliency: what in each picture matters");
    assert!(how.contains("darker: it lowers it"), "{how}");
    let (title, how) = read("guided_backprop");
    assert_eq!(title, "Guided backpropagation: what in each picture matters");
    assert!(how.contains("paths whose signals are all positive"), "{how}");
    let (title, how) = read("deconvolution");
    assert_eq!(title, "Deconvolution: what in each picture matters");
    assert!(how.contains("what the unit found in the picture"), "{how}");
}
