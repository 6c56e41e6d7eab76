//! A small network against a slow derivation, straight from the table of rules, in 64 bits.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use convscope_runtime::layer::{
    Convolution, Flatten, Linear, MaxPooling, Rectifier, ResponseNormalization,
};
use convscope_runtime::rule::{BackwardRule, Guided, OverwriteOverlap, Pass, Rectify};
use convscope_runtime::{
    Backend, Composite, ConvolutionGeometry, CpuBackend, ForwardRequest, Keep, LayerKind, Network,
    NetworkBuilder, Padding, Rounding, Selector, Shape, Tensor, Window, backend,
};

const SIZE: usize = 10;
const LRN: backend::ResponseNormalization =
    backend::ResponseNormalization { size: 3, alpha: 0.9, beta: 0.75, bias: 1.5 };

/// How the derivation treats a rectifier.
#[derive(Clone, Copy)]
enum Method {
    Saliency,
    GuidedBackpropagation,
    Deconvnet,
}

impl Method {
    /// The table: g is the signal at the output, z the input.
    fn at_rectifier(self, g: f64, z: f64) -> f64 {
        let gate = f64::from(u8::from(z > 0.0));
        match self {
            Self::Saliency => g * gate,
            Self::GuidedBackpropagation => g.max(0.0) * gate,
            Self::Deconvnet => g.max(0.0),
        }
    }

    fn composite(self) -> Composite {
        let on_rectifiers = |rule: &'static dyn BackwardRule| {
            Composite::default().with(Selector::Kind(LayerKind::Rectifier), rule)
        };
        match self {
            Self::Saliency => Composite::default(),
            Self::GuidedBackpropagation => on_rectifiers(&Guided),
            Self::Deconvnet => on_rectifiers(&Rectify),
        }
    }
}

/// What else may be chosen.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Exact,
    OverwriteOverlap,
    SkipNormalization,
}

/// Maps of one image, `[channel][row][column]`.
type Maps = Vec<Vec<Vec<f64>>>;

fn zeros(channels: usize, rows: usize, columns: usize) -> Maps {
    vec![vec![vec![0.0; columns]; rows]; channels]
}

fn each(maps: &Maps, other: &Maps, f: impl Fn(f64, f64) -> f64) -> Maps {
    let mut result = maps.clone();
    for (c, map) in result.iter_mut().enumerate() {
        for (y, row) in map.iter_mut().enumerate() {
            for (x, cell) in row.iter_mut().enumerate() {
                *cell = f(*cell, other[c][y][x]);
            }
        }
    }
    result
}

fn number(tensor: &Tensor, index: &[usize]) -> f64 {
    f64::from(tensor.view().unwrap()[index])
}

/// A 3x3 convolution with one cell of padding.
struct Filters {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

impl Filters {
    /// Calls `f` with (filter, row, column, channel, row of the input, column, weight).
    fn taps(&self, size: usize, mut f: impl FnMut([usize; 6], f64)) {
        let [filters, channels, ..] = self.weight.shape().as_maps().unwrap();
        let places = (size - 1) / self.stride + 1;
        for m in 0..filters {
            for c in 0..channels {
                for (oy, ox) in cells(places, places) {
                    for (ky, kx) in cells(3, 3) {
                        let (y, x) = (oy * self.stride + ky, ox * self.stride + kx);
                        if (1..=size).contains(&y) && (1..=size).contains(&x) {
                            let weight = number(&self.weight, &[m, c, ky, kx]);
                            f([m, oy, ox, c, y - 1, x - 1], weight);
                        }
                    }
                }
            }
        }
    }

    fn forward(&self, input: &Maps) -> Maps {
        let size = input[0].len();
        let places = (size - 1) / self.stride + 1;
        let mut output = zeros(self.weight.shape().batch(), places, places);
        for (m, map) in output.iter_mut().enumerate() {
            map.iter_mut().flatten().for_each(|cell| *cell = number(&self.bias, &[m]));
        }
        self.taps(size, |[m, oy, ox, c, y, x], w| output[m][oy][ox] += w * input[c][y][x]);
        output
    }

    /// Filters with the transposed filters and no bias.
    fn back(&self, signal: &Maps, size: usize) -> Maps {
        let mut restored = zeros(self.weight.shape().as_maps().unwrap()[1], size, size);
        self.taps(size, |[m, oy, ox, c, y, x], w| restored[c][y][x] += w * signal[m][oy][ox]);
        restored
    }
}

fn cells(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |y| (0..columns).map(move |x| (y, x)))
}

/// Windows of 3x3 at stride 2, the last clipped: where the first maximum of each stands.
fn switches(input: &Maps) -> Vec<Vec<Vec<(usize, usize)>>> {
    let size = input[0].len();
    let places = (size - 3).div_ceil(2) + 1;
    let of_window = |map: &Vec<Vec<f64>>, oy: usize, ox: usize| {
        let mut best = (2 * oy, 2 * ox);
        for (ky, kx) in cells(3, 3) {
            let (y, x) = (2 * oy + ky, 2 * ox + kx);
            if y < size && x < size && map[y][x] > map[best.0][best.1] {
                best = (y, x);
            }
        }
        best
    };
    let of_map = |map: &Vec<Vec<f64>>| {
        (0..places).map(|oy| (0..places).map(|ox| of_window(map, oy, ox)).collect()).collect()
    };
    input.iter().map(of_map).collect()
}

/// The channels that are normalized together with `channel`.
fn neighbours(channel: usize, channels: usize) -> std::ops::RangeInclusive<usize> {
    let reach = (LRN.size - 1) / 2;
    channel.saturating_sub(reach)..=(channel + reach).min(channels - 1)
}

fn lrn_base(input: &Maps, c: usize, y: usize, x: usize) -> f64 {
    let squares: f64 = neighbours(c, input.len()).map(|n| input[n][y][x].powi(2)).sum();
    f64::from(LRN.bias) + f64::from(LRN.alpha) / LRN.size as f64 * squares
}

fn normalize(input: &Maps) -> Maps {
    let mut output = input.clone();
    for (c, map) in output.iter_mut().enumerate() {
        for (y, x) in cells(map.len(), map.len()) {
            map[y][x] *= lrn_base(input, c, y, x).powf(-f64::from(LRN.beta));
        }
    }
    output
}

/// `d y_c / d x_n = [c = n] · base^−beta − x_c · beta · base^(−beta − 1) · 2 · alpha / size · x_n`
fn normalize_back(signal: &Maps, input: &Maps) -> Maps {
    let (alpha, beta) = (f64::from(LRN.alpha), f64::from(LRN.beta));
    let mut restored = zeros(input.len(), input[0].len(), input[0].len());
    for (c, map) in signal.iter().enumerate() {
        for (y, x) in cells(map.len(), map.len()) {
            let (g, base) = (map[y][x], lrn_base(input, c, y, x));
            restored[c][y][x] += g * base.powf(-beta);
            for n in neighbours(c, input.len()) {
                let slope = 2.0 * alpha / LRN.size as f64 * input[n][y][x];
                restored[n][y][x] -= g * input[c][y][x] * beta * base.powf(-beta - 1.0) * slope;
            }
        }
    }
    restored
}

/// The network twice: for the runtime, and as numbers for the derivation.
struct Subject {
    network: Network,
    conv1: Filters,
    conv2: Filters,
    weight: Tensor,
}

impl Subject {
    fn new() -> Self {
        let filters = |seed, shape: [usize; 4], stride| Filters {
            weight: numbers(seed, shape),
            bias: numbers(seed + 50, [shape[0]]),
            stride,
        };
        let conv1 = filters(1, [4, 2, 3, 3], 1);
        let conv2 = filters(2, [3, 4, 3, 3], 2);
        let weight = numbers(3, [5, 27]);
        let convolution = |filters: &Filters| {
            let padding = Padding { top: 1, left: 1, bottom: 1, right: 1 };
            let window = Window { stride: [filters.stride; 2], padding, ..Window::of([3, 3]) };
            let geometry = ConvolutionGeometry { window, groups: 1 };
            let (weight, bias) = (filters.weight.clone(), Some(filters.bias.clone()));
            Convolution::new(weight, bias, geometry).unwrap()
        };
        let window = Window { stride: [2, 2], ..Window::of([3, 3]) };
        let linear = Linear::new(weight.clone(), Some(numbers(4, [5]))).unwrap();
        let layers: [(&str, Arc<dyn convscope_runtime::LayerInversion>); 8] = [
            ("conv1", Arc::new(convolution(&conv1))),
            ("relu1", Arc::new(Rectifier)),
            ("pool1", Arc::new(MaxPooling::new(window, Rounding::Ceil).unwrap())),
            ("norm1", Arc::new(ResponseNormalization::new(LRN).unwrap())),
            ("conv2", Arc::new(convolution(&conv2))),
            ("relu2", Arc::new(Rectifier)),
            ("flat", Arc::new(Flatten)),
            ("scores", Arc::new(linear)),
        ];
        let mut builder = NetworkBuilder::default();
        let mut last = builder.input("image", Shape::from([1, 2, SIZE, SIZE])).unwrap();
        for (name, layer) in layers {
            last = builder.layer(name, layer, &[last], name).unwrap();
        }
        Self { network: builder.finish(vec![last]), conv1, conv2, weight }
    }

    /// What arrives at an image from a class (`Ok`) or a unit of `conv2` (`Err`).
    fn derived(
        &self,
        image: &Maps,
        from: Result<usize, [usize; 3]>,
        method: Method,
        choice: Choice,
    ) -> Maps {
        let z1 = self.conv1.forward(image);
        let a1 = each(&z1, &z1, |z, _| z.max(0.0));
        let switches = switches(&a1);
        let mut p1 = zeros(4, 5, 5);
        for (c, map) in p1.iter_mut().enumerate() {
            for (oy, ox) in cells(5, 5) {
                let (y, x) = switches[c][oy][ox];
                map[oy][ox] = a1[c][y][x];
            }
        }
        let z2 = self.conv2.forward(&normalize(&p1));

        let mut signal = zeros(3, 3, 3);
        match from {
            Ok(class) => {
                for (c, map) in signal.iter_mut().enumerate() {
                    for (y, x) in cells(3, 3) {
                        map[y][x] = number(&self.weight, &[class, (c * 3 + y) * 3 + x]);
                    }
                }
                signal = each(&signal, &z2, |g, z| method.at_rectifier(g, z));
            }
            Err([c, y, x]) => signal[c][y][x] = 1.0,
        }
        let mut signal = self.conv2.back(&signal, 5);
        if choice != Choice::SkipNormalization {
            signal = normalize_back(&signal, &p1);
        }
        let mut unpooled = zeros(4, SIZE, SIZE);
        for (c, map) in signal.iter().enumerate() {
            for (oy, ox) in cells(5, 5) {
                let (y, x) = switches[c][oy][ox];
                let cell = &mut unpooled[c][y][x];
                let earlier = if choice == Choice::OverwriteOverlap { 0.0 } else { *cell };
                *cell = earlier + map[oy][ox];
            }
        }
        let signal = each(&unpooled, &z1, |g, z| method.at_rectifier(g, z));
        self.conv1.back(&signal, SIZE)
    }

    /// What the runtime makes of the same question, for a batch.
    fn attributed(&self, images: &Tensor, from: &str, start: Tensor, how: &Composite) -> Tensor {
        let backend = CpuBackend::new();
        let from = self.network.find(from).unwrap();
        let request =
            ForwardRequest { captures: &[from], keep: Keep::Inversion, interventions: &[] };
        let images = std::slice::from_ref(images);
        let trace = self.network.forward(&backend, images, &request).unwrap();
        let to = self.network.inputs();
        self.network.backward(&backend, &trace, &[(from, start)], how, to).unwrap().remove(0)
    }
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

fn image_of(images: &Tensor, row: usize) -> Maps {
    let mut image = zeros(2, SIZE, SIZE);
    for (c, map) in image.iter_mut().enumerate() {
        for (y, x) in cells(SIZE, SIZE) {
            map[y][x] = number(images, &[row, c, y, x]);
        }
    }
    image
}

fn one_hot(shape: impl Into<Shape>, places: &[usize]) -> Tensor {
    let shape = shape.into();
    let mut values = vec![0.0; shape.volume()];
    for &place in places {
        values[place] = 1.0;
    }
    Tensor::new(shape, values).unwrap()
}

/// The largest difference must be within 1e-5 of the largest magnitude.
fn assert_agrees(attributed: &Tensor, row: usize, derived: &Maps) {
    let (mut largest, mut difference) = (0.0_f64, 0.0_f64);
    for (c, map) in derived.iter().enumerate() {
        for (y, x) in cells(SIZE, SIZE) {
            largest = largest.max(map[y][x].abs());
            let actual = number(attributed, &[row, c, y, x]);
            difference = difference.max((actual - map[y][x]).abs());
        }
    }
    assert!(largest > 1e-3, "nothing arrives");
    assert!(difference <= 1e-5 * largest, "{difference} of {largest}");
}

const METHODS: [Method; 3] = [Method::Saliency, Method::GuidedBackpropagation, Method::Deconvnet];

#[test]
fn the_methods_agree_with_their_table_from_a_class_of_each_image() {
    let subject = Subject::new();
    let images = numbers(9, [2, 2, SIZE, SIZE]);
    let start = one_hot([2, 5], &[1, 5 + 4]);
    for method in METHODS {
        let attributed = subject.attributed(&images, "scores", start.clone(), &method.composite());
        for (row, class) in [(0, 1), (1, 4)] {
            let image = image_of(&images, row);
            let derived = subject.derived(&image, Ok(class), method, Choice::Exact);
            assert_agrees(&attributed, row, &derived);
        }
    }
}

#[test]
fn the_methods_agree_with_their_table_from_one_unit() {
    let subject = Subject::new();
    let images = numbers(10, [1, 2, SIZE, SIZE]);
    let start = one_hot([1, 3, 3, 3], &[(2 * 3 + 1) * 3 + 2]);
    for method in METHODS {
        let attributed = subject.attributed(&images, "conv2", start.clone(), &method.composite());
        let image = image_of(&images, 0);
        assert_agrees(
            &attributed,
            0,
            &subject.derived(&image, Err([2, 1, 2]), method, Choice::Exact),
        );
    }
}

#[test]
fn overlap_and_normalization_follow_their_options() {
    let subject = Subject::new();
    let images = numbers(11, [1, 2, SIZE, SIZE]);
    let image = image_of(&images, 0);
    let start = one_hot([1, 5], &[3]);
    for method in METHODS {
        let options: [(LayerKind, &'static dyn BackwardRule, Choice); 2] = [
            (LayerKind::MaxPooling, &OverwriteOverlap, Choice::OverwriteOverlap),
            (LayerKind::ResponseNormalization, &Pass, Choice::SkipNormalization),
        ];
        let exact = subject.attributed(&images, "scores", start.clone(), &method.composite());
        for (kind, rule, choice) in options {
            let composite = method.composite().with(Selector::Kind(kind), rule);
            let attributed = subject.attributed(&images, "scores", start.clone(), &composite);
            assert_agrees(&attributed, 0, &subject.derived(&image, Ok(3), method, choice));
            assert_ne!(attributed.values().unwrap(), exact.values().unwrap());
        }
    }
}

#[test]
fn a_picture_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    let subject = Subject::new();
    let images = numbers(12, [8, 2, SIZE, SIZE]);
    let starts = numbers(13, [8, 5]);
    let backend = CpuBackend::new();
    let bits = |count: usize, threads: usize, method: Method| {
        let rows: Vec<usize> = (0..count).collect();
        let images = backend.select(&images, &rows).unwrap();
        let starts = backend.select(&starts, &rows).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let attributed =
            pool.install(|| subject.attributed(&images, "scores", starts, &method.composite()));
        let first = backend.select(&attributed, &[0]).unwrap();
        first.values().unwrap().iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
    };
    for method in METHODS {
        let alone = bits(1, 1, method);
        for count in [1, 3, 8] {
            for threads in [1, 2] {
                assert_eq!(
                    bits(count, threads, method),
                    alone,
                    "{count} images, {threads} threads"
                );
            }
        }
    }
}
