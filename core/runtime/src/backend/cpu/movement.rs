//! Moving maps in blocks.

use super::CpuBackend;
use super::blocked::{Blocked, Maps};
use super::switches::Switches;
use crate::backend::operand::incompatible;
use crate::backend::units::for_each_chunk;
use crate::{Computed, Tensor};

/// Picks images, if they lie in blocks; see [`Backend::select`](crate::Backend::select).
pub(super) fn select(backend: &CpuBackend, input: &Tensor, rows: &[usize]) -> Option<Computed> {
    const KERNEL: &str = "select";
    let check = || {
        let batch = input.shape().batch();
        let missing = rows.iter().find(|&&row| row >= batch);
        missing.map_or(Ok(()), |row| {
            Err(incompatible(KERNEL, format!("more than {row} images"), input.shape()))
        })
    };
    let rows_of = |maps: Maps| Maps { batch: rows.len(), ..maps };
    if let Some(blocked) = Blocked::behind(input) {
        return Some(check().and_then(|()| {
            let maps = rows_of(blocked.maps());
            let mut output = backend.room(KERNEL, maps)?;
            copy_images(&mut output, blocked.values(), maps, rows);
            Ok(Blocked::new(maps, output).into_tensor())
        }));
    }
    let switches = Switches::behind(input)?;
    Some(check().map(|()| {
        let maps = rows_of(switches.maps());
        let mut taps = backend.bytes.take(maps.len());
        copy_images(&mut taps, switches.taps(), maps, rows);
        Switches::new(maps, *switches.axes(), taps).into_tensor()
    }))
}

fn copy_images<T: Copy + Send + Sync>(output: &mut [T], values: &[T], maps: Maps, rows: &[usize]) {
    for_each_chunk(output, maps.image(), |index, target| {
        target.copy_from_slice(&values[rows[index] * maps.image()..][..maps.image()]);
    });
}
