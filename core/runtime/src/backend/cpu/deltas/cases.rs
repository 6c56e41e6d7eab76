//! What kernels are told of every case.

use crate::{Region, Regions};

/// A case: where its changed cells and its outputs lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// The place of its first changed cell among those of all cases.
    pub from: usize,
    /// The rectangle of its changed cells.
    pub place: Region,
    /// The place of its first output among those of all cases.
    pub to: usize,
    /// The rectangle of its outputs.
    pub out: Region,
}

/// Lists the cases.
pub(super) fn cases(regions: &Regions, output: &Regions) -> Vec<Case> {
    let pairs = regions.each().zip(output.each());
    pairs.map(|((from, place), (to, out))| Case { from, place, to, out }).collect()
}
