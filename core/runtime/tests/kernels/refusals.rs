//! Operands that do not fit, and what the kernels say to them.

use convscope_runtime::{
    Backend, BackendError, Binary, ConvolutionGeometry, CpuBackend, Divisor, Epilogue, Orientation,
    Overlap, ResponseNormalization, Shape, Side, Tensor, Unary, Window,
};

use super::reference::window;

fn refusal<T: std::fmt::Debug>(result: Result<T, BackendError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_convolution_names_what_does_not_fit() {
    let backend = CpuBackend::new();
    let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 1 };
    let (input, filters) = (Tensor::zeros([1, 2, 5, 5]), Tensor::zeros([4, 2, 3, 3]));
    let forward = |input: &Tensor, filters: &Tensor, bias: Option<&Tensor>| {
        refusal(backend.convolution(input, filters, bias, &geometry, Epilogue::None))
    };
    assert_eq!(
        forward(&Tensor::zeros([1, 2]), &filters, None),
        "convolution: expected maps [batch, channel, height, width], got shape [1, 2]"
    );
    assert_eq!(
        forward(&input, &filters, Some(&Tensor::zeros([3]))),
        "convolution: expected a bias of shape [4], got shape [3]"
    );
    let positions = Tensor::indices([1, 2, 5, 5], vec![0; 50]).unwrap();
    assert_eq!(forward(&positions, &filters, None), "the tensor does not hold F32");
    let back = backend.transposed_convolution(
        &Tensor::zeros([1, 4, 5, 5]),
        &filters,
        &geometry,
        &Shape::from([1, 2, 5, 5]),
    );
    assert_eq!(
        refusal(back),
        "transposed_convolution: expected a signal of shape [1, 4, 3, 3], got shape [1, 4, 5, 5]"
    );
}

#[test]
fn pooling_refuses_windows_that_see_padding_only() {
    let backend = CpuBackend::new();
    let input = Tensor::zeros([1, 1, 4, 4]);
    let far = window([2, 2], 1, 1, [2, 0, 0, 0]);
    let message = "expected windows with a cell of the map in each, got shape [1, 1, 4, 4]";
    assert_eq!(
        refusal(backend.max_pooling(&input, &far, [5, 3])),
        format!("max_pooling: {message}")
    );
    for divisor in [Divisor::Cells, Divisor::PaddedCells] {
        assert_eq!(
            refusal(backend.average_pooling(&input, &far, [5, 3], divisor)),
            format!("average_pooling: {message}")
        );
        let signal = Tensor::zeros([1, 1, 5, 3]);
        assert_eq!(
            refusal(backend.average_unpooling(&signal, &far, input.shape(), divisor)),
            format!("average_unpooling: {message}")
        );
    }
    // No images, so that the test needs no memory.
    let wide = Tensor::zeros([0, 1, 65_536, 65_537]);
    assert_eq!(
        refusal(backend.max_pooling(&wide, &Window::of([1, 1]), [1, 1])),
        "max_pooling: expected maps of at most 4294967295 cells, got shape [0, 1, 65536, 65537]"
    );
    // An output too large for its map would read behind it.
    assert_eq!(
        refusal(backend.max_pooling(&input, &Window::of([2, 2]), [5, 4])),
        format!("max_pooling: {message}")
    );
}

#[test]
fn unpooling_refuses_switches_of_another_map() {
    let backend = CpuBackend::new();
    let signal = Tensor::zeros([1, 1, 1, 2]);
    let unpool = |switches: &Tensor| {
        let restored = Shape::from([1, 1, 2, 2]);
        refusal(backend.unpooling(&signal, switches, &restored, Overlap::Sum))
    };
    assert_eq!(
        unpool(&Tensor::indices([1, 1, 1, 2], vec![0, 4]).unwrap()),
        "unpooling: expected switches that lie on the restored map, got shape [1, 1, 2, 2]"
    );
    assert_eq!(
        unpool(&Tensor::indices([1, 1, 2, 1], vec![0, 3]).unwrap()),
        "unpooling: expected switches of shape [1, 1, 1, 2], got shape [1, 1, 2, 1]"
    );
    assert_eq!(unpool(&Tensor::zeros([1, 1, 1, 2])), "the tensor does not hold U32");
    let restored = Shape::from([1, 2, 2, 2]);
    let switches = Tensor::indices([1, 1, 1, 2], vec![0, 3]).unwrap();
    assert_eq!(
        refusal(backend.unpooling(&signal, &switches, &restored, Overlap::Sum)),
        "unpooling: expected a signal of shape [1, 2, 1, 2], got shape [1, 1, 1, 2]"
    );
}

#[test]
fn a_product_names_the_operand_that_does_not_fit() {
    let backend = CpuBackend::new();
    let product = |a: &[usize], b: &[usize]| {
        let [a, b] = [a, b].map(Tensor::zeros);
        refusal(backend.matrix_product(&a, Orientation::Plain, &b, Orientation::Plain))
    };
    assert_eq!(
        product(&[2, 3], &[4, 5]),
        "matrix_product: expected 3 rows to multiply with [2, 3], got shape [4, 5]"
    );
    assert_eq!(product(&[3], &[3, 5]), "matrix_product: expected a matrix, got shape [3]");
    assert_eq!(
        product(&[2, 1, 3], &[4, 3, 5]).replace("[2, 1, 3]", "A"),
        "matrix_product: expected leading axes that broadcast with A, got shape [4, 3, 5]"
    );
}

#[test]
fn axes_and_extents_that_do_not_exist_are_refused() {
    let backend = CpuBackend::new();
    let input = Tensor::zeros([2, 3]);
    assert_eq!(refusal(backend.sum(&input, &[2])), "sum: expected an axis 2, got shape [2, 3]");
    assert_eq!(
        refusal(backend.maximum(&input, &[7])),
        "maximum: expected an axis 7, got shape [2, 3]"
    );
    assert_eq!(
        refusal(backend.binary(Binary::Add, &input, &Tensor::zeros([2]))),
        "binary: expected a shape that broadcasts with [2, 3], got shape [2]"
    );
    let function = Unary::Sigmoid;
    assert_eq!(
        refusal(backend.unary_adjoint(function, &Tensor::zeros([3, 2]), &input)),
        "unary_adjoint: expected a signal of shape [2, 3], got shape [3, 2]"
    );
    let operands = [&input, &Tensor::zeros([3])];
    let signal = Tensor::zeros([3]);
    assert_eq!(
        refusal(backend.binary_adjoint(Binary::Divide, Side::First, &signal, operands)),
        "binary_adjoint: expected a signal of shape [2, 3], got shape [3]"
    );
    assert_eq!(
        refusal(backend.concatenation(&[&input, &Tensor::zeros([2, 4])], 0)),
        "concatenation: expected [2, 3] but for axis 0, got shape [2, 4]"
    );
    assert_eq!(
        refusal(backend.concatenation(&[], 0)),
        "concatenation: expected at least one tensor, got shape [0]"
    );
    assert_eq!(
        refusal(backend.slice(&input, 1, 2, 2)),
        "slice: expected an axis 1 of at least 4 elements, got shape [2, 3]"
    );
    assert_eq!(
        refusal(backend.affine(&input, &Tensor::zeros([2]), None)),
        "affine: expected a scale of shape [3], got shape [2]"
    );
    assert_eq!(
        refusal(backend.affine(&input, &Tensor::zeros([3]), Some(&Tensor::zeros([4])))),
        "affine: expected a shift of shape [3], got shape [4]"
    );
    assert_eq!(
        refusal(backend.affine(&Tensor::zeros([3]), &Tensor::zeros([3]), None)),
        "affine: expected maps or features, got shape [3]"
    );
}

#[test]
fn response_normalization_refuses_what_it_cannot_read() {
    let backend = CpuBackend::new();
    let form = ResponseNormalization { size: 0, alpha: 1.0, beta: 0.75, bias: 1.0 };
    let maps = Tensor::zeros([1, 2, 1, 1]);
    assert_eq!(
        refusal(backend.response_normalization(&maps, &form)),
        "response_normalization: expected a neighbourhood of at least 1 channel, \
         got shape [1, 2, 1, 1]"
    );
    let form = ResponseNormalization { size: 5, ..form };
    assert_eq!(
        refusal(backend.response_normalization_adjoint(&Tensor::zeros([1, 2]), &maps, &form)),
        "response_normalization_adjoint: expected a signal of shape [1, 2, 1, 1], got shape [1, 2]"
    );
}
