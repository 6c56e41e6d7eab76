//! Winograd's convolution, and the direct one for the images that it does not suit.

use std::sync::{Arc, OnceLock};

use super::Isa;
use super::buffer::Pool;
use super::direct::{Direct, Images, Source};
use super::stencil::Stencil;
use super::support::Support;
use super::weights::{Direction, Weights};
use super::winograd::{Size, Winograd};
use crate::backend::filtering::Filtering;
use crate::{Computed, Tensor};

/// A convolution in tiles for maps of one size, ready to run.
#[derive(Debug)]
pub(super) struct Tiled {
    size: Size,
    winograd: OnceLock<Arc<Winograd>>,
    direct: OnceLock<Direct>,
    isa: Isa,
    pool: Pool,
    stencils: [Stencil; 2],
    direction: Direction,
    filtering: Filtering,
    filters: Tensor,
}

impl Tiled {
    /// Takes filters on the host for maps of the size that the stencils tell, which must fit.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        stencils: [Stencil; 2],
        size: Size,
        (direction, filtering, filters): (Direction, &Filtering, &Tensor),
    ) -> Self {
        let (filtering, filters, pool) = (*filtering, filters.clone(), pool.clone());
        let (winograd, direct) = (OnceLock::new(), OnceLock::new());
        Self { size, winograd, direct, isa, pool, stencils, direction, filtering, filters }
    }

    /// Returns the size of the tiles.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Convolves images that are zero outside their supports. Small supports are convolved directly,
    /// since that leaves out the zeros; so are images in which a value is not finite, since a tile
    /// would spread it to outputs that do not see it. Either depends on the image alone.
    ///
    /// # Errors
    /// Fails when the filters hold no numbers.
    pub(super) fn run(&self, images: &Images<'_>, output: &mut [f32]) -> Computed<()> {
        let batch = images.supports.len().max(1);
        let [input, result] = [images.values.len() / batch, images.pitch];
        let mut first = 0;
        let is_tiled = |support: &Support| self.is_tiled(support);
        for supports in images.supports.chunk_by(|a, b| is_tiled(a) == is_tiled(b)) {
            let range = first..first + supports.len();
            first = range.end;
            let values = &images.values[range.start * input..range.end * input];
            let end = output.len().min(range.end * result);
            let output = &mut output[range.start * result..end];
            let some = Images { values, supports, ..*images };
            if !is_tiled(&supports[0]) {
                self.direct()?.run(&some, output);
                continue;
            }
            for image in self.winograd()?.run(&some, output) {
                let values = &values[image * input..][..input];
                let one = Images { values, supports: &supports[image..=image], ..some };
                self.direct()?.run(&one, &mut output[image * result..]);
            }
        }
        Ok(())
    }

    /// Says whether so much of an image is not zero that all of it may as well be computed.
    fn is_tiled(&self, support: &Support) -> bool {
        let [rows, columns] = &self.stencils;
        2 * support.rows.len() * support.columns.len() >= rows.inputs * columns.inputs
    }

    /// Returns the transformed filters. They are four times as large as the filters, and a signal
    /// that goes back from one unit seldom needs them: they are made when they are first needed.
    ///
    /// # Errors
    /// Fails when the filters hold no numbers.
    pub(super) fn winograd(&self) -> Computed<&Arc<Winograd>> {
        let weights = Weights::new(self.direction, &self.filtering, self.filters.values()?);
        Ok(made(&self.winograd, || {
            let stencils = self.stencils.clone();
            Arc::new(Winograd::new(self.isa, &self.pool, stencils, self.size, &weights))
        }))
    }

    /// Returns the direct convolution, for which the filters are packed when they are first needed.
    fn direct(&self) -> Computed<&Direct> {
        let weights = Weights::new(self.direction, &self.filtering, self.filters.values()?);
        Ok(made(&self.direct, || {
            Direct::new(self.isa, &self.pool, self.stencils.clone(), Source::Blocks, &weights)
        }))
    }
}

/// Returns what is there, or makes it. Nobody waits for a thread that makes it: what makes it may
/// hand tasks to threads that need it too.
fn made<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(there) = cell.get() {
        return there;
    }
    let new = make();
    cell.get_or_init(|| new)
}
