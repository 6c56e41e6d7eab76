//! How a signal is carried back through one layer. A method is a composite of such rules.

mod gradient;
mod guided;
mod overwrite_overlap;
mod pass;
mod rectify;

use std::fmt::Debug;

pub use gradient::Gradient;
pub use guided::Guided;
pub use overwrite_overlap::OverwriteOverlap;
pub use pass::Pass;
pub use rectify::Rectify;

use crate::{Backend, LayerError, LayerInversion, Reads, Record, Tensor};

/// Carries a signal from the output of a layer back to its inputs.
///
/// The default is the gradient, which every layer knows.
pub trait BackwardRule: Debug + Send + Sync {
    /// Returns the name by which composites refer to the rule.
    fn name(&self) -> &'static str;

    /// Returns one signal per input of the layer.
    ///
    /// # Errors
    /// Fails when the rule does not fit the layer, the record lacks what it needs, or the backend
    /// fails.
    fn carry_back(
        &self,
        layer: &dyn LayerInversion,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        layer.invert(backend, signal, record)
    }

    /// Says what [`carry_back`](Self::carry_back) reads of the layer's record. The default is what
    /// the layer's inversion reads.
    fn reads(&self, layer: &dyn LayerInversion) -> Reads {
        layer.reads()
    }
}

/// Every rule, alphabetical: a new rule is one file and one line here.
pub const ALL: &[&dyn BackwardRule] = &[&Gradient, &Guided, &OverwriteOverlap, &Pass, &Rectify];

/// Finds a rule by its name.
pub fn named(name: &str) -> Option<&'static dyn BackwardRule> {
    ALL.iter().copied().find(|rule| rule.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Clip, Convolution, MaxPooling, Rectifier};
    use crate::{ConvolutionGeometry, CpuBackend, Keep, Layer, Rounding, Window};

    /// What arrives at the input of a layer.
    fn carried(
        rule: &dyn BackwardRule,
        layer: &dyn LayerInversion,
        input: &Tensor,
        signal: &Tensor,
    ) -> Result<Vec<f32>, LayerError> {
        let backend = CpuBackend::new();
        let (_, record) = layer.forward(&backend, &[input], Keep::Inversion)?;
        let arrived = rule.carry_back(layer, &backend, signal, &record)?;
        Ok(arrived[0].values()?.to_vec())
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::new([1, values.len()], values.to_vec()).unwrap()
    }

    #[test]
    fn the_rules_differ_at_a_rectifier_as_their_table_says() {
        let (input, signal) = (row(&[3.0, 3.0, -3.0, -3.0]), row(&[2.0, -2.0, 2.0, -2.0]));
        let at_rectifier = |rule| carried(rule, &Rectifier, &input, &signal).unwrap();
        assert_eq!(at_rectifier(&Gradient), [2.0, -2.0, 0.0, 0.0]);
        assert_eq!(at_rectifier(&Rectify), [2.0, 0.0, 2.0, 0.0]);
        assert_eq!(at_rectifier(&Guided), [2.0, 0.0, 0.0, 0.0]);
        assert_eq!(at_rectifier(&Pass), [2.0, -2.0, 2.0, -2.0]);
    }

    #[test]
    fn the_rules_differ_at_a_clip_from_zero_as_at_a_rectifier() {
        let clip = Clip::new(Some(0.0), Some(6.0)).unwrap();
        let input = row(&[3.0, 3.0, 7.0, 7.0, -1.0]);
        let signal = row(&[2.0, -2.0, 2.0, -2.0, 2.0]);
        let at_clip = |rule| carried(rule, &clip, &input, &signal).unwrap();
        assert_eq!(at_clip(&Gradient), [2.0, -2.0, 0.0, 0.0, 0.0]);
        assert_eq!(at_clip(&Guided), [2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(at_clip(&Rectify), [2.0, 0.0, 2.0, 0.0, 2.0]);
    }

    #[test]
    fn where_windows_overlap_the_last_one_overwrites() {
        let window = Window { stride: [1, 1], ..Window::of([1, 2]) };
        let layer = MaxPooling::new(window, Rounding::Floor).unwrap();
        let input = Tensor::new([1, 1, 1, 3], vec![0.0, 5.0, 1.0]).unwrap();
        let signal = Tensor::new([1, 1, 1, 2], vec![2.0, 3.0]).unwrap();
        let by = |rule| carried(rule, &layer, &input, &signal).unwrap();
        assert_eq!(by(&Gradient), [0.0, 5.0, 0.0]);
        assert_eq!(by(&OverwriteOverlap), [0.0, 3.0, 0.0]);
    }

    #[test]
    fn rules_refuse_layers_they_do_not_fit() {
        let input = row(&[1.0]);
        let refused = carried(&OverwriteOverlap, &Rectifier, &input, &input).unwrap_err();
        assert_eq!(refused.to_string(), "rectifier cannot unpool: it has no switches");
        let geometry = ConvolutionGeometry { window: Window::of([1, 1]), groups: 1 };
        let layer = Convolution::new(Tensor::zeros([2, 1, 1, 1]), None, geometry).unwrap();
        assert_eq!(layer.parameter("weight").unwrap().shape().batch(), 2);
        let (input, signal) = (Tensor::zeros([1, 1, 3, 3]), Tensor::zeros([1, 2, 3, 3]));
        for rule in [&Pass as &dyn BackwardRule, &Rectify] {
            assert_eq!(
                carried(rule, &layer, &input, &signal).unwrap_err().to_string(),
                "convolution cannot pass its signal on: its input has not the shape of its output"
            );
        }
    }

    #[test]
    fn every_rule_is_found_by_its_name() {
        let names: Vec<&str> = ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names, ["gradient", "guided", "overwrite_overlap", "pass", "rectify"]);
        for name in names {
            assert_eq!(named(name).unwrap().name(), name);
        }
        assert!(named("lrp").is_none());
    }
}
