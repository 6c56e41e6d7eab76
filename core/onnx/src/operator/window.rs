//! The window of a convolution or pooling.

use convscope_runtime::{Padding, Window};

use crate::call::Call;
use crate::refusal::Refusal;

/// Larger windows do not occur; the bound keeps products of their numbers small.
const LARGEST: i64 = 1 << 16;

/// Reads kernel, strides, dilations and paddings. `kernel` is that of the weight, where there is
/// one; `size` is that of the maps, `[height, width]`.
pub(super) fn window(
    call: &Call<'_, '_>,
    kernel: Option<[usize; 2]>,
    size: [usize; 2],
) -> Result<Window, Refusal> {
    let stated = numbers(call, "kernel_shape", 1)?;
    let kernel = match (kernel, stated) {
        (Some(kernel), Some(stated)) if kernel != stated => {
            let reason = format!("its kernel_shape is {stated:?}, that of its weight {kernel:?}");
            return Err(Refusal::invalid(reason));
        }
        (Some(kernel), _) | (None, Some(kernel)) => kernel,
        (None, None) => return Err(Refusal::invalid("its kernel_shape is missing")),
    };
    let stride = numbers(call, "strides", 1)?.unwrap_or([1, 1]);
    let dilation = numbers(call, "dilations", 1)?.unwrap_or([1, 1]);
    let window = Window { kernel, stride, dilation, padding: Padding::default() };
    let padding = padding(call, &window, size)?;
    Ok(Window { padding, ..window })
}

fn padding(call: &Call<'_, '_>, window: &Window, size: [usize; 2]) -> Result<Padding, Refusal> {
    let pads = numbers::<4>(call, "pads", 0)?.unwrap_or_default();
    let automatic = call.attributes.text("auto_pad")?.unwrap_or("NOTSET");
    if automatic == "NOTSET" || automatic.is_empty() {
        let [top, left, bottom, right] = pads;
        return Ok(Padding { top, left, bottom, right });
    }
    if pads != [0; 4] {
        return Err(Refusal::invalid("it has both pads and auto_pad"));
    }
    if automatic == "VALID" {
        return Ok(Padding::default());
    }
    if window.dilation != [1, 1] {
        // The specification counts the dilated kernel, onnxruntime the kernel or refuses.
        let reason = "programs differ in what auto_pad with dilations means; write the pads out";
        return Err(Refusal::unsupported(reason));
    }
    // So much that the output is as large as the input divided by the stride.
    let total = [0, 1].map(|axis| {
        let outputs = size[axis].div_ceil(window.stride[axis]);
        let reach = outputs.saturating_sub(1).saturating_mul(window.stride[axis]);
        reach.saturating_add(window.span()[axis]).saturating_sub(size[axis])
    });
    let [less, more] = [total.map(|total| total / 2), total.map(|total| total.div_ceil(2))];
    let around =
        |[top, left]: [usize; 2], [bottom, right]: [usize; 2]| Padding { top, left, bottom, right };
    match automatic {
        "SAME_UPPER" => Ok(around(less, more)),
        "SAME_LOWER" => Ok(around(more, less)),
        other => Err(Refusal::invalid(format!("its auto_pad is {other:?}"))),
    }
}

/// Reads a list of N integers.
fn numbers<const N: usize>(
    call: &Call<'_, '_>,
    name: &str,
    least: i64,
) -> Result<Option<[usize; N]>, Refusal> {
    let Some(list) = call.attributes.integers(name)? else { return Ok(None) };
    let fits = |number: &i64| (least..=LARGEST).contains(number);
    match <[i64; N]>::try_from(list) {
        Ok(list) if list.iter().all(fits) => Ok(Some(list.map(|number| number as usize))),
        _ => Err(Refusal::invalid(format!(
            "its {name} is {list:?}, not {N} numbers from {least} to {LARGEST}"
        ))),
    }
}
