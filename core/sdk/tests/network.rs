//! How the network of the fake host can be changed.

use convscope_sdk::fake::{BIAS, ColourOrder, FakeHost, THIRD_WEIGHT, WEIGHT};
use convscope_sdk::input_channels;
use convscope_sdk::protocol::attribute::On;
use convscope_sdk::protocol::{Amount, Capture, Composite, Disjoint, Reduction, Region, Start};
use ndarray::ArrayD;
use serde_json::json;

use crate::probe::{images, run};

fn colourful() -> ArrayD<f32> {
    let values = (0..108).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
    ArrayD::from_shape_vec(vec![1, 3, 6, 6], values).unwrap()
}

#[test]
fn a_third_channel_goes_forward_and_back() {
    let host = FakeHost::new().with_colours(ColourOrder::Rgb).with_tensors("images", colourful());
    run(&host, &json!({}), |host, _| {
        let (model, images, input) = (host.model()?, host.images("images")?, colourful());
        assert_eq!(model.description().inputs[0].shape, [1, 3, 6, 6]);
        assert_eq!(model.parameter("conv", "weight")?[[2, 2, 0, 0]], THIRD_WEIGHT[2]);
        let capture = Capture::new("conv", Reduction::None);
        model.observe(&images, &[], &[capture], |batch| {
            let [x, y, z] = [0, 1, 2].map(|channel| input[[0, channel, 4, 5]]);
            let [a, b] = WEIGHT[2];
            let expected = a * x + b * y + THIRD_WEIGHT[2] * z + BIAS[2];
            assert_eq!(batch.values(0)?[[0, 2, 4, 5]], expected);
            Ok(())
        })?;
        let position = Some([4, 5]);
        let start =
            Start { image: 0, value: "conv".into(), channel: 2, position, amount: Amount::One };
        model.attribute(&images, &[start], &Composite::default(), &[], |batch| {
            assert_eq!(batch.values(0)?.shape(), [1, 3, 6, 6]);
            assert_eq!(batch.values(0)?[[0, 2, 4, 5]], THIRD_WEIGHT[2]);
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn images_must_have_the_channels_of_the_network() {
    let host = FakeHost::new().with_colours(ColourOrder::Rgb).with_tensors("images", images(1));
    assert_eq!(
        run(&host, &json!({}), |_, _| Ok(())).unwrap_err().to_string(),
        "images `images`: expected shape [n, 3, 6, 6], got [1, 2, 6, 6]"
    );
}

#[test]
fn pixels_are_red_green_blue_whatever_the_network_takes() {
    for order in [ColourOrder::Rgb, ColourOrder::Bgr] {
        let host = FakeHost::new().with_colours(order).with_pictures("images", colourful());
        run(&host, &json!({}), |host, _| {
            let labels = input_channels(host.model()?.description()).labels.unwrap();
            let pixels = host.images("images")?.pixels(0)?.unwrap();
            for (colour, name) in ["red", "green", "blue"].iter().enumerate() {
                let channel = labels.iter().position(|label| label == name).unwrap();
                let expected = (128.0 + 64.0 * colourful()[[0, channel, 2, 3]]).round();
                assert_eq!(f32::from(pixels[[2, 3, colour]]), expected.clamp(0.0, 255.0));
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_margin_makes_fields_hang_over_the_border_and_overlap() {
    let host = FakeHost::new().with_margin(1).with_tensors("images", images(1));
    run(&host, &json!({}), |host, _| {
        let model = host.model()?;
        let field = model.receptive_field("pool", Some([0, 2]))?;
        assert_eq!(field, Region { top: -1, left: 3, height: 4, width: 4 });
        let reduction = Reduction::Strongest { k: 36, disjoint: Disjoint::ReceptiveField };
        let capture = Capture::new("relu", reduction);
        model.observe(&host.images("images")?, &[], &[capture], |batch| {
            let found = batch.values(0)?.iter().filter(|value| !value.is_nan()).count();
            assert!((3..=3 * 4).contains(&found), "{found} fields of 3 by 3 in three maps");
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn a_changed_description_is_what_the_analysis_sees() {
    let host = FakeHost::new().with_description(|model| model.labels.clear());
    run(&host, &json!({}), |host, _| {
        assert!(host.model()?.description().labels.is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_composites_of_a_run_are_remembered() {
    let host = FakeHost::new().with_tensors("images", images(1));
    run(&host, &json!({}), |host, _| {
        let composite = Composite::default().on_kind("rectifier", "rectify");
        host.model()?.attribute(&host.images("images")?, &[], &composite, &[], |_| Ok(()))
    })
    .unwrap();
    let [composite] = &host.composites()[..] else { panic!("one call") };
    assert_eq!(composite.rules[0].on, On::Kind("rectifier".into()));
}
