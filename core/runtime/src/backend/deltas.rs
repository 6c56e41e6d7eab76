//! What changes of maps under an intervention, and what kernels do with it.
//!
//! Covering a part of a picture changes a rectangle of every feature map, and nothing beyond it.
//! These kernels work on the changed cells alone: those of all cases, one after another, are one
//! row of a map, so that every kernel that works cell by cell works on them as it is.

mod host;

use std::sync::Arc;

pub use host::HostDeltas;

use crate::{Backend, Computed, ConvolutionGeometry, Divisor, Region, Shape, Tensor, Window};

/// Rectangles on maps of one size, one for each case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    size: [usize; 2],
    places: Arc<[Region]>,
    cells: usize,
}

impl Regions {
    /// Takes rectangles on maps of `[height, width]`; what hangs over the border is cut off.
    pub fn new(size: [usize; 2], places: impl IntoIterator<Item = Region>) -> Self {
        let places: Arc<[Region]> = places.into_iter().map(|place| place.clipped(size)).collect();
        let cells = places.iter().map(|place| place.height * place.width).sum();
        Self { size, places, cells }
    }

    /// Returns the `[height, width]` of the maps.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Returns the rectangles, all of them on the map.
    pub fn places(&self) -> &[Region] {
        &self.places
    }

    /// Counts the cells of all rectangles.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Returns every rectangle with the place of its first cell among the cells of all.
    pub fn each(&self) -> impl Iterator<Item = (usize, Region)> {
        self.places.iter().scan(0, |end, &place| {
            let start = *end;
            *end += place.height * place.width;
            Some((start, place))
        })
    }
}

/// What changed of maps: for each of some cases the cells of one rectangle. Beyond it nothing did.
#[derive(Clone, Debug)]
pub struct Deltas {
    /// The rectangles.
    pub regions: Regions,
    /// Changed minus clean: `[1, c, 1, n]` with the cells of all rectangles, one after another and
    /// each row by row.
    pub cells: Tensor,
}

impl Deltas {
    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.cells.shape().extents().get(1).copied().unwrap_or(0)
    }

    /// Returns the shape of whole maps, one for each case.
    pub fn maps(&self) -> Shape {
        let [height, width] = self.regions.size();
        Shape::from([self.regions.places().len(), self.channels(), height, width])
    }

    /// Lays the deltas out on whole maps, zero where nothing changed: `[b, c, h, w]`.
    ///
    /// # Errors
    /// Fails when the device does.
    pub fn on_maps(&self, backend: &dyn Backend) -> Computed {
        let corners = vec![[0, 0]; self.regions.places().len()];
        backend.upload(&backend.deltas().tiles(self, &corners, self.regions.size())?)
    }
}

/// Kernels of incremental inference. Every case is computed by itself, in an order of operations
/// that is fixed by its rectangle and by shapes: its result has the same bits whatever other cases
/// are there.
///
/// `clean` maps are those of the one image that is changed, `[1, c, h, w]`. Results of defaults lie
/// on the host. Methods that return an option return none where the backend has no kernel for it;
/// the caller then computes whole maps.
pub trait DeltaKernels: Send + Sync {
    /// Takes the cells of rectangles out of clean maps: `[1, c, 1, n]`.
    ///
    /// # Errors
    /// Fails when the maps have another size.
    fn cut(&self, clean: &Tensor, regions: &Regions) -> Computed {
        host::cut(clean, regions)
    }

    /// Takes the cells of rectangles out of whole maps, one for each: `[1, c, 1, n]`.
    ///
    /// # Errors
    /// Fails when the maps have another size or number.
    fn cut_each(&self, maps: &Tensor, regions: &Regions) -> Computed {
        host::cut_each(maps, regions)
    }

    /// Makes whole maps of clean ones and what changed: `[b, c, h, w]`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn paste(&self, clean: &Tensor, deltas: &Deltas) -> Computed {
        host::paste(clean, deltas)
    }

    /// Returns the deltas within other rectangles, zero where they have none.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn within(&self, deltas: &Deltas, regions: &Regions) -> Computed<Deltas> {
        if deltas.regions == *regions {
            return Ok(deltas.clone());
        }
        host::within(deltas, regions)
    }

    /// Lays deltas out on maps of one size each: `[b, c, tile height, tile width]`, zero where there
    /// are none. `corners` says which cell of the map, or of the padding around it, is the first of
    /// each.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn tiles(&self, deltas: &Deltas, corners: &[[isize; 2]], tile: [usize; 2]) -> Computed {
        host::tiles(deltas, corners, tile)
    }

    /// Computes max(clean + delta, 0) − max(clean, 0).
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn rectified(&self, clean: &Tensor, deltas: &Deltas) -> Computed {
        host::rectified(clean, deltas)
    }

    /// Convolves deltas: the cells of `output`, whose rectangles hold every output that sees one.
    fn convolved(
        &self,
        _deltas: &Deltas,
        _filters: &Tensor,
        _geometry: &ConvolutionGeometry,
        _output: &Regions,
    ) -> Option<Computed> {
        None
    }

    /// Takes maxima of changed windows, minus the clean ones: the cells of `output`.
    fn max_pooled(
        &self,
        _clean: [&Tensor; 2],
        _deltas: &Deltas,
        _window: &Window,
        _output: &Regions,
    ) -> Option<Computed> {
        None
    }

    /// Averages windows of deltas: the cells of `output`.
    fn average_pooled(
        &self,
        _deltas: &Deltas,
        _window: &Window,
        _divisor: Divisor,
        _output: &Regions,
    ) -> Option<Computed> {
        None
    }

    /// Adds up the deltas of every case: `[b, c, 1, 1]`.
    ///
    /// # Errors
    /// Fails when the shapes do not fit.
    fn sums(&self, deltas: &Deltas) -> Computed {
        host::sums(deltas)
    }

    /// Multiplies flattened maps of deltas with the transposed weights of a fully connected layer:
    /// `[b, out]`, the cases of all lists one after another.
    fn linear(&self, _deltas: &[&Deltas], _weight: &Tensor) -> Option<Computed> {
        None
    }
}
