//! Which cells the outputs of sliding windows see.

use std::ops::Range;

use crate::backend::axis::Axis;

/// A tap of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// Its number, counted row by row.
    pub number: u8,
    /// Cells from the first one that the window sees to the one under the tap.
    pub offset: usize,
}

/// Windows over one block of an image.
#[derive(Debug)]
pub(super) struct Windows {
    axes: [Axis; 2],
    /// The outputs of a row, in ranges of which all see the map through the same taps.
    runs: Vec<(Range<usize>, Range<usize>)>,
}

impl Windows {
    /// Prepares windows each of which sees a cell.
    pub(super) fn new(axes: [Axis; 2]) -> Self {
        let [_, across] = axes;
        let mut runs: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for output in 0..across.outputs {
            let taps = across.taps(output);
            match runs.last_mut() {
                Some((outputs, same)) if *same == taps => outputs.end = output + 1,
                _ => runs.push((output..output + 1, taps)),
            }
        }
        Self { axes, runs }
    }

    /// Visits every output of some rows: its place among them, the first cell that its window sees,
    /// and the taps through which it sees cells, at least one.
    #[inline(always)]
    pub(super) fn for_each(&self, rows: Range<usize>, mut visit: impl FnMut(usize, usize, &[Tap])) {
        let [down, across] = self.axes;
        let mut taps = Vec::new();
        for (place, row) in rows.enumerate() {
            let taps_down = down.taps(row);
            let top = down.cell(row, taps_down.start) * across.size;
            for (outputs, taps_across) in &self.runs {
                taps.clear();
                for (line, tap_down) in taps_down.clone().enumerate() {
                    for (step, tap) in taps_across.clone().enumerate() {
                        taps.push(Tap {
                            number: (tap_down * across.kernel + tap) as u8,
                            offset: line * down.dilation * across.size + step * across.dilation,
                        });
                    }
                }
                for output in outputs.clone() {
                    let start = top + across.cell(output, taps_across.start);
                    visit(place * across.outputs + output, start, &taps);
                }
            }
        }
    }
}
