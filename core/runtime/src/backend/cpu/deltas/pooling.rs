//! What pooling makes of changes.

use super::row_of;
use super::spans::{Area, Span, spans};
use crate::backend::axis::Axis;
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::Blocked;
use crate::backend::cpu::lanes::{Lanes, cells, cells_mut};
use crate::backend::cpu::micro::BLOCK;
use crate::backend::cpu::simd::vectorized;
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
    let work = |plane: &mut [f32], block: usize| {
        let (clean, changed) = (cells(clean.plane(0, block)), cells(changed.plane(0, block)));
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
                for (value, delta) in tile[to..][..cells].iter_mut().zip(&changed[from..][..cells])
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
            each_window(&axes, out, seen, |index, taps| {
                let before = &mut plane[to + index];
                let mut largest: Option<Lanes> = None;
                taps(&mut |cell| {
                    let values = &tile[cell];
                    largest = Some(match largest {
                        None => *values,
                        Some(mut best) => {
                            for lane in 0..BLOCK {
                                // NaN counts as larger than any number.
                                let stays = values[lane] <= best[lane] || best[lane].is_nan();
                                best[lane] = if stays { best[lane] } else { values[lane] };
                            }
                            best
                        }
                    });
                });
                for (before, largest) in before.iter_mut().zip(largest.unwrap_or_default()) {
                    *before = largest - *before;
                }
            });
        }
    };
    let mut result = match backend.room("max_pooling", maps) {
        Ok(room) => room,
        Err(error) => return Some(Err(error)),
    };
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        vectorized(
            backend.isa,
            #[inline(always)]
            || work(plane, block),
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
    let work = |plane: &mut [f32], block: usize| {
        let (changed, plane) = (cells(changed.plane(0, block)), cells_mut(plane));
        for ((start, place), (to, out)) in regions.each().zip(output.each()) {
            each_window(&axes, out, place, |index, taps| {
                let mut sum = [0.0; BLOCK];
                taps(&mut |cell| {
                    let values = &changed[start + cell];
                    for lane in 0..BLOCK {
                        sum[lane] += values[lane];
                    }
                });
                let row = out.top.cast_unsigned() + index / out.width;
                let column = out.left.cast_unsigned() + index % out.width;
                let share = 1.0 / (divisors[0][row] * divisors[1][column]);
                plane[to + index] = sum.map(|sum| sum * share);
            });
        }
    };
    let mut result = match backend.room("average_pooling", maps) {
        Ok(room) => room,
        Err(error) => return Some(Err(error)),
    };
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        vectorized(
            backend.isa,
            #[inline(always)]
            || work(plane, block),
        );
    });
    Some(Ok(Blocked::new(maps, result).into_tensor()))
}

/// Visits the windows of an output region, and for each the cells of `seen` under its taps, by their
/// place within that region.
#[inline(always)]
fn each_window(
    axes: &[Axis; 2],
    out: Region,
    seen: Region,
    mut visit: impl FnMut(usize, &dyn Fn(&mut dyn FnMut(usize))),
) {
    let [rows, columns] = axes;
    for y in 0..out.height {
        let row = out.top.cast_unsigned() + y;
        for x in 0..out.width {
            let column = out.left.cast_unsigned() + x;
            visit(y * out.width + x, &|take: &mut dyn FnMut(usize)| {
                for down in rows.taps(row) {
                    let cell = rows.cell(row, down).cast_signed() - seen.top;
                    let Some(cell) = within(cell, seen.height) else { continue };
                    for right in columns.taps(column) {
                        let place = columns.cell(column, right).cast_signed() - seen.left;
                        if let Some(place) = within(place, seen.width) {
                            take(cell * seen.width + place);
                        }
                    }
                }
            });
        }
    }
}

fn within(place: isize, length: usize) -> Option<usize> {
    usize::try_from(place).ok().filter(|&place| place < length)
}
