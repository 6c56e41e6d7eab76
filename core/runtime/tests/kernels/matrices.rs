//! Products, element-wise functions, reductions and movements.

use convscope_runtime::{Backend, Binary, CpuBackend, Orientation, Shape, Tensor, Unary};

use super::random::tensor;
use super::reference::assert_close;

/// The operand of a product `[.., rows, columns]` as it is stored in an orientation.
fn stored(stack: &[usize], [rows, columns]: [usize; 2], orientation: Orientation) -> Shape {
    let matrix = match orientation {
        Orientation::Plain => [rows, columns],
        Orientation::Transposed => [columns, rows],
    };
    Shape::new(&[stack, &matrix].concat())
}

/// An element of a stored matrix.
fn element(tensor: &Tensor, stack: usize, [row, column]: [usize; 2], o: Orientation) -> f64 {
    let &[.., rows, columns] = tensor.shape().extents() else { panic!("no matrix") };
    let place = match o {
        Orientation::Plain => row * columns + column,
        Orientation::Transposed => column * columns + row,
    };
    f64::from(tensor.values().unwrap()[stack * rows * columns + place])
}

#[test]
fn products_broadcast_their_stacks_in_every_orientation() {
    // Stacks of the operands and of the result, and which operand belongs to each result.
    type Case = (&'static [usize], &'static [usize], &'static [usize], fn(usize) -> [usize; 2]);
    let cases: [Case; 5] = [
        (&[], &[], &[], |_| [0, 0]),
        (&[3], &[3], &[3], |i| [i, i]),
        (&[2, 3], &[], &[2, 3], |i| [i, 0]),
        (&[], &[4], &[4], |i| [0, i]),
        (&[2, 1], &[3], &[2, 3], |i| [i / 3, i % 3]),
    ];
    for (a_stack, b_stack, stack, operands) in cases {
        // Images alone are multiplied in wide units and long terms, stacks in tall units.
        let large = if stack.is_empty() { [[2, 5, 520], [2, 4100, 35]] } else { [[66, 9, 20]; 2] };
        for [rows, inner, columns] in [[1, 1, 1], [3, 5, 7]].into_iter().chain(large) {
            for (a_o, b_o) in orientations() {
                let a = tensor(stored(a_stack, [rows, inner], a_o), 1);
                let b = tensor(stored(b_stack, [inner, columns], b_o), 2);
                let mut expected = Vec::new();
                for index in 0..stack.iter().product() {
                    let [a_index, b_index] = operands(index);
                    for (row, column) in
                        (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
                    {
                        let term = |term| {
                            element(&a, a_index, [row, term], a_o)
                                * element(&b, b_index, [term, column], b_o)
                        };
                        expected.push((0..inner).map(term).sum());
                    }
                }
                let product = CpuBackend::new().matrix_product(&a, a_o, &b, b_o).unwrap();
                assert_eq!(product.shape(), &Shape::new(&[stack, &[rows, columns]].concat()));
                let what =
                    format!("{a_stack:?} {b_stack:?} {rows} {inner} {columns} {a_o:?}{b_o:?}");
                assert_close(product.values().unwrap(), &expected, 1e-6, &what);
            }
        }
    }
}

fn orientations() -> impl Iterator<Item = (Orientation, Orientation)> {
    let both = [Orientation::Plain, Orientation::Transposed];
    both.into_iter().flat_map(move |a| both.map(|b| (a, b)))
}

#[test]
fn pairs_broadcast_as_in_numpy() {
    let shapes: [[&[usize]; 3]; 9] = [
        [&[2, 3, 4, 5], &[2, 3, 4, 5], &[2, 3, 4, 5]],
        [&[2, 3, 4, 5], &[1, 3, 1, 1], &[2, 3, 4, 5]],
        [&[2, 3, 4, 5], &[3, 1, 1], &[2, 3, 4, 5]],
        [&[2, 3, 1, 1], &[2, 3, 4, 5], &[2, 3, 4, 5]],
        [&[2, 1, 4, 1], &[3, 1, 5], &[2, 3, 4, 5]],
        [&[4, 5], &[], &[4, 5]],
        [&[1], &[7], &[7]],
        [&[0, 3], &[1, 3], &[0, 3]],
        [&[3, 20000], &[3, 1], &[3, 20000]],
    ];
    for [a_shape, b_shape, shape] in shapes {
        let (a, b) = (tensor(a_shape, 1), tensor(b_shape, 2));
        let difference = CpuBackend::new().binary(Binary::Subtract, &a, &b).unwrap();
        assert_eq!(difference.shape().extents(), shape);
        let a_full = a.view().unwrap().broadcast(shape).unwrap().to_owned();
        let expected = a_full - b.view().unwrap().broadcast(shape).unwrap();
        assert!(difference.view().unwrap() == expected, "{a_shape:?} {b_shape:?}");
    }
}

fn pair(function: Binary, a: f32, b: f32) -> f32 {
    let [a, b] = [a, b].map(|value| Tensor::filled([1], value));
    CpuBackend::new().binary(function, &a, &b).unwrap().values().unwrap()[0]
}

#[test]
fn every_function_of_pairs_does_what_it_says() {
    let results = [Binary::Add, Binary::Subtract, Binary::Multiply, Binary::Divide]
        .map(|function| pair(function, 3.0, 2.0));
    assert_eq!(results, [5.0, 1.0, 6.0, 1.5]);
    let gate = Binary::Gate { low: 0.0, high: 6.0 };
    assert_eq!([0.0, 2.0, 6.0].map(|b| pair(gate, 3.0, b)), [0.0, 3.0, 0.0]);
}

#[test]
fn every_function_of_one_value_does_what_it_says() {
    let input = Tensor::new([4], vec![-2.0, 0.5, 8.0, f32::NAN]).unwrap();
    let apply = |function| {
        let output = CpuBackend::new().unary(function, &input).unwrap();
        assert!(output.to_host().unwrap().values().unwrap()[3].is_nan(), "{function:?} hides NaN");
        output.to_host().unwrap().values().unwrap()[..3].to_vec()
    };
    assert_eq!(apply(Unary::Rectify), [0.0, 0.5, 8.0]);
    assert_eq!(apply(Unary::Clip { low: 0.0, high: 6.0 }), [0.0, 0.5, 6.0]);
    assert_eq!(apply(Unary::Scale(2.0)), [-4.0, 1.0, 16.0]);
    assert_eq!(apply(Unary::Reciprocal), [-0.5, 2.0, 0.125]);
    assert_eq!(apply(Unary::Exponential), [-2.0, 0.5, 8.0].map(f32::exp));
}

#[test]
fn axes_in_any_position_are_reduced() {
    let shape = [3, 4, 130, 5];
    let input = tensor(shape, 1);
    let view = input.view().unwrap().mapv(f64::from);
    for axes in
        [vec![], vec![0], vec![1], vec![3], vec![2, 3], vec![0, 2], vec![3, 1], vec![0, 1, 2, 3]]
    {
        let (mut sums, mut maxima) = (view.clone(), view.clone());
        for &axis in &axes {
            let axis = ndarray::Axis(axis);
            sums = sums.sum_axis(axis).insert_axis(axis);
            maxima = maxima.fold_axis(axis, f64::NEG_INFINITY, |a, b| a.max(*b)).insert_axis(axis);
        }
        let backend = CpuBackend::new();
        let (sum, maximum) =
            (backend.sum(&input, &axes).unwrap(), backend.maximum(&input, &axes).unwrap());
        assert_eq!(sum.shape().extents(), sums.shape());
        let expected: Vec<f64> = sums.iter().copied().collect();
        assert_close(sum.values().unwrap(), &expected, 1e-6, &format!("{axes:?}"));
        let expected: Vec<f64> = maxima.iter().copied().collect();
        assert_close(maximum.values().unwrap(), &expected, 0.0, &format!("{axes:?}"));
    }
}

#[test]
fn a_sum_of_many_small_values_stays_exact() {
    let input = Tensor::filled([1, 1 << 20], 0.1);
    let sum = CpuBackend::new().sum(&input, &[1]).unwrap();
    assert!((f64::from(sum.values().unwrap()[0]) - 104_857.6).abs() < 0.01);
}

#[test]
fn the_maximum_of_values_with_a_nan_is_nan_and_of_none_negative_infinity() {
    let backend = CpuBackend::new();
    let input = Tensor::new([1, 3], vec![1.0, f32::NAN, 2.0]).unwrap();
    assert!(backend.maximum(&input, &[1]).unwrap().values().unwrap()[0].is_nan());
    let none = backend.maximum(&Tensor::zeros([2, 0]), &[1]).unwrap();
    assert_eq!(none.values().unwrap(), [f32::NEG_INFINITY; 2]);
}

#[test]
fn large_scores_have_probabilities() {
    let scores = Tensor::new([1, 3], vec![1000.0, 1000.0, f32::NEG_INFINITY]).unwrap();
    let probabilities = CpuBackend::new().softmax(&scores, 1).unwrap();
    assert_eq!(probabilities.values().unwrap(), [0.5, 0.5, 0.0]);
}

#[test]
fn joining_and_cutting_undo_each_other() {
    let backend = CpuBackend::new();
    for axis in 0..3 {
        let mut extents = [2, 3, 4];
        let first = tensor(extents, 1);
        extents[axis] = 5;
        let second = tensor(extents, 2);
        let joined = backend.concatenation(&[&first, &second], axis).unwrap();
        let length = first.shape().extents()[axis];
        for (part, start) in [(&first, 0), (&second, length)] {
            let cut = backend.slice(&joined, axis, start, part.shape().extents()[axis]).unwrap();
            assert_eq!(cut.shape(), part.shape());
            assert_eq!(cut.values().unwrap(), part.values().unwrap());
        }
    }
}

#[test]
fn positions_are_joined_and_cut_like_values() {
    let backend = CpuBackend::new();
    let [first, second] =
        [[1, 2], [3, 4]].map(|positions| Tensor::indices([2, 1], positions.to_vec()).unwrap());
    let joined = backend.concatenation(&[&first, &second], 1).unwrap();
    assert_eq!(joined.positions().unwrap(), [1, 3, 2, 4]);
    assert_eq!(backend.slice(&joined, 1, 1, 1).unwrap().positions().unwrap(), [3, 4]);
    assert_eq!(backend.slice(&joined, 1, 2, 0).unwrap().shape(), &Shape::from([2, 0]));
}

#[test]
fn channels_are_scaled_and_shifted() {
    let backend = CpuBackend::new();
    let (scale, shift) = (tensor([3], 2), tensor([3], 3));
    for extents in [&[2, 3, 4, 5][..], &[2, 3], &[0, 3, 1, 1]] {
        let input = tensor(extents, 1);
        let cells: usize = extents[2..].iter().product();
        for shift in [None, Some(&shift)] {
            let output = backend.affine(&input, &scale, shift).unwrap();
            let expected: Vec<f64> = (0..)
                .zip(input.values().unwrap())
                .map(|(index, &x)| {
                    let channel = index / cells % 3;
                    let add = shift.map_or(0.0, |shift| shift.values().unwrap()[channel]);
                    f64::from(x) * f64::from(scale.values().unwrap()[channel]) + f64::from(add)
                })
                .collect();
            assert_close(output.to_host().unwrap().values().unwrap(), &expected, 1e-6, "affine");
        }
    }
}
