//! Which unit of each picture is explained.

use convscope_sdk::protocol::{Capture, Disjoint, Reduction, Start};
use convscope_sdk::{AnalysisError, Images, Model, Position, Target};
use ndarray::Axis;

use crate::Parameters;

/// Returns where the signal of each picture starts, and says in words what is explained.
pub(crate) fn starts(
    model: &Model<'_>,
    images: &Images<'_>,
    parameters: &Parameters,
) -> Result<(Vec<Start>, Vec<String>), AnalysisError> {
    match (&parameters.layer, &parameters.channel) {
        (Some(layer), Some(_)) => of_units(model, images, parameters, layer.as_str()),
        (Some(_), None) => Err(AnalysisError::parameter("layer", "it needs `channel` too")),
        (None, None) if parameters.position.is_none() => of_classes(model, images, parameters),
        (None, Some(_)) => Err(AnalysisError::parameter("channel", "it needs `layer` too")),
        (None, None) => Err(AnalysisError::parameter("position", "it needs `layer` too")),
    }
}

fn of_classes(
    model: &Model<'_>,
    images: &Images<'_>,
    parameters: &Parameters,
) -> Result<(Vec<Start>, Vec<String>), AnalysisError> {
    let description = model.description();
    let targets = parameters.target.for_each(images.len(), "target")?;
    let score = score_layer(model)?;
    for target in &targets {
        if let Target::Class(class) = target
            && *class >= score.classes
        {
            let problem =
                format!("there is no class {class}; classes are 0 to {}", score.classes - 1);
            return Err(AnalysisError::parameter("target", problem));
        }
    }
    let mut predicted = Vec::new();
    if targets.iter().any(|target| **target == Target::Predicted) {
        let capture = Capture { value: description.score.clone(), reduction: Reduction::Argmax };
        model.observe(images, &[], &[capture], |batch| {
            predicted.extend(batch.indices(0)?.iter().map(|&class| class as usize));
            Ok(())
        })?;
    }
    let classes = targets.iter().enumerate().map(|(image, target)| match target {
        Target::Predicted => predicted[image],
        Target::Class(class) => *class,
    });
    let start = |(image, class): (usize, usize)| Start {
        image,
        value: description.score.clone(),
        channel: class,
        position: None,
        amount: parameters.start.into(),
    };
    let name = |class: usize| match description.labels.get(class) {
        Some(label) => format!("class {class}, {label}"),
        None => format!("class {class}"),
    };
    let classes: Vec<usize> = classes.collect();
    let words = classes.iter().map(|&class| name(class)).collect();
    Ok((classes.into_iter().enumerate().map(start).collect(), words))
}

/// What is needed of the value that holds the scores.
struct Scores {
    classes: usize,
}

fn score_layer(model: &Model<'_>) -> Result<Scores, AnalysisError> {
    let name = &model.description().score;
    let shape = model.layer(name).map(|layer| layer.shape.as_slice());
    match shape {
        Some([_, classes] | [_, classes, 1, 1]) if *classes > 0 => Ok(Scores { classes: *classes }),
        Some(shape) => Err(AnalysisError::Unsupported(format!(
            "the scores of the model, {name}, have shape {shape:?}, which is no list of classes; \
             explain a unit with `layer` and `channel` instead"
        ))),
        None => Err(AnalysisError::Unsupported(format!("the model has no layer {name}"))),
    }
}

fn of_units(
    model: &Model<'_>,
    images: &Images<'_>,
    parameters: &Parameters,
    layer: &str,
) -> Result<(Vec<Start>, Vec<String>), AnalysisError> {
    let shape = model.layer(layer).map_or(&[][..], |found| found.shape.as_slice());
    let (channels, size) = match *shape {
        [_, channels] => (channels, None),
        [_, channels, height, width] => (channels, Some([height, width])),
        _ => {
            let problem =
                format!("{layer} has shape {shape:?}, which is neither maps nor features");
            return Err(AnalysisError::parameter("layer", problem));
        }
    };
    let Some(chosen) = &parameters.channel else {
        return Err(AnalysisError::parameter("layer", "it needs `channel` too"));
    };
    let chosen: Vec<usize> =
        chosen.for_each(images.len(), "channel")?.into_iter().copied().collect();
    if let Some(channel) = chosen.iter().find(|&&channel| channel >= channels) {
        let problem =
            format!("{layer} has no channel {channel}; its channels are 0 to {}", channels - 1);
        return Err(AnalysisError::parameter("channel", problem));
    }
    let positions = parameters.position.clone().unwrap_or_default();
    let asked = positions.0.for_each(images.len(), "position")?;
    let places = match size {
        None if asked.iter().any(|position| matches!(position, Position::At(_))) => {
            let problem = format!("{layer} holds features, which have no rows and columns");
            return Err(AnalysisError::parameter("position", problem));
        }
        None => vec![None; images.len()],
        Some(size) => {
            for position in &asked {
                if let Position::At([row, column]) = position
                    && (*row >= size[0] || *column >= size[1])
                {
                    let problem = format!(
                        "[{row}, {column}] is outside the maps of {layer}, which are {} high and \
                         {} wide",
                        size[0], size[1]
                    );
                    return Err(AnalysisError::parameter("position", problem));
                }
            }
            let strongest = if asked.iter().any(|position| **position == Position::Max) {
                strongest(model, images, layer, &chosen)?
            } else {
                Vec::new()
            };
            let place = |(image, position): (usize, &&Position)| match position {
                Position::At(place) => Some(*place),
                Position::Max => Some(strongest[image]),
            };
            asked.iter().enumerate().map(place).collect()
        }
    };
    let words = chosen.iter().zip(&places).map(|(channel, place)| match place {
        Some([row, column]) => format!("{layer}, channel {channel}, row {row}, column {column}"),
        None => format!("{layer}, channel {channel}"),
    });
    let words = words.collect();
    let starts = chosen.iter().zip(places).enumerate().map(|(image, (&channel, position))| Start {
        image,
        value: layer.to_owned(),
        channel,
        position,
        amount: parameters.start.into(),
    });
    Ok((starts.collect(), words))
}

/// Finds, for every picture, where its channel is largest.
fn strongest(
    model: &Model<'_>,
    images: &Images<'_>,
    layer: &str,
    channels: &[usize],
) -> Result<Vec<[usize; 2]>, AnalysisError> {
    let reduction = Reduction::Strongest { k: 1, disjoint: Disjoint::None };
    let capture = Capture { value: layer.to_owned(), reduction };
    let mut places = Vec::with_capacity(channels.len());
    model.observe(images, &[], &[capture], |batch| {
        let positions = batch.indices(0)?;
        for (row, image) in batch.range().enumerate() {
            let of_image = positions.index_axis(Axis(0), row);
            let channel = channels[image];
            let place = [0, 1].map(|axis| of_image[[channel, 0, axis]]);
            if place.contains(&u32::MAX) {
                return Err(AnalysisError::Failed(format!(
                    "channel {channel} of {layer} has no largest value in picture {image}"
                )));
            }
            places.push(place.map(|index| index as usize));
        }
        Ok(())
    })?;
    Ok(places)
}
