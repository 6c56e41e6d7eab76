//! What pooling makes of changes.

use super::row_of;
use super::spans::{Area, Span, spans};
use crate::backend::axis::Axis;
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::lanes::{Lanes, cells, cells_mut};
use crate::backend::cpu::micro::BLOCK;
use crate::backend::cpu::registers::{InRegisters, Registers, in_registers};
use crate::backend::cpu::simd::Vector;
use crate::backend::units::for_each_chunk;
use crate::{Computed, Divisor, Region, Regions, Window};

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
        let [clean, pooled, changed] =
            [clean, pooled, changed].map(|maps| cells(maps.plane(0, block)));
        let places = regions.each().zip(output.each()).map(<[(usize, Region); 2]>::from);
        let sizes = [size, output.size()];
        let plane = cells_mut(plane);
        let pool = MaxPool { window, axes: &axes, sizes, clean, pooled, changed, places, plane };
        in_registers(backend.isa, pool);
    });
    Some(Ok(Blocked::new(maps, result).into_tensor()))
}

/// The maxima of one block of channels.
struct MaxPool<'a, P> {
    window: &'a Window,
    axes: &'a [Axis; 2],
    /// Of the map and of what is pooled from it.
    sizes: [[usize; 2]; 2],
    clean: &'a [Lanes],
    pooled: &'a [Lanes],
    changed: &'a [Lanes],
    /// For each case the cells that changed and those to compute, and where they are stored.
    places: P,
    plane: &'a mut [Lanes],
}

impl<P: Iterator<Item = [(usize, Region); 2]>> InRegisters for MaxPool<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        let Self { window, axes, sizes: [size, pooled_size], clean, pooled, changed, .. } = self;
        let mut tile: Vec<Lanes> = Vec::new();
        for [(start, place), (to, out)] in self.places {
            // What the windows see, as it is now.
            let seen = window.seen_by(out).clipped(size);
            tile.clear();
            tile.resize(seen.height * seen.width, [0.0; BLOCK]);
            let area = Area::alone(0, seen);
            for Span { from, to, cells } in spans(Area::whole(size), area) {
                tile[to..][..cells].copy_from_slice(&clean[from..][..cells]);
            }
            for Span { from, to, cells } in spans(Area::alone(start, place), area) {
                for (value, delta) in tile[to..][..cells].iter_mut().zip(&changed[from..][..cells])
                {
                    r.load(value).add(r.load(delta)).store(value);
                }
            }
            for y in 0..out.height {
                let down = Run::of(&axes[0], out.top, y, seen.top, seen.height);
                let row = (out.top.cast_unsigned() + y) * pooled_size[1];
                let before = &pooled[row + out.left.cast_unsigned()..][..out.width];
                let results = &mut self.plane[to + y * out.width..][..out.width];
                for (x, (result, before)) in results.iter_mut().zip(before).enumerate() {
                    let right = Run::of(&axes[1], out.left, x, seen.left, seen.width);
                    let mut best = r.load(&tile[down.first * seen.width + right.first]);
                    for row in down.cells() {
                        for column in right.cells() {
                            best = best.larger(r.load(&tile[row * seen.width + column]));
                        }
                    }
                    best.sub(r.load(before)).store(result);
                }
            }
        }
    }
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
        let (changed, plane) = (cells(changed.plane(0, block)), cells_mut(plane));
        let places = regions.each().zip(output.each()).map(<[(usize, Region); 2]>::from);
        let pool = AveragePool { axes: &axes, divisors: &divisors, changed, places, plane };
        in_registers(backend.isa, pool);
    });
    Some(Ok(Blocked::new(maps, result).into_tensor()))
}

/// The averages of one block of channels.
struct AveragePool<'a, P> {
    axes: &'a [Axis; 2],
    divisors: &'a [Vec<f32>; 2],
    changed: &'a [Lanes],
    /// As in [`MaxPool`].
    places: P,
    plane: &'a mut [Lanes],
}

impl<P: Iterator<Item = [(usize, Region); 2]>> InRegisters for AveragePool<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        let Self { axes, divisors, .. } = self;
        for [(start, place), (to, out)] in self.places {
            let changed = &self.changed[start..][..place.height * place.width];
            let [row, column] = [out.top, out.left].map(isize::cast_unsigned);
            for y in 0..out.height {
                let down = Run::of(&axes[0], out.top, y, place.top, place.height);
                let results = &mut self.plane[to + y * out.width..][..out.width];
                for (x, result) in results.iter_mut().enumerate() {
                    let right = Run::of(&axes[1], out.left, x, place.left, place.width);
                    let mut sum = r.splat(0.0);
                    for row in down.cells() {
                        for column in right.cells() {
                            sum = sum.add(r.load(&changed[row * place.width + column]));
                        }
                    }
                    let share = 1.0 / (divisors[0][row + y] * divisors[1][column + x]);
                    sum.mul(r.splat(share)).store(result);
                }
            }
        }
    }
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
