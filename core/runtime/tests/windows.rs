//! ⟨layer(x), y⟩ = ⟨x, invert(y)⟩ for layers with windows of random kernels, strides, dilations,
//! paddings, groups and roundings. A maximum is linear as long as its switches stay, so that it
//! counts among them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use convscope_runtime::layer::{
    AveragePooling, Convolution, MaxPooling, MaxUnpooling, Switches, TransposedConvolution,
};
use convscope_runtime::{
    ConvolutionGeometry, CpuBackend, Divisor, Keep, Layer, LayerInversion, Padding, Rounding,
    Shape, Tensor, Window,
};
use proptest::prelude::*;

fn any_window() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::RangeInclusive<usize>| [range.clone(), range];
    (pair(1..=4), pair(1..=4), pair(1..=3), [0_usize..4, 0..4, 0..4, 0..4]).prop_map(
        |(kernel, stride, dilation, [top, left, bottom, right])| {
            let padding = Padding { top, left, bottom, right };
            Window { kernel, stride, dilation, padding }
        },
    )
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::Floor), Just(Rounding::Ceil)]
}

/// Repeatable numbers between −1 and 1.
fn numbers(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let values = (0..shape.volume()).map(|_| next()).collect();
    Tensor::new(shape, values).unwrap()
}

fn scalar_product(a: &Tensor, b: &Tensor) -> f64 {
    let [a, b] = [a, b].map(|tensor| tensor.to_host().unwrap());
    let pairs = a.values().unwrap().iter().zip(b.values().unwrap());
    pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Checks the first of a layer's inputs, in which it is linear.
fn is_the_adjoint(layer: &dyn LayerInversion, inputs: &[&Tensor]) -> Result<(), TestCaseError> {
    let backend = CpuBackend::new();
    let shapes: Vec<&Shape> = inputs.iter().map(|input| input.shape()).collect();
    let promised = layer.output_shape(&shapes).unwrap();
    let (output, record) = layer.forward(&backend, inputs, Keep::Inversion).unwrap();
    prop_assert_eq!(output.shape(), &promised);
    let signal = numbers(3, promised);
    let carried = layer.invert(&backend, &signal, &record).unwrap();
    prop_assert!(carried.iter().map(Tensor::shape).eq(shapes));
    let (left, right) = (scalar_product(&output, &signal), scalar_product(inputs[0], &carried[0]));
    prop_assert!((left - right).abs() <= 1e-5 * left.abs().max(10.0), "{} {}", left, right);
    Ok(())
}

proptest! {
    #[test]
    fn convolutions_and_their_adjoints_as_layers(
        window in any_window(),
        size in [1_usize..12, 1..12],
        [channels, filters, groups] in [1_usize..4, 1..4, 1..4],
        extra in [0_usize..4, 0..4],
    ) {
        let [rows, columns] = window.kernel;
        let weight = numbers(1, [filters * groups, channels, rows, columns]);
        let geometry = ConvolutionGeometry { window, groups };
        let maps = |channels: usize| numbers(2, [2, channels, size[0], size[1]]);
        if window.output_size(size, Rounding::Floor).is_some() {
            let layer = Convolution::new(weight.clone(), None, geometry).unwrap();
            is_the_adjoint(&layer, &[&maps(channels * groups)])?;
        }
        let extra = [0, 1].map(|axis| extra[axis] % window.stride[axis]);
        let layer = TransposedConvolution::new(weight, None, geometry, extra).unwrap();
        let input = maps(filters * groups);
        if layer.output_shape(&[input.shape()]).is_ok() {
            is_the_adjoint(&layer, &[&input])?;
        }
    }

    #[test]
    fn poolings_and_unpooling_as_layers(
        window in any_window(),
        rounding in any_rounding(),
        size in [1_usize..12, 1..12],
    ) {
        let input = numbers(4, [2, 3, size[0], size[1]]);
        let pooling = MaxPooling::new(window, rounding).unwrap();
        // Windows that see no cell are refused, which other tests look at.
        let pooled = pooling.output_shape(&[input.shape()]);
        prop_assume!(pooled.is_ok());
        is_the_adjoint(&pooling, &[&input])?;
        let unpooling = MaxUnpooling::new(Switches::OfPooling { window, rounding }).unwrap();
        is_the_adjoint(&unpooling, &[&numbers(5, pooled.unwrap()), &input])?;
        for divisor in [Divisor::Cells, Divisor::PaddedCells] {
            let averaging = AveragePooling::new(window, rounding, divisor).unwrap();
            is_the_adjoint(&averaging, &[&input])?;
        }
    }
}
