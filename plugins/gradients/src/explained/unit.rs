//! Explains a unit of a layer.

use convscope_sdk::protocol::{Amount, Capture, Disjoint, Reduction, Start};
use convscope_sdk::{AnalysisError, Images, Model, OneOrMany, Position, Positions};

use super::Explained;

/// The unit that the user asks for.
pub(super) struct Asked<'a> {
    /// Name of the layer.
    pub(super) layer: &'a str,
    /// Its channel, one or one per picture.
    pub(super) channel: &'a OneOrMany<usize>,
    /// Its place in the map; the largest where nothing is given.
    pub(super) position: Option<&'a Positions>,
}

/// Finds the unit of every picture.
pub(super) fn explained(
    model: &Model<'_>,
    images: &Images<'_>,
    asked: &Asked<'_>,
    amount: Amount,
) -> Result<Vec<Explained>, AnalysisError> {
    let Asked { layer, .. } = *asked;
    let (channels, size) = extents(model, layer)?;
    let chosen = asked.channel.for_each(images.len(), "channel")?;
    if let Some(channel) = chosen.iter().find(|channel| ***channel >= channels) {
        let problem =
            format!("{layer} has no channel {channel}; its channels are 0 to {}", channels - 1);
        return Err(AnalysisError::parameter("channel", problem));
    }
    let chosen: Vec<usize> = chosen.into_iter().copied().collect();
    let largest = Positions::default();
    let positions = asked.position.unwrap_or(&largest).0.for_each(images.len(), "position")?;
    for position in &positions {
        check_place(**position, layer, size)?;
    }
    // Features are maps of one cell: there is nothing to look for.
    let places = if size.is_some() && positions.contains(&&Position::Max) {
        strongest(model, images, layer, &chosen)?
    } else {
        Vec::new()
    };
    let explain = |(image, (&channel, position)): (usize, (&usize, &&Position))| {
        let position = match **position {
            Position::At(place) => Some(place),
            Position::Max => places.get(image).copied(),
        };
        let words = match position {
            Some([row, column]) => {
                format!("{layer}, channel {channel}, row {row}, column {column}")
            }
            None => format!("{layer}, channel {channel}"),
        };
        let start = Start { image, value: layer.to_owned(), channel, position, amount };
        Explained { start, words }
    };
    Ok(chosen.iter().zip(&positions).enumerate().map(explain).collect())
}

/// Returns the number of channels and, for maps, their `[height, width]`.
fn extents(model: &Model<'_>, name: &str) -> Result<(usize, Option<[usize; 2]>), AnalysisError> {
    let Some(layer) = model.layer(name) else {
        return Err(AnalysisError::parameter("layer", format!("{name} is no layer of the model")));
    };
    match layer.shape[..] {
        [_, channels] if channels > 0 => Ok((channels, None)),
        [_, channels, height, width] if channels > 0 => Ok((channels, Some([height, width]))),
        ref shape => {
            let problem = format!("{name} has shape {shape:?}, which is neither maps nor features");
            Err(AnalysisError::parameter("layer", problem))
        }
    }
}

/// Refuses a place that is not in the maps of a layer.
fn check_place(
    position: Position,
    layer: &str,
    size: Option<[usize; 2]>,
) -> Result<(), AnalysisError> {
    let problem = match (position, size) {
        (Position::At([row, column]), Some([height, width]))
            if row >= height || column >= width =>
        {
            format!(
                "[{row}, {column}] is outside the maps of {layer}, which are {height} high and \
                 {width} wide"
            )
        }
        (Position::At(_), None) => {
            format!("{layer} holds features, which have no rows and columns; leave it out")
        }
        _ => return Ok(()),
    };
    Err(AnalysisError::parameter("position", problem))
}

/// Finds, for every picture, where its channel is largest.
fn strongest(
    model: &Model<'_>,
    images: &Images<'_>,
    layer: &str,
    channels: &[usize],
) -> Result<Vec<[usize; 2]>, AnalysisError> {
    let reduction = Reduction::Strongest { k: 1, disjoint: Disjoint::None };
    let capture = Capture::new(layer, reduction);
    let mut places = Vec::with_capacity(channels.len());
    model.observe(images, &[], &[capture], |batch| {
        let positions = batch.indices(0)?;
        for (of_image, image) in positions.outer_iter().zip(batch.range()) {
            places.push([0, 1].map(|axis| of_image[[channels[image], 0, axis]] as usize));
        }
        Ok(())
    })?;
    Ok(places)
}
