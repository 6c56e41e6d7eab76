use super::super::Isa;
use super::*;
use crate::{Backend, Binary, Padding, PlainBackend, Rounding, Shape, Window};

/// Numbers between −1 and 1, the same for the same seed.
fn tensor(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let values = std::iter::repeat_with(next).take(shape.volume()).collect();
    Tensor::new(shape, values).unwrap()
}

/// A convolution to try: extents of the input, filters, groups and the window.
#[derive(Clone, Copy, Debug)]
struct Case {
    input: [usize; 4],
    filters: usize,
    groups: usize,
    window: Window,
}

impl Case {
    fn geometry(&self) -> ConvolutionGeometry {
        ConvolutionGeometry { window: self.window, groups: self.groups }
    }

    fn filters(&self) -> Tensor {
        let [rows, columns] = self.window.kernel;
        tensor([self.filters, self.input[1] / self.groups, rows, columns], 2)
    }

    fn input(&self) -> Tensor {
        tensor(self.input, 1)
    }

    /// The shape of the convolution's result, if the kernel fits.
    fn output(&self) -> Option<Shape> {
        let [batch, _, height, width] = self.input;
        let [rows, columns] = self.window.output_size([height, width], Rounding::Floor)?;
        Some(Shape::from([batch, self.filters, rows, columns]))
    }
}

fn window(kernel: [usize; 2], stride: usize, dilation: usize, padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    let padding = Padding { top, left, bottom, right };
    Window { kernel, stride: [stride; 2], dilation: [dilation; 2], padding }
}

/// Windows smaller and larger than the map, strides larger than the window, lopsided padding.
fn windows() -> impl Iterator<Item = Window> {
    let kernels = [[1, 1], [2, 2], [3, 3], [1, 5], [5, 2]];
    kernels.into_iter().flat_map(|kernel| {
        (1..=3).flat_map(move |stride| {
            (1..=2).flat_map(move |dilation| {
                [[0; 4], [1; 4], [0, 2, 3, 1]]
                    .map(|padding| window(kernel, stride, dilation, padding))
            })
        })
    })
}

/// Channels, filters and groups.
const CHANNELS: [[usize; 3]; 16] = [
    [1, 1, 1],
    [3, 17, 1],
    [15, 16, 1],
    [16, 3, 1],
    [17, 40, 1],
    // Groups that fill their blocks, and that do not; of one member, and of few.
    [32, 64, 2],
    [64, 32, 2],
    [20, 20, 2],
    [40, 6, 2],
    [4, 6, 2],
    [17, 17, 17],
    [18, 36, 18],
    [24, 24, 6],
    [40, 40, 5],
    [6, 6, 3],
    [30, 3, 3],
];

/// Every window with every number of channels, on small maps.
fn cases() -> impl Iterator<Item = Case> {
    let all = windows().flat_map(|window| {
        CHANNELS.into_iter().flat_map(move |[channels, filters, groups]| {
            [[2, channels, 1, 1], [1, channels, 6, 9]].map(|input| Case {
                input,
                filters,
                groups,
                window,
            })
        })
    });
    all.filter(|case| case.output().is_some())
}

/// Maps as wide and as deep as those of real networks.
fn large() -> Vec<Case> {
    let case = |channels, size, filters, groups, window| Case {
        input: [1, channels, size, size],
        filters,
        groups,
        window,
    };
    vec![
        case(3, 45, 96, 1, window([7, 7], 2, 1, [1; 4])),
        case(96, 30, 64, 1, window([5, 5], 2, 1, [0; 4])),
        case(3, 40, 32, 1, window([11, 11], 4, 1, [2; 4])),
        case(3, 32, 200, 1, window([16, 16], 16, 1, [0; 4])),
        case(200, 15, 100, 1, window([3, 3], 1, 1, [1; 4])),
        case(64, 28, 48, 1, window([1, 1], 1, 1, [0; 4])),
        case(64, 28, 96, 2, window([3, 3], 1, 1, [1; 4])),
        case(48, 21, 80, 2, window([5, 5], 1, 1, [2; 4])),
        case(128, 14, 128, 32, window([3, 3], 2, 1, [1; 4])),
        case(240, 14, 60, 3, window([1, 1], 1, 1, [0; 4])),
        case(96, 33, 96, 96, window([3, 3], 2, 1, [1; 4])),
        case(40, 30, 40, 40, window([5, 5], 1, 1, [2; 4])),
    ]
}

/// Fails when values differ by more than rounding.
fn assert_close(actual: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    let actual = actual.to_host().unwrap();
    let largest = expected.values().unwrap().iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
    for (index, (a, b)) in
        actual.values().unwrap().iter().zip(expected.values().unwrap()).enumerate()
    {
        assert!((a - b).abs() <= 5e-6 * largest, "{what}: element {index}: {a}, not {b}");
    }
}

/// Fails unless lanes beyond the channels hold zero.
fn assert_clear(tensor: &Tensor, what: &str) {
    let Some(blocked) = Blocked::behind(tensor) else { return };
    let maps = blocked.maps();
    for (index, cell) in blocked.values().chunks(BLOCK).enumerate() {
        let first = index / maps.cells() % maps.blocks() * BLOCK;
        let used = BLOCK.min(maps.channels - first);
        assert!(cell[used..].iter().all(|&x| x == 0.0), "{what}: cell {index}");
    }
}

/// Computes twice, the second time in memory full of NaN, with and without placed filters.
fn computed(
    backend: &CpuBackend,
    filters: &Tensor,
    what: &str,
    compute: impl Fn(&Tensor) -> Tensor,
) -> Tensor {
    let first = compute(filters);
    let values = first.to_host().unwrap();
    assert_clear(&first, what);
    drop(first);
    backend.pool.poison();
    let placed = backend.upload_filters(filters).unwrap();
    for _ in 0..2 {
        let second = compute(&placed);
        assert_clear(&second, what);
        let second = second.to_host().unwrap();
        let pairs = values.values().unwrap().iter().zip(second.values().unwrap());
        assert!(pairs.into_iter().all(|(a, b)| a.to_bits() == b.to_bits()), "{what}: poisoned");
    }
    values
}

fn agree_with_the_plain_backend(isa: Isa, cases: impl Iterator<Item = Case>) {
    let (backend, plain) = (CpuBackend::with_isa(isa), PlainBackend::new());
    for case in cases {
        let what = format!("{isa} {case:?}");
        let (input, filters, geometry) = (case.input(), case.filters(), case.geometry());
        let bias = tensor([case.filters], 3);
        for (bias, epilogue) in [(None, Epilogue::None), (Some(&bias), Epilogue::Rectify)] {
            let expected = plain.convolution(&input, &filters, bias, &geometry, epilogue).unwrap();
            let output = computed(&backend, &filters, &what, |filters| {
                backend.convolution(&input, filters, bias, &geometry, epilogue).unwrap()
            });
            assert_close(&output, &expected, &what);
        }
        let signal = tensor(case.output().unwrap(), 4);
        let restored = input.shape();
        let expected =
            plain.transposed_convolution(&signal, &filters, &geometry, restored).unwrap();
        let carried = computed(&backend, &filters, &what, |filters| {
            backend.transposed_convolution(&signal, filters, &geometry, restored).unwrap()
        });
        assert_close(&carried, &expected, &what);
    }
    assert!(backend.conversions().is_empty(), "{:?}", backend.conversions());
}

#[test]
fn convolutions_and_their_adjoints_agree_with_the_plain_backend() {
    for isa in Isa::available() {
        agree_with_the_plain_backend(isa, cases());
    }
}

#[test]
fn large_convolutions_and_their_adjoints_agree_with_the_plain_backend() {
    for isa in Isa::available() {
        agree_with_the_plain_backend(isa, large().into_iter());
    }
}

#[test]
fn the_transposed_convolution_is_the_adjoint() {
    let product = |a: &Tensor, b: &Tensor| -> f64 {
        let (a, b) = (a.to_host().unwrap(), b.to_host().unwrap());
        let pairs = a.values().unwrap().iter().zip(b.values().unwrap());
        pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    for isa in Isa::available() {
        let backend = CpuBackend::with_isa(isa);
        for case in cases().chain(large()) {
            let (input, filters, geometry) = (case.input(), case.filters(), case.geometry());
            let output =
                backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap();
            let signal = tensor(output.shape().clone(), 5);
            let carried = backend
                .transposed_convolution(&signal, &filters, &geometry, input.shape())
                .unwrap();
            let (left, right) = (product(&output, &signal), product(&input, &carried));
            let size = (product(&output, &output) * product(&signal, &signal)).sqrt();
            assert!((left - right).abs() <= 1e-6 * size, "{isa} {case:?}: {left}, {right}");
        }
    }
}

#[test]
fn bits_depend_neither_on_the_batch_nor_on_threads() {
    let backend = CpuBackend::new();
    let small = cases().filter(|case| case.input[2] > 1).step_by(7);
    let all: Vec<Case> = large().into_iter().chain(small).collect();
    for (case, is_scattered) in all.iter().flat_map(|case| [(case, false), (case, true)]) {
        let (filters, geometry) = (case.filters(), case.geometry());
        let input = tensor([3, case.input[1], case.input[2], case.input[3]], 1);
        let [_, maps, rows, columns] = case.output().unwrap().as_maps().unwrap();
        let mut signal = tensor([3, maps, rows, columns], 2);
        if is_scattered {
            let mask = scattered([3, maps, rows, columns]);
            signal = backend.plain.binary(Binary::Multiply, &signal, &mask).unwrap();
        }
        let mut first: Option<[Vec<f32>; 2]> = None;
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for batch in [3, 1] {
                let [input, signal] = [&input, &signal]
                    .map(|tensor| backend.plain.slice(tensor, 0, 0, batch).unwrap());
                let results = pool.install(|| {
                    let epilogue = Epilogue::None;
                    [
                        backend.convolution(&input, &filters, None, &geometry, epilogue),
                        backend.transposed_convolution(&signal, &filters, &geometry, input.shape()),
                    ]
                });
                let results = results
                    .map(|result| result.unwrap().to_host().unwrap().values().unwrap().to_vec());
                let expected = first.get_or_insert_with(|| results.clone());
                for (expected, result) in expected.iter().zip(&results) {
                    let mut pairs = expected.iter().zip(result);
                    assert!(
                        pairs.all(|(a, b)| a.to_bits() == b.to_bits()),
                        "{case:?}: batch {batch}, {threads} threads"
                    );
                }
            }
        }
    }
}

/// Ones within a rectangle of each image, which differs from image to image; the last is empty.
fn rectangles([batch, maps, rows, columns]: [usize; 4]) -> Tensor {
    let mut values = vec![0.0; batch * maps * rows * columns];
    for (index, value) in values.iter_mut().enumerate() {
        let [column, row] = [index % columns, index / columns % rows];
        let image = index / (maps * rows * columns);
        let is_inside = row >= rows / 2 && row <= rows / 2 + image && column > columns / 3;
        if is_inside && image + 1 < batch {
            *value = 1.0;
        }
    }
    Tensor::new([batch, maps, rows, columns], values).unwrap()
}

/// Ones here and there: few in the first and the last image, everywhere in others.
fn scattered([batch, maps, rows, columns]: [usize; 4]) -> Tensor {
    let each = maps * rows * columns;
    let is_one = |index: usize| match index / each {
        image if image == 0 || image + 1 == batch => index % 11 == 3 * image,
        _ => true,
    };
    let values = (0..batch * each).map(|index| f32::from(u8::from(is_one(index))));
    Tensor::new([batch, maps, rows, columns], values.collect()).unwrap()
}

#[test]
fn signals_that_fill_a_part_of_their_maps_are_carried_back_as_any_others() {
    for isa in Isa::available() {
        let (backend, plain) = (CpuBackend::with_isa(isa), PlainBackend::new());
        for case in cases().filter(|case| case.input[2] > 1).chain(large()) {
            let (filters, geometry) = (case.filters(), case.geometry());
            let [_, maps, rows, columns] = case.output().unwrap().as_maps().unwrap();
            for mask in [rectangles, scattered].map(|mask| mask([3, maps, rows, columns])) {
                let signal = tensor(mask.shape().clone(), 6);
                let signal = plain.binary(Binary::Multiply, &signal, &mask).unwrap();
                let restored = case.input().shape().with_batch(3);
                let expected =
                    plain.transposed_convolution(&signal, &filters, &geometry, &restored).unwrap();
                let what = format!("{isa} {case:?}");
                let carried = computed(&backend, &filters, &what, |filters| {
                    backend.transposed_convolution(&signal, filters, &geometry, &restored).unwrap()
                });
                assert_close(&carried, &expected, &what);
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_within_its_group_and_window() {
    for isa in Isa::available() {
        let (backend, plain) = (CpuBackend::with_isa(isa), PlainBackend::new());
        for case in cases().filter(|case| case.input[2] > 1) {
            let (filters, geometry) = (case.filters(), case.geometry());
            let spoilt = |shape: Shape| {
                let mut values = vec![1.0; shape.volume()];
                // The first cell of the second channel, or of the only one, and the last of all.
                let [_, channels, rows, columns] = shape.as_maps().unwrap();
                values[(channels.min(2) - 1) * rows * columns] = f32::NAN;
                *values.last_mut().unwrap() = f32::INFINITY;
                Tensor::new(shape, values).unwrap()
            };
            let is_same = |a: &Tensor, b: &Tensor| {
                let a = a.to_host().unwrap();
                let mut pairs = a.values().unwrap().iter().zip(b.values().unwrap());
                pairs.all(|(a, b)| a.is_finite() == b.is_finite())
            };
            let input = spoilt(case.input.into());
            let [ours, expected] = [&backend as &dyn Backend, &plain].map(|backend| {
                backend.convolution(&input, &filters, None, &geometry, Epilogue::None).unwrap()
            });
            assert!(is_same(&ours, &expected), "{isa} {case:?}");
            assert_clear(&ours, &format!("{isa} {case:?}"));
            let signal = spoilt(case.output().unwrap());
            let [ours, expected] = [&backend as &dyn Backend, &plain].map(|backend| {
                backend.transposed_convolution(&signal, &filters, &geometry, input.shape()).unwrap()
            });
            assert!(is_same(&ours, &expected), "{isa} transposed {case:?}");
            assert_clear(&ours, &format!("{isa} transposed {case:?}"));
        }
    }
}

#[test]
fn no_images_give_no_images() {
    let backend = CpuBackend::new();
    for case in large() {
        let (filters, geometry) = (case.filters(), case.geometry());
        let none = tensor([0, case.input[1], case.input[2], case.input[3]], 1);
        let output = backend.convolution(&none, &filters, None, &geometry, Epilogue::None).unwrap();
        assert_eq!(output.to_host().unwrap().values().unwrap(), []);
        let back =
            backend.transposed_convolution(&output, &filters, &geometry, none.shape()).unwrap();
        assert_eq!(back.shape(), none.shape());
        assert_eq!(back.to_host().unwrap().values().unwrap(), []);
    }
}

#[test]
fn a_signal_of_another_shape_is_refused() {
    let geometry = ConvolutionGeometry { window: Window::of([3, 3]), groups: 1 };
    let error = CpuBackend::new()
        .transposed_convolution(
            &tensor([1, 4, 3, 4], 1),
            &tensor([4, 2, 3, 3], 2),
            &geometry,
            &Shape::from([1, 2, 5, 5]),
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "transposed_convolution: expected a signal of shape [1, 4, 3, 3], got shape [1, 4, 3, 4]"
    );
}
