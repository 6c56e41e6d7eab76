//! What convolution and its adjoint ask of their weights.

use super::operand;
use crate::{ConvolutionGeometry, LayerError, LayerKind, Tensor};

/// Checks that a weight `[filter, channel / groups, kernel height, kernel width]` fits a geometry,
/// and returns its numbers of filters and of channels within a group.
pub(super) fn check(
    kind: LayerKind,
    weight: &Tensor,
    geometry: &ConvolutionGeometry,
) -> Result<[usize; 2], LayerError> {
    let invalid = |expected: String, actual: String| LayerError::invalid(kind, expected, actual);
    operand::check_window(kind, &geometry.window)?;
    let shape = weight.shape();
    let Some([filters, channels, height, width]) = shape.as_maps() else {
        let expected = "a weight [filter, channel, height, width]".to_owned();
        return Err(invalid(expected, format!("shape {shape}")));
    };
    if filters == 0 || channels == 0 {
        return Err(invalid("at least one filter and channel".to_owned(), shape.to_string()));
    }
    let kernel = geometry.window.kernel;
    if [height, width] != kernel {
        return Err(invalid(format!("a weight with a kernel of {kernel:?}"), shape.to_string()));
    }
    if geometry.groups == 0 || filters % geometry.groups != 0 {
        let actual = format!("{} groups", geometry.groups);
        return Err(invalid(format!("groups that divide {filters} filters"), actual));
    }
    Ok([filters, channels])
}

/// Checks that a bias, if there is one, has a number for each of `maps`.
pub(super) fn check_bias(
    kind: LayerKind,
    bias: Option<&Tensor>,
    maps: usize,
) -> Result<(), LayerError> {
    match bias {
        Some(bias) if bias.shape().extents() != [maps] => Err(LayerError::invalid(
            kind,
            format!("a bias for {maps} filters"),
            format!("shape {}", bias.shape()),
        )),
        _ => Ok(()),
    }
}
