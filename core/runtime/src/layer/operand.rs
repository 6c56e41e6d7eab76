//! What the layers share: checks of their inputs, and signals for broadcast operands.

use crate::{Backend, Computed, LayerError, LayerKind, Padding, Rounding, Shape, Tensor, Window};

/// Returns the only input of a layer.
pub(super) fn one<'a, T>(kind: LayerKind, inputs: &[&'a T]) -> Result<&'a T, LayerError> {
    match *inputs {
        [input] => Ok(input),
        _ => Err(LayerError::invalid(kind, "one input", inputs.len().to_string())),
    }
}

/// Returns the two inputs of a layer.
pub(super) fn two<'a, T>(kind: LayerKind, inputs: &[&'a T]) -> Result<[&'a T; 2], LayerError> {
    match *inputs {
        [a, b] => Ok([a, b]),
        _ => Err(LayerError::invalid(kind, "two inputs", inputs.len().to_string())),
    }
}

/// Reads a shape as `[batch, channel, height, width]`.
pub(super) fn maps(kind: LayerKind, shape: &Shape) -> Result<[usize; 4], LayerError> {
    shape.as_maps().ok_or_else(|| {
        LayerError::invalid(kind, "maps [batch, channel, height, width]", format!("shape {shape}"))
    })
}

/// Checks that a layer may treat an axis as its own: it exists and is not the batch.
pub(super) fn own_axis(kind: LayerKind, axis: usize, shape: &Shape) -> Result<(), LayerError> {
    if axis >= 1 && axis < shape.rank() {
        return Ok(());
    }
    Err(LayerError::invalid(
        kind,
        format!("an axis {axis} that is not the batch"),
        shape.to_string(),
    ))
}

/// Returns the shape to which shapes broadcast, their trailing axes aligned.
pub(super) fn broadcast(kind: LayerKind, shapes: &[&Shape]) -> Result<Shape, LayerError> {
    let rank = shapes.iter().map(|shape| shape.rank()).max().unwrap_or(0);
    let mut joined = vec![1; rank];
    for shape in shapes {
        for (target, &extent) in joined.iter_mut().rev().zip(shape.extents().iter().rev()) {
            if *target == 1 {
                *target = extent;
            } else if extent != 1 && extent != *target {
                let listed: Vec<String> = shapes.iter().map(ToString::to_string).collect();
                let actual = listed.join(" and ");
                return Err(LayerError::invalid(kind, "shapes that broadcast", actual));
            }
        }
    }
    Ok(Shape::new(&joined))
}

/// Sums a signal over the axes along which an operand of shape `to` was broadcast.
pub(super) fn reduced(backend: &dyn Backend, signal: &Tensor, to: &Shape) -> Computed {
    if signal.shape() == to {
        return Ok(signal.clone());
    }
    let extents = signal.shape().extents();
    let further = extents.len().saturating_sub(to.rank());
    let is_broadcast = |axis: &usize| {
        let kept = axis.checked_sub(further).and_then(|axis| to.extents().get(axis));
        kept.is_none_or(|&extent| extent == 1 && extents[*axis] != 1)
    };
    let axes: Vec<usize> = (0..extents.len()).filter(is_broadcast).collect();
    let total = if axes.is_empty() { signal.clone() } else { backend.sum(signal, &axes)? };
    if total.shape() == to { Ok(total) } else { backend.reshape(&total, to) }
}

/// Spreads a signal over the axes along which `to` is larger.
pub(super) fn spread(backend: &dyn Backend, signal: &Tensor, to: &Shape) -> Computed {
    let zeros = backend.upload(&Tensor::zeros(to.clone()))?;
    backend.binary(crate::Binary::Add, &zeros, signal)
}

/// Checks the numbers of a window.
pub(super) fn check_window(kind: LayerKind, window: &Window) -> Result<(), LayerError> {
    let Window { kernel, stride, dilation, .. } = window;
    if kernel.iter().chain(stride).chain(dilation).all(|&number| number > 0) {
        return Ok(());
    }
    let actual = format!("kernel {kernel:?}, stride {stride:?}, dilation {dilation:?}");
    Err(LayerError::invalid(kind, "a kernel, stride and dilation of at least 1", actual))
}

/// Returns the size of a window's output, or says that the kernel does not fit.
pub(super) fn output_size(
    kind: LayerKind,
    window: &Window,
    rounding: Rounding,
    size: [usize; 2],
) -> Result<[usize; 2], LayerError> {
    window.output_size(size, rounding).ok_or_else(|| {
        let [height, width] = window.span();
        let Padding { top, left, bottom, right } = window.padding;
        LayerError::invalid(
            kind,
            format!("a padded map of at least {height}x{width}"),
            format!(
                "{}x{} with padding {top}, {left}, {bottom}, {right} (top, left, bottom, right)",
                size[0], size[1]
            ),
        )
    })
}

/// Returns the size of a pooling's output; refuses windows that see no cell of the map.
pub(super) fn pooled_size(
    kind: LayerKind,
    window: &Window,
    rounding: Rounding,
    size: [usize; 2],
) -> Result<[usize; 2], LayerError> {
    let output = output_size(kind, window, rounding, size)?;
    for axis in [0, 1] {
        let before = window.padding_of(axis)[0];
        let sees = |place: usize| {
            (0..window.kernel[axis]).any(|tap| {
                let cell = place * window.stride[axis] + tap * window.dilation[axis];
                cell.checked_sub(before).is_some_and(|cell| cell < size[axis])
            })
        };
        if let Some(place) = (0..output[axis]).find(|&place| !sees(place)) {
            let name = ["row", "column"][axis];
            return Err(LayerError::invalid(
                kind,
                "windows that see a cell of the map",
                format!("window {name} {place} wholly in the padding of a map of {size:?}"),
            ));
        }
    }
    Ok(output)
}
