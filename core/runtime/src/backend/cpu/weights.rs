//! Filters as a convolution or its adjoint reads them.

use std::ops::Range;

use super::groups::Groups;
use super::micro::BLOCK;
use crate::backend::filtering::Filtering;

/// The most channels of a group of inputs that are multiplied at once.
const DEPTH: usize = 192;

/// Which way filters are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// From channels to filters: convolution.
    Forward,
    /// From filters to channels: its adjoint.
    Transposed,
}

/// Filters `[m, c / groups, kh, kw]`, whichever way they are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<'a> {
    direction: Direction,
    values: &'a [f32],
    channels: usize,
    kernel: [usize; 2],
    pub inputs: Groups,
    pub outputs: Groups,
}

impl<'a> Weights<'a> {
    /// Reads filters for maps in blocks.
    pub(super) fn new(direction: Direction, filtering: &Filtering, values: &'a [f32]) -> Self {
        let Filtering { groups, channels, filters, axes, .. } = *filtering;
        let [inputs, outputs] = match direction {
            Direction::Forward => [channels, filters],
            Direction::Transposed => [filters, channels],
        };
        Self {
            direction,
            values,
            channels,
            kernel: axes.map(|axis| axis.kernel),
            inputs: Groups::blocks(groups, inputs),
            outputs: Groups::blocks(groups, outputs),
        }
    }

    /// Reads filters of one group for inputs whose channels lie side by side.
    pub(super) fn for_pixels(self) -> Self {
        Self { inputs: Groups::cells(1, self.inputs.members), ..self }
    }

    /// Reads them for inputs of which groups that fill no blocks lie side by side, so that no
    /// padding is multiplied.
    pub(super) fn for_cells(self) -> Self {
        let Groups { count, members, .. } = self.inputs;
        if count == 1 || members.is_multiple_of(BLOCK) || members > DEPTH {
            return self;
        }
        Self { inputs: Groups::cells(count, members), ..self }
    }

    /// Returns the weight between two lanes, zero where one of them stands for nothing or they
    /// belong to different groups. The tap is that of the filters, whichever way they are used.
    pub(super) fn at(&self, output: usize, input: usize, tap: [usize; 2]) -> f32 {
        let (Some((group, output)), Some((other, input))) =
            (self.outputs.member(output), self.inputs.member(input))
        else {
            return 0.0;
        };
        if group == other { self.of(group, output, input, tap) } else { 0.0 }
    }

    /// Returns the weight between two members of a group.
    pub(super) fn of(
        &self,
        group: usize,
        output: usize,
        input: usize,
        [row, column]: [usize; 2],
    ) -> f32 {
        let (filter, channel) = match self.direction {
            Direction::Forward => (group * self.outputs.members + output, input),
            Direction::Transposed => (group * self.inputs.members + input, output),
        };
        let place = (filter * self.channels + channel) * self.kernel[0] + row;
        self.values[place * self.kernel[1] + column]
    }

    /// Returns the input lanes that some output lanes see.
    pub(super) fn inputs_of(&self, outputs: Range<usize>) -> Range<usize> {
        let (inputs, room) = (self.inputs, self.outputs.room);
        let groups = outputs.start / room..outputs.end.div_ceil(room);
        groups.start * inputs.room..groups.end * inputs.room
    }

    /// Counts the blocks of outputs.
    pub(super) fn output_blocks(&self) -> usize {
        self.outputs.lanes() / BLOCK
    }
}
