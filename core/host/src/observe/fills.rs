//! Images whose pixels cover those of others.

use std::collections::{BTreeMap, BTreeSet};

use convscope_protocol::{Case, Fill, Intervention};
use convscope_runtime::network::ValueId;
use convscope_runtime::{Region, Tensor};

use crate::HostError;
use crate::engine::Engine;
use crate::memory::bytes_of;
use crate::source::{self, ImageSource};

/// The images that some fill of a call names, by their number.
#[derive(Debug, Default)]
pub(crate) struct Fills(BTreeMap<usize, Tensor>);

impl Fills {
    /// Loads the images that the fills of the cases name.
    ///
    /// # Errors
    /// Fails when one does not exist, cannot be read, or does not fit the memory with the others,
    /// or when the user cancels.
    pub(super) fn load(
        engine: &Engine<'_>,
        input: ValueId,
        images: &dyn ImageSource,
        cases: &[Case],
    ) -> Result<Self, HostError> {
        let mut numbers = BTreeSet::new();
        for (index, case) in cases.iter().enumerate() {
            for image in case.interventions.iter().filter_map(image_of) {
                if image >= images.len() {
                    return Err(HostError::Request {
                        what: format!("case {index}"),
                        reason: format!("a fill from image {image} of {}", images.len()),
                    });
                }
                numbers.insert(image);
            }
        }
        let shape = &engine.network.value(input).shape;
        let each = bytes_of(shape);
        let (needed, budget) = (each.saturating_mul(numbers.len() as u64), engine.memory);
        if needed > budget {
            let what = "the set of images to fill from".to_owned();
            return Err(HostError::Memory { what, needed, budget });
        }
        let load = |number| {
            engine.check_cancelled()?;
            Ok((number, source::image(images, number, shape)?))
        };
        numbers.into_iter().map(load).collect::<Result<_, HostError>>().map(Self)
    }

    /// Returns the bytes of all images.
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|image| bytes_of(image.shape())).sum()
    }

    /// Returns some channels of a part of an image, which must lie in it: one number per channel
    /// and cell.
    pub(crate) fn part(
        &self,
        image: usize,
        channels: impl IntoIterator<Item = usize>,
        region: Region,
    ) -> Result<Vec<f32>, HostError> {
        let (Some(tensor), Region { top, left, height, width }) = (self.0.get(&image), region)
        else {
            return Err(HostError::Request {
                what: "fill".to_owned(),
                reason: format!("image {image} was not loaded"),
            });
        };
        let pixels = tensor.view()?;
        let (rows, columns) = (top..top + height.cast_signed(), left..left + width.cast_signed());
        let mut part = Vec::new();
        for channel in channels {
            let pixels = pixels.slice(ndarray::s![0, channel, rows.clone(), columns.clone()]);
            part.extend(pixels);
        }
        Ok(part)
    }
}

/// Returns the number of the image that an intervention fills with.
fn image_of(intervention: &Intervention) -> Option<usize> {
    match intervention {
        Intervention::Occlude { fill: Fill::Image { image }, .. }
        | Intervention::Replace { with: Fill::Image { image }, .. } => Some(*image),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_loaded_fills_nothing() {
        let region = Region { top: 0, left: 0, height: 1, width: 1 };
        let error = Fills::default().part(3, [0], region).unwrap_err();
        assert_eq!(error.to_string(), "fill: image 3 was not loaded");
    }
}
