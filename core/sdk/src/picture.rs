//! What figures of pictures and projections need.

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::Colours;
use convscope_protocol::{Array, Axis, ModelDescription};
use ndarray::{Array4, Axis as Dimension};

use crate::{AnalysisError, Images};

/// The share of the values that a symmetric scale covers.
const COVERED: f64 = 0.995;

/// Returns colours around grey = 0 whose symmetric scale ends at the 99.5th percentile of the
/// absolute values; see [`symmetric_limit`].
pub fn around_grey(values: impl IntoIterator<Item = f32>) -> Colours {
    Colours::AroundGrey { limit: symmetric_limit(values) }
}

/// Returns where a symmetric scale ends: at the 99.5th percentile of the absolute values; a few
/// outliers then do not wash the picture out. NaN does not count.
pub fn symmetric_limit(values: impl IntoIterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.into_iter().filter(|v| v.is_finite()).map(f32::abs).collect();
    if values.is_empty() {
        return 1.0;
    }
    let place = ((values.len() - 1) as f64 * COVERED) as usize;
    let (_, limit, above) = values.select_nth_unstable_by(place, f32::total_cmp);
    let largest = above.iter().copied().fold(*limit, f32::max);
    // What is zero nearly everywhere still has a scale, and so has what is zero everywhere.
    [*limit, largest].into_iter().find(|&limit| limit > 0.0).unwrap_or(1.0)
}

/// Returns the channel axis of values in the network's input: its colours in the network's own
/// order where they are known, so that a figure shows red as red.
pub fn input_channels(model: &ModelDescription) -> Axis {
    let order = model.preprocessing.as_ref().map(|scale| scale.channels.as_str());
    let count = model.inputs.first().and_then(|input| input.shape.get(1));
    match (order, count) {
        (Some("rgb"), Some(3)) => colours(["red", "green", "blue"]),
        (Some("bgr"), Some(3)) => colours(["blue", "green", "red"]),
        _ => Axis::named("channel"),
    }
}

/// Returns the channel axis of a picture's pixels: red, green, blue.
pub fn pixel_channels() -> Axis {
    colours(["red", "green", "blue"])
}

/// Makes the array `picture`, `[image, channel, row, column]`: the pictures as the network sees them,
/// before normalization. Nothing where some are raw tensors. `progress` is called before each.
///
/// # Errors
/// Fails when a picture cannot be read, or with the error of `progress`.
pub fn picture_array(
    images: &Images<'_>,
    names: &[String],
    mut progress: impl FnMut(usize) -> Result<(), AnalysisError>,
) -> Result<Option<Array>, AnalysisError> {
    let mut pictures: Option<Array4<u8>> = None;
    for image in 0..images.len() {
        progress(image)?;
        let Some(pixels) = images.pixels(image)? else { return Ok(None) };
        let pixels = pixels.permuted_axes([2, 0, 1]);
        let (channels, height, width) = pixels.dim();
        let empty = || Array4::zeros([images.len(), channels, height, width]);
        pictures.get_or_insert_with(empty).index_axis_mut(Dimension(0), image).assign(&pixels);
    }
    let Some(pictures) = pictures else { return Ok(None) };
    let image = Axis::labelled("image", names.to_vec());
    let axes = vec![image, pixel_channels(), Axis::named("row"), Axis::named("column")];
    let doc = "The pictures at the size of the network's input, before normalization.";
    Ok(Some(Array {
        name: "picture".to_owned(),
        meta: ArrayMeta { axes, unit: "grey level".to_owned(), doc: doc.to_owned() },
        values: pictures.into_dyn().into(),
    }))
}

fn colours(names: [&str; 3]) -> Axis {
    Axis::labelled("channel", names.map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use convscope_protocol::model::{PixelScale, ValueDescription};

    use super::*;

    fn labels(order: Option<&str>, channels: usize) -> Option<Vec<String>> {
        let preprocessing = order.map(|order| PixelScale {
            channels: order.to_owned(),
            scale: 1.0,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        });
        let input = ValueDescription { name: "input".into(), shape: vec![1, channels, 4, 4] };
        let inputs = vec![input];
        let model = ModelDescription { inputs, preprocessing, ..ModelDescription::default() };
        input_channels(&model).labels
    }

    #[test]
    fn channels_have_the_colours_of_the_network_in_its_order() {
        assert_eq!(labels(Some("rgb"), 3).unwrap(), ["red", "green", "blue"]);
        assert_eq!(labels(Some("bgr"), 3).unwrap(), ["blue", "green", "red"]);
    }

    #[test]
    fn channels_without_known_colours_are_only_numbered() {
        for (order, channels) in [(Some("grey"), 1), (None, 3), (Some("rgb"), 2)] {
            assert_eq!(labels(order, channels), None);
        }
    }

    fn limit(values: Vec<f32>) -> f32 {
        match around_grey(values) {
            Colours::AroundGrey { limit } => limit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_scale_ignores_a_few_outliers_and_what_is_not_there() {
        let mut values = vec![-2.0; 1000];
        values[0] = 50.0;
        values[1] = f32::NAN;
        assert!((limit(values) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn zeros_nothing_and_a_single_spike_have_a_scale() {
        assert!((limit(vec![0.0; 9]) - 1.0).abs() < 1e-6);
        assert!((limit(Vec::new()) - 1.0).abs() < 1e-6);
        let mut spike = vec![0.0; 1000];
        spike[3] = -7.0;
        assert!((limit(spike) - 7.0).abs() < 1e-6);
    }
}
