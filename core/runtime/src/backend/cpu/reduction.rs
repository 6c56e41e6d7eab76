//! Sums and maxima over the cells of maps in blocks.

use super::CpuBackend;
use super::blocked::{Blocked, Maps};
use super::lanes::{Lanes, cells_mut};
use super::micro::BLOCK;
use super::simd::vectorized;
use crate::backend::units::for_each_unit;
use crate::{Computed, Tensor};

/// Cells whose partial results run side by side, as on the plain backend, so that the bits are the
/// same.
const PARTIALS: usize = 8;

/// Says whether the kernels can reduce these axes: both of the maps, and perhaps the batch.
pub(super) fn has_kernel(axes: &[usize]) -> bool {
    axes.contains(&2) && axes.contains(&3) && axes.iter().all(|axis| [0, 2, 3].contains(axis))
}

/// Sums over the cells; see [`Backend::sum`](crate::Backend::sum).
pub(super) fn sum(backend: &CpuBackend, input: &Blocked) -> Computed {
    reduce(
        backend,
        "sum",
        input,
        0.0_f64,
        #[inline(always)]
        |sum, value| sum + f64::from(value),
        |a, b| a + b,
        |sum| sum as f32,
    )
}

/// Takes the largest of the cells; see [`Backend::maximum`](crate::Backend::maximum).
pub(super) fn maximum(backend: &CpuBackend, input: &Blocked) -> Computed {
    let larger = |best: f32, value: f32| if value > best || value.is_nan() { value } else { best };
    reduce(backend, "maximum", input, f32::NEG_INFINITY, larger, larger, |best| best)
}

fn reduce<P: Copy + Sync>(
    backend: &CpuBackend,
    kernel: &'static str,
    input: &Blocked,
    empty: P,
    take: impl Fn(P, f32) -> P + Sync,
    join: impl Fn(P, P) -> P + Sync,
    finish: impl Fn(P) -> f32 + Sync,
) -> Computed {
    let from = input.maps();
    let maps = Maps { height: 1, width: 1, ..from };
    let mut output = backend.room(kernel, maps)?;
    let units = cells_mut(&mut output).iter_mut().enumerate().collect();
    for_each_unit(units, from.len(), |(plane, target): (usize, &mut Lanes)| {
        let block = plane % from.blocks();
        let values = input.plane(plane / from.blocks(), block);
        // Eight cells at a time, in a loop that is long enough to be vectorized.
        let mut partials = [empty; PARTIALS * BLOCK];
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                for values in values.chunks(PARTIALS * BLOCK) {
                    for (partial, &value) in partials.iter_mut().zip(values) {
                        *partial = take(*partial, value);
                    }
                }
            },
        );
        // Nothing was taken in lanes beyond the channels but zeros, or nothing at all.
        let lanes = (from.channels - block * BLOCK).min(BLOCK);
        target.fill(0.0);
        for (lane, target) in target[..lanes].iter_mut().enumerate() {
            let each = partials[lane..].iter().step_by(BLOCK).copied();
            *target = finish(each.fold(empty, &join));
        }
    });
    Ok(Blocked::new(maps, output).into_tensor())
}

/// Reduces the batch too, by the plain backend, where that is asked for.
pub(super) fn and_batch(
    reduced: Computed,
    axes: &[usize],
    reduce: impl FnOnce(&Tensor) -> Computed,
) -> Computed {
    if axes.contains(&0) { reduce(&reduced?.to_host()?) } else { reduced }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough};
    use crate::layer::testing::Numbers;
    use crate::{Backend, PlainBackend};

    #[test]
    fn sums_and_maxima_of_cells_are_those_of_the_plain_backend() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                for host in [rough(extents, 3), Numbers::new(7).tensor(extents)] {
                    let input = in_blocks(&backend, &host);
                    let what = format!("{} {extents:?}", backend.isa());
                    let sum = backend.sum(&input, &[3, 2]).unwrap();
                    assert_same(&sum, &plain.sum(&host, &[3, 2]).unwrap(), &what);
                    let maximum = backend.maximum(&input, &[2, 3]).unwrap();
                    assert_same(&maximum, &plain.maximum(&host, &[2, 3]).unwrap(), &what);
                    let axes = [0, 2, 3];
                    let [sum, expected] =
                        [backend.sum(&input, &axes).unwrap(), plain.sum(&host, &axes).unwrap()];
                    assert_eq!(format!("{sum:?}"), format!("{expected:?}"), "{what}");
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn other_axes_run_on_the_plain_backend() {
        let (backend, host) = (super::CpuBackend::new(), rough([2, 17, 3, 4], 3));
        let input = in_blocks(&backend, &host);
        for axes in [&[1][..], &[1, 2, 3], &[2]] {
            let sum = backend.sum(&input, axes).unwrap();
            let expected = PlainBackend::new().sum(&host, axes).unwrap();
            assert_eq!(format!("{sum:?}"), format!("{expected:?}"));
        }
        assert_eq!(backend.conversions().get("sum"), Some(&3));
        assert_eq!(
            backend.sum(&input, &[4]).unwrap_err().to_string(),
            "sum: expected an axis 4, got shape [2, 17, 3, 4]"
        );
    }
}
