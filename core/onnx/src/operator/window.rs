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
    let window = without_padding(call, kernel)?;
    let padding = match automatic(call)? {
        None => stated_padding(call)?,
        Some(Automatic::Valid) => Padding::default(),
        Some(Automatic::Same(odd)) => same_padding(&window, size, odd)?,
    };
    Ok(Window { padding, ..window })
}

/// Reads kernel, strides and dilations.
pub(super) fn without_padding(
    call: &Call<'_, '_>,
    kernel: Option<[usize; 2]>,
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
    Ok(Window { kernel, stride, dilation, padding: Padding::default() })
}

/// Paddings that the file does not write out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Automatic {
    /// None at all.
    Valid,
    /// What the size of the output asks for.
    Same(Odd),
}

/// Where the odd one of an uneven number of cells goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// Before the map.
    Before,
    /// Behind it.
    Behind,
}

impl Odd {
    /// Shares cells between the two ends of the rows and of the columns.
    pub(super) fn share(self, total: [usize; 2]) -> Padding {
        let [less, more] = [total.map(|total| total / 2), total.map(|total| total.div_ceil(2))];
        let ([top, left], [bottom, right]) = match self {
            Self::Before => (more, less),
            Self::Behind => (less, more),
        };
        Padding { top, left, bottom, right }
    }
}

/// Reads `auto_pad`; refuses paddings beside it.
pub(super) fn automatic(call: &Call<'_, '_>) -> Result<Option<Automatic>, Refusal> {
    let automatic = automatic_alone(call)?;
    if automatic.is_some() && stated_padding(call)? != Padding::default() {
        return Err(Refusal::invalid("it has both pads and auto_pad"));
    }
    Ok(automatic)
}

/// Reads `auto_pad`.
pub(super) fn automatic_alone(call: &Call<'_, '_>) -> Result<Option<Automatic>, Refusal> {
    match call.attributes.text("auto_pad")? {
        None | Some("NOTSET" | "") => Ok(None),
        Some("VALID") => Ok(Some(Automatic::Valid)),
        Some("SAME_UPPER") => Ok(Some(Automatic::Same(Odd::Behind))),
        Some("SAME_LOWER") => Ok(Some(Automatic::Same(Odd::Before))),
        Some(other) => Err(Refusal::invalid(format!("its auto_pad is {other:?}"))),
    }
}

/// Reads `pads`.
pub(super) fn stated_padding(call: &Call<'_, '_>) -> Result<Padding, Refusal> {
    let [top, left, bottom, right] = numbers::<4>(call, "pads", 0)?.unwrap_or_default();
    Ok(Padding { top, left, bottom, right })
}

/// Pads so much that the output is as large as the input divided by the stride.
fn same_padding(window: &Window, size: [usize; 2], odd: Odd) -> Result<Padding, Refusal> {
    if window.dilation != [1, 1] {
        // The specification counts the dilated kernel; onnxruntime refuses convolutions, and gives
        // poolings another size.
        let reason = "programs differ in what auto_pad with dilations means; write the pads out";
        return Err(Refusal::unsupported(reason));
    }
    let total = [0, 1].map(|axis| {
        let outputs = size[axis].div_ceil(window.stride[axis]);
        let reach = outputs.saturating_sub(1).saturating_mul(window.stride[axis]);
        reach.saturating_add(window.span()[axis]).saturating_sub(size[axis])
    });
    Ok(odd.share(total))
}

/// Reads a list of N integers.
pub(super) fn numbers<const N: usize>(
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
