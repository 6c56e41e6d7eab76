//! What is explained in each picture: a class, or a unit of a layer.

mod class;
mod unit;

use convscope_sdk::protocol::Start;
use convscope_sdk::{AnalysisError, Images, Model, OneOrMany, Target};

use crate::Parameters;

/// What is explained in one picture.
pub(crate) struct Explained {
    /// Where its signal starts.
    pub(crate) start: Start,
    /// The same in words.
    pub(crate) words: String,
}

/// Finds what is explained in every picture.
pub(crate) fn explained(
    model: &Model<'_>,
    images: &Images<'_>,
    parameters: &Parameters,
) -> Result<Vec<Explained>, AnalysisError> {
    let needs = |key: &str, other: &str| {
        Err(AnalysisError::parameter(key, format!("it needs `{other}` too")))
    };
    match (&parameters.layer, &parameters.channel, &parameters.position) {
        (Some(layer), Some(channel), position) => {
            // The default stands for "not given".
            if parameters.target != OneOrMany::One(Target::Predicted) {
                let problem = "a class and a unit cannot both be explained; leave out `target`, \
                               or `layer` with `channel` and `position`";
                return Err(AnalysisError::parameter("target", problem));
            }
            let asked = unit::Asked { layer: layer.as_str(), channel, position: position.as_ref() };
            unit::explained(model, images, &asked, parameters.start.into())
        }
        (Some(_), None, _) => needs("layer", "channel"),
        (None, Some(_), _) => needs("channel", "layer"),
        (None, None, Some(_)) => needs("position", "layer"),
        (None, None, None) => {
            class::explained(model, images, &parameters.target, parameters.start.into())
        }
    }
}
