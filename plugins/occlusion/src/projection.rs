//! What the watched feature map responds to: projections of its strongest unit in the picture and
//! in others, by a deconvnet.

use convscope_sdk::protocol::{Amount, Start};
use convscope_sdk::{AnalysisError, Images, Method, Model, Normalization, Overlap};
use ndarray::{Array2, Array5, s};

use crate::subject::{Layer, Subjects, Unit};

/// Projections of the pictures shown.
pub(crate) struct Projections {
    /// `[image, rank, channel, row, column]`, in network-input units: first that of the picture
    /// itself, then those of others, strongest first; NaN where there is none.
    pub(crate) values: Array5<f32>,
    /// The picture that each comes from, `[image, rank]`; `u32::MAX` where there is none.
    pub(crate) images: Array2<u32>,
    /// The unit that each starts from.
    pub(crate) units: Vec<Vec<Option<Unit>>>,
}

/// Projects the units of the first `shown` pictures, and for each those of `others`.
pub(crate) fn project(
    model: &Model<'_>,
    images: &Images<'_>,
    subjects: &Subjects,
    layer: &Layer,
    (shown, others): (usize, usize),
    progress: &dyn Fn(f64) -> Result<(), AnalysisError>,
) -> Result<Projections, AnalysisError> {
    let [channels, height, width] = model.input_extents()?;
    let units: Vec<Vec<Option<Unit>>> = (0..shown)
        .map(|image| {
            let own = subjects.of_images[image].unit;
            let own = (own.activation > 0.0).then_some(own);
            let others = subjects.others(image, others).into_iter().map(Some);
            std::iter::once(own).chain(others).collect()
        })
        .collect();
    let ranks = units.iter().map(Vec::len).max().unwrap_or(1);
    let mut values = Array5::from_elem([shown, ranks, channels, height, width], f32::NAN);
    let mut of_images = Array2::from_elem([shown, ranks], u32::MAX);
    let mut placed = Vec::new();
    for (image, units) in units.iter().enumerate() {
        for (rank, unit) in units.iter().enumerate() {
            if let Some(unit) = unit {
                of_images[[image, rank]] = unit.image as u32;
                placed.push(([image, rank], *unit));
            }
        }
    }
    // Starts of one picture share its forward pass when they follow each other.
    placed.sort_by_key(|(_, unit)| unit.image);
    let start = |&([image, _], unit): &([usize; 2], Unit)| Start {
        image: unit.image,
        value: layer.name.clone(),
        channel: subjects.of_images[image].map,
        position: Some(unit.position),
        amount: Amount::Activation,
    };
    let starts: Vec<Start> = placed.iter().map(start).collect();
    if !starts.is_empty() {
        let deconvnet = Method::Deconvnet.composite(Overlap::Sum, Normalization::Exact);
        model.attribute(images, &starts, &deconvnet, &[], |batch| {
            let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
            for (signal, index) in signals.outer_iter().zip(batch.range()) {
                let ([image, rank], _) = placed[index];
                values.slice_mut(s![image, rank, .., .., ..]).assign(&signal);
            }
            progress(batch.range().end as f64 / starts.len() as f64)
        })?;
    }
    Ok(Projections { values, images: of_images, units })
}
