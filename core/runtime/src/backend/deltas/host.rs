//! Kernels of incremental inference as plain loops on the host.

use super::{DeltaKernels, Deltas, Regions};
use crate::backend::operand::require;
use crate::{Computed, Region, Tensor};

/// Computes on the host, one cell after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostDeltas;

impl DeltaKernels for HostDeltas {}

/// Returns the places of a rectangle's cells on a map of some width, row by row.
fn cells_of(place: Region, width: usize) -> impl Iterator<Item = usize> {
    let [top, left] = [place.top, place.left].map(isize::cast_unsigned);
    let row = move |row: usize| (top + row) * width + left;
    (0..place.height).flat_map(move |y| (0..place.width).map(move |x| row(y) + x))
}

fn channels(tensor: &Tensor) -> usize {
    tensor.shape().extents().get(1).copied().unwrap_or(0)
}

pub(super) fn cut(clean: &Tensor, regions: &Regions) -> Computed {
    let maps = clean.to_host()?;
    let ([height, width], count) = (regions.size(), channels(&maps));
    require("cut", "maps", maps.shape(), &[1, count, height, width])?;
    gathered(maps.values()?, regions, count, 0)
}

pub(super) fn cut_each(maps: &Tensor, regions: &Regions) -> Computed {
    let maps = maps.to_host()?;
    let ([height, width], count) = (regions.size(), channels(&maps));
    require("cut", "maps", maps.shape(), &[regions.places().len(), count, height, width])?;
    gathered(maps.values()?, regions, count, count * height * width)
}

/// Gathers cells of maps that lie so many numbers apart from case to case.
fn gathered(maps: &[f32], regions: &Regions, channels: usize, step: usize) -> Computed {
    let [height, width] = regions.size();
    let mut cells = Vec::with_capacity(channels * regions.cells());
    for channel in 0..channels {
        for (case, &place) in regions.places().iter().enumerate() {
            let map = &maps[case * step + channel * height * width..][..height * width];
            cells.extend(cells_of(place, width).map(|cell| map[cell]));
        }
    }
    Tensor::new([1, channels, 1, regions.cells()], cells)
}

pub(super) fn paste(clean: &Tensor, deltas: &Deltas) -> Computed {
    let (clean, cells) = (clean.to_host()?, deltas.cells.to_host()?);
    let (regions, count) = (&deltas.regions, deltas.channels());
    let [height, width] = regions.size();
    require("paste", "clean maps", clean.shape(), &[1, count, height, width])?;
    let (clean, cells) = (clean.values()?, cells.values()?);
    let mut maps = Vec::with_capacity(clean.len() * regions.places().len());
    for (start, place) in regions.each() {
        let first = maps.len();
        maps.extend_from_slice(clean);
        for (channel, map) in maps[first..].chunks_exact_mut((height * width).max(1)).enumerate() {
            let cells = &cells[channel * regions.cells() + start..];
            for (cell, delta) in cells_of(place, width).zip(cells) {
                map[cell] += delta;
            }
        }
    }
    Tensor::new(deltas.maps(), maps)
}

pub(super) fn within(deltas: &Deltas, regions: &Regions) -> Computed<Deltas> {
    let corner = |place: &Region| [place.top, place.left];
    let mut cells = vec![0.0; deltas.channels() * regions.cells()];
    let old = deltas.cells.to_host()?;
    let old = old.values()?;
    for channel in 0..deltas.channels() {
        for ((from, source), (to, target)) in deltas.regions.each().zip(regions.each()) {
            let [down, right] = [0, 1].map(|axis| corner(&source)[axis] - corner(&target)[axis]);
            for y in 0..source.height {
                for x in 0..source.width {
                    let place = [y.checked_add_signed(down), x.checked_add_signed(right)];
                    let [Some(row), Some(column)] = place else { continue };
                    if row < target.height && column < target.width {
                        let to = channel * regions.cells() + to + row * target.width + column;
                        let from = channel * deltas.regions.cells() + from + y * source.width + x;
                        cells[to] = old[from];
                    }
                }
            }
        }
    }
    let cells = Tensor::new([1, deltas.channels(), 1, regions.cells()], cells)?;
    Ok(Deltas { regions: regions.clone(), cells })
}

pub(super) fn tiles(deltas: &Deltas, corners: &[[isize; 2]], tile: [usize; 2]) -> Computed {
    let [height, width] = tile;
    let places = corners.iter().map(|&[top, left]| Region { top, left, height, width });
    let count = deltas.channels();
    let mut tiles = vec![0.0; corners.len() * count * height * width];
    let cells = deltas.cells.to_host()?;
    let cells = cells.values()?;
    let each = deltas.regions.each().zip(places).enumerate();
    for (case, ((start, place), tile)) in each {
        for channel in 0..count {
            for y in 0..place.height {
                for x in 0..place.width {
                    let row = (place.top - tile.top).checked_add_unsigned(y);
                    let column = (place.left - tile.left).checked_add_unsigned(x);
                    let [Some(row), Some(column)] =
                        [row, column].map(|index| usize::try_from(index?).ok())
                    else {
                        continue;
                    };
                    if row < height && column < width {
                        let from = channel * deltas.regions.cells() + start + y * place.width + x;
                        let to = ((case * count + channel) * height + row) * width + column;
                        tiles[to] = cells[from];
                    }
                }
            }
        }
    }
    Tensor::new([corners.len(), count, height, width], tiles)
}

pub(super) fn rectified(clean: &Tensor, deltas: &Deltas) -> Computed {
    let (clean, cells) = (cut(clean, &deltas.regions)?, deltas.cells.to_host()?);
    let rectify = |value: f32| if value <= 0.0 { 0.0 } else { value };
    let pairs = clean.values()?.iter().zip(cells.values()?);
    let values = pairs.map(|(clean, delta)| rectify(clean + delta) - rectify(*clean));
    Tensor::new(cells.shape().clone(), values.collect())
}

pub(super) fn sums(deltas: &Deltas) -> Computed {
    let cells = deltas.cells.to_host()?;
    let (cells, regions) = (cells.values()?, &deltas.regions);
    let mut sums = Vec::new();
    for (start, place) in regions.each() {
        for channel in 0..deltas.channels() {
            let cells = &cells[channel * regions.cells() + start..][..place.height * place.width];
            sums.push(cells.iter().map(|&delta| f64::from(delta)).sum::<f64>() as f32);
        }
    }
    Tensor::new([regions.places().len(), deltas.channels(), 1, 1], sums)
}
