//! How a run goes: progress, and stopping.

use convscope_deconvnet::Deconvnet;
use serde_json::json;

use crate::host;

#[test]
fn progress_rises_from_nothing_to_one() {
    let host = host(5);
    crate::run(&host, &json!({ "layers": ["relu", "pool"] }));
    let progress = host.progress();
    let fractions: Vec<f64> = progress.iter().map(|(fraction, _)| *fraction).collect();
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert_eq!((fractions.first(), fractions.last()), (Some(&0.0), Some(&1.0)));
    for words in ["searched 4 of 5 pictures", "projecting relu", "projecting pool", "done"] {
        assert!(progress.iter().any(|(_, line)| line == words), "{words}");
    }
}

#[test]
fn a_cancelled_run_stops_wherever_it_is() {
    let parameters = json!({ "layers": ["relu", "pool"] });
    let whole = host(3);
    crate::run(&whole, &parameters);
    for call in 1..=whole.progress().len() {
        let host = host(3).cancel_at(call);
        let error = host.run(&Deconvnet, &parameters).unwrap_err();
        assert_eq!(error.to_string(), "cancelled", "at call {call}");
        assert_eq!(host.progress().len(), call);
    }
}
