//! Which layers and maps are shown.

use convscope_sdk::protocol::{LayerDescription, ModelDescription};
use serde_json::json;

use crate::brute_force::ranked;
use crate::{host, indices, pictures, run};

fn maps(host: &convscope_sdk::fake::FakeHost, parameters: &serde_json::Value) -> Vec<u32> {
    indices(&run(host, parameters), "map").iter().copied().collect()
}

#[test]
fn maps_are_drawn_by_the_seed() {
    let parameters = json!({ "layers": "relu", "maps": 2 });
    let drawn = |seed| maps(&host(2).with_seed(seed), &parameters);
    let first = drawn(0);
    assert_eq!(first.len(), 2);
    assert!(first.is_sorted());
    assert_eq!(drawn(0), first);
    assert!((1..20).any(|seed| drawn(seed) != first), "twenty seeds draw the same maps");
}

#[test]
fn maps_of_different_layers_are_drawn_apart() {
    let parameters = json!({ "layers": ["relu", "conv", "pool"], "maps": 1 });
    let differ = |seed| {
        let drawn = maps(&host(1).with_seed(seed), &parameters);
        drawn.iter().any(|map| *map != drawn[0])
    };
    assert!((0..20).any(differ));
}

#[test]
fn the_strongest_maps_come_first() {
    let mut expected = [0, 1, 2, 3];
    let strength = |map: usize| ranked("scores", &pictures(3), map)[0].0.max(0.0);
    expected.sort_by(|&a, &b| strength(b).total_cmp(&strength(a)));
    let expected: Vec<u32> = expected.map(|map| map as u32).to_vec();
    for count in 1..=4 {
        let parameters = json!({ "layers": "scores", "maps": count, "choose": "strongest" });
        assert_eq!(maps(&host(3), &parameters), expected[..count]);
    }
}

#[test]
fn named_maps_are_shown_as_they_are_named() {
    let parameters = json!({ "layers": ["relu", "scores"], "maps": [2, 0] });
    assert_eq!(maps(&host(1), &parameters), [2, 0, 2, 0]);
}

#[test]
fn layers_with_fewer_maps_leave_places_empty() {
    let findings = run(&host(1), &json!({ "layers": ["relu", "scores"] }));
    let map = indices(&findings, "map");
    assert_eq!(map.shape(), [2, 4]);
    assert_eq!(map.iter().copied().collect::<Vec<_>>(), [0, 1, 2, u32::MAX, 0, 1, 2, 3]);
    assert!(crate::numbers(&findings, "activation")[[0, 3, 0]].is_nan());
    assert!(crate::numbers(&findings, "firing")[[0, 3, 1]].is_nan());
    for name in ["image_index", "position", "patch_region"] {
        let values = indices(&findings, name);
        let of_absent = values.index_axis(ndarray::Axis(0), 0);
        let of_absent = of_absent.index_axis(ndarray::Axis(0), 3);
        assert!(of_absent.iter().all(|&index| index == u32::MAX), "{name}");
    }
}

#[test]
fn values_after_rectifiers_are_shown_unless_layers_are_named() {
    let layers = |host: &convscope_sdk::fake::FakeHost| {
        let findings = run(host, &json!({}));
        findings.array("map").unwrap().meta.axes[0].labels.clone().unwrap()
    };
    assert_eq!(layers(&host(1)), ["relu"]);
    let more = |model: &mut ModelDescription| {
        for layer in &mut model.layers {
            layer.kind = "rectifier".to_owned();
        }
        // One whose output is neither maps nor features is passed over.
        let shape = vec![1, 3, 9];
        model.layers.push(LayerDescription {
            kind: "rectifier".into(),
            shape,
            ..Default::default()
        });
    };
    assert_eq!(layers(&host(1).with_description(more)), ["conv", "relu", "pool", "scores"]);
}
