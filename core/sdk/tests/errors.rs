//! How analyses end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use convscope_abi::CsStatus;
use convscope_sdk::fake::{FakeError, FakeHost};
use convscope_sdk::protocol::{Capture, Reduction};
use convscope_sdk::{AnalysisError, Host, LogLevel};
use serde_json::json;

use crate::probe::{Body, images, run};

fn ended(host: &FakeHost, body: Body) -> (i32, String) {
    match run(host, &json!({}), body).unwrap_err() {
        FakeError::Analysis { status, message } => (status.0, message),
        other => panic!("{other}"),
    }
}

fn with_images() -> FakeHost {
    FakeHost::new().with_tensors("images", images(5))
}

fn each_batch(
    host: &Host<'_>,
    sink: impl FnMut() -> Result<(), AnalysisError>,
) -> Result<(), AnalysisError> {
    let mut sink = sink;
    let capture = Capture::new("scores", Reduction::None);
    host.model()?.observe(&host.images("images")?, &[], &[capture], |_| sink())
}

#[test]
fn every_error_reaches_the_host_in_its_words() {
    let host = FakeHost::new();
    assert_eq!(
        ended(&host, |_, _| Err(AnalysisError::parameter("maps", "map 9 of 3"))),
        (CsStatus::INVALID.0, "`maps`: map 9 of 3".into())
    );
    assert_eq!(
        ended(&host, |_, _| Err(AnalysisError::Unsupported("needs pictures".into()))),
        (CsStatus::UNSUPPORTED.0, "needs pictures".into())
    );
    assert_eq!(
        ended(&host, |_, _| Err(AnalysisError::Failed("did not converge".into()))),
        (CsStatus::FAILED.0, "did not converge".into())
    );
    assert_eq!(
        ended(&host, |host, _| host.model()?.parameter("pool", "bias").map(|_| ())),
        (CsStatus::INVALID.0, "layer `pool` has no parameter `bias`".into())
    );
    assert_eq!(ended(&host, |_, _| Err(AnalysisError::Cancelled)).1, "cancelled");
}

#[test]
fn a_panic_is_reported_with_file_and_line() {
    let (status, message) = ended(&FakeHost::new(), |_, _| panic!("no such map"));
    assert_eq!(status, CsStatus::PANICKED.0);
    let place = message.strip_prefix("panicked at ").unwrap();
    assert!(place.contains("errors.rs:") && place.ends_with(": no such map"), "{message}");
}

#[test]
fn a_panic_in_a_sink_goes_through_the_host_and_keeps_its_place() {
    let (status, message) =
        ended(&with_images(), |host, _| each_batch(host, || panic!("in the sink")));
    assert_eq!(status, CsStatus::PANICKED.0);
    assert!(message.contains("errors.rs:") && message.ends_with(": in the sink"), "{message}");
}

#[test]
fn a_panic_in_a_sink_can_be_caught_behind_the_verb() {
    run(&with_images(), &json!({}), |host, _| {
        let caught = catch_unwind(AssertUnwindSafe(|| each_batch(host, || panic!("in the sink"))));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in the sink"));
        each_batch(host, || Ok(()))
    })
    .unwrap();
}

#[test]
fn the_error_of_a_sink_stops_the_verb_and_comes_out_of_it() {
    run(&with_images(), &json!({}), |host, _| {
        let mut calls = 0;
        let error = each_batch(host, || {
            calls += 1;
            Err(AnalysisError::Failed("enough".into()))
        });
        assert_eq!((error.unwrap_err().to_string(), calls), ("enough".to_owned(), 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sink_may_call_the_host() {
    run(&with_images(), &json!({}), |host, _| {
        let mut inner = 0;
        each_batch(host, || {
            each_batch(host, || {
                inner += 1;
                Ok(())
            })
        })?;
        assert_eq!(inner, 9, "three batches within each of three");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelling_stops_at_the_next_call() {
    let host = with_images().cancel_at(2);
    let (status, _) = ended(&host, |host, _| {
        assert!(!host.is_cancelled());
        host.progress(0.0, "first")?;
        let stopped = host.progress(0.5, "second");
        assert!(host.is_cancelled());
        assert!(matches!(stopped, Err(AnalysisError::Cancelled)));
        each_batch(host, || panic!("a cancelled verb called its sink"))
    });
    assert_eq!(status, CsStatus::CANCELLED.0);
    assert_eq!(host.progress(), [(0.0, "first".to_owned()), (0.5, "second".to_owned())]);
}

#[test]
fn misbehaviour_is_told_apart_from_failure() {
    let how = |host: &FakeHost, body: Body| match run(host, &json!({}), body) {
        Err(error @ FakeError::Misbehaved(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        how(&FakeHost::new().cancel_at(1), |host, _| {
            let _ = host.progress(0.0, "ignored");
            Ok(())
        }),
        "the plugin broke the interface: it was told to stop and returned status 0 instead of \
         CANCELLED"
    );
    assert_eq!(
        how(&FakeHost::new(), |host, _| host.progress(1.5, "too far")),
        "the plugin broke the interface: it reported 1.5 as progress"
    );
    assert_eq!(
        how(&FakeHost::new(), |_, _| Err(AnalysisError::Failed(String::new()))),
        "the plugin broke the interface: it returned status 1 without saying why"
    );
}

#[test]
fn the_log_keeps_levels_and_order() {
    let host = FakeHost::new();
    run(&host, &json!({}), |host, _| {
        host.log(LogLevel::Debug, "a");
        host.log(LogLevel::Warning, "b");
        Ok(())
    })
    .unwrap();
    assert_eq!(host.log(), [(LogLevel::Debug, "a".into()), (LogLevel::Warning, "b".into())]);
}

#[test]
fn the_host_may_be_called_from_several_threads() {
    run(&with_images(), &json!({}), |host, _| {
        std::thread::scope(|scope| {
            let runs: Vec<_> =
                (0..4).map(|_| scope.spawn(|| each_batch(host, || Ok(())))).collect();
            runs.into_iter().try_for_each(|run| run.join().unwrap())
        })
    })
    .unwrap();
}

#[test]
fn seeds_differ_by_stream_and_session_and_repeat() {
    let seeds = |seed: u64| {
        let host = FakeHost::new().with_seed(seed);
        let found = run(&host, &json!({}), |host, _| {
            host.note(&format!("{} {}", host.rng_seed(0), host.rng_seed(1)))
        });
        found.unwrap().notes[0].clone()
    };
    assert_eq!(seeds(1), seeds(1));
    assert_ne!(seeds(1), seeds(2));
    let both = seeds(3);
    let (first, second) = both.split_once(' ').unwrap();
    assert_ne!(first, second);
}
