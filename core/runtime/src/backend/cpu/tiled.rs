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
    winograd: Arc<Winograd>,
    direct: OnceLock<Direct>,
    isa: Isa,
    pool: Pool,
    stencils: [Stencil; 2],
    direction: Direction,
    filtering: Filtering,
    filters: Tensor,
}

impl Tiled {
    /// Transforms filters on the host for maps of the size that the stencils tell, which must fit.
    ///
    /// # Errors
    /// Fails when the filters hold no numbers.
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        stencils: [Stencil; 2],
        size: Size,
        (direction, filtering, filters): (Direction, &Filtering, &Tensor),
    ) -> Computed<Self> {
        let weights = Weights::new(direction, filtering, filters.values()?);
        Ok(Self {
            winograd: Arc::new(Winograd::new(isa, pool, stencils.clone(), size, &weights)),
            direct: OnceLock::new(),
            isa,
            pool: pool.clone(),
            stencils,
            direction,
            filtering: *filtering,
            filters: filters.clone(),
        })
    }

    /// Returns the transformed filters.
    pub(super) fn winograd(&self) -> &Arc<Winograd> {
        &self.winograd
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
            for image in self.winograd.run(&some, output) {
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

    /// Returns the direct convolution, for which the filters are packed when they are first needed.
    fn direct(&self) -> Computed<&Direct> {
        let filters = self.filters.values()?;
        Ok(self.direct.get_or_init(|| {
            let weights = Weights::new(self.direction, &self.filtering, filters);
            Direct::new(self.isa, &self.pool, self.stencils.clone(), Source::Blocks, &weights)
        }))
    }
}
