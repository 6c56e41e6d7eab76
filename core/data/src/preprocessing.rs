//! Preprocessing: from a picture to what a network reads.

mod geometry;
mod preset;
mod resample;

use std::fmt;
use std::path::PathBuf;

use convscope_runtime::Tensor;

pub use preset::Preset;

use crate::{ContentHash, DataError, Pixels};
use geometry::Geometry;

/// How a model wants its pictures: resized, cropped about the centre, with the channels in order,
/// and every value `(pixel · scale − mean) / std` for pixels of 0–255.
///
/// It comes from a model [`Card`](crate::Card) or a [`Preset`], and its fields have been checked
/// against each other there.
#[derive(Clone, Debug)]
pub struct Preprocessing {
    pub(crate) origin: Origin,
    pub(crate) resize: Option<Resize>,
    pub(crate) interpolation: Interpolation,
    pub(crate) crop: Option<[usize; 2]>,
    pub(crate) centre: Centre,
    pub(crate) channels: Option<Channels>,
    pub(crate) scale: f64,
    pub(crate) mean: Mean,
    pub(crate) std: Vec<f64>,
}

/// Where a preprocessing stands, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The model card in this file.
    Card(PathBuf),
    /// A preset.
    Preset(Preset),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card(path) => write!(f, "model card {}", path.display()),
            Self::Preset(preset) => write!(f, "preset {preset}"),
        }
    }
}

/// How large a picture becomes before it is cropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side becomes this long, in pixels; the other keeps the picture's shape.
    ShorterSide {
        /// Length in pixels.
        length: usize,
        /// How the other side is rounded.
        other: LongSide,
    },
    /// `[height, width]`, whatever the picture's shape.
    Exact([usize; 2]),
}

/// How the longer side is rounded when the shorter one is given. One pixel more shifts the crop,
/// and that moves probabilities in their second digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongSide {
    /// To the nearest pixel, halves to even, as most people's own scripts do: model cards.
    Nearest,
    /// Down, as torchvision does: the preset `imagenet`.
    Down,
}

/// How the place of a crop is rounded where as many pixels cannot be left on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centre {
    /// To the nearest pixel, halves to even, as torchvision does: model cards, presets.
    Nearest,
    /// Down, as Hugging Face's image processors on numpy do.
    Down,
}

/// The filter of resizing. Both widen with the step when a picture shrinks (anti-aliasing), as
/// PIL's do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// A triangle.
    #[default]
    Bilinear,
    /// A cubic with a = −0.5.
    Bicubic,
}

/// The order of a network's input channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One channel: the luma of ITU-R BT.601.
    Grey,
}

impl Channels {
    /// Counts the channels.
    pub fn count(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Grey => 1,
        }
    }

    /// Returns which of red, green and blue each channel is.
    fn order(self) -> &'static [usize] {
        match self {
            Self::Rgb => &[0, 1, 2],
            Self::Bgr => &[2, 1, 0],
            // The pixels are grey by then: red is as good as any.
            Self::Grey => &[0],
        }
    }
}

/// What is subtracted from every scaled pixel.
#[derive(Clone, Debug)]
pub enum Mean {
    /// One number per channel, in the network's order; a single one serves all.
    Channels(Vec<f64>),
    /// A picture of `[channel, height, width]`, in the network's order, as large as the network's
    /// input, or as the resized picture: then it is cropped with it.
    Image(Tensor),
}

/// How a value of a network's input came from a pixel: `(pixel · scale − mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// The order of the channels.
    pub channels: Channels,
    /// Factor of the pixel (0–255).
    pub scale: f64,
    /// Subtracted, per channel in the network's order.
    pub mean: Vec<f64>,
    /// Divided by, per channel in the network's order.
    pub std: Vec<f64>,
}

/// A picture as a network reads it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The input, `[channel, height, width]` in row-major order.
    pub values: Vec<f32>,
    /// The same pixels before normalisation, in RGB; grey where the network reads grey.
    pub pixels: Pixels,
    /// `[y, x]` of the input's top left corner in the original picture, in pixels.
    pub offset: [f64; 2],
    /// Original pixels per input pixel, `[y, x]`: original = offset + input · step, at pixel
    /// edges. Original means the picture as it is shown, turned by its EXIF orientation.
    pub step: [f64; 2],
}

impl Preprocessing {
    /// Returns where the preprocessing stands.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Hashes all that decides what becomes of a picture, wherever it stands.
    ///
    /// # Errors
    /// Fails when a mean image lies on a device.
    pub fn hash(&self) -> Result<ContentHash, DataError> {
        let Self { origin: _, resize, interpolation, crop, centre, channels, scale, mean, std } =
            self;
        let rules = format!("{:?}", (resize, interpolation, crop, centre, channels, scale, std));
        let mean = match mean {
            Mean::Channels(mean) => ContentHash::of_bytes(format!("{mean:?}").as_bytes()),
            Mean::Image(image) => ContentHash::of_tensor(image)?,
        };
        Ok(ContentHash::of_parts(&[ContentHash::of_bytes(rules.as_bytes()), mean]))
    }

    /// Prepares a picture for a network whose input is `[channel, height, width]`.
    ///
    /// Without a rule for resizing and cropping the picture is resized to the input directly.
    ///
    /// # Errors
    /// Fails when what the rules yield is not what the network reads; nothing is stretched or
    /// padded to make it fit.
    pub fn prepare(&self, pixels: &Pixels, input: [usize; 3]) -> Result<Prepared, DataError> {
        let [count, height, width] = input;
        let channels = self.channels_for(count)?;
        let geometry = Geometry::new(self, pixels.size(), [height, width])?;
        let resized = resample::resize(pixels, geometry.resized, self.interpolation)
            .map_err(|reason| self.unfit("resize", reason))?;
        let mut cropped = if geometry.resized == [height, width] {
            resized
        } else {
            resized.cut(geometry.start, [height, width])
        };
        if channels == Channels::Grey {
            cropped = cropped.greyed();
        }
        let values = self.normalise(&cropped, channels, &geometry)?;
        let [offset, step] = geometry.mapping();
        Ok(Prepared { values, pixels: cropped, offset, step })
    }

    /// Returns the formula of every value for a network of `count` channels; `None` where a mean
    /// picture is subtracted, which no few numbers can say.
    ///
    /// # Errors
    /// Fails when the numbers are not for so many channels.
    pub fn normalization(&self, count: usize) -> Result<Option<Normalization>, DataError> {
        let channels = self.channels_for(count)?;
        let Mean::Channels(mean) = &self.mean else { return Ok(None) };
        let mean = self.per_channel("mean", mean, count)?;
        let std = self.per_channel("std", &self.std, count)?;
        Ok(Some(Normalization { channels, scale: self.scale, mean, std }))
    }

    /// Checks what can be checked without a picture for a network whose input is `[channel,
    /// height, width]`.
    ///
    /// # Errors
    /// Fails when the rules yield another number of channels or another size, whatever the picture.
    pub fn check(&self, [count, height, width]: [usize; 3]) -> Result<(), DataError> {
        self.normalization(count)?;
        self.per_channel("std", &self.std, count)?;
        geometry::check(self, count, [height, width])
    }

    fn channels_for(&self, count: usize) -> Result<Channels, DataError> {
        let channels = match (self.channels, count) {
            (Some(channels), _) => channels,
            (None, 1) => Channels::Grey,
            (None, _) => Channels::Rgb,
        };
        if channels.count() == count {
            return Ok(channels);
        }
        let reason = format!(
            "{channels} has {}, the network reads {count}; say channels = \"grey\" for one \
             channel, \"rgb\" or \"bgr\" for three",
            channels.count()
        );
        Err(self.unfit("channels", reason))
    }

    fn normalise(
        &self,
        pixels: &Pixels,
        channels: Channels,
        geometry: &Geometry,
    ) -> Result<Vec<f32>, DataError> {
        let order = channels.order();
        let std = self.per_channel("std", &self.std, order.len())?;
        let [height, width] = pixels.size();
        let mut values = Vec::with_capacity(order.len() * height * width);
        match &self.mean {
            Mean::Channels(mean) => {
                let mean = self.per_channel("mean", mean, order.len())?;
                for (channel, &colour) in order.iter().enumerate() {
                    let table: [f32; 256] = std::array::from_fn(|pixel| {
                        ((pixel as f64 * self.scale - mean[channel]) / std[channel]) as f32
                    });
                    let pixels = pixels.triples();
                    values.extend(pixels.map(|pixel| table[usize::from(pixel[colour])]));
                }
            }
            Mean::Image(image) => {
                let mean = geometry.crop_mean(self, image, order.len())?;
                let mut mean = mean.iter();
                for (channel, &colour) in order.iter().enumerate() {
                    let pixels = pixels.triples().zip(&mut mean);
                    values.extend(pixels.map(|(pixel, &mean)| {
                        let scaled = f64::from(pixel[colour]) * self.scale;
                        ((scaled - f64::from(mean)) / std[channel]) as f32
                    }));
                }
            }
        }
        Ok(values)
    }

    fn per_channel(
        &self,
        field: &'static str,
        given: &[f64],
        count: usize,
    ) -> Result<Vec<f64>, DataError> {
        match given {
            [one] => Ok(vec![*one; count]),
            many if many.len() == count => Ok(many.to_vec()),
            many => {
                let reason = format!("{} numbers for {count} channels", many.len());
                Err(self.unfit(field, reason))
            }
        }
    }

    fn unfit(&self, field: &'static str, reason: String) -> DataError {
        DataError::Unfit { origin: self.origin.clone(), field, reason }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
            Self::Grey => "grey",
        })
    }
}

#[cfg(test)]
mod tests;
