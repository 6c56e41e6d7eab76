//! Local response normalization across channels, and its adjoint.

use std::ops::Range;

use crate::backend::operand::{incompatible, maps, require, zeros};
use crate::backend::units::{for_each_chunk, for_each_chunk_pair};
use crate::{Computed, ResponseNormalization, Tensor};

/// Normalizes responses; see
/// [`Backend::response_normalization`](crate::Backend::response_normalization).
pub(super) fn response_normalization(input: &Tensor, form: &ResponseNormalization) -> Computed {
    const KERNEL: &str = "response_normalization";
    let field = Field::new(KERNEL, input, form)?;
    let values = input.values()?;
    let mut output = zeros(KERNEL, input.shape())?;
    for_each_chunk(&mut output, field.cells, |plane, target| {
        field.bases(values, plane, target);
        let source = &values[plane * field.cells..];
        raise(target, form.beta, |power, index| source[index] * power);
    });
    Tensor::new(input.shape().clone(), output)
}

/// Multiplies a signal with the transposed Jacobian; see
/// [`Backend::response_normalization_adjoint`](crate::Backend::response_normalization_adjoint).
///
/// With s = bias + alpha / size · Σ x² and y = x · s^−beta, the signal g arrives as
/// `g_j · s_j^−beta − 2 · alpha · beta / size · x_j · Σ g_i · x_i · s_i^(−beta − 1)`, summed over the
/// channels i whose neighbourhood holds j.
pub(super) fn response_normalization_adjoint(
    signal: &Tensor,
    input: &Tensor,
    form: &ResponseNormalization,
) -> Computed {
    const KERNEL: &str = "response_normalization_adjoint";
    let field = Field::new(KERNEL, input, form)?;
    require(KERNEL, "a signal", signal.shape(), input.shape().extents())?;
    let (values, signal) = (input.values()?, signal.values()?);
    let cells = field.cells;
    let mut result = zeros(KERNEL, input.shape())?;
    let mut crossed = zeros(KERNEL, input.shape())?;
    for_each_chunk_pair(&mut result, &mut crossed, cells, |plane, direct, crossed| {
        let (values_here, signal) = (&values[plane * cells..][..cells], &signal[plane * cells..]);
        field.bases(values, plane, crossed);
        direct.copy_from_slice(crossed);
        raise(direct, form.beta, |power, index| signal[index] * power);
        for ((crossed, direct), x) in crossed.iter_mut().zip(&*direct).zip(values_here) {
            *crossed = direct * x / *crossed;
        }
    });
    let factor = 2.0 * form.alpha * form.beta / form.size as f32;
    for_each_chunk(&mut result, cells, |plane, target| {
        let (image, channel) = (plane / field.channels, plane % field.channels);
        let values = &values[plane * cells..][..cells];
        let mut sums = vec![0.0; cells];
        for other in field.holders(channel) {
            let source = &crossed[(image * field.channels + other) * cells..];
            sums.iter_mut().zip(source).for_each(|(sum, value)| *sum += value);
        }
        for ((cell, sum), x) in target.iter_mut().zip(sums).zip(values) {
            *cell -= factor * x * sum;
        }
    });
    Tensor::new(input.shape().clone(), result)
}

/// Maps whose channels are normalized.
struct Field<'a> {
    channels: usize,
    cells: usize,
    form: &'a ResponseNormalization,
}

impl<'a> Field<'a> {
    fn new(
        kernel: &'static str,
        input: &Tensor,
        form: &'a ResponseNormalization,
    ) -> Computed<Self> {
        let [_, channels, height, width] = maps(kernel, input.shape())?;
        if form.size == 0 {
            return Err(incompatible(
                kernel,
                "a neighbourhood of at least 1 channel",
                input.shape(),
            ));
        }
        Ok(Self { channels, cells: height * width, form })
    }

    /// Returns the neighbourhood of a channel: `size` channels, an even size reaching one further
    /// behind than before.
    fn neighbours(&self, channel: usize) -> Range<usize> {
        let before = (self.form.size - 1) / 2;
        let end = (channel + 1).saturating_add(self.form.size / 2).min(self.channels);
        channel.saturating_sub(before)..end
    }

    /// Returns the channels whose neighbourhood holds a channel.
    fn holders(&self, channel: usize) -> Range<usize> {
        let before = self.form.size / 2;
        let end = (channel + 1).saturating_add((self.form.size - 1) / 2).min(self.channels);
        channel.saturating_sub(before)..end
    }

    /// Computes `bias + alpha / size · Σ x²` for every cell of a plane.
    fn bases(&self, values: &[f32], plane: usize, target: &mut [f32]) {
        let (image, channel) = (plane / self.channels, plane % self.channels);
        target.fill(0.0);
        for other in self.neighbours(channel) {
            let source = &values[(image * self.channels + other) * self.cells..];
            target.iter_mut().zip(source).for_each(|(sum, x)| *sum += x * x);
        }
        let factor = self.form.alpha / self.form.size as f32;
        for sum in target.iter_mut() {
            *sum = self.form.bias + factor * *sum;
        }
    }
}

/// Replaces every base by a function of base^−beta and its index.
fn raise(bases: &mut [f32], beta: f32, function: impl Fn(f32, usize) -> f32) {
    // The exponent of nearly every network, by square roots instead of a logarithm.
    #[expect(clippy::float_cmp, reason = "the shortcut is for this very exponent")]
    if beta == 0.75 {
        for (index, base) in bases.iter_mut().enumerate() {
            let root = base.sqrt();
            *base = function(1.0 / (root * root.sqrt()), index);
        }
    } else {
        for (index, base) in bases.iter_mut().enumerate() {
            *base = function(base.powf(-beta), index);
        }
    }
}
