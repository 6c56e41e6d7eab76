//! Moving maps in blocks.

use super::CpuBackend;
use super::blocked::{Blocked, Maps};
use super::micro::BLOCK;
use super::switches::Switches;
use crate::backend::operand::incompatible;
use crate::backend::units::for_each_chunk;
use crate::host::PlacedPatch;
use crate::{Computed, Patch, Tensor};

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

/// Writes patches over parts of single images; see
/// [`Backend::overwrite`](crate::Backend::overwrite).
pub(super) fn overwrite(backend: &CpuBackend, input: &Blocked, patches: &[Patch]) -> Computed {
    let (maps, shape) = (input.maps(), input.maps().shape());
    let mut output = backend.room("overwrite", maps)?;
    output.copy_from_slice(input.values());
    for patch in patches {
        PlacedPatch::new(patch, &shape)?.for_each(|channel, [row, column], value| {
            let plane = patch.row * maps.blocks() + channel / BLOCK;
            let cell = plane * maps.cells() + row * maps.width + column;
            output[cell * BLOCK + channel % BLOCK] = value;
        });
    }
    Ok(Blocked::new(maps, output).into_tensor())
}

fn copy_images<T: Copy + Send + Sync>(output: &mut [T], values: &[T], maps: Maps, rows: &[usize]) {
    for_each_chunk(output, maps.image(), |index, target| {
        target.copy_from_slice(&values[rows[index] * maps.image()..][..maps.image()]);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, in_blocks, rough};
    use super::*;
    use crate::{Backend, PlainBackend, Region};

    fn patch(row: usize, channels: Option<Vec<usize>>, values: Vec<f32>) -> Patch {
        let region = Region { top: -1, left: 2, height: 3, width: 9 };
        Patch { row, channels, region: Some(region), values }
    }

    #[test]
    fn patches_are_written_as_by_the_plain_backend() {
        let (backend, host) = (CpuBackend::new(), rough([2, 17, 5, 7], 3));
        let maps = in_blocks(&backend, &host);
        let numbers = |count: usize| (0..count).map(|x| x as f32).collect::<Vec<f32>>();
        let patches = [
            patch(1, Some(vec![16, 3]), numbers(2 * 27)),
            patch(0, None, numbers(17)),
            Patch { row: 0, channels: Some(vec![2]), region: None, values: numbers(35) },
        ];
        let output = backend.overwrite(&maps, &patches).unwrap();
        assert_same(&output, &PlainBackend::new().overwrite(&host, &patches).unwrap(), "patches");
        assert_eq!(backend.conversions().len(), 0);
    }

    #[test]
    fn patches_that_do_not_fit_are_refused_as_by_the_plain_backend() {
        let (backend, host) = (CpuBackend::new(), rough([2, 17, 5, 7], 3));
        let maps = in_blocks(&backend, &host);
        for wrong in [
            patch(2, None, vec![0.0; 17]),
            patch(0, Some(vec![17]), vec![0.0]),
            patch(0, None, vec![]),
        ] {
            let wrong = [wrong];
            let refused = backend.overwrite(&maps, &wrong).unwrap_err();
            let expected = PlainBackend::new().overwrite(&host, &wrong).unwrap_err();
            assert_eq!(refused.to_string(), expected.to_string());
        }
    }
}
