//! Networks made by chance on the fast CPU backend against the plain one: what one layer leaves in
//! unused lanes, or in memory that is lent again, spoils only the next.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use convscope_runtime::backend::ResponseNormalization;
use convscope_runtime::layer::{
    Addition, AveragePooling, BatchNormalization, Concatenation, Convolution, ElementWise,
    GlobalAveragePooling, Linear, MaxPooling, Rectifier, ResponseNormalization as Normalization,
    TransposedConvolution,
};
use convscope_runtime::{
    Backend, Composite, ConvolutionGeometry, CpuBackend, Divisor, ForwardRequest, Isa, Keep,
    LayerInversion, Network, NetworkBuilder, Padding, PlainBackend, Rounding, Shape, Tensor, Unary,
    ValueId, Window,
};

/// A repeatable source of choices (an `xorshift` generator).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }

    /// Numbers between −`size` and `size`.
    fn tensor(&mut self, shape: impl Into<Shape>, size: f32) -> Tensor {
        let shape = shape.into();
        let mut number = || ((self.next() & 0xFF_FFFF) as f32 / (1_u32 << 23) as f32 - 1.0) * size;
        let values = (0..shape.volume()).map(|_| number()).collect();
        Tensor::new(shape, values).unwrap()
    }

    fn window(&mut self) -> Window {
        let padding = [self.one_of(&[0, 1, 2]), self.one_of(&[0, 1, 2])];
        let [top, left] = padding;
        let [bottom, right] = [self.one_of(&[top, 1]), self.one_of(&[left, 0])];
        let kernel = self.one_of(&[[1, 1], [3, 3], [3, 3], [2, 3], [5, 5]]);
        Window {
            stride: self.one_of(&[[1, 1], [1, 1], [2, 2], [3, 2]]),
            dilation: self.one_of(&[[1, 1], [1, 1], [2, 1]]),
            padding: Padding { top, left, bottom, right },
            ..Window::of(kernel)
        }
    }
}

/// A network while it grows; layers that do not fit are left out.
struct Growth {
    dice: Dice,
    builder: NetworkBuilder,
    layers: Vec<String>,
    last: ValueId,
}

impl Growth {
    fn channels(&self) -> usize {
        self.builder.shape(self.last).extents()[1]
    }

    fn add(&mut self, layer: impl LayerInversion + 'static, inputs: &[ValueId]) -> Option<ValueId> {
        let name = format!("{}.{:?}", self.layers.len(), layer.kind());
        let value = self.builder.layer(&name, Arc::new(layer), inputs, &name).ok()?;
        // Of an empty map nothing can be told.
        if self.builder.shape(value).volume() == 0 {
            return None;
        }
        self.layers.push(name);
        Some(value)
    }

    fn convolution(&mut self, filters: usize, window: Window) -> Option<ValueId> {
        let channels = self.channels();
        let fits =
            |groups: &usize| channels.is_multiple_of(*groups) && filters.is_multiple_of(*groups);
        let fitting: Vec<usize> = [1, 1, 2, 4, 16, channels].into_iter().filter(fits).collect();
        let groups = self.dice.one_of(&fitting);
        let [height, width] = window.kernel;
        let per_group = channels / groups;
        let size = (3.0 / (per_group * height * width) as f32).sqrt();
        let weight = self.dice.tensor([filters, per_group, height, width], size);
        let bias = self.dice.tensor([filters], 0.3);
        let geometry = ConvolutionGeometry { window, groups };
        let layer = Convolution::new(weight, Some(bias), geometry).unwrap();
        let value = self.add(layer, &[self.last])?;
        let is_rectified = self.dice.one_of(&[true, false]);
        if is_rectified { self.add(Rectifier, &[value]) } else { Some(value) }
    }

    fn grow(&mut self) -> Option<ValueId> {
        let last = self.last;
        let window = self.dice.window();
        let filters = self.dice.one_of(&[1, 7, 15, 16, 17, 32, 40, 48]);
        let same = Window {
            padding: Padding { top: 1, left: 1, bottom: 1, right: 1 },
            ..Window::of([3, 3])
        };
        let pool = Window { dilation: [1, 1], padding: Padding::default(), ..window };
        let rounding = self.dice.one_of(&[Rounding::Floor, Rounding::Ceil]);
        match self.dice.next() % 11 {
            0..=3 => self.convolution(filters, window),
            4 => self.add(MaxPooling::new(pool, rounding).unwrap(), &[last]),
            5 => {
                let divisor = self.dice.one_of(&[Divisor::Cells, Divisor::PaddedCells]);
                self.add(AveragePooling::new(pool, rounding, divisor).unwrap(), &[last])
            }
            6 => {
                let form = ResponseNormalization { size: 5, alpha: 0.5, beta: 0.75, bias: 1.5 };
                self.add(Normalization::new(form).unwrap(), &[last])
            }
            7 => {
                let channels = [self.channels()];
                let mut numbers = || self.dice.tensor(channels, 1.0);
                let [gamma, beta, mean] = [numbers(), numbers(), numbers()];
                let variance = Tensor::filled(channels, 0.7);
                let layer = BatchNormalization::new(gamma, beta, mean, variance, 1e-5).unwrap();
                self.add(layer, &[last])
            }
            8 => {
                let branch = self.convolution(self.channels(), same)?;
                let sum = self.add(Addition, &[branch, last])?;
                self.add(Rectifier, &[sum])
            }
            9 => {
                let parts = [self.convolution(filters, same)?, self.convolution(16, same)?, last];
                let count = self.dice.one_of(&[2, 3]);
                self.add(Concatenation::new(1).unwrap(), &parts[..count])
            }
            _ => {
                let functions = [Unary::Sigmoid, Unary::Tanh, Unary::Gelu];
                let function = self.dice.one_of(&functions);
                self.add(ElementWise::new(function), &[last])
            }
        }
    }

    /// Carries maps up, to more cells.
    fn enlarge(&mut self) -> Option<ValueId> {
        let weight = self.dice.tensor([self.channels(), 17, 3, 3], 0.1);
        let window = Window { stride: [2, 2], ..Window::of([3, 3]) };
        let geometry = ConvolutionGeometry { window, groups: 1 };
        let layer = TransposedConvolution::new(weight, None, geometry, [0, 0]).unwrap();
        self.add(layer, &[self.last])
    }
}

fn network(seed: u64) -> (Network, String) {
    let mut dice = Dice::new(seed);
    let image = [1, dice.one_of(&[1, 3, 5, 16, 17, 33]), dice.one_of(&[1, 6, 13, 20]), 11];
    let mut builder = NetworkBuilder::default();
    let last = builder.input("image", Shape::from(image)).unwrap();
    let mut growth = Growth { dice, builder, layers: Vec::new(), last };
    for _ in 0..growth.dice.one_of(&[3, 5, 8]) {
        growth.last = growth.grow().unwrap_or(growth.last);
    }
    if seed.is_multiple_of(4) {
        growth.last = growth.enlarge().unwrap_or(growth.last);
    }
    let map = growth.last;
    let pooled = growth.add(GlobalAveragePooling::of_maps(), &[map]).unwrap();
    let channels = growth.channels();
    let flat = growth.add(convscope_runtime::layer::Flatten, &[pooled]).unwrap();
    let weight = growth.dice.tensor([9, channels], 1.0);
    let scores = growth.add(Linear::new(weight, None).unwrap(), &[flat]).unwrap();
    let words = format!("network {seed} for {image:?}: {}", growth.layers.join(", "));
    (growth.builder.finish(vec![map, scores]), words)
}

/// Returns the outputs, and what arrives at the image of a signal from the scores.
fn run(backend: &dyn Backend, network: &Network, images: &Tensor, keep: Keep) -> Vec<Tensor> {
    let placed = network.clone().placed(backend).unwrap();
    let captures = network.outputs();
    let request = ForwardRequest { captures, keep, interventions: &[] };
    let trace = placed.forward(backend, std::slice::from_ref(images), &request).unwrap();
    let mut results: Vec<Tensor> =
        captures.iter().map(|&id| trace.value(id).unwrap().clone()).collect();
    if keep == Keep::Inversion {
        let signal = Dice::new(1).tensor([images.shape().batch(), 9], 1.0);
        let starts = [(captures[1], backend.upload(&signal).unwrap())];
        let to = network.inputs();
        let composite = Composite::default();
        results.extend(placed.backward(backend, &trace, &starts, &composite, to).unwrap());
    }
    results.iter().map(|result| result.to_host().unwrap()).collect()
}

fn backends() -> Vec<CpuBackend> {
    Isa::available().map(CpuBackend::with_isa).collect()
}

#[test]
fn networks_made_by_chance_agree_with_the_plain_backend() {
    let backends = backends();
    for seed in 0..300 {
        let (network, words) = network(seed);
        let batch = [1, 2, 3][seed as usize % 3];
        let image = network.value(network.inputs()[0]).shape.with_batch(batch);
        let images = Dice::new(seed + 1000).tensor(image, 1.0);
        for keep in [Keep::Output, Keep::Inversion] {
            let expected = run(&PlainBackend::new(), &network, &images, keep);
            for backend in &backends {
                let actual = run(backend, &network, &images, keep);
                for (index, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                    let [actual, expected] = [actual, expected].map(|t| t.values().unwrap());
                    let largest = expected.iter().fold(1e-20_f32, |m, x| m.max(x.abs()));
                    let pairs = actual.iter().zip(expected);
                    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
                    assert!(worst <= 1e-5, "{worst} in result {index}, {}: {words}", backend.isa());
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_comes_out_where_it_does_on_the_plain_backend() {
    let backends = backends();
    for seed in 0..300 {
        let (network, words) = network(seed);
        let image = network.value(network.inputs()[0]).shape.with_batch(2);
        let mut values =
            Dice::new(seed + 2000).tensor(image.clone(), 1.0).values().unwrap().to_vec();
        // The second image stays whole.
        let place = seed as usize * 7 % (values.len() / 2);
        values[place] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][seed as usize % 3];
        let images = Tensor::new(image, values).unwrap();
        let kind = |x: &f32| [x.is_nan(), *x == f32::INFINITY, *x == f32::NEG_INFINITY];
        let kinds = |tensor: &Tensor| tensor.values().unwrap().iter().map(kind).collect::<Vec<_>>();
        let expected = run(&PlainBackend::new(), &network, &images, Keep::Output);
        for backend in &backends {
            let actual = run(backend, &network, &images, Keep::Output);
            for (index, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let isa = backend.isa();
                assert!(kinds(actual) == kinds(expected), "result {index}, {isa}: {words}");
            }
        }
    }
}
