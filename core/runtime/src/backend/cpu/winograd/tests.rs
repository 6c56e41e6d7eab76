use super::*;
use crate::backend::cpu::blocked::{Blocked, Maps};
use crate::backend::cpu::support::Support;
use crate::backend::cpu::weights::{Direction, Weights};
use crate::backend::filtering::Filtering;
use crate::{
    Backend, ConvolutionGeometry, CpuBackend, Padding, PlainBackend, Shape, Tensor, Window,
};

const SIZES: [Size; 2] = [Size::Two, Size::Four];

/// Numbers between −1 and 1.
fn numbers(shape: [usize; 4], seed: u64) -> Tensor {
    let shape = Shape::from(shape);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let values = std::iter::repeat_with(next).take(shape.volume()).collect();
    Tensor::new(shape, values).unwrap()
}

/// A pool whose idle memory holds no numbers.
fn poisoned() -> Pool {
    let pool = Pool::default();
    let buffers: Vec<Buffer> = (6..20)
        .map(|bits| {
            let mut buffer = pool.take(1 << bits);
            buffer.fill(f32::NAN);
            buffer
        })
        .collect();
    drop(buffers);
    pool
}

/// Batch, channels, filters, groups, rows, columns, padding at the top, left, bottom and right.
type Case = ([usize; 6], [usize; 4]);

const CASES: [Case; 14] = [
    ([1, 16, 16, 1, 8, 8], [1; 4]),
    ([1, 1, 1, 1, 1, 1], [1; 4]),
    ([2, 15, 17, 1, 3, 3], [0; 4]),
    ([3, 17, 15, 1, 5, 7], [1; 4]),
    ([1, 16, 33, 1, 1, 1], [1; 4]),
    ([1, 16, 16, 1, 1, 2], [4, 3, 2, 5]),
    ([2, 32, 48, 1, 13, 9], [0, 2, 1, 0]),
    ([1, 16, 16, 1, 2, 40], [1; 4]),
    ([1, 16, 16, 1, 40, 2], [1; 4]),
    ([2, 32, 32, 2, 6, 6], [1; 4]),
    ([1, 48, 96, 3, 7, 5], [1; 4]),
    ([1, 208, 32, 1, 6, 5], [1; 4]),
    ([0, 16, 16, 1, 4, 4], [1; 4]),
    ([9, 16, 16, 1, 30, 30], [1; 4]),
];

struct Operands {
    input: Tensor,
    filters: Tensor,
    bias: Tensor,
    geometry: ConvolutionGeometry,
    filtering: Filtering,
}

fn operands((extents, padding): Case) -> Operands {
    let [batch, channels, filters, groups, rows, columns] = extents;
    let [top, left, bottom, right] = padding;
    let padding = Padding { top, left, bottom, right };
    let geometry = ConvolutionGeometry { window: Window { padding, ..Window::of([3, 3]) }, groups };
    let input = numbers([batch, channels, rows, columns], 1);
    let bias = numbers([filters, 1, 1, 1], 3).with_shape([filters]).unwrap();
    let filters = numbers([filters, channels / groups, 3, 3], 2);
    let filtering = Filtering::new("test", input.shape(), filters.shape(), &geometry).unwrap();
    Operands { input, filters, bias, geometry, filtering }
}

fn run(isa: Isa, size: Size, operands: &Operands, epilogue: Epilogue) -> (Blocked, Vec<usize>) {
    let pool = poisoned();
    let Operands { input, filters, bias, filtering, .. } = operands;
    let weights = Weights::new(Direction::Forward, filtering, filters.values().unwrap());
    let stencils = filtering.axes.each_ref().map(Stencil::of);
    let plan = Winograd::new(isa, &pool, stencils, size, &weights);
    let input =
        Blocked::from_rows(&pool, Maps::of(input.shape()).unwrap(), input.values().unwrap());
    let [rows, columns] = filtering.axes;
    let supports = vec![Support::whole([rows.size, columns.size]); filtering.batch];
    let maps = Maps::of(&filtering.output_shape()).unwrap();
    let mut lanes = pool.zeros(maps.blocks() * BLOCK);
    lanes[..maps.channels].copy_from_slice(bias.values().unwrap());
    let mut output = pool.take(maps.len());
    let (values, supports, bias) = (input.values(), &supports[..], &lanes[..]);
    let pitch = maps.image();
    let spoilt = plan.run(&Images { values, supports, bias, epilogue, pitch }, &mut output);
    (Blocked::new(maps, output), spoilt)
}

fn plain(operands: &Operands, epilogue: Epilogue) -> Vec<f32> {
    let Operands { input, filters, bias, geometry, .. } = operands;
    let backend = PlainBackend::new();
    let output = backend.convolution(input, filters, Some(bias), geometry, epilogue).unwrap();
    output.values().unwrap().to_vec()
}

#[test]
fn tiles_of_both_sizes_agree_with_the_plain_backend() {
    for isa in Isa::available() {
        for (size, case) in SIZES.into_iter().flat_map(|size| CASES.map(|case| (size, case))) {
            let operands = operands(case);
            for epilogue in [Epilogue::None, Epilogue::Rectify] {
                let (output, spoilt) = run(isa, size, &operands, epilogue);
                assert!(spoilt.is_empty(), "{isa} {size:?} {case:?}");
                let expected = plain(&operands, epilogue);
                let largest = expected.iter().fold(0.0, |top: f32, x| top.max(x.abs()));
                for (value, expected) in output.to_rows().iter().zip(&expected) {
                    let difference = (value - expected).abs();
                    assert!(difference <= 4e-6 * largest, "{isa} {size:?} {case:?} {difference}");
                }
            }
        }
    }
}

#[test]
fn lanes_beyond_the_channels_stay_zero() {
    let operands = operands(([2, 17, 21, 1, 5, 7], [1; 4]));
    for (isa, size) in Isa::available().flat_map(|isa| SIZES.map(|size| (isa, size))) {
        let (output, _) = run(isa, size, &operands, Epilogue::None);
        for block in output.values().chunks_exact(35 * BLOCK).skip(1).step_by(2) {
            let beyond = block.chunks_exact(BLOCK).flat_map(|cell| &cell[21 - BLOCK..]);
            assert!(beyond.into_iter().all(|&lane| lane == 0.0));
        }
    }
}

#[test]
fn a_picture_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    let all = operands(([8, 32, 48, 1, 30, 34], [1; 4]));
    let image = 32 * 30 * 34;
    for size in SIZES {
        let mut expected: Option<Vec<u32>> = None;
        for (batch, threads) in [(1, 1), (1, 2), (3, 2), (8, 1), (8, 3)] {
            let values = all.input.values().unwrap()[..batch * image].to_vec();
            let mut some = operands(([batch, 32, 48, 1, 30, 34], [1; 4]));
            some.input = Tensor::new(some.input.shape().clone(), values).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let isa = Isa::available().last().unwrap();
            let (output, _) = pool.install(|| run(isa, size, &some, Epilogue::None));
            let first = &output.to_rows()[..48 * 30 * 34];
            let bits: Vec<u32> = first.iter().map(|value| value.to_bits()).collect();
            let expected = expected.get_or_insert_with(|| bits.clone());
            assert!(bits == *expected, "{size:?}: a batch of {batch}, {threads} threads");
        }
    }
}

#[test]
fn values_that_are_not_finite_reach_the_outputs_that_see_them_and_no_others() {
    for (isa, value) in Isa::available()
        .flat_map(|isa| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38].map(|x| (isa, x)))
    {
        let mut operands = operands(([3, 32, 32, 1, 28, 28], [1; 4]));
        let mut values = operands.input.values().unwrap().to_vec();
        values[32 * 784 + 5 * 784 + 9 * 28 + 13] = value;
        operands.input = Tensor::new(operands.input.shape().clone(), values).unwrap();
        for epilogue in [Epilogue::None, Epilogue::Rectify] {
            for size in SIZES {
                assert_eq!(run(isa, size, &operands, epilogue).1, [1], "{isa} {size:?} {value}");
            }
            let Operands { input, filters, bias, geometry, .. } = &operands;
            let backend = CpuBackend::with_isa(isa);
            let output = backend.convolution(input, filters, Some(bias), geometry, epilogue);
            let output = output.unwrap().to_host().unwrap();
            let expected = plain(&operands, epilogue);
            for (output, expected) in output.values().unwrap().iter().zip(&expected) {
                let is_same = output.is_nan() && expected.is_nan()
                    || output.to_bits() == expected.to_bits()
                    || (output - expected).abs() <= 1e-4 * expected.abs().max(1.0);
                assert!(is_same, "{isa} {value}: {output}, not {expected}");
            }
        }
    }
}
