//! Networks that grow by chance.

use std::sync::Arc;

use convscope_runtime::backend::ResponseNormalization;
use convscope_runtime::layer::{
    Addition, AveragePooling, BatchNormalization, Concatenation, Convolution, ElementWise,
    GlobalAveragePooling, Linear, MaxPooling, Rectifier, ResponseNormalization as Normalization,
    TransposedConvolution,
};
use convscope_runtime::{
    ConvolutionGeometry, Divisor, LayerInversion, Network, NetworkBuilder, Padding, Rounding,
    Shape, Tensor, Unary, ValueId, Window,
};

/// A repeatable source of choices (an `xorshift` generator).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }

    /// Numbers between −`size` and `size`.
    pub(crate) fn tensor(&mut self, shape: impl Into<Shape>, size: f32) -> Tensor {
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

pub(crate) fn network(seed: u64) -> (Network, String) {
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
    // Some networks end with features that are the cells of maps.
    let features = match seed % 3 {
        0 => map,
        _ => growth.add(GlobalAveragePooling::of_maps(), &[map]).unwrap(),
    };
    let count = growth.builder.shape(features).volume();
    let flat = growth.add(convscope_runtime::layer::Flatten, &[features]).unwrap();
    let outputs = growth.dice.one_of(&[9, 16, 40]);
    let weight = growth.dice.tensor([outputs, count], 1.0);
    let scores = growth.add(Linear::new(weight, None).unwrap(), &[flat]).unwrap();
    let words = format!("network {seed} for {image:?}: {}", growth.layers.join(", "));
    (growth.builder.finish(vec![map, scores]), words)
}
