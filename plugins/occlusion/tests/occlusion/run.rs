//! How a run goes: progress, and stopping.

use convscope_occlusion::Occlusion;
use serde_json::json;

use crate::host;

#[test]
fn progress_rises_from_nothing_to_one_and_says_where_it_is() {
    let host = host(3);
    crate::run(&host, &json!({ "window": 2, "stride": 2 }));
    let progress = host.progress();
    let fractions: Vec<f64> = progress.iter().map(|(fraction, _)| *fraction).collect();
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert_eq!((fractions.first(), fractions.last()), (Some(&0.0), Some(&1.0)));
    for words in [
        "looked at 2 of 3 pictures",
        "covering picture 1, picture 2 of 3: 0 of 9 places",
        "covering picture 2, picture 3 of 3: 9 of 9 places",
        "projecting feature maps",
        "done",
    ] {
        assert!(progress.iter().any(|(_, line)| line == words), "{words}");
    }
}

#[test]
fn a_cancelled_run_stops_wherever_it_is() {
    let parameters = json!({ "windows": [2, 3], "stride": 3, "baseline": "blur" });
    let whole = host(2);
    crate::run(&whole, &parameters);
    for call in 1..=whole.progress().len() {
        let host = host(2).cancel_at(call);
        let error = host.run(&Occlusion, &parameters).unwrap_err();
        assert_eq!(error.to_string(), "cancelled", "at call {call}");
        assert_eq!(host.progress().len(), call);
    }
}
