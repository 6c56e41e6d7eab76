//! The tiny network: its values, and how it is described.

use convscope_protocol::model::{PixelScale, ValueDescription};
use convscope_protocol::{LayerDescription, ModelDescription, Region};
use ndarray::{Array1, Array3, ArrayD, s};

use super::{ColourOrder, Fault};

/// Weights of `conv`: `[map, channel]`.
pub const WEIGHT: [[f32; 2]; 3] = [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]];
/// Weights of `conv` for the third channel of [`FakeHost::with_colours`](super::FakeHost::with_colours).
pub const THIRD_WEIGHT: [f32; 3] = [0.0, -1.0, 2.0];
/// Biases of `conv`.
pub const BIAS: [f32; 3] = [0.0, -1.0, 0.5];
/// Weights of `scores`: `[class, map]`, the same for every cell of a map.
pub const CLASS_WEIGHT: [[f32; 3]; 4] =
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, -1.0, 2.0]];
/// Names of the classes.
pub const LABELS: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// Edge of the input.
pub(super) const EDGE: usize = 6;
/// Edge of the windows of `pool`, and their distance.
pub(super) const WINDOW: usize = 2;

/// A value of the network, in the order in which they are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Input,
    Conv,
    Relu,
    Pool,
    Scores,
}

impl Node {
    pub(super) const ALL: [Self; 5] =
        [Self::Input, Self::Conv, Self::Relu, Self::Pool, Self::Scores];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv => "conv",
            Self::Relu => "relu",
            Self::Pool => "pool",
            Self::Scores => "scores",
        }
    }

    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv => "convolution",
            Self::Relu => "rectifier",
            Self::Pool => "max_pooling",
            Self::Scores => "linear",
        }
    }

    /// `[channel, row, column]`; the scores are maps of one cell. The input may have more channels:
    /// its images say how many.
    pub(super) const fn extents(self) -> [usize; 3] {
        match self {
            Self::Input => [2, EDGE, EDGE],
            Self::Conv | Self::Relu => [3, EDGE, EDGE],
            Self::Pool => [3, EDGE / WINDOW, EDGE / WINDOW],
            Self::Scores => [4, 1, 1],
        }
    }

    /// Shape of the value for `rows` images, each of which is `[channel, row, column]`.
    pub(super) fn shape(self, rows: usize, [channels, height, width]: [usize; 3]) -> Vec<usize> {
        match self {
            Self::Scores => vec![rows, channels],
            _ => vec![rows, channels, height, width],
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|node| node.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|node| node.name()).collect();
            Fault::invalid(format!("no layer or value `{name}`; there are {}", known.join(", ")))
        })
    }

    /// The pixels of the input that a cell can see, and so many more on every side.
    pub(super) fn field(self, [row, column]: [usize; 2], margin: u32) -> Region {
        let edge = match self {
            Self::Input | Self::Conv | Self::Relu => 1,
            Self::Pool => WINDOW,
            Self::Scores => EDGE,
        };
        let start = |place: usize| ((place * edge) as u64).cast_signed() - i64::from(margin);
        let extent = edge as u64 + 2 * u64::from(margin);
        Region { top: start(row), left: start(column), height: extent, width: extent }
    }
}

/// Returns the weights of a map of `conv`: those of the first two channels, then of the third.
pub(super) fn weights(map: usize) -> impl Iterator<Item = f32> {
    WEIGHT[map].into_iter().chain([THIRD_WEIGHT[map]])
}

/// Computes the value of a node from the one before it.
pub(super) fn forward(node: Node, before: &Array3<f32>) -> Array3<f32> {
    let [channels, height, width] = node.extents();
    match node {
        Node::Input => before.clone(),
        Node::Conv => Array3::from_shape_fn((channels, height, width), |(map, row, column)| {
            let seen = before.slice(s![.., row, column]);
            seen.iter().zip(weights(map)).map(|(value, weight)| value * weight).sum::<f32>()
                + BIAS[map]
        }),
        Node::Relu => before.mapv(|value| value.max(0.0)),
        Node::Pool => Array3::from_shape_fn((channels, height, width), |(map, row, column)| {
            before[maximum(before, map, [row, column])]
        }),
        Node::Scores => {
            let sums: Array1<f32> = before.outer_iter().map(|map| map.sum()).collect();
            Array3::from_shape_fn((channels, 1, 1), |(class, _, _)| {
                CLASS_WEIGHT[class].iter().zip(&sums).map(|(weight, sum)| weight * sum).sum()
            })
        }
    }
}

/// Finds the first maximum of a window of `pool`: its switch.
pub(super) fn maximum(before: &Array3<f32>, map: usize, window: [usize; 2]) -> [usize; 3] {
    let [top, left] = window.map(|place| place * WINDOW);
    let cells = before.slice(s![map, top..top + WINDOW, left..left + WINDOW]);
    let mut best = [map, top, left];
    for ((row, column), &value) in cells.indexed_iter() {
        if value > before[best] {
            best = [map, top + row, left + column];
        }
    }
    best
}

/// Returns a parameter of a layer of the network that takes `channels`.
pub(super) fn parameter(layer: &str, name: &str, channels: usize) -> Result<ArrayD<f32>, Fault> {
    let node = Node::named(layer)?;
    let cells = (EDGE / WINDOW).pow(2);
    Ok(match (node, name) {
        (Node::Conv, "weight") => {
            let values = (0..3).flat_map(|map| weights(map).take(channels)).collect();
            ArrayD::from_shape_vec(vec![3, channels, 1, 1], values).map_err(Fault::broken)?
        }
        (Node::Conv, "bias") => ndarray::arr1(&BIAS).into_dyn(),
        (Node::Scores, "weight") => {
            let weight = |place: ndarray::Ix2| CLASS_WEIGHT[place[0]][place[1] / cells];
            ndarray::Array2::from_shape_fn((4, 3 * cells), |(class, cell)| {
                weight(ndarray::Dim([class, cell]))
            })
            .into_dyn()
        }
        _ => return Err(Fault::invalid(format!("layer `{layer}` has no parameter `{name}`"))),
    })
}

/// Describes the network as a host does.
pub(super) fn description(colours: Option<ColourOrder>) -> ModelDescription {
    let channels = ColourOrder::channels(colours);
    let layers = Node::ALL[1..].iter().enumerate().map(|(before, node)| {
        let edge = node.field([0, 0], 0).height as usize;
        let (multiply_adds, parameters) = match node {
            Node::Conv => (108 * channels as u64, 3 * channels as u64 + 3),
            Node::Scores => (108, 108),
            _ => (0, 0),
        };
        LayerDescription {
            name: node.name().to_owned(),
            kind: node.kind().to_owned(),
            shape: node.shape(1, node.extents()),
            inputs: vec![Node::ALL[before].name().to_owned()],
            receptive_field: (*node != Node::Scores).then_some([edge; 2]),
            stride: (*node != Node::Scores).then_some([edge; 2]),
            multiply_adds,
            parameters,
        }
    });
    ModelDescription {
        name: "tiny".to_owned(),
        hash: "0".repeat(64),
        inputs: vec![ValueDescription {
            name: "input".to_owned(),
            shape: vec![1, channels, EDGE, EDGE],
        }],
        channels_last: Vec::new(),
        layers: layers.collect(),
        score: "scores".to_owned(),
        probability: None,
        labels: LABELS.map(str::to_owned).to_vec(),
        preprocessing: colours.map(|order| PixelScale {
            channels: order.name().to_owned(),
            scale: 1.0,
            mean: vec![128.0; channels],
            std: vec![64.0; channels],
        }),
        preprocessing_source: None,
    }
}
