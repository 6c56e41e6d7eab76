//! `convscope inspect`: the layers of a model.

use convscope_protocol::{LayerDescription, ModelDescription};
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::arguments::{Common, Inspect};
use crate::failure::Failure;
use crate::session;
use crate::text::Table;

/// Describes a model.
pub(crate) fn execute(arguments: &Inspect, common: &Common) -> Result<Outcome, Failure> {
    let session = session::open_bare(common)?;
    let options = session::model_options(&arguments.input);
    let model = session.load_model(&arguments.model, &options)?;
    let description = model.description();
    let mut json = Map::new();
    json.insert("model".to_owned(), without_labels(description)?);
    json.insert("parameters".to_owned(), json!(parameters(description)));
    json.insert("multiply_adds".to_owned(), json!(multiply_adds(description)));
    Ok(Outcome { text: rendered(description), json })
}

fn without_labels(description: &ModelDescription) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(description)
        .map_err(|error| Failure::new("output", error.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("labels");
    }
    Ok(value)
}

fn parameters(description: &ModelDescription) -> u64 {
    description.layers.iter().map(|layer| layer.parameters).sum()
}

fn multiply_adds(description: &ModelDescription) -> u64 {
    description.layers.iter().map(|layer| layer.multiply_adds).sum()
}

fn rendered(description: &ModelDescription) -> String {
    let inputs: Vec<String> = description
        .inputs
        .iter()
        .map(|input| format!("{} {}", input.name, extents(&input.shape)))
        .collect();
    let mut lines = vec![
        format!("{}\n", description.name),
        format!("input          {}\n", inputs.join(", ")),
        format!("scores         {}\n", description.score),
    ];
    lines.extend(description.probability.iter().map(|name| format!("probabilities  {name}\n")));
    lines.push(format!("parameters     {}\n", short(parameters(description))));
    lines.push(format!("multiply-adds  {} (MACs)\n\n", short(multiply_adds(description))));
    let mut table = Table::new(&[
        ("layer", false),
        ("kind", false),
        ("shape", false),
        ("field", true),
        ("stride", true),
        ("params", true),
        ("MACs", true),
    ]);
    for layer in &description.layers {
        table.row(row(layer));
    }
    lines.push(table.rendered(80));
    lines.concat()
}

fn row(layer: &LayerDescription) -> Vec<String> {
    let pair = |pair: Option<[usize; 2]>, none: &str| match pair {
        Some([a, b]) if a == b => a.to_string(),
        Some([a, b]) => format!("{a}×{b}"),
        None => none.to_owned(),
    };
    let count = |count: u64| if count == 0 { String::new() } else { short(count) };
    vec![
        layer.name.clone(),
        layer.kind.clone(),
        extents(&layer.shape),
        pair(layer.receptive_field, "all"),
        pair(layer.stride, ""),
        count(layer.parameters),
        count(layer.multiply_adds),
    ]
}

/// Writes a shape without its batch.
fn extents(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().skip(1).map(ToString::to_string).collect();
    extents.join("×")
}

/// Writes a count with three digits and a unit.
fn short(count: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    for (size, unit) in units {
        if count >= size {
            let amount = count as f64 / size as f64;
            let decimals = if amount < 9.995 { 2 } else { usize::from(amount < 99.95) };
            return format!("{amount:.decimals$} {unit}");
        }
    }
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_digits_and_a_unit() {
        let written: Vec<String> = [7, 1_234, 12_345, 999_999, 1_235_496].map(short).to_vec();
        assert_eq!(written, ["7", "1.23 k", "12.3 k", "1000 k", "1.24 M"]);
    }
}
