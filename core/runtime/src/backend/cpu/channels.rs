//! Joining and cutting maps in blocks along their channels.

use std::ops::Range;

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::lanes::{cells, cells_mut};
use super::micro::BLOCK;
use super::strips::{Strip, strips};
use crate::backend::units::for_each_unit;
use crate::{Computed, Tensor};

/// Joins maps along their channels, if they fit and some lie in blocks; see
/// [`Backend::concatenation`](crate::Backend::concatenation).
pub(super) fn concatenation(backend: &CpuBackend, inputs: &[&Tensor]) -> Option<Computed> {
    const KERNEL: &str = "concatenation";
    inputs.iter().find_map(|input| Blocked::behind(input))?;
    let all: Vec<Maps> =
        inputs.iter().map(|input| Maps::of(input.shape())).collect::<Option<_>>()?;
    let first = *all.first()?;
    if all.iter().any(|maps| Maps { channels: first.channels, ..*maps } != first) {
        return None;
    }
    let channels = all.iter().try_fold(0_usize, |sum, maps| sum.checked_add(maps.channels))?;
    let operands = inputs.iter().map(|input| Operand::of(&backend.pool, KERNEL, input));
    Some(operands.collect::<Computed<Vec<_>>>().and_then(|operands| {
        let mut start = 0;
        let pieces = operands.iter().map(|operand| {
            let to = start..start + operand.maps().channels;
            start = to.end;
            Piece { source: operand, from: 0, to }
        });
        moved(backend, KERNEL, Maps { channels, ..first }, &pieces.collect::<Vec<_>>())
    }))
}

/// Cuts channels out, which must exist; see [`Backend::slice`](crate::Backend::slice).
pub(super) fn slice(
    backend: &CpuBackend,
    input: &Blocked,
    start: usize,
    length: usize,
) -> Computed {
    let maps = Maps { channels: length, ..input.maps() };
    moved(backend, "slice", maps, &[Piece { source: input, from: start, to: 0..length }])
}

/// Channels of a source that go somewhere else.
struct Piece<'a> {
    source: &'a Blocked,
    from: usize,
    to: Range<usize>,
}

/// Neighbouring lanes of a block of a source that are neighbours in a block of the result.
struct Run<'a> {
    source: &'a Blocked,
    block: usize,
    lane: usize,
    to: usize,
    length: usize,
}

/// Lists what a block of the result is made of.
fn runs<'a>(pieces: &[Piece<'a>], block: usize) -> Vec<Run<'a>> {
    let mut runs = Vec::new();
    for piece in pieces {
        let end = piece.to.end.min((block + 1) * BLOCK);
        let mut channel = piece.to.start.max(block * BLOCK);
        while channel < end {
            let from = piece.from + channel - piece.to.start;
            let lane = from % BLOCK;
            let length = (end - channel).min(BLOCK - lane);
            let to = channel % BLOCK;
            runs.push(Run { source: piece.source, block: from / BLOCK, lane, to, length });
            channel += length;
        }
    }
    runs
}

fn moved(backend: &CpuBackend, kernel: &'static str, maps: Maps, pieces: &[Piece<'_>]) -> Computed {
    let mut output = backend.room(kernel, maps)?;
    let blocks: Vec<Vec<Run<'_>>> = (0..maps.blocks()).map(|block| runs(pieces, block)).collect();
    let units: Vec<_> = strips(&mut output, maps).collect();
    for_each_unit(units, maps.len() * 4, |strip| copy(&blocks[strip.block], maps, strip));
    Ok(Blocked::new(maps, output).into_tensor())
}

fn copy(runs: &[Run<'_>], maps: Maps, strip: Strip<'_, f32>) {
    let Strip { image, block, rows, values } = strip;
    let first = rows.start * maps.width;
    let targets = cells_mut(values);
    for (index, run) in runs.iter().enumerate() {
        let source = &cells(run.source.plane(image, run.block))[first..][..targets.len()];
        // The first run brings the other lanes along, over which the others are written.
        if index == 0 && run.to == 0 && run.lane == 0 {
            targets.copy_from_slice(source);
            continue;
        }
        if index == 0 {
            targets.as_flattened_mut().fill(0.0);
        }
        for (target, source) in targets.iter_mut().zip(source) {
            let lanes = &source[run.lane..run.lane + run.length];
            target[run.to..run.to + run.length].copy_from_slice(lanes);
        }
    }
    let lanes = (maps.channels - block * BLOCK).min(BLOCK);
    if lanes < BLOCK {
        for target in targets {
            target[lanes..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, in_blocks, rough};
    use super::*;
    use crate::{Backend, PlainBackend};

    #[test]
    fn channels_are_joined_wherever_blocks_begin() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for counts in [&[16, 32][..], &[1, 1], &[15, 1, 16], &[17, 40, 3], &[33], &[0, 5]] {
                for batch in [0, 1, 3] {
                    let shapes = counts.iter().map(|&count| [batch, count, 5, 7]);
                    let hosts: Vec<Tensor> = shapes.map(|shape| rough(shape, 3)).collect();
                    let mut inputs: Vec<Tensor> =
                        hosts.iter().map(|host| in_blocks(&backend, host)).collect();
                    // One of them may still lie on the host.
                    if let [_, second, ..] = inputs.as_mut_slice() {
                        *second = hosts[1].clone();
                    }
                    let joined =
                        backend.concatenation(&inputs.iter().collect::<Vec<_>>(), 1).unwrap();
                    let expected = plain.concatenation(&hosts.iter().collect::<Vec<_>>(), 1);
                    assert_same(&joined, &expected.unwrap(), &format!("{counts:?} {batch}"));
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn channels_and_images_are_cut_out() {
        let plain = PlainBackend::new();
        for backend in backends() {
            let host = rough([3, 50, 5, 7], 3);
            let input = in_blocks(&backend, &host);
            for (axis, start, length) in
                [(1, 0, 50), (1, 16, 20), (1, 3, 13), (1, 7, 43), (1, 15, 2), (1, 9, 0), (0, 1, 2)]
            {
                let part = backend.slice(&input, axis, start, length).unwrap();
                let expected = plain.slice(&host, axis, start, length).unwrap();
                assert_same(&part, &expected, &format!("{axis} {start} {length}"));
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_on_the_plain_backend() {
        let (backend, plain) = (CpuBackend::new(), PlainBackend::new());
        let (host, other) = (rough([1, 17, 3, 4], 3), rough([1, 17, 3, 5], 3));
        let maps = in_blocks(&backend, &host);
        let refusals = |backend: &dyn Backend, maps: &Tensor| {
            [
                backend.concatenation(&[maps, &other], 1),
                backend.concatenation(&[maps, maps], 4),
                backend.slice(maps, 1, 10, 8),
                backend.slice(maps, 0, 1, usize::MAX),
                backend.slice(maps, 4, 0, 1),
            ]
            .map(|refused| refused.unwrap_err().to_string())
        };
        assert_eq!(refusals(&backend, &maps), refusals(&plain, &host));
    }
}
