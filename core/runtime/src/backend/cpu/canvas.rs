//! Maps in blocks that convolutions fill side by side.

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand};
use super::buffer::Buffer;
use super::convolution::{Place, prepared};
use super::micro::BLOCK;
use crate::backend::operand::incompatible;
use crate::{Canvas, Computed, ConvolutionGeometry, Epilogue, Shape, Tensor};

const KERNEL: &str = "canvas";

/// See [`Canvas`].
#[derive(Debug)]
pub(super) struct BlockedCanvas {
    backend: CpuBackend,
    maps: Maps,
    values: Buffer,
}

impl BlockedCanvas {
    /// Makes room for parts of so many channels; none where a block would belong to two of them.
    pub(super) fn new(
        backend: &CpuBackend,
        shape: &Shape,
        parts: &[usize],
    ) -> Computed<Option<Self>> {
        let Some(maps) = Maps::of(shape) else { return Ok(None) };
        let before = parts.split_last().map_or(&[][..], |(_, before)| before);
        if before.iter().any(|channels| !channels.is_multiple_of(BLOCK)) {
            return Ok(None);
        }
        let values = backend.room(KERNEL, maps)?;
        Ok(Some(Self { backend: backend.clone(), maps, values }))
    }

    /// Returns the place of maps that begin at a channel.
    fn place(&mut self, first: usize, part: Maps) -> Computed<Place<'_>> {
        let whole = self.maps;
        let end = first.saturating_add(part.channels);
        let is_block = |channel: usize| channel.is_multiple_of(BLOCK);
        if (Maps { channels: whole.channels, ..part }) != whole
            || end > whole.channels
            || !is_block(first)
            || !is_block(end) && end < whole.channels
        {
            let expected = format!("a part of {} from channel {first} on", whole.shape());
            return Err(incompatible(KERNEL, expected, &part.shape()));
        }
        let start = (first / BLOCK * whole.plane()).min(self.values.len());
        Ok(Place { values: &mut self.values[start..], pitch: whole.image() })
    }
}

impl Canvas for BlockedCanvas {
    fn convolution(
        &mut self,
        first: usize,
        input: &Tensor,
        filters: &Tensor,
        bias: Option<&Tensor>,
        geometry: &ConvolutionGeometry,
        epilogue: Epilogue,
    ) -> Computed<()> {
        let backend = &self.backend.clone();
        let (form, filtering, setting) =
            prepared(backend, input, filters, bias, geometry, epilogue)?;
        let place = self.place(first, setting.maps)?;
        form.run_into(backend, input, &filtering, &setting, place)
    }

    fn copy(&mut self, first: usize, maps: &Tensor) -> Computed<()> {
        let maps = Operand::of(&self.backend.pool.clone(), KERNEL, maps)?;
        self.place(first, maps.maps())?.copy(&maps);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Tensor {
        Blocked::new(self.maps, self.values).into_tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, in_blocks, rough};
    use super::*;
    use crate::{Backend, Padding, Window};

    fn geometry(kernel: usize, groups: usize) -> ConvolutionGeometry {
        let padding = kernel / 2;
        let padding = Padding { top: padding, left: padding, bottom: padding, right: padding };
        ConvolutionGeometry { window: Window { padding, ..Window::of([kernel; 2]) }, groups }
    }

    #[test]
    fn what_is_filled_side_by_side_has_the_bits_of_what_is_joined_afterwards() {
        for backend in backends() {
            for batch in [0, 1, 3] {
                // Direct, in tiles, lane by lane, of pixels, and in groups that are moved apart.
                let forms = [
                    ([batch, 16, 9, 11], [32, 16, 1, 1], geometry(1, 1)),
                    ([batch, 32, 9, 11], [64, 32, 3, 3], geometry(3, 1)),
                    ([batch, 16, 9, 11], [16, 1, 3, 3], geometry(3, 16)),
                    ([batch, 3, 9, 11], [16, 3, 3, 3], geometry(3, 1)),
                    ([batch, 40, 9, 11], [48, 20, 3, 3], geometry(3, 2)),
                    ([batch, 16, 9, 11], [7, 16, 1, 1], geometry(1, 1)),
                ];
                let parts: Vec<usize> = [16].into_iter().chain(forms.map(|f| f.1[0])).collect();
                let shape = Shape::from([batch, parts.iter().sum(), 9, 11]);
                let mut canvas = backend.canvas(&shape, &parts).unwrap().unwrap();
                let copied = in_blocks(&backend, &rough([batch, 16, 9, 11], 2));
                canvas.copy(0, &copied).unwrap();
                let mut joined = vec![copied];
                let mut first = 16;
                for (input, filters, geometry) in forms {
                    let count = Shape::from([filters[0]]);
                    let input = rough(input, 3);
                    let [filters, bias] = [rough(filters, 5), rough([1, filters[0], 1, 1], 7)];
                    let bias = bias.with_shape(count).unwrap();
                    let end = Epilogue::Rectify;
                    canvas
                        .convolution(first, &input, &filters, Some(&bias), &geometry, end)
                        .unwrap();
                    let alone = backend.convolution(&input, &filters, Some(&bias), &geometry, end);
                    first += filters.shape().batch();
                    joined.push(alone.unwrap());
                }
                let joined = backend.concatenation(&joined.iter().collect::<Vec<_>>(), 1).unwrap();
                let filled = canvas.finish();
                let host = |tensor: &Tensor| tensor.to_host().unwrap();
                assert_same(&filled, &host(&joined), &format!("batch {batch}"));
            }
        }
    }

    #[test]
    fn a_block_belongs_to_one_part() {
        let backend = CpuBackend::new();
        let canvas = |channels, parts: &[usize]| {
            backend.canvas(&Shape::from([1, channels, 2, 2]), parts).unwrap()
        };
        assert!(canvas(33, &[16, 17]).is_some());
        assert!(canvas(33, &[17, 16]).is_none());
        assert!(backend.canvas(&Shape::from([1, 32]), &[16, 16]).unwrap().is_none());
        let mut canvas = canvas(33, &[16, 17]).unwrap();
        let mut refusal = |first, shape: [usize; 4]| {
            canvas.copy(first, &rough(shape, 1)).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(32, [1, 17, 2, 2]),
            "canvas: expected a part of [1, 33, 2, 2] from channel 32 on, got shape [1, 17, 2, \
             2]"
        );
        for (first, shape) in [(0, [1, 16, 2, 3]), (0, [2, 16, 2, 2]), (0, [1, 9, 2, 2])] {
            assert!(refusal(first, shape).contains("from channel 0 on"));
        }
        assert!(refusal(15, [1, 16, 2, 2]).contains("from channel 15 on"));
    }
}
