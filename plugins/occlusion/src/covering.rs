//! Covers one picture at every place and keeps what the network says.

use convscope_sdk::protocol::{Capture, Case, Fill, Intervention, Reduction};
use convscope_sdk::{AnalysisError, Batch, Images, Model};
use ndarray::{Array2, ArrayView2, s};

use crate::subject::{Layer, Subject};
use crate::windows::Windows;

/// Where the probabilities of the classes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probabilities {
    /// The value.
    pub(crate) value: String,
    /// What makes them of it.
    pub(crate) reduction: Reduction,
}

impl Probabilities {
    /// Takes those that the model computes itself, or a softmax over its scores where these are no
    /// probabilities already.
    pub(crate) fn of(model: &Model<'_>, scores_are_probabilities: bool) -> Self {
        let description = model.description();
        let own = description.probability.as_ref();
        let is_one = own.is_some() || scores_are_probabilities;
        Self {
            value: own.unwrap_or(&description.score).clone(),
            reduction: if is_one { Reduction::None } else { Reduction::Softmax },
        }
    }
}

/// What the network says of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Probability of the class that is watched.
    pub(crate) probability: f32,
    /// Its score.
    pub(crate) score: f32,
    /// Sum of the feature map that is watched.
    pub(crate) activity: f32,
    /// The most probable class.
    pub(crate) label: u32,
}

/// What the network says of one picture as it is, and covered at every place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Covered {
    /// As it is.
    pub(crate) clean: Seen,
    /// Covered; one map `[row, column]` for each occluder.
    pub(crate) maps: Vec<Array2<Seen>>,
    /// Colour of the occluder on the screen, where it has one.
    pub(crate) colour: Option<[u8; 3]>,
}

/// Runs one picture forward as it is and covered at every place of every occluder. `images` holds
/// the picture first and, where `fill` names one, what covers it. `progress` is told how many
/// places are done.
pub(crate) fn cover(
    model: &Model<'_>,
    images: &Images<'_>,
    fill: &Fill,
    windows: &[Windows],
    (subject, layer, probabilities): (&Subject, &Layer, &Probabilities),
    progress: &dyn Fn(usize) -> Result<(), AnalysisError>,
) -> Result<Covered, AnalysisError> {
    let cases: Vec<Case> = std::iter::once(Case::default())
        .chain(windows.iter().flat_map(Windows::regions).map(|region| Case {
            image: 0,
            interventions: vec![Intervention::Occlude { region, fill: fill.clone() }],
        }))
        .collect();
    let (score, class) = (model.description().score.as_str(), [subject.class]);
    let captures = [
        Capture::new(probabilities.value.as_str(), probabilities.reduction).of_channels(class),
        Capture::new(score, Reduction::None).of_channels(class),
        Capture::new(layer.name.as_str(), Reduction::Sum).of_channels([subject.map]),
        Capture::new(score, Reduction::Argmax),
    ];
    let mut seen = Vec::with_capacity(cases.len());
    model.observe(images, &cases, &captures, |batch| {
        add(&mut seen, batch)?;
        progress(seen.len().saturating_sub(1))
    })?;
    let mut seen = seen.into_iter();
    let clean = seen.next().unwrap_or_default();
    let map = |windows: &Windows| {
        Array2::from_shape_vec(windows.shape(), seen.by_ref().take(windows.count()).collect())
    };
    let maps = windows.iter().map(map).collect::<Result<_, _>>()?;
    Ok(Covered { clean, maps, colour: None })
}

/// Adds the cases of a batch.
fn add(seen: &mut Vec<Seen>, batch: &Batch<'_>) -> Result<(), AnalysisError> {
    let [probabilities, scores, activities] =
        [batch.values(0)?, batch.values(1)?, batch.values(2)?];
    let labels = batch.indices(3)?;
    let count = batch.range().len();
    if [probabilities.len(), scores.len(), activities.len(), labels.len()] != [count; 4] {
        let shape = probabilities.shape();
        return Err(AnalysisError::Unsupported(format!(
            "the model's probabilities have shape {shape:?}, which is not one number per class"
        )));
    }
    let values = probabilities.iter().zip(&scores).zip(&activities).zip(&labels);
    seen.extend(values.map(|(((&probability, &score), &activity), &label)| Seen {
        probability,
        score,
        activity,
        label,
    }));
    Ok(())
}

/// Returns, for every pixel of a picture of `[height, width]`, the mean of `drop` over the windows
/// that cover it; NaN where none does.
pub(crate) fn per_pixel(
    drop: &ArrayView2<'_, f32>,
    windows: &Windows,
    [height, width]: [usize; 2],
) -> Array2<f32> {
    let mut sums = Array2::<f64>::zeros([height, width]);
    let mut counts = Array2::<f64>::zeros([height, width]);
    for (row, &top) in windows.rows.iter().enumerate() {
        for (column, &left) in windows.columns.iter().enumerate() {
            let [high, wide] = windows.size;
            let covered = s![top..top + high, left..left + wide];
            let value = f64::from(drop[[row, column]]);
            sums.slice_mut(covered).mapv_inplace(|sum| sum + value);
            counts.slice_mut(covered).mapv_inplace(|count| count + 1.0);
        }
    }
    (sums / counts).mapv(|mean| mean as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_has_the_mean_of_the_windows_over_it() {
        let windows = Windows {
            size: [2, 2],
            stride: [1, 1],
            rows: vec![0],
            columns: vec![0, 1, 4],
            suffix: String::new(),
        };
        let drop = Array2::from_shape_vec([1, 3], vec![1.0, 4.0, -2.0]).unwrap();
        let pixels = per_pixel(&drop.view(), &windows, [3, 6]);
        for row in 0..2 {
            let row: Vec<f32> = pixels.row(row).to_vec();
            assert_eq!(row[..3], [1.0, 2.5, 4.0]);
            assert!(row[3].is_nan());
            assert_eq!(row[4..], [-2.0, -2.0]);
        }
        assert!(pixels.row(2).iter().all(|value| value.is_nan()));
    }
}
