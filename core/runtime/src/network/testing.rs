//! Networks and layers for the tests of networks.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::{Network, NetworkBuilder, NodeId, ValueId};
use crate::layer::testing::Numbers;
use crate::layer::{
    Addition, Concatenation, Convolution, Flatten, Linear, MaxPooling, Pairwise, Rectifier,
};
use crate::{
    Backend, BackendError, ConvolutionGeometry, CpuBackend, DeviceTensor, Element, HostArray, Keep,
    Layer, LayerError, LayerInversion, LayerKind, Padding, Reach, Record, Rounding, Shape, Tensor,
    Window, Work,
};

/// A builder with an input `image` of the given shape for one image.
pub(super) fn with_image(shape: impl Into<Shape>) -> (NetworkBuilder, ValueId) {
    let mut builder = NetworkBuilder::default();
    let image = builder.input("image", shape.into()).unwrap();
    (builder, image)
}

/// Adds a layer under one name for itself and its output.
pub(super) fn add(
    builder: &mut NetworkBuilder,
    name: &str,
    layer: impl LayerInversion + 'static,
    inputs: &[ValueId],
) -> ValueId {
    builder.layer(name, Arc::new(layer), inputs, name).unwrap()
}

/// A convolution with padding that keeps the size of the map at stride 1.
pub(super) fn convolution(seed: u64, weight: [usize; 4], stride: usize) -> Convolution {
    let [filters, _, height, width] = weight;
    let padding =
        Padding { top: height / 2, left: width / 2, bottom: height / 2, right: width / 2 };
    let window = Window { stride: [stride; 2], padding, ..Window::of([height, width]) };
    let mut numbers = Numbers::new(seed);
    let (weight, bias) = (numbers.tensor(weight), numbers.tensor([filters]));
    Convolution::new(weight, Some(bias), ConvolutionGeometry { window, groups: 1 }).unwrap()
}

pub(super) fn overlapping_pool() -> MaxPooling {
    let window = Window { stride: [2, 2], ..Window::of([3, 3]) };
    MaxPooling::new(window, Rounding::Ceil).unwrap()
}

/// A network with a shortcut, a concatenation, a constant factor and two outputs: `scores` and
/// `second`.
pub(super) fn forked() -> Network {
    let (mut builder, image) = with_image([1, 2, 8, 8]);
    let factor = builder.constant("factor", Numbers::new(5).tensor([3, 1, 1])).unwrap();
    let conv1 = add(&mut builder, "conv1", convolution(1, [3, 2, 3, 3], 1), &[image]);
    let relu1 = add(&mut builder, "relu1", Rectifier, &[conv1]);
    let conv2 = add(&mut builder, "conv2", convolution(2, [3, 3, 3, 3], 1), &[relu1]);
    let sum = add(&mut builder, "sum", Addition, &[relu1, conv2]);
    let scaled = add(&mut builder, "scaled", Pairwise::MULTIPLICATION, &[sum, factor]);
    let relu2 = add(&mut builder, "relu2", Rectifier, &[scaled]);
    let joined = add(&mut builder, "joined", Concatenation::new(1).unwrap(), &[relu2, relu1]);
    let pool = add(&mut builder, "pool", overlapping_pool(), &[joined]);
    let flat = add(&mut builder, "flat", Flatten, &[pool]);
    let weight = Numbers::new(6).tensor([4, 6 * 4 * 4]);
    let scores = add(&mut builder, "scores", Linear::new(weight, None).unwrap(), &[flat]);
    let second = add(&mut builder, "second", convolution(3, [1, 3, 1, 1], 1), &[conv2]);
    builder.finish(vec![scores, second])
}

/// Finds a value that is there.
pub(super) fn value(network: &Network, name: &str) -> ValueId {
    network.find(name).unwrap()
}

/// Finds the layer of a value that is there.
pub(super) fn node(network: &Network, name: &str) -> NodeId {
    network.maker(value(network, name)).unwrap()
}

pub(super) fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.to_host().unwrap().values().unwrap().iter().map(|value| value.to_bits()).collect()
}

pub(super) fn row(tensor: &Tensor, row: usize) -> Tensor {
    CpuBackend::new().select(tensor, &[row]).unwrap()
}

/// What spies saw.
#[derive(Debug, Default)]
pub(super) struct Log {
    made: Mutex<Vec<Weak<Held>>>,
    runs: AtomicUsize,
    most_alive: AtomicUsize,
}

impl Log {
    /// How many spies ran.
    pub(super) fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// How many of their outputs were alive at most when another began.
    pub(super) fn most_alive(&self) -> usize {
        self.most_alive.load(Ordering::Relaxed)
    }
}

/// Hands its inputs' sum on as a tensor whose life can be watched.
#[derive(Debug)]
pub(super) struct Spy(pub(super) Arc<Log>);

#[derive(Debug)]
struct Held(Shape, HostArray);

impl DeviceTensor for Held {
    fn shape(&self) -> &Shape {
        &self.0
    }

    fn element(&self) -> Element {
        Element::F32
    }

    fn read(&self) -> Result<HostArray, BackendError> {
        Ok(self.1.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Layer for Spy {
    fn kind(&self) -> LayerKind {
        LayerKind::Addition
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        Addition.output_shape(inputs)
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let mut made = self.0.made.lock().unwrap();
        let alive = made.iter().filter(|held| held.strong_count() > 0).count();
        self.0.most_alive.fetch_max(alive, Ordering::Relaxed);
        self.0.runs.fetch_add(1, Ordering::Relaxed);
        let inputs: Vec<Tensor> = inputs.iter().map(|input| input.to_host().unwrap()).collect();
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let (output, record) = Addition.forward(backend, &inputs, keep)?;
        let held = Held(output.shape().clone(), output.host_array().unwrap().clone());
        let held = Arc::new(held);
        made.push(Arc::downgrade(&held));
        Ok((Tensor::on_device(held), record))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Pointwise
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        Addition.work(inputs)
    }
}

impl LayerInversion for Spy {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        Addition.invert(backend, signal, record)
    }
}
