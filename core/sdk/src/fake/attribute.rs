//! The verb `attribute` on the tiny network.

use convscope_protocol::attribute::On;
use convscope_protocol::{Amount, Case, Composite, Start, Values};
use ndarray::{Array3, s};

use super::network::{CLASS_WEIGHT, Node, maximum, weights};
use super::observe::{Pass, pass};
use super::{Fault, Picked, reduction};

/// Every kind of layer that a host knows.
const KINDS: [&str; 16] = [
    "addition",
    "average_pooling",
    "batch_normalization",
    "clip",
    "concatenation",
    "convolution",
    "flatten",
    "global_average_pooling",
    "linear",
    "matrix_product",
    "max_pooling",
    "multiplication",
    "rectifier",
    "reshape",
    "response_normalization",
    "softmax",
];
/// Every rule that a host knows.
const RULES: [&str; 5] = ["gradient", "guided", "overwrite_overlap", "pass", "rectify"];

/// Refuses rules and layers that do not exist.
pub(super) fn check_composite(composite: &Composite) -> Result<(), Fault> {
    for rule in &composite.rules {
        match &rule.on {
            On::Kind(kind) if !KINDS.contains(&kind.as_str()) => {
                return Err(Fault::invalid(format!("no kind of layer `{kind}`")));
            }
            On::Kind(_) => {}
            On::Layer(layer) => {
                Node::named(layer)?;
            }
        }
        if !RULES.contains(&rule.apply.as_str()) {
            let known = RULES.join(", ");
            return Err(Fault::invalid(format!("no rule `{}`; there are {known}", rule.apply)));
        }
    }
    Ok(())
}

/// Carries the signals of consecutive starts back.
pub(super) fn attributed(
    images: &Picked,
    starts: &[Start],
    composite: &Composite,
    to: &[Node],
) -> Result<Vec<Values>, Fault> {
    let mut arrived: Vec<Vec<Array3<f32>>> = vec![Vec::new(); to.len()];
    for start in starts {
        let case = Case { image: start.image, interventions: Vec::new() };
        let signals = carry_back(&pass(images, &case)?, start, composite)?;
        for (rows, node) in arrived.iter_mut().zip(to) {
            let signal = signals.get(*node as usize).ok_or_else(|| {
                let (from, to) = (&start.value, node.name());
                Fault::invalid(format!("`{from}` does not depend on `{to}`"))
            })?;
            rows.push(signal.clone());
        }
    }
    arrived.iter().zip(to).map(|(rows, node)| reduction::whole(*node, rows)).collect()
}

/// Returns the signal at every value from the input up to the one it starts at.
fn carry_back(
    pass: &Pass,
    start: &Start,
    composite: &Composite,
) -> Result<Vec<Array3<f32>>, Fault> {
    let from = Node::named(&start.value)?;
    let (channels, height, width) = pass[from as usize].dim();
    let [row, column] = match start.position {
        Some(position) => position,
        None if height * width == 1 => [0, 0],
        None => {
            let value = &start.value;
            return Err(Fault::invalid(format!("a start at `{value}` needs a position")));
        }
    };
    if start.channel >= channels || row >= height || column >= width {
        let (value, channel) = (&start.value, start.channel);
        return Err(Fault::invalid(format!(
            "`{value}` has no unit at channel {channel}, row {row}, column {column}"
        )));
    }
    let unit = [start.channel, row, column];
    let mut signal = Array3::zeros((channels, height, width));
    signal[unit] = match start.amount {
        Amount::One => 1.0,
        Amount::Activation => pass[from as usize][unit],
        Amount::Number(number) => number,
    };
    let mut signals = vec![signal];
    for node in Node::ALL[1..=from as usize].iter().rev() {
        let signal = &signals[signals.len() - 1];
        signals.push(through(*node, signal, &pass[*node as usize - 1], composite)?);
    }
    signals.reverse();
    Ok(signals)
}

/// Carries a signal back through one layer.
fn through(
    node: Node,
    signal: &Array3<f32>,
    input: &Array3<f32>,
    composite: &Composite,
) -> Result<Array3<f32>, Fault> {
    let rule = composite.rules.iter().find(|rule| match &rule.on {
        On::Kind(kind) => kind == node.kind(),
        On::Layer(layer) => layer == node.name(),
    });
    let rectified = || signal.mapv(|value| value.max(0.0));
    match rule.map_or("gradient", |rule| rule.apply.as_str()) {
        "gradient" => Ok(gradient(node, signal, input)),
        "guided" => Ok(gradient(node, &rectified(), input)),
        "rectify" if node == Node::Relu => Ok(rectified()),
        "pass" if node == Node::Relu => Ok(signal.clone()),
        // Windows that do not overlap have nothing to overwrite.
        "overwrite_overlap" if node == Node::Pool => Ok(gradient(node, signal, input)),
        other => Err(Fault::unsupported(format!("rule `{other}` does not fit `{}`", node.name()))),
    }
}

fn gradient(node: Node, signal: &Array3<f32>, input: &Array3<f32>) -> Array3<f32> {
    let mut result = Array3::zeros(input.raw_dim());
    for ((map, row, column), &amount) in signal.indexed_iter() {
        match node {
            Node::Conv => {
                let cells = result.slice_mut(s![.., row, column]);
                cells.into_iter().zip(weights(map)).for_each(|(cell, w)| *cell += w * amount);
            }
            Node::Relu if input[[map, row, column]] > 0.0 => result[[map, row, column]] = amount,
            Node::Input | Node::Relu => {}
            Node::Pool => result[maximum(input, map, [row, column])] += amount,
            Node::Scores => {
                for (source, weight) in CLASS_WEIGHT[map].iter().enumerate() {
                    let mut cells = result.index_axis_mut(ndarray::Axis(0), source);
                    cells += weight * amount;
                }
            }
        }
    }
    result
}
