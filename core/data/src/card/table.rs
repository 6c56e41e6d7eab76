//! The TOML tables of a card.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::Card;
use crate::{
    Channels, DataError, Interpolation, LongSide, Mean, Origin, Preprocessing, Resize, read_npy,
};

/// The longest side that a card may ask for, in pixels.
const MAX_SIDE: usize = 65_535;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    input: Option<Input>,
    #[serde(default)]
    output: Output,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    resize: Option<Size>,
    interpolation: Option<InterpolationName>,
    crop: Option<[usize; 2]>,
    channels: Option<ChannelsName>,
    scale: Option<f64>,
    mean: Option<Vec<f64>>,
    mean_image: Option<PathBuf>,
    std: Option<Vec<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    scores: Option<String>,
    labels: Option<PathBuf>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InterpolationName {
    Bilinear,
    Bicubic,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChannelsName {
    Rgb,
    Bgr,
    Grey,
}

/// A length or a `[height, width]`.
#[derive(Clone, Copy)]
enum Size {
    ShorterSide(usize),
    Exact([usize; 2]),
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

// By hand, because serde's untagged enums say only that no variant fits.
struct SizeVisitor;

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the length of the shorter side, or [height, width]")
    }

    fn visit_i64<E: serde::de::Error>(self, length: i64) -> Result<Size, E> {
        match usize::try_from(length) {
            Ok(length) => Ok(Size::ShorterSide(length)),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(length), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Size, A::Error> {
        use serde::de::Error;
        let mut next = |count| {
            sequence.next_element::<usize>()?.ok_or_else(|| A::Error::invalid_length(count, &self))
        };
        let size = [next(0)?, next(1)?];
        if sequence.next_element::<usize>()?.is_some() {
            return Err(A::Error::invalid_length(3, &self));
        }
        Ok(Size::Exact(size))
    }
}

impl Table {
    pub(super) fn into_card(self, path: &Path) -> Result<Card, DataError> {
        let refuse = |reason: String| DataError::Card { path: path.to_owned(), reason };
        let beside = |file: PathBuf| path.with_file_name("").join(file);
        let Some(input) = self.input else {
            let reason = "there is no [input] table; preprocessing is never guessed".to_owned();
            return Err(refuse(reason));
        };
        input.check().map_err(refuse)?;
        if self.output.scores.as_deref() == Some("") {
            return Err(refuse("[output] scores names no value".to_owned()));
        }
        let mean = match (input.mean, input.mean_image) {
            (_, Some(file)) => Mean::Image(read_npy(&beside(file))?),
            (Some(mean), None) => Mean::Channels(mean),
            (None, None) => Mean::Channels(vec![0.0]),
        };
        let preprocessing = Preprocessing {
            origin: Origin::Card(path.to_owned()),
            resize: input.resize.map(|size| match size {
                Size::ShorterSide(length) => {
                    Resize::ShorterSide { length, other: LongSide::Nearest }
                }
                Size::Exact(size) => Resize::Exact(size),
            }),
            interpolation: match input.interpolation {
                None | Some(InterpolationName::Bilinear) => Interpolation::Bilinear,
                Some(InterpolationName::Bicubic) => Interpolation::Bicubic,
            },
            crop: input.crop,
            channels: input.channels.map(|channels| match channels {
                ChannelsName::Rgb => Channels::Rgb,
                ChannelsName::Bgr => Channels::Bgr,
                ChannelsName::Grey => Channels::Grey,
            }),
            scale: input.scale.unwrap_or(1.0),
            mean,
            std: input.std.unwrap_or_else(|| vec![1.0]),
        };
        let labels = self.output.labels.map(beside);
        Ok(Card { preprocessing, scores: self.output.scores, labels })
    }
}

impl Input {
    /// Finds fields that make no sense, alone or together.
    fn check(&self) -> Result<(), String> {
        self.check_sizes()?;
        if self.scale.is_some_and(|scale| !scale.is_finite() || scale == 0.0) {
            return Err("[input] scale must be a number other than 0".to_owned());
        }
        if self.mean.is_some() && self.mean_image.is_some() {
            return Err("[input] has mean and mean_image; keep one of them".to_owned());
        }
        if self.mean.iter().flatten().any(|mean| !mean.is_finite()) {
            return Err("[input] mean must be finite numbers".to_owned());
        }
        if self.std.iter().flatten().any(|std| !std.is_finite() || *std <= 0.0) {
            return Err("[input] std must be numbers above 0".to_owned());
        }
        self.check_count("mean", self.mean.as_deref())?;
        self.check_count("std", self.std.as_deref())
    }

    fn check_count(&self, field: &str, numbers: Option<&[f64]>) -> Result<(), String> {
        let (count, wanted) = match (numbers.map(<[f64]>::len), self.channels) {
            (None, _) => return Ok(()),
            (Some(count), Some(ChannelsName::Grey)) => (count, &[1][..]),
            (Some(count), _) => (count, &[1, 3][..]),
        };
        if wanted.contains(&count) {
            return Ok(());
        }
        let wanted = if wanted.len() == 1 { "one, for grey" } else { "one, or one per channel" };
        Err(format!("[input] {field} has {count} numbers; needed is {wanted}"))
    }

    fn check_sizes(&self) -> Result<(), String> {
        let sides = match self.resize {
            None => None,
            Some(Size::ShorterSide(length)) => Some([length, length]),
            Some(Size::Exact(size)) => Some(size),
        };
        for (field, size) in [("resize", sides), ("crop", self.crop)] {
            if size.iter().flatten().any(|side| !(1..=MAX_SIDE).contains(side)) {
                return Err(format!("[input] {field} must be from 1 to {MAX_SIDE} pixels"));
            }
        }
        let Some(crop) = self.crop else { return Ok(()) };
        let fits = match self.resize {
            None => true,
            Some(Size::Exact(size)) => crop[0] <= size[0] && crop[1] <= size[1],
            // One side of the picture will be this short.
            Some(Size::ShorterSide(length)) => crop[0] <= length || crop[1] <= length,
        };
        if !fits {
            return Err("[input] crop is larger than resize leaves the picture".to_owned());
        }
        if self.resize.is_none() && self.interpolation.is_some() {
            let reason = "[input] has interpolation and crop but no resize: nothing is resized";
            return Err(reason.to_owned());
        }
        Ok(())
    }
}
