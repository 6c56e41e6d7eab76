//! Describes a model to plugins and people.

use std::path::Path;

use convscope_data::{Origin as Source, Preprocessing};
use convscope_onnx::InputLayout;
use convscope_protocol::model::{LayerDescription, ModelDescription, PixelScale, ValueDescription};
use convscope_runtime::network::{Field, Node, Origin, ValueId};
use convscope_runtime::{Network, Region, Shape};

use crate::HostError;

/// Describes a network.
pub(super) fn describe(path: &Path, network: &Network, score: ValueId) -> ModelDescription {
    let value = |id: &ValueId| {
        let value = network.value(*id);
        ValueDescription { name: value.name.clone(), shape: value.shape.extents().to_vec() }
    };
    ModelDescription {
        name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        inputs: network.inputs().iter().map(value).collect(),
        layers: network.nodes().iter().map(|node| layer(network, node)).collect(),
        score: network.name_of(score).to_owned(),
        ..ModelDescription::default()
    }
}

fn layer(network: &Network, node: &Node) -> LayerDescription {
    let shapes: Vec<&Shape> = node.inputs.iter().map(|&id| &network.value(id).shape).collect();
    let work = node.layer.work(&shapes);
    let field = network.inputs().first().and_then(|&input| field(network, node.output, input));
    LayerDescription {
        name: node.name.clone(),
        kind: node.layer.kind().name().to_owned(),
        shape: network.value(node.output).shape.extents().to_vec(),
        inputs: node
            .inputs
            .iter()
            .filter(|&&id| !matches!(network.value(id).origin, Origin::Constant(_)))
            .map(|&id| network.name_of(id).to_owned())
            .collect(),
        receptive_field: field.map(|(size, _)| size),
        stride: field.map(|(_, stride)| stride),
        multiply_adds: work.multiply_adds,
        parameters: work.parameters,
    }
}

/// Returns size and distance of the receptive fields of a value's units.
fn field(network: &Network, value: ValueId, input: ValueId) -> Option<([usize; 2], [usize; 2])> {
    network.value(value).shape.as_maps()?;
    let seen = |place: isize| {
        let unit = Region { top: place, left: place, height: 1, width: 1 };
        match network.receptive_field(value, unit, input) {
            Field::Region(region) => Some(region),
            Field::Whole | Field::Nothing => None,
        }
    };
    let (first, second) = (seen(0)?, seen(1)?);
    let stride = [second.top.abs_diff(first.top), second.left.abs_diff(first.left)];
    Some(([first.height, first.width], stride))
}

/// Lists the inputs that the file takes with channels last.
pub(super) fn channels_last(network: &Network, layouts: &[InputLayout]) -> Vec<String> {
    let inputs = network.inputs().iter().zip(layouts);
    let last = inputs.filter(|(_, layout)| **layout == InputLayout::ChannelsLast);
    last.map(|(&id, _)| network.value(id).name.clone()).collect()
}

/// Describes how a value of an input of `channels` came from a pixel, where few numbers can say it.
pub(super) fn pixel_scale(
    preprocessing: &Preprocessing,
    channels: usize,
) -> Result<Option<PixelScale>, HostError> {
    let floats = |numbers: &[f64]| numbers.iter().map(|&number| number as f32).collect();
    let form = preprocessing.normalization(channels)?;
    Ok(form.map(|form| PixelScale {
        channels: form.channels.to_string(),
        scale: form.scale as f32,
        mean: floats(&form.mean),
        std: floats(&form.std),
    }))
}

/// Says where it stands how pictures become the input, without folders: reports of two machines
/// are to be the same.
pub(super) fn source(preprocessing: &Preprocessing) -> String {
    match preprocessing.origin() {
        Source::Card(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            format!("model card {}", name.to_string_lossy())
        }
        preset @ Source::Preset(_) => preset.to_string(),
    }
}
