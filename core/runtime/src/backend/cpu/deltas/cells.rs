//! Cells taken out of maps, put back, and changed one by one.

use super::row_of;
use super::spans::{Area, Span, of_map, spans};
use crate::backend::cpu::CpuBackend;
use crate::backend::cpu::blocked::{Blocked, Maps};
use crate::backend::cpu::lanes::{Lanes, cells, cells_mut};
use crate::backend::cpu::micro::BLOCK;
use crate::backend::cpu::registers::{InRegisters, Registers, in_registers};
use crate::backend::cpu::simd::{Vector, vectorized};
use crate::backend::units::for_each_chunk;
use crate::{Computed, Region, Regions};

fn copy(from: &[f32], to: &mut [f32], span: Span) {
    let count = span.cells * BLOCK;
    to[span.to * BLOCK..][..count].copy_from_slice(&from[span.from * BLOCK..][..count]);
}

/// Takes cells of regions out of clean maps.
pub(super) fn cut(backend: &CpuBackend, clean: &Blocked, regions: &Regions) -> Computed {
    let maps = row_of(clean.maps().channels, regions.cells());
    let mut taken = backend.room("cut", maps)?;
    let spans = of_map(regions);
    for_each_chunk(&mut taken, maps.plane(), |block, plane| {
        let clean = clean.plane(0, block);
        for &span in &spans {
            copy(clean, plane, span);
        }
    });
    Ok(Blocked::new(maps, taken).into_tensor())
}

/// Takes the cells of every region out of the maps of its case.
pub(super) fn cut_each(backend: &CpuBackend, whole: &Blocked, regions: &Regions) -> Computed {
    let maps = row_of(whole.maps().channels, regions.cells());
    let mut taken = backend.room("cut", maps)?;
    let map = Area::whole(regions.size());
    for_each_chunk(&mut taken, maps.plane(), |block, plane| {
        for (case, (start, place)) in regions.each().enumerate() {
            let whole = whole.plane(case, block);
            spans(map, Area::alone(start, place)).for_each(|span| copy(whole, plane, span));
        }
    });
    Ok(Blocked::new(maps, taken).into_tensor())
}

/// Makes whole maps of clean ones and what changed.
pub(super) fn paste(
    backend: &CpuBackend,
    clean: &Blocked,
    regions: &Regions,
    changed: &Blocked,
) -> Computed {
    let maps = Maps { batch: regions.places().len(), ..clean.maps() };
    let mut whole = backend.room("paste", maps)?;
    let (map, blocks) = (Area::whole(regions.size()), maps.blocks());
    let each: Vec<(usize, Region)> = regions.each().collect();
    for_each_chunk(&mut whole, maps.plane(), |index, plane| {
        let ((start, place), block) = (each[index / blocks], index % blocks);
        plane.copy_from_slice(clean.plane(0, block));
        let changed = changed.plane(0, block);
        for Span { from, to, cells } in spans(Area::alone(start, place), map) {
            let changed = &changed[from * BLOCK..][..cells * BLOCK];
            for (value, delta) in plane[to * BLOCK..].iter_mut().zip(changed) {
                *value += delta;
            }
        }
    });
    Ok(Blocked::new(maps, whole).into_tensor())
}

/// Returns changes within other regions, zero where there are none.
pub(super) fn within(
    backend: &CpuBackend,
    regions: &Regions,
    changed: &Blocked,
    others: &Regions,
) -> Computed {
    let maps = row_of(changed.maps().channels, others.cells());
    let mut result = backend.room("within", maps)?;
    let pairs = regions.each().zip(others.each());
    let shared = pairs.flat_map(|((from, place), (to, other))| {
        spans(Area::alone(from, place), Area::alone(to, other))
    });
    let shared: Vec<Span> = shared.collect();
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        plane.fill(0.0);
        let changed = changed.plane(0, block);
        for &span in &shared {
            copy(changed, plane, span);
        }
    });
    Ok(Blocked::new(maps, result).into_tensor())
}

/// Lays changes out on tiles of one size each.
pub(super) fn tiles(
    backend: &CpuBackend,
    regions: &Regions,
    changed: &Blocked,
    corners: &[[isize; 2]],
    [height, width]: [usize; 2],
) -> Computed {
    let channels = changed.maps().channels;
    let maps = Maps { batch: corners.len(), channels, height, width };
    let mut tiles = backend.room("tiles", maps)?;
    let each: Vec<(usize, Region)> = regions.each().collect();
    let blocks = maps.blocks();
    for_each_chunk(&mut tiles, maps.plane(), |index, plane| {
        let (case, block) = (index / blocks, index % blocks);
        let ((start, place), [top, left]) = (each[case], corners[case]);
        let tile = Area { place: Region { top, left, height, width }, start: 0, pitch: width };
        plane.fill(0.0);
        let changed = changed.plane(0, block);
        spans(Area::alone(start, place), tile).for_each(|span| copy(changed, plane, span));
    });
    Ok(Blocked::new(maps, tiles).into_tensor())
}

/// Computes what a rectifier makes of changes: max(clean + delta, 0) − max(clean, 0).
pub(super) fn rectified(
    backend: &CpuBackend,
    clean: &Blocked,
    regions: &Regions,
    changed: &Blocked,
) -> Computed {
    let maps = changed.maps();
    let mut result = backend.room("rectified", maps)?;
    let shared = of_map(regions);
    for_each_chunk(&mut result, maps.plane(), |block, plane| {
        let [clean, changed] = [clean, changed].map(|maps| cells(maps.plane(0, block)));
        let plane = cells_mut(plane);
        in_registers(backend.isa, Rectify { clean, changed, spans: &shared, plane });
    });
    Ok(Blocked::new(maps, result).into_tensor())
}

struct Rectify<'a> {
    clean: &'a [Lanes],
    changed: &'a [Lanes],
    spans: &'a [Span],
    plane: &'a mut [Lanes],
}

impl InRegisters for Rectify<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        for span in self.spans {
            let clean = &self.clean[span.from..][..span.cells];
            let changed = &self.changed[span.to..][..span.cells];
            let results = &mut self.plane[span.to..][..span.cells];
            for ((result, clean), delta) in results.iter_mut().zip(clean).zip(changed) {
                let clean = r.load(clean);
                let after = clean.add(r.load(delta)).rectify();
                after.sub(clean.rectify()).store(result);
            }
        }
    }
}

/// Adds the changes of every case up.
pub(super) fn sums(backend: &CpuBackend, regions: &Regions, changed: &Blocked) -> Computed {
    let channels = changed.maps().channels;
    let maps = Maps { batch: regions.places().len(), channels, height: 1, width: 1 };
    let mut sums = backend.room("sums", maps)?;
    let each: Vec<(usize, Region)> = regions.each().collect();
    let blocks = maps.blocks();
    for_each_chunk(&mut sums, BLOCK, |index, sum| {
        let ((start, place), block) = (each[index / blocks], index % blocks);
        let changed = &cells(changed.plane(0, block))[start..][..place.height * place.width];
        vectorized(
            backend.isa,
            #[inline(always)]
            || {
                // Row sums first, which keeps errors small.
                let mut total = [0.0; BLOCK];
                for row in changed.chunks(place.width.max(1)) {
                    let mut part = [0.0; BLOCK];
                    for delta in row {
                        for lane in 0..BLOCK {
                            part[lane] += delta[lane];
                        }
                    }
                    for lane in 0..BLOCK {
                        total[lane] += part[lane];
                    }
                }
                sum.copy_from_slice(&total);
            },
        );
    });
    Ok(Blocked::new(maps, sums).into_tensor())
}
