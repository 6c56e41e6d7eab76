//! What pooling makes of changes.

use super::row_of;
use super::spans::{Area, Span, spans};
use crate::backend::axis::Axis;
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::lanes::{Lanes, cells, cells_mut, chosen, masks};
use crate::backend::cpu::micro::BLOCK;
use crate::backend::cpu::simd::vectorized;
use crate::backend::units::for_each_chunk;
use crate::{Computed, Divisor, Regions, Window};

/// Takes maxima of changed windows, minus the clean ones.
pub(super) fn max_pooled(
    backend: &CpuBackend,
    [clean, pooled]: [&Blocked; 2],
    regions: &Regions,
    changed: &Blocked,
    window: &Window,
    output: &Regions,
) -> Option<Computed> {
    let axes = Axis::both("max_pooling", window, regions.size(), output.size()).ok()?;
    let maps = row_of(changed.maps().channels, output.cells());
    let size = regions.size();
    let mut result = match backend.room("max_pooling", maps) {
        Ok(room) => room,
        Err(error) => return Some(Err(error)),
    };
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                let (clean, changed) =
                    (cells(clean.plane(0, block)), cells(changed.plane(0, block)));
                let (pooled, plane) = (cells(pooled.plane(0, block)), cells_mut(plane));
                let mut tile: Vec<Lanes> = Vec::new();
                for ((start, place), (to, out)) in regions.each().zip(output.each()) {
                    // What the windows see, as it is now.
                    let seen = window.seen_by(out).clipped(size);
                    tile.clear();
                    tile.resize(seen.height * seen.width, [0.0; BLOCK]);
                    let area = Area::alone(0, seen);
                    for Span { from, to, cells } in spans(Area::whole(size), area) {
                        tile[to..][..cells].copy_from_slice(&clean[from..][..cells]);
                    }
                    for Span { from, to, cells } in spans(Area::alone(start, place), area) {
                        for (value, delta) in
                            tile[to..][..cells].iter_mut().zip(&changed[from..][..cells])
                        {
                            for lane in 0..BLOCK {
                                value[lane] += delta[lane];
                            }
                        }
                    }
                    let before = Area::whole(output.size());
                    for Span { from, to, cells } in spans(before, Area::alone(to, out)) {
                        plane[to..][..cells].copy_from_slice(&pooled[from..][..cells]);
                    }
                    for y in 0..out.height {
                        let down = Run::of(&axes[0], out.top, y, seen.top, seen.height);
                        for x in 0..out.width {
                            let right = Run::of(&axes[1], out.left, x, seen.left, seen.width);
                            let before = &mut plane[to + y * out.width + x];
                            let mut best = tile[down.first * seen.width + right.first];
                            for row in down.cells() {
                                for column in right.cells() {
                                    best = larger(best, &tile[row * seen.width + column]);
                                }
                            }
                            for lane in 0..BLOCK {
                                before[lane] = best[lane] - before[lane];
                            }
                        }
                    }
                }
            },
        );
    });
    Some(Ok(Blocked::new(maps, result).into_tensor()))
}

/// Averages windows of changes.
pub(super) fn average_pooled(
    backend: &CpuBackend,
    regions: &Regions,
    changed: &Blocked,
    window: &Window,
    divisor: Divisor,
    output: &Regions,
) -> Option<Computed> {
    let axes = Axis::both("average_pooling", window, regions.size(), output.size()).ok()?;
    let divisors = axes.map(|axis| axis.divisors(divisor));
    let maps = row_of(changed.maps().channels, output.cells());
    let mut result = match backend.room("average_pooling", maps) {
        Ok(room) => room,
        Err(error) => return Some(Err(error)),
    };
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                let (changed, plane) = (cells(changed.plane(0, block)), cells_mut(plane));
                for ((start, place), (to, out)) in regions.each().zip(output.each()) {
                    let changed = &changed[start..][..place.height * place.width];
                    for y in 0..out.height {
                        let down = Run::of(&axes[0], out.top, y, place.top, place.height);
                        for x in 0..out.width {
                            let right = Run::of(&axes[1], out.left, x, place.left, place.width);
                            let mut sum = [0.0; BLOCK];
                            for row in down.cells() {
                                for column in right.cells() {
                                    let delta = &changed[row * place.width + column];
                                    for lane in 0..BLOCK {
                                        sum[lane] += delta[lane];
                                    }
                                }
                            }
                            let [row, column] = [out.top, out.left].map(isize::cast_unsigned);
                            let share = 1.0 / (divisors[0][row + y] * divisors[1][column + x]);
                            for lane in 0..BLOCK {
                                plane[to + y * out.width + x][lane] = sum[lane] * share;
                            }
                        }
                    }
                }
            },
        );
    });
    Some(Ok(Blocked::new(maps, result).into_tensor()))
}

/// The larger of two numbers in each lane. NaN counts as larger than any number.
#[inline(always)]
fn larger(best: Lanes, values: &Lanes) -> Lanes {
    let stays = masks(
        #[inline(always)]
        |lane| (values[lane] <= best[lane]) | best[lane].is_nan(),
    );
    chosen(stays, best, *values)
}

/// The cells of a rectangle that one output sees along an axis.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    step: usize,
    count: usize,
}

impl Run {
    /// Finds the cells, of `length` from `start` on, that output `first + index` sees.
    #[inline(always)]
    fn of(axis: &Axis, first: isize, index: usize, start: isize, length: usize) -> Self {
        let output = first.cast_unsigned() + index;
        let taps = axis.taps(output);
        let place = axis.cell(output, taps.start).cast_signed() - start;
        let step = axis.dilation;
        // Taps before the rectangle are skipped.
        let skipped = usize::try_from(-place).unwrap_or(0).div_ceil(step);
        let first = usize::try_from(place + (skipped * step).cast_signed()).unwrap_or(0);
        let room = length.saturating_sub(first).div_ceil(step);
        Self { first, step, count: taps.len().saturating_sub(skipped).min(room) }
    }

    #[inline(always)]
    fn cells(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |index| self.first + index * self.step)
    }
}
