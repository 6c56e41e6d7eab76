//! ⟨f(x), y⟩ = ⟨x, fᵀ(y)⟩ for random extents.

use convscope_runtime::{
    Backend, ConvolutionGeometry, CpuBackend, Divisor, Epilogue, Overlap, Padding, Rounding, Window,
};
use proptest::prelude::*;

use super::random::tensor;
use super::reference::scalar_product;

fn any_window() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::RangeInclusive<usize>| [range.clone(), range];
    (pair(1..=4), pair(1..=3), pair(1..=3), [0_usize..3, 0..3, 0..3, 0..3]).prop_map(
        |(kernel, stride, dilation, [top, left, bottom, right])| Window {
            kernel,
            stride,
            dilation,
            padding: Padding { top, left, bottom, right },
        },
    )
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-5 * left.abs().max(right.abs()).max(10.0)
}

proptest! {
    #[test]
    fn transposed_convolution(
        window in any_window(),
        size in [1_usize..14, 1..14],
        [batch, channels, filters, groups] in [1_usize..3, 1..4, 1..4, 1..4],
    ) {
        prop_assume!(window.output_size(size, Rounding::Floor).is_some());
        let backend = CpuBackend::new();
        let geometry = ConvolutionGeometry { window, groups };
        let input = tensor([batch, channels * groups, size[0], size[1]], 1);
        let [rows, columns] = window.kernel;
        let filters = tensor([filters * groups, channels, rows, columns], 2);
        let output =
            backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap();
        let signal = tensor(output.shape().clone(), 3);
        let carried = backend
            .transposed_convolution(&signal, &filters, &geometry, input.shape())
            .unwrap();
        let pair = (scalar_product(&output, &signal), scalar_product(&input, &carried));
        prop_assert!(close(pair.0, pair.1), "{:?}", pair);
    }

    #[test]
    fn unpooling_and_average_unpooling(window in any_window(), size in [1_usize..14, 1..14]) {
        let output = window.output_size(size, Rounding::Ceil);
        prop_assume!(output.is_some());
        let (backend, output) = (CpuBackend::new(), output.unwrap());
        let input = tensor([2, 3, size[0], size[1]], 1);
        let Ok((maxima, switches)) = backend.max_pooling(&input, &window, output) else {
            // A window without a cell, which the tests of refusals look at.
            return Ok(());
        };
        let signal = tensor(maxima.shape().clone(), 3);
        let carried =
            backend.unpooling(&signal, &switches, input.shape(), Overlap::Sum).unwrap();
        let pair = (scalar_product(&maxima, &signal), scalar_product(&input, &carried));
        prop_assert!(close(pair.0, pair.1), "{:?}", pair);
        for overlap in [Overlap::Sum, Overlap::Overwrite] {
            let unpooled =
                backend.unpooling(&signal, &switches, input.shape(), overlap).unwrap();
            let taken = backend.unpooling_adjoint(&input, &switches, overlap).unwrap();
            let pair = (scalar_product(&unpooled, &input), scalar_product(&signal, &taken));
            prop_assert!(close(pair.0, pair.1), "{:?} {:?}", overlap, pair);
        }
        for divisor in [Divisor::Cells, Divisor::PaddedCells] {
            let averages = backend.average_pooling(&input, &window, output, divisor).unwrap();
            let carried =
                backend.average_unpooling(&signal, &window, input.shape(), divisor).unwrap();
            let pair = (scalar_product(&averages, &signal), scalar_product(&input, &carried));
            prop_assert!(close(pair.0, pair.1), "{:?}", pair);
        }
    }
}
