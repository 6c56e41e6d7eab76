//! Presets: the preprocessing that many models share.

use std::fmt;
use std::str::FromStr;

use super::{Centre, Channels, Interpolation, LongSide, Mean, Origin, Preprocessing, Resize};
use crate::DataError;

/// A preprocessing that many models share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Torchvision: shorter side 256, crop 224, RGB of 0–1, mean (0.485, 0.456, 0.406), standard
    /// deviation (0.229, 0.224, 0.225).
    Imagenet,
    /// Caffe: resized to the input, BGR of 0–255, mean (103.939, 116.779, 123.68).
    Caffe,
    /// Keras: resized to the input, RGB or grey of −1 to 1.
    Keras,
    /// Resized to the input, RGB or grey of 0–255.
    Raw,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] = [Self::Imagenet, Self::Caffe, Self::Keras, Self::Raw];

    /// Returns the name by which users ask for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imagenet => "imagenet",
            Self::Caffe => "caffe",
            Self::Keras => "keras",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        let mut presets = Self::ALL.into_iter();
        let found = presets.find(|preset| preset.name() == name);
        found.ok_or_else(|| DataError::UnknownPreset { name: name.to_owned() })
    }
}

impl Preprocessing {
    /// Returns the preprocessing of a preset.
    pub fn preset(preset: Preset) -> Self {
        let raw = Self {
            origin: Origin::Preset(preset),
            resize: None,
            interpolation: Interpolation::Bilinear,
            crop: None,
            centre: Centre::Nearest,
            channels: None,
            scale: 1.0,
            mean: Mean::Channels(vec![0.0]),
            std: vec![1.0],
        };
        match preset {
            Preset::Imagenet => Self {
                resize: Some(Resize::ShorterSide { length: 256, other: LongSide::Down }),
                crop: Some([224, 224]),
                channels: Some(Channels::Rgb),
                scale: 1.0 / 255.0,
                mean: Mean::Channels(vec![0.485, 0.456, 0.406]),
                std: vec![0.229, 0.224, 0.225],
                ..raw
            },
            Preset::Caffe => Self {
                channels: Some(Channels::Bgr),
                mean: Mean::Channels(vec![103.939, 116.779, 123.68]),
                ..raw
            },
            Preset::Keras => Self { scale: 1.0 / 127.5, mean: Mean::Channels(vec![1.0]), ..raw },
            Preset::Raw => raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_name() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
    }

    #[test]
    fn an_unknown_preset_is_told_which_there_are() {
        let error = "torch".parse::<Preset>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no preset is called \"torch\"; there are imagenet, caffe, keras and raw"
        );
    }
}
