//! What the tests of every layer share: numbers, and the promises of the traits as one check.

use crate::{Backend, CpuBackend, Keep, LayerInversion, Reads, Record, Shape, Tensor};

/// Number of images in [`check`].
const BATCH: usize = 3;

/// Repeatable numbers (an `xorshift` generator).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Numbers between −1 and 1.
    pub(crate) fn tensor(&mut self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let unit = |bits: u64| (bits >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
        let values = (0..shape.volume()).map(|_| unit(self.next())).collect();
        Tensor::new(shape, values).unwrap()
    }

    /// Numbers between −2 and 2 that differ from each other and from 0, 1 and −1 by more than the
    /// steps of a finite difference, so that no maximum or limit is met.
    pub(crate) fn apart(&mut self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let count = shape.volume();
        let mut values: Vec<f32> =
            (0..count).map(|index| (index as f32 + 0.5) * 4.0 / count as f32 - 2.0).collect();
        for last in (1..count).rev() {
            values.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
        Tensor::new(shape, values).unwrap()
    }
}

/// Checks what the traits promise, for inputs of the given shapes without their batch.
pub(crate) fn check(layer: &dyn LayerInversion, per_image: &[&[usize]]) {
    let mut numbers = Numbers::new(7);
    let inputs: Vec<Tensor> = per_image
        .iter()
        .map(|shape| numbers.apart([&[BATCH], *shape].concat().as_slice()))
        .collect();
    check_with(layer, &inputs, &[]);
}

/// The same for given inputs, of which `shared` belong to no image.
pub(crate) fn check_with(layer: &dyn LayerInversion, inputs: &[Tensor], shared: &[usize]) {
    check_all(layer, inputs, shared, &[]);
}

/// The same where small changes of the inputs `silent` change nothing.
pub(crate) fn check_silent(layer: &dyn LayerInversion, inputs: &[Tensor], silent: &[usize]) {
    check_all(layer, inputs, &[], silent);
}

fn check_all(layer: &dyn LayerInversion, inputs: &[Tensor], shared: &[usize], silent: &[usize]) {
    let backend = CpuBackend::new();
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let shapes: Vec<&Shape> = inputs.iter().map(|input| input.shape()).collect();
    let promised = layer.output_shape(&shapes).unwrap();
    let (output, record) = forward(layer, &inputs, shared);
    assert_eq!(*output.shape(), promised);
    assert_eq!(*record.output_shape(), promised);
    let (plain, _) = layer.forward(&backend, &inputs, Keep::Output).unwrap();
    assert_eq!(bits(&plain), bits(&output));
    assert!(layer.work(&shapes).bytes > 0);
    assert!(layer.output_shape(&[]).is_err());

    let signal = Numbers::new(11).tensor(promised);
    let carried = layer.invert(&backend, &signal, &record).unwrap();
    let carried_shapes: Vec<&Shape> = carried.iter().map(Tensor::shape).collect();
    assert_eq!(carried_shapes, shapes);
    if layer.reads() == Reads::Shapes {
        let shapes = shapes.iter().map(|&shape| shape.clone()).collect();
        let record = Record::of_shapes(record.output_shape().clone(), shapes);
        let by_shapes = layer.invert(&backend, &signal, &record).unwrap();
        assert!(by_shapes.iter().map(bits).eq(carried.iter().map(bits)));
    }

    is_the_adjoint(layer, &inputs, silent, &signal, &carried);
    treats_images_apart(layer, &inputs, shared, &signal, &output, &carried);
    selects(layer, &record, shared, &signal, &carried);
}

fn forward(layer: &dyn LayerInversion, inputs: &[&Tensor], shared: &[usize]) -> (Tensor, Record) {
    let (output, record) = layer.forward(&CpuBackend::new(), inputs, Keep::Inversion).unwrap();
    (output, record.sharing(shared.iter().copied()))
}

/// Compares ⟨invert(signal), v⟩ with a central difference of ⟨signal, layer(x)⟩ along v, for a few
/// random v.
fn is_the_adjoint(
    layer: &dyn LayerInversion,
    inputs: &[&Tensor],
    silent: &[usize],
    signal: &Tensor,
    carried: &[Tensor],
) {
    let step = 1.0 / 1024.0;
    let mut numbers = Numbers::new(13);
    for moved in (0..inputs.len()).flat_map(|input| [input; 4]) {
        let direction = numbers.tensor(inputs[moved].shape().clone());
        let along = |step: f32| {
            let values = inputs[moved].values().unwrap().iter().zip(direction.values().unwrap());
            let values = values.map(|(x, v)| x + step * v).collect();
            let there = Tensor::new(inputs[moved].shape().clone(), values).unwrap();
            let mut inputs = inputs.to_vec();
            inputs[moved] = &there;
            dot(signal, &forward(layer, &inputs, &[]).0)
        };
        let difference = (along(step) - along(-step)) / (2.0 * f64::from(step));
        let exact = dot(&carried[moved], &direction);
        let scale = size(&carried[moved]) * size(&direction);
        assert_eq!(scale > 0.0, !silent.contains(&moved), "signal at input {moved}");
        assert!((difference - exact).abs() <= 2e-4 * scale, "input {moved}: {difference} {exact}");
    }
}

/// Every image by itself has the bits it has within the batch.
fn treats_images_apart(
    layer: &dyn LayerInversion,
    inputs: &[&Tensor],
    shared: &[usize],
    signal: &Tensor,
    output: &Tensor,
    carried: &[Tensor],
) {
    let backend = CpuBackend::new();
    for row in 0..BATCH {
        let own: Vec<Tensor> =
            (0..inputs.len()).map(|input| rows(inputs[input], &[row], input, shared)).collect();
        let own: Vec<&Tensor> = own.iter().collect();
        let (alone, record) = forward(layer, &own, shared);
        assert_eq!(bits(&alone), bits(&backend.select(output, &[row]).unwrap()));
        let signal = backend.select(signal, &[row]).unwrap();
        let parts = layer.invert(&backend, &signal, &record).unwrap();
        for (input, part) in parts.iter().enumerate() {
            if !shared.contains(&input) {
                assert_eq!(bits(part), bits(&rows(&carried[input], &[row], input, shared)));
            }
        }
    }
}

/// Signals through selected rows of a record are the selected rows of the signals.
fn selects(
    layer: &dyn LayerInversion,
    record: &Record,
    shared: &[usize],
    signal: &Tensor,
    carried: &[Tensor],
) {
    let backend = CpuBackend::new();
    let chosen = [2, 0, 2, 2];
    let record = record.select(&backend, &chosen).unwrap();
    let signal = backend.select(signal, &chosen).unwrap();
    let parts = layer.invert(&backend, &signal, &record).unwrap();
    for (input, part) in parts.iter().enumerate() {
        if !shared.contains(&input) {
            assert_eq!(bits(part), bits(&rows(&carried[input], &chosen, input, shared)));
        }
    }
}

fn rows(tensor: &Tensor, rows: &[usize], input: usize, shared: &[usize]) -> Tensor {
    if shared.contains(&input) {
        return tensor.clone();
    }
    CpuBackend::new().select(tensor, rows).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.to_host().unwrap().values().unwrap().iter().map(|value| value.to_bits()).collect()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let [a, b] = [a, b].map(|tensor| tensor.to_host().unwrap());
    let pairs = a.values().unwrap().iter().zip(b.values().unwrap());
    pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn size(tensor: &Tensor) -> f64 {
    dot(tensor, tensor).sqrt()
}
