//! A small network, numbers to feed it, and plugins in C, for tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use convscope_protocol::Values;
use convscope_runtime::layer::{Convolution, Flatten, Linear, MaxPooling, Rectifier};
use convscope_runtime::{
    ConvolutionGeometry, CpuBackend, LayerInversion, Network, NetworkBuilder, Padding, Rounding,
    Shape, Tensor, Window,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::HostError;
use crate::control::{Control, LogLevel};
use crate::engine::Engine;
use crate::engine::Passes;

/// Numbers between −1 and 1 that look random and are always the same.
pub(crate) fn numbers(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let values = (0..shape.volume()).map(|_| next()).collect();
    Tensor::new(shape, values).unwrap()
}

fn convolution(weight: [usize; 4], seed: u64) -> Convolution {
    let around = Padding { top: 1, left: 1, bottom: 1, right: 1 };
    let window = Window { padding: around, ..Window::of([3, 3]) };
    let bias = numbers([weight[0]], seed + 1);
    let geometry = ConvolutionGeometry { window, groups: 1 };
    Convolution::new(numbers(weight, seed), Some(bias), geometry).unwrap()
}

/// conv1, relu1 [4, 12, 12], pool1 [4, 6, 6], conv2, relu2 [3, 6, 6], flat, scores [5], of an input
/// `image` [2, 12, 12].
pub(crate) fn network() -> Network {
    let mut builder = NetworkBuilder::default();
    let mut last = builder.input("image", Shape::from([1, 2, 12, 12])).unwrap();
    let pooling = Window { stride: [2, 2], ..Window::of([3, 3]) };
    let layers: Vec<(&str, Arc<dyn LayerInversion>)> = vec![
        ("conv1", Arc::new(convolution([4, 2, 3, 3], 1))),
        ("relu1", Arc::new(Rectifier)),
        ("pool1", Arc::new(MaxPooling::new(pooling, Rounding::Ceil).unwrap())),
        ("conv2", Arc::new(convolution([3, 4, 3, 3], 3))),
        ("relu2", Arc::new(Rectifier)),
        ("flat", Arc::new(Flatten)),
        ("scores", Arc::new(Linear::new(numbers([5, 108], 5), None).unwrap())),
    ];
    for (name, layer) in layers {
        last = builder.layer(name, layer, &[last], name).unwrap();
    }
    builder.finish(vec![last])
}

/// Images for [`network`].
pub(crate) fn images(count: usize) -> Tensor {
    numbers([count, 2, 12, 12], 77)
}

/// What an engine needs.
pub(crate) struct Bench {
    pub(crate) network: Network,
    pub(crate) backend: CpuBackend,
    pub(crate) pool: ThreadPool,
    pub(crate) memory: u64,
}

impl Bench {
    /// A bench with [`network`], a number of threads and a number of bytes.
    pub(crate) fn new(threads: usize, memory: u64) -> Self {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        Self { network: network(), backend: CpuBackend::new(), pool, memory }
    }

    /// The engine of the bench.
    pub(crate) fn engine(&self) -> Engine<'_> {
        Engine {
            passes: Passes::default(),
            network: &self.network,
            backend: &self.backend,
            pool: &self.pool,
            memory: self.memory,
            cancelled: &|| false,
        }
    }
}

/// Checks that work ends as cancelled at whichever question it hears that the user wants to stop,
/// and asks none after that. Returns how many questions there are.
pub(crate) fn is_cancelled_at_every_question(
    work: impl Fn(&(dyn Fn() -> bool + Sync)) -> Result<(), HostError>,
) -> usize {
    let until = |last: usize| {
        let asked = AtomicUsize::new(0);
        let outcome = work(&|| asked.fetch_add(1, Ordering::Relaxed) + 1 >= last);
        (outcome, asked.into_inner())
    };
    let (outcome, questions) = until(usize::MAX);
    outcome.unwrap();
    for last in 1..=questions {
        let (outcome, asked) = until(last);
        assert!(matches!(outcome, Err(HostError::Cancelled)), "{outcome:?}");
        assert_eq!(asked, last);
    }
    questions
}

/// Collects what a sink gets: for every array the bits of each case, and the sizes of the batches.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Collected {
    pub(crate) cases: Vec<Vec<Vec<u32>>>,
    pub(crate) batches: Vec<usize>,
}

impl Collected {
    /// Takes one batch.
    pub(crate) fn take(&mut self, first: usize, count: usize, arrays: &[Values]) {
        assert_eq!(first, self.cases.len());
        self.batches.push(count);
        let arrays: Vec<Vec<u32>> = arrays.iter().map(bits).collect();
        for case in 0..count {
            let row = |bits: &Vec<u32>| {
                let each = bits.len() / count;
                bits[case * each..(case + 1) * each].to_vec()
            };
            self.cases.push(arrays.iter().map(row).collect());
        }
    }

    /// The floating-point numbers of one array of one case.
    pub(crate) fn floats(&self, case: usize, array: usize) -> Vec<f32> {
        self.cases[case][array].iter().map(|&bits| f32::from_bits(bits)).collect()
    }
}

fn bits(values: &Values) -> Vec<u32> {
    match values {
        Values::F32(array) => array.iter().map(|value| value.to_bits()).collect(),
        Values::U32(array) => array.iter().copied().collect(),
        Values::U8(array) => array.iter().map(|&value| u32::from(value)).collect(),
    }
}

/// A plugin in C that is in order, unless definitions before it say otherwise.
pub(crate) const PLUGIN: &str = include_str!("testing/plugin.c");

/// Compiles a plugin in C; `None`, said aloud, where there is no compiler.
pub(crate) fn compile(folder: &Path, name: &str, source: &str) -> Option<PathBuf> {
    let file = folder.join(format!("{name}.c"));
    std::fs::write(&file, source).unwrap();
    let library = folder.join(format!("libconvscope_{name}.so"));
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../abi/include");
    let outcome = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-shared", "-fPIC", "-I"])
        .args([&header, &file])
        .arg("-o")
        .arg(&library)
        .output();
    match outcome {
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cc: {words}");
            Some(library)
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "no C compiler: {error}");
            println!("skipped: no C compiler ({error})");
            None
        }
    }
}

/// Remembers what it is told.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// The lines of the log.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Control for Heard {
    fn progress(&self, _fraction: f64, _text: &str) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn log(&self, _level: LogLevel, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}
