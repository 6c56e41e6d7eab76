//! Where the time of a forward pass goes.

use std::collections::BTreeMap;
use std::time::Duration;

use convscope_protocol::{LayerDescription, ModelDescription};
use cpu_time::ProcessTime;
use serde_json::{Value, json};

use crate::text::Table;

/// Width of what is printed.
const WIDTH: usize = 80;

/// The CPU time of every layer, the shortest of all passes.
#[derive(Debug, Default)]
pub(super) struct Profile {
    shortest: BTreeMap<String, Duration>,
    /// Times of the pass under way.
    pass: BTreeMap<String, Duration>,
    running: Option<(String, ProcessTime)>,
}

impl Profile {
    /// Notes that a layer begins, and that the one before is done.
    pub(super) fn watch(&mut self, layer: Option<&str>) {
        if let Some((name, start)) = self.running.take() {
            *self.pass.entry(name).or_default() += start.elapsed();
        }
        self.running = layer.map(|name| (name.to_owned(), ProcessTime::now()));
    }

    /// Ends a pass.
    pub(super) fn end(&mut self) {
        for (name, time) in std::mem::take(&mut self.pass) {
            let shortest = self.shortest.entry(name).or_insert(time);
            *shortest = time.min(*shortest);
        }
    }

    /// Returns the layers that ran, in order, with their times.
    fn layers<'a>(
        &'a self,
        model: &'a ModelDescription,
    ) -> impl Iterator<Item = (&'a LayerDescription, Duration)> {
        model.layers.iter().filter_map(|layer| Some((layer, *self.shortest.get(&layer.name)?)))
    }

    /// Returns the times for programs; multiply-adds are those of one image.
    pub(super) fn json(&self, model: &ModelDescription) -> Value {
        self.layers(model)
            .map(|(layer, time)| {
                json!({
                    "name": layer.name,
                    "kind": layer.kind,
                    "multiply_adds": layer.multiply_adds,
                    "cpu_seconds": time.as_secs_f64(),
                })
            })
            .collect()
    }

    /// Returns the times as a table; `batch` is the number of images. Rates are those of layers with
    /// weights: of others, which may also run within the layer before, they would say nothing.
    pub(super) fn rendered(&self, model: &ModelDescription, batch: usize) -> String {
        let total: f64 = self.layers(model).map(|(_, time)| time.as_secs_f64()).sum();
        let headings =
            [("layer", false), ("kind", false), ("ms", true), ("share", true), ("GFLOP/s", true)];
        let mut table = Table::new(&headings);
        for (layer, time) in self.layers(model) {
            let seconds = time.as_secs_f64().max(1e-9);
            let operations = 2.0 * layer.multiply_adds as f64 * batch as f64;
            let rate = format!("{:.1}", operations / seconds / 1e9);
            table.row(vec![
                layer.name.clone(),
                layer.kind.clone(),
                format!("{:.3}", seconds * 1e3),
                format!("{:.1} %", 100.0 * seconds / total.max(1e-9)),
                if layer.parameters == 0 { String::new() } else { rate },
            ]);
        }
        format!("\n{}", table.rendered(WIDTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, multiply_adds: u64) -> LayerDescription {
        let kind = if multiply_adds == 0 { "rectifier" } else { "convolution" };
        LayerDescription {
            name: name.to_owned(),
            kind: kind.to_owned(),
            shape: vec![1, 1],
            inputs: Vec::new(),
            receptive_field: None,
            stride: None,
            multiply_adds,
            parameters: multiply_adds.min(9),
        }
    }

    fn model() -> ModelDescription {
        let layers = vec![layer("conv", 3_000_000), layer("aside", 7), layer("relu", 0)];
        ModelDescription { layers, ..ModelDescription::default() }
    }

    #[test]
    fn the_shortest_time_of_all_passes_counts() {
        let mut profile = Profile::default();
        for milliseconds in [3, 2, 5] {
            profile.pass.insert("conv".to_owned(), Duration::from_millis(milliseconds));
            profile.end();
        }
        assert_eq!(profile.json(&model())[0]["cpu_seconds"], 0.002);
    }

    #[test]
    fn batches_of_one_pass_add_up() {
        let mut profile = Profile::default();
        profile.pass.insert("conv".to_owned(), Duration::from_secs(5));
        for _ in 0..2 {
            for layer in [Some("conv"), Some("relu"), None] {
                profile.watch(layer);
            }
        }
        profile.end();
        assert!(profile.shortest["conv"] > Duration::from_secs(5));
        assert_eq!(profile.shortest.len(), 2);
    }

    #[test]
    fn the_table_has_the_layers_that_ran_and_their_rates() {
        let mut profile = Profile::default();
        profile.pass.insert("conv".to_owned(), Duration::from_millis(3));
        profile.pass.insert("relu".to_owned(), Duration::from_millis(1));
        profile.end();
        let expected = "
layer  kind            ms   share  GFLOP/s
conv   convolution  3.000  75.0 %      4.0
relu   rectifier    1.000  25.0 %
";
        assert_eq!(profile.rendered(&model(), 2), expected);
    }
}
