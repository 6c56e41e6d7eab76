//! What the occluder shows.

use convscope_sdk::protocol::Fill;
use convscope_sdk::protocol::model::PixelScale;
use convscope_sdk::{AnalysisError, Model, Random};
use ndarray::{Array3, ArrayView2, ArrayView3, Axis, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Standard deviation of the blur, as a share of the shorter side of the picture: what is left is
/// colour and rough shape.
const BLUR: f64 = 0.05;
/// Where the blur's kernel ends, in standard deviations.
const REACH: f64 = 3.0;
/// How the brightness of a colour is weighed, as ITU-R BT.601 does.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// What the occluder shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Baseline {
    /// One that has a name.
    Named(NamedBaseline),
    /// Red, green and blue, 0 to 255.
    Colour(#[schemars(inner(range(min = 0, max = 255)))] [f32; 3]),
}

/// The baselines that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum NamedBaseline {
    /// The mean that preprocessing subtracts: usually a grey.
    Mean,
    /// 0 in units of the network's input.
    Zero,
    /// The mean colour of the picture.
    ImageMean,
    /// The picture, out of focus.
    Blur,
    /// Pixels of the picture, drawn at random.
    Noise,
}

impl Default for Baseline {
    fn default() -> Self {
        Self::Named(NamedBaseline::Mean)
    }
}

/// What covers a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cover {
    /// One number per channel of the network's input.
    Numbers(Vec<f32>),
    /// What another picture `[channel, row, column]` has in the same place.
    Picture(Array3<f32>),
}

impl Cover {
    /// Returns what interventions are filled with; `picture` is the number of the other picture.
    pub(crate) fn fill(&self, picture: usize) -> Fill {
        match self {
            Self::Numbers(numbers) => Fill::PerChannel(numbers.clone()),
            Self::Picture(_) => Fill::Image { image: picture },
        }
    }

    /// Returns the colour on the screen, where there is one and it is known.
    pub(crate) fn colour(&self, scale: Option<&PixelScale>) -> Option<[u8; 3]> {
        let (Self::Numbers(numbers), Some(scale)) = (self, scale) else { return None };
        let pixel = |(channel, &value): (usize, &f32)| {
            let (mean, std) = (scale.mean.get(channel)?, scale.std.get(channel)?);
            Some(((value * std + mean) / scale.scale).round().clamp(0.0, 255.0) as u8)
        };
        let pixels = numbers.iter().enumerate().map(pixel).collect::<Option<Vec<u8>>>()?;
        match (scale.channels.as_str(), pixels.as_slice()) {
            ("rgb", &[r, g, b]) | ("bgr", &[b, g, r]) => Some([r, g, b]),
            ("grey", &[grey]) => Some([grey; 3]),
            _ => None,
        }
    }
}

impl Baseline {
    /// Refuses what the model cannot be covered with.
    pub(crate) fn check(&self, model: &Model<'_>) -> Result<(), AnalysisError> {
        let refuse = |problem: &str| Err(AnalysisError::parameter("baseline", problem));
        match (self, &model.description().preprocessing) {
            (Self::Named(NamedBaseline::Mean), None) => refuse(
                "the model does not say what mean its preprocessing subtracts; give it a model \
                 card, or take \"zero\" or \"image_mean\"",
            ),
            (Self::Colour(_), None) => refuse(
                "the model does not say how colours become its input; give it a model card, or \
                 take \"zero\" or \"image_mean\"",
            ),
            _ => Ok(()),
        }
    }

    /// Returns what covers a picture, `input` as the network takes it.
    pub(crate) fn cover(
        &self,
        scale: Option<&PixelScale>,
        input: &ArrayView3<'_, f32>,
        seed: u64,
    ) -> Cover {
        let channels = input.len_of(Axis(0));
        match self {
            // What preprocessing makes of its own mean is 0.
            Self::Named(NamedBaseline::Mean | NamedBaseline::Zero) => {
                Cover::Numbers(vec![0.0; channels])
            }
            Self::Named(NamedBaseline::ImageMean) => {
                let mean = |map: ArrayView2<'_, f32>| {
                    let sum: f64 = map.iter().map(|&value| f64::from(value)).sum();
                    (sum / map.len() as f64) as f32
                };
                Cover::Numbers(input.outer_iter().map(mean).collect())
            }
            Self::Named(NamedBaseline::Blur) => Cover::Picture(blurred(input)),
            Self::Named(NamedBaseline::Noise) => Cover::Picture(drawn(input, seed)),
            Self::Colour(colour) => Cover::Numbers(numbers(*colour, channels, scale)),
        }
    }

    /// Says in words what the occluder shows.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Named(NamedBaseline::Mean) => "the mean of the preprocessing".to_owned(),
            Self::Named(NamedBaseline::Zero) => "0 in units of the network's input".to_owned(),
            Self::Named(NamedBaseline::ImageMean) => "the mean colour of the picture".to_owned(),
            Self::Named(NamedBaseline::Blur) => "the picture out of focus".to_owned(),
            Self::Named(NamedBaseline::Noise) => "pixels of the picture, drawn by lot".to_owned(),
            Self::Colour([r, g, b]) => format!("the colour {r}, {g}, {b}"),
        }
    }
}

/// Makes a colour what the network takes.
fn numbers(colour: [f32; 3], channels: usize, scale: Option<&PixelScale>) -> Vec<f32> {
    let Some(scale) = scale else { return vec![0.0; channels] };
    let [r, g, b] = colour;
    let pixels = match scale.channels.as_str() {
        "bgr" => vec![b, g, r],
        "grey" => vec![colour.iter().zip(LUMA).map(|(value, weight)| value * weight).sum()],
        _ => vec![r, g, b],
    };
    let value = |(channel, pixel): (usize, &f32)| {
        let mean = scale.mean.get(channel).copied().unwrap_or(0.0);
        let std = scale.std.get(channel).copied().unwrap_or(1.0);
        (pixel * scale.scale - mean) / std
    };
    pixels.iter().enumerate().map(value).collect()
}

/// Blurs a picture along both axes. At the border, weights of pixels that do not exist go to those
/// that do.
fn blurred(input: &ArrayView3<'_, f32>) -> Array3<f32> {
    let (_, height, width) = input.dim();
    let deviation = BLUR * height.min(width) as f64;
    let reach = (REACH * deviation).ceil() as usize;
    let weights: Vec<f64> =
        (0..=reach).map(|d| (-0.5 * (d as f64 / deviation).powi(2)).exp()).collect();
    let mut result = input.to_owned();
    for axis in [Axis(1), Axis(2)] {
        let before = result.clone();
        for (mut to, from) in result.lanes_mut(axis).into_iter().zip(before.lanes(axis)) {
            for place in 0..from.len() {
                let first = place.saturating_sub(reach);
                let end = from.len().min(place + reach + 1);
                let (mut sum, mut total) = (0.0, 0.0);
                for (other, &value) in (first..end).zip(from.slice(s![first..end])) {
                    let weight = weights[other.abs_diff(place)];
                    sum += weight * f64::from(value);
                    total += weight;
                }
                to[place] = (sum / total) as f32;
            }
        }
    }
    result
}

/// Draws every pixel from those of the picture: its colours, without any shape.
fn drawn(input: &ArrayView3<'_, f32>, seed: u64) -> Array3<f32> {
    let (_, height, width) = input.dim();
    let mut random = Random::new(seed);
    let mut result = input.to_owned();
    for row in 0..height {
        for column in 0..width {
            let place = random.below(height * width);
            let pixel = input.slice(s![.., place / width, place % width]);
            result.slice_mut(s![.., row, column]).assign(&pixel);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(channels: &str) -> PixelScale {
        let count = if channels == "grey" { 1 } else { 3 };
        PixelScale {
            channels: channels.to_owned(),
            scale: 0.5,
            mean: vec![10.0, 20.0, 30.0][..count].to_vec(),
            std: vec![1.0, 2.0, 4.0][..count].to_vec(),
        }
    }

    fn input() -> Array3<f32> {
        Array3::from_shape_fn((3, 40, 60), |(c, y, x)| (c * 100 + (y * 7 + x * 3) % 11) as f32)
    }

    #[test]
    fn a_colour_goes_through_the_preprocessing_and_back() {
        for (channels, expected) in
            [("rgb", vec![40.0, 15.0, 0.0]), ("bgr", vec![20.0, 15.0, 5.0]), ("grey", vec![])]
        {
            let scale = scale(channels);
            let colour = Baseline::Colour([100.0, 100.0, 60.0]);
            let cover = colour.cover(Some(&scale), &input().view(), 0);
            let Cover::Numbers(numbers) = &cover else { panic!("{cover:?}") };
            if channels == "grey" {
                let luma = 0.299 * 100.0 + 0.587 * 100.0 + 0.114 * 60.0;
                assert!((numbers[0] - (luma * 0.5 - 10.0)).abs() < 1e-4, "{numbers:?}");
            } else {
                assert_eq!(numbers, &expected);
                assert_eq!(cover.colour(Some(&scale)), Some([100, 100, 60]));
            }
        }
    }

    #[test]
    fn the_mean_of_the_preprocessing_is_its_colour() {
        let cover = Baseline::default().cover(Some(&scale("bgr")), &input().view(), 0);
        assert_eq!(cover, Cover::Numbers(vec![0.0; 3]));
        assert_eq!(cover.colour(Some(&scale("bgr"))), Some([60, 40, 20]));
        assert_eq!(cover.colour(None), None);
    }

    #[test]
    fn a_blurred_picture_keeps_even_areas_and_its_mean_inside() {
        let even = Array3::from_elem((1, 40, 60), 3.0);
        assert!(blurred(&even.view()).iter().all(|value| (value - 3.0).abs() < 1e-5));
        let mut spot = Array3::zeros((1, 40, 60));
        spot[[0, 20, 30]] = 100.0;
        let spot = blurred(&spot.view());
        assert!((spot.sum() - 100.0).abs() < 1e-3);
        // A Gaussian with a standard deviation of 2 along both axes.
        let ratio = spot[[0, 20, 32]] / spot[[0, 20, 30]];
        assert!((ratio - (-0.5_f32).exp()).abs() < 1e-5, "{ratio}");
        assert_eq!(spot[[0, 23, 30]].to_bits(), spot[[0, 17, 30]].to_bits());
        assert_eq!(spot[[0, 20, 37]].to_bits(), 0);
    }

    #[test]
    fn noise_is_made_of_pixels_of_the_picture_by_a_seed() {
        let input = input();
        let noise = drawn(&input.view(), 7);
        assert_eq!(noise, drawn(&input.view(), 7));
        assert_ne!(noise, drawn(&input.view(), 8));
        for pixel in noise.lanes(Axis(0)) {
            assert_eq!((pixel[0] + 100.0, pixel[0] + 200.0), (pixel[1], pixel[2]));
        }
    }
}
