//! Pooling and unpooling.

use convscope_runtime::{Backend, CpuBackend, Divisor, Overlap, Rounding, Shape, Tensor, Window};

use super::random::tensor;
use super::reference::{assert_close, taps, window, windows};

const SIZE: [usize; 2] = [8, 9];

/// Lists the windows in which every output sees a cell.
fn fitting() -> impl Iterator<Item = (Window, [usize; 2])> {
    windows().filter_map(|window| Some((window, window.output_size(SIZE, Rounding::Ceil)?))).filter(
        |(window, output)| places(*output).all(|place| !taps(window, SIZE, place).is_empty()),
    )
}

fn places([rows, columns]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]))
}

#[test]
fn max_pooling_takes_the_first_maximum_of_each_window() {
    // Few different values, so that windows have several maxima.
    let values: Vec<f32> =
        tensor([2, 3, 8, 9], 1).values().unwrap().iter().map(|x| (x * 3.0).round()).collect();
    let input = Tensor::new([2, 3, 8, 9], values.clone()).unwrap();
    for (window, output) in fitting() {
        let (maxima, switches) = CpuBackend::new().max_pooling(&input, &window, output).unwrap();
        let pairs = maxima.values().unwrap().iter().zip(switches.positions().unwrap());
        let expected = (0..6).flat_map(|plane| places(output).map(move |place| (plane, place)));
        for ((plane, place), (&maximum, &switch)) in expected.zip(pairs) {
            let map = &values[plane * 72..][..72];
            let mut best = None;
            for [row, column, ..] in taps(&window, SIZE, place) {
                let cell = row * SIZE[1] + column;
                if best.is_none_or(|best: usize| map[cell] > map[best]) {
                    best = Some(cell);
                }
            }
            assert_eq!(Some(switch as usize), best, "{window:?} {place:?}");
            assert!((maximum - map[switch as usize]).abs() < f32::EPSILON);
        }
    }
}

#[test]
fn average_pooling_divides_by_what_was_asked() {
    let input = tensor([2, 3, 8, 9], 1);
    let values = input.values().unwrap();
    for (window, output) in fitting() {
        for divisor in [Divisor::Cells, Divisor::PaddedCells] {
            let mut expected = Vec::new();
            for plane in 0..6 {
                for place in places(output) {
                    let cells = taps(&window, SIZE, place);
                    let sum: f64 = cells
                        .iter()
                        .map(|[row, column, ..]| {
                            f64::from(values[plane * 72 + row * SIZE[1] + column])
                        })
                        .sum();
                    let count = match divisor {
                        Divisor::Cells => cells.len(),
                        Divisor::PaddedCells => padded(&window, place),
                    };
                    expected.push(sum / count as f64);
                }
            }
            let averages =
                CpuBackend::new().average_pooling(&input, &window, output, divisor).unwrap();
            assert_close(averages.values().unwrap(), &expected, 1e-6, &format!("{window:?}"));
        }
    }
}

/// Counts the taps on the padded map.
fn padded(window: &Window, place: [usize; 2]) -> usize {
    let on_axis = |axis: usize| {
        let [before, behind] = window.padding_of(axis);
        (0..window.kernel[axis])
            .filter(|tap| {
                place[axis] * window.stride[axis] + tap * window.dilation[axis]
                    < SIZE[axis] + before + behind
            })
            .count()
    };
    on_axis(0) * on_axis(1)
}

#[test]
fn the_first_nan_wins() {
    let input = Tensor::new([1, 1, 2, 2], vec![1.0, f32::NAN, f32::NAN, 9.0]).unwrap();
    let (maxima, switches) =
        CpuBackend::new().max_pooling(&input, &Window::of([2, 2]), [1, 1]).unwrap();
    assert!(maxima.values().unwrap()[0].is_nan());
    assert_eq!(switches.positions().unwrap(), [1]);
}

#[test]
fn a_window_of_negative_infinities_has_a_switch_on_the_map() {
    let input = Tensor::filled([1, 1, 2, 2], f32::NEG_INFINITY);
    let around = window([2, 2], 2, 1, [1; 4]);
    let (maxima, switches) = CpuBackend::new().max_pooling(&input, &around, [2, 2]).unwrap();
    assert!(maxima.values().unwrap().iter().all(|&maximum| maximum == f32::NEG_INFINITY));
    assert_eq!(switches.positions().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn where_windows_overlap_signals_add_up_or_the_last_wins() {
    let signal = Tensor::new([1, 1, 1, 3], vec![1.0, 2.0, 4.0]).unwrap();
    let switches = Tensor::indices([1, 1, 1, 3], vec![3, 3, 0]).unwrap();
    let restored = Shape::from([1, 1, 2, 2]);
    let unpool = |overlap| {
        let restored = CpuBackend::new().unpooling(&signal, &switches, &restored, overlap);
        restored.unwrap().values().unwrap().to_vec()
    };
    assert_eq!(unpool(Overlap::Sum), [4.0, 0.0, 0.0, 3.0]);
    assert_eq!(unpool(Overlap::Overwrite), [4.0, 0.0, 0.0, 2.0]);
}

#[test]
fn no_images_give_no_images() {
    let (backend, none) = (CpuBackend::new(), tensor([0, 2, 4, 4], 1));
    let window = Window::of([2, 2]);
    let (maxima, switches) = backend.max_pooling(&none, &window, [3, 3]).unwrap();
    assert_eq!(maxima.shape(), &Shape::from([0, 2, 3, 3]));
    let restored = backend.unpooling(&maxima, &switches, none.shape(), Overlap::Sum).unwrap();
    assert_eq!(restored.shape(), none.shape());
    let averages = backend.average_pooling(&none, &window, [3, 3], Divisor::Cells).unwrap();
    assert_eq!(averages.shape(), maxima.shape());
}
