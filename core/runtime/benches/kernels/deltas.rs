//! Incremental inference: what cases of an occlusion map change of a layer, against the same layer
//! on whole maps of these cases.
//!
//! A picture of 224 × 224 is covered by a window of 16 × 16 at steps of 4, neighbours together as
//! networks carry them on. The operations of a delta form are the taps that lie on changed cells.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::hint::black_box;

use convscope_runtime::layer::{Convolution, DeltaInput, DeltaOutput, Linear, MaxPooling};
use convscope_runtime::{
    CpuBackend, Deltas, Keep, Layer, Region, Regions, Rounding, Shape, Window,
};
use criterion::{Criterion, Throughput};

use crate::cpu_time::CpuTime;
use crate::layers::{self, CONVOLUTIONS, LINEAR};
use crate::operands::{backend, blocked, geometry, tensor, window};

/// Rows and columns of a picture.
const PICTURE: usize = 224;
/// Rows and columns of what covers it.
const COVER: usize = 16;
/// Cells from one cover to the next.
const STRIDE: usize = 4;
/// Cases that are carried on together.
const TOGETHER: usize = 16;
/// Cases that share a pass over a fully connected layer.
const HEAD: usize = 512;

/// A layer on the way through a network.
enum Step {
    /// A convolution of the list.
    Through(&'static str),
    /// The same, beside the way: the next layer reads what this one reads.
    Beside(&'static str),
    /// Max pooling: channels, kernel, stride, padding.
    Pool(&'static str, usize, usize, usize, usize),
}

use Step::{Beside, Pool, Through};

/// The ways through four networks. Of layers that are there several times, the first is timed.
const WAYS: [(&str, &[Step]); 4] = [
    (
        "resnet18",
        &[
            Through("conv1"),
            Pool("pool1", 64, 3, 2, 1),
            Through("layer1"),
            Through("layer1"),
            Through("layer1"),
            Through("layer1"),
            Beside("layer2_skip"),
            Through("layer2_first"),
            Through("layer2"),
            Through("layer2"),
            Through("layer2"),
            Beside("layer3_skip"),
            Through("layer3_first"),
            Through("layer3"),
            Through("layer3"),
            Through("layer3"),
            Beside("layer4_skip"),
            Through("layer4_first"),
            Through("layer4"),
        ],
    ),
    (
        "squeezenet",
        &[
            Through("conv1"),
            Pool("pool1", 64, 3, 2, 0),
            Through("fire2_squeeze"),
            Beside("fire2_expand1"),
            Through("fire2_expand3"),
            Through("fire3_squeeze"),
            Through("fire2_expand3"),
            Pool("pool3", 128, 3, 2, 0),
            Through("fire4_squeeze"),
            Beside("fire4_expand1"),
            Through("fire4_expand3"),
            Through("fire5_squeeze"),
            Through("fire4_expand3"),
            Pool("pool5", 256, 3, 2, 0),
            Through("fire6_squeeze"),
            Beside("fire6_expand1"),
            Through("fire6_expand3"),
            Through("fire7_squeeze"),
            Through("fire6_expand3"),
            Through("fire8_squeeze"),
            Beside("fire8_expand1"),
            Through("fire8_expand3"),
            Through("fire9_squeeze"),
            Through("fire8_expand3"),
            Through("conv10"),
        ],
    ),
    (
        "vgg16",
        &[
            Through("conv1_1"),
            Through("conv1_2"),
            Pool("pool1", 64, 2, 2, 0),
            Through("conv2_1"),
            Through("conv2_2"),
            Pool("pool2", 128, 2, 2, 0),
            Through("conv3_1"),
            Through("conv3_2"),
            Through("conv3_2"),
            Pool("pool3", 256, 2, 2, 0),
            Through("conv4_1"),
            Through("conv4_2"),
            Through("conv4_2"),
            Pool("pool4", 512, 2, 2, 0),
            Through("conv5"),
            Through("conv5"),
            Through("conv5"),
            Pool("pool5", 512, 2, 2, 0),
        ],
    ),
    (
        "zfnet",
        &[
            Through("conv1"),
            Pool("pool1", 96, 3, 2, 1),
            Through("conv2"),
            Pool("pool2", 256, 3, 2, 1),
            Through("conv3"),
            Through("conv4"),
            Through("conv5"),
            Pool("pool5", 256, 3, 2, 0),
        ],
    ),
];

pub(crate) fn bench(criterion: &mut Criterion<CpuTime>) {
    let backend = backend();
    // The middle of the picture.
    let steps = (PICTURE - COVER) / STRIDE + 1;
    let middle = steps / 2 * steps + (steps - TOGETHER) / 2;
    for (network, way) in &WAYS {
        let mut timed = BTreeSet::new();
        carried(network, way, middle, |name, step, regions, output| {
            if timed.insert(name.to_owned()) {
                match step {
                    &Pool(_, channels, ..) => {
                        let window = step.window(network);
                        max_pooling(
                            criterion,
                            name,
                            &backend,
                            &window,
                            channels,
                            [regions, output],
                        );
                    }
                    Through(_) | Beside(_) => {
                        let form = convolution(name);
                        filtering(criterion, name, &backend, form, [regions, output]);
                    }
                }
            }
        });
        if let Some(&(name, inputs, outputs)) =
            LINEAR.iter().find(|(name, ..)| *name == format!("{network}/fc6"))
        {
            let first = middle - HEAD / 2;
            let lists = (0..HEAD / TOGETHER)
                .map(|list| carried(network, way, first + list * TOGETHER, |_, _, _, _| ()));
            let lists: Vec<Regions> = lists.collect();
            fully_connected(criterion, name, &backend, [inputs, outputs], &lists);
        }
    }
}

impl Step {
    fn name(&self, network: &str) -> String {
        let (Through(name) | Beside(name) | Pool(name, ..)) = self;
        format!("{network}/{name}")
    }

    fn window(&self, network: &str) -> Window {
        if let &Pool(_, _, kernel, stride, padding) = self {
            return window(kernel, stride, padding);
        }
        let &layers::Convolution(_, _, _, _, kernel, stride, padding, _) =
            convolution(&self.name(network));
        window(kernel, stride, padding)
    }
}

fn convolution(name: &str) -> &'static layers::Convolution {
    CONVOLUTIONS.iter().find(|layer| layer.0 == name).unwrap()
}

/// Carries neighbouring covers through a network, and shows what every layer reads and makes.
/// Returns the last rectangles.
fn carried(
    network: &str,
    way: &[Step],
    first: usize,
    mut show: impl FnMut(&str, &Step, &Regions, &Regions),
) -> Regions {
    let steps = (PICTURE - COVER) / STRIDE + 1;
    let covers = (first..first + TOGETHER).map(|number| {
        let [top, left] =
            [number / steps, number % steps].map(|step| (step * STRIDE).cast_signed());
        Region { top, left, height: COVER, width: COVER }
    });
    let mut regions = Regions::new([PICTURE; 2], covers);
    for step in way {
        let window = step.window(network);
        let size = window.output_size(regions.size(), Rounding::Floor).unwrap();
        let holders = regions.places().iter().map(|&place| window.holding(place).unwrap());
        let output = Regions::new(size, holders);
        show(&step.name(network), step, &regions, &output);
        if !matches!(step, Beside(_)) {
            regions = output;
        }
    }
    regions
}

/// Makes changes of rectangles.
fn changes(backend: &CpuBackend, channels: usize, regions: &Regions) -> Deltas {
    let cells = blocked(backend, &tensor([1, channels, 1, regions.cells()]));
    Deltas { regions: regions.clone(), cells }
}

/// Counts the taps of all outputs that lie on changed cells.
fn taps(window: &Window, [regions, output]: [&Regions; 2]) -> usize {
    let along = |axis: usize, cells: [isize; 2], outputs: [isize; 2]| {
        let [stride, kernel] = [window.stride, window.kernel].map(|both| both[axis].cast_signed());
        let padding = window.padding_of(axis)[0].cast_signed();
        let seen = (outputs[0]..outputs[1])
            .flat_map(|output| (0..kernel).map(move |tap| output * stride + tap - padding));
        seen.filter(|cell| (cells[0]..cells[1]).contains(cell)).count()
    };
    let rows = |place: &Region| [place.top, place.top.saturating_add_unsigned(place.height)];
    let columns = |place: &Region| [place.left, place.left.saturating_add_unsigned(place.width)];
    let pairs = regions.places().iter().zip(output.places());
    pairs
        .map(|(from, to)| along(0, rows(from), rows(to)) * along(1, columns(from), columns(to)))
        .sum()
}

fn operations(multiply_adds: usize) -> Throughput {
    Throughput::Elements(2 * multiply_adds as u64)
}

/// Times changed cells against whole maps of the same cases, given what each works on.
fn compared(
    criterion: &mut Criterion<CpuTime>,
    name: &str,
    [deltas, whole]: [Throughput; 2],
    mut by_deltas: impl FnMut(),
    mut as_a_whole: impl FnMut(),
) {
    let mut group = criterion.benchmark_group(format!("incremental/{name}"));
    group.throughput(deltas);
    group.bench_function("deltas", |bencher| bencher.iter(&mut by_deltas));
    group.throughput(whole);
    group.bench_function("whole", |bencher| bencher.iter(&mut as_a_whole));
}

fn filtering(
    criterion: &mut Criterion<CpuTime>,
    name: &str,
    backend: &CpuBackend,
    &layers::Convolution(_, channels, filters, size, kernel, stride, padding, groups): &layers::Convolution,
    [regions, output]: [&Regions; 2],
) {
    assert_eq!(regions.size(), [size; 2], "{name}");
    let weights = tensor([filters, channels / groups, kernel, kernel]);
    let layer = Convolution::new(weights, None, geometry(kernel, stride, padding, groups)).unwrap();
    let layer = layer.placed(backend).unwrap().unwrap();
    let pairs = channels / groups * filters;
    let outputs = TOGETHER * output.size()[0] * output.size()[1];
    let taps = taps(&window(kernel, stride, padding), [regions, output]);
    let work = [taps, kernel * kernel * outputs].map(|taps| operations(pairs * taps));
    let deltas = changes(backend, channels, regions);
    let inputs = [DeltaInput::Changed { deltas: &deltas, clean: None }];
    let made = DeltaOutput { regions: output, channels: filters, clean: None };
    let whole = LazyCell::new(|| blocked(backend, &tensor([TOGETHER, channels, size, size])));
    let by_deltas = || drop(black_box(layer.forward_deltas(backend, &inputs, &made).unwrap()));
    let as_a_whole = || drop(black_box(layer.forward(backend, &[&whole], Keep::Output).unwrap()));
    compared(criterion, name, work, by_deltas, as_a_whole);
}

fn max_pooling(
    criterion: &mut Criterion<CpuTime>,
    name: &str,
    backend: &CpuBackend,
    window: &Window,
    channels: usize,
    [regions, output]: [&Regions; 2],
) {
    let layer = MaxPooling::new(*window, Rounding::Floor).unwrap();
    let [height, width] = regions.size();
    let maps = |batch: usize| blocked(backend, &tensor([batch, channels, height, width]));
    let clean = maps(1);
    let (pooled, _) = layer.forward(backend, &[&clean], Keep::Output).unwrap();
    let size = output.size();
    let cells = [regions.cells() + output.cells(), TOGETHER * (height * width + size[0] * size[1])];
    let work = cells.map(|cells| Throughput::Bytes(4 * (channels * cells) as u64));
    let deltas = changes(backend, channels, regions);
    let inputs = [DeltaInput::Changed { deltas: &deltas, clean: Some(&clean) }];
    let made = DeltaOutput { regions: output, channels, clean: Some(&pooled) };
    let whole = LazyCell::new(|| maps(TOGETHER));
    let by_deltas = || drop(black_box(layer.forward_deltas(backend, &inputs, &made).unwrap()));
    let as_a_whole = || drop(black_box(layer.forward(backend, &[&whole], Keep::Output).unwrap()));
    compared(criterion, name, work, by_deltas, as_a_whole);
}

fn fully_connected(
    criterion: &mut Criterion<CpuTime>,
    name: &str,
    backend: &CpuBackend,
    [inputs, outputs]: [usize; 2],
    lists: &[Regions],
) {
    let [height, width] = lists[0].size();
    let channels = inputs / (height * width);
    let layer = LazyCell::new(|| Linear::new(tensor([outputs, inputs]), None).unwrap());
    let cells = lists.iter().map(Regions::cells).sum::<usize>();
    let lists: Vec<Deltas> =
        lists.iter().map(|regions| changes(backend, channels, regions)).collect();
    let lists: Vec<&Deltas> = lists.iter().collect();
    let work = [cells * channels, HEAD * inputs].map(|inputs| operations(inputs * outputs));
    let rows = LazyCell::new(|| tensor(Shape::from([HEAD, inputs])));
    let by_deltas = || drop(black_box(layer.forward_whole_deltas(backend, &lists).unwrap()));
    let as_a_whole = || drop(black_box(layer.forward(backend, &[&rows], Keep::Output).unwrap()));
    compared(criterion, name, work, by_deltas, as_a_whole);
}
