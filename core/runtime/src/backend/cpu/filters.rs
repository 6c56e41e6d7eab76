//! Filters, and what they were packed into.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::CpuBackend;
use super::convolution::Form;
use super::deltas::DeltaFilters;
use super::weights::Direction;
use crate::backend::axis::Axis;
use crate::backend::filtering::Filtering;
use crate::{
    BackendError, Computed, ConvolutionGeometry, Deltas, DeviceTensor, Element, HostArray, Shape,
    Tensor,
};

/// Filters that remember their packed forms, so that they are packed once.
#[derive(Debug)]
pub(super) struct Filters {
    values: Tensor,
    forms: Mutex<BTreeMap<Use, Arc<Form>>>,
    /// For changed cells.
    deltas: Mutex<Option<Arc<DeltaFilters>>>,
}

/// A way of use; for both axes the size of the maps that the convolution reads, and their padding.
type Use = (Direction, [[usize; 3]; 2]);

impl Filters {
    /// Wraps filters, which then belong to layers of one stride, dilation and number of groups.
    pub(super) fn place(values: &Tensor) -> Computed {
        values.values()?;
        let filters =
            Self { values: values.clone(), forms: Mutex::default(), deltas: Mutex::default() };
        Ok(Tensor::on_device(Arc::new(filters)))
    }

    /// Returns the form of a convolution or its adjoint; packs the filters where they are not packed yet.
    pub(super) fn form(
        backend: &CpuBackend,
        direction: Direction,
        filters: &Tensor,
        filtering: &Filtering,
    ) -> Computed<Arc<Form>> {
        let Some(placed) = Self::behind(filters) else {
            return Ok(Arc::new(Form::new(backend, direction, filtering, filters)?));
        };
        let reads = |axis: Axis| [axis.size, axis.padding[0], axis.padding[1]];
        let key = (direction, filtering.axes.map(reads));
        let forms = || placed.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(form) = forms().get(&key) {
            return Ok(form.clone());
        }
        let form = Arc::new(Form::new(backend, direction, filtering, &placed.values)?);
        forms().insert(key, form.clone());
        Ok(form)
    }

    /// Returns the form for changed cells; none where there is none, or where filters would have to
    /// be packed for every call.
    pub(super) fn of_deltas(
        backend: &CpuBackend,
        filters: &Tensor,
        deltas: &Deltas,
        geometry: &ConvolutionGeometry,
    ) -> Option<Computed<Arc<DeltaFilters>>> {
        let placed = Self::behind(filters)?;
        let filtering =
            Filtering::new("convolution", &deltas.maps(), filters.shape(), geometry).ok()?;
        if !DeltaFilters::suits(&filtering) {
            return None;
        }
        // Whoever comes while they are packed waits: they are as large as many layers' values.
        let mut form = placed.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        if form.is_none() {
            let packed = Self::form(backend, Direction::Forward, filters, &filtering)
                .and_then(|whole| DeltaFilters::new(backend, &filtering, &placed.values, &whole));
            match packed {
                Ok(packed) => *form = Some(Arc::new(packed)),
                Err(error) => return Some(Err(error)),
            }
        }
        form.clone().map(Ok)
    }

    /// Finds the filters behind a tensor, if they are placed.
    pub(super) fn behind(tensor: &Tensor) -> Option<&Self> {
        tensor.device().and_then(|device| device.as_any().downcast_ref())
    }
}

impl DeviceTensor for Filters {
    fn shape(&self) -> &Shape {
        self.values.shape()
    }

    fn element(&self) -> Element {
        Element::F32
    }

    fn read(&self) -> Result<HostArray, BackendError> {
        self.values.host_array().cloned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
