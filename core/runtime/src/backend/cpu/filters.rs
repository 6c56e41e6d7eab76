//! Filters, and what they were packed into.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::CpuBackend;
use super::convolution::Form;
use super::weights::Direction;
use crate::backend::filtering::Filtering;
use crate::{BackendError, Computed, DeviceTensor, Element, HostArray, Shape, Tensor};

/// Filters that remember their packed forms, so that they are packed once.
#[derive(Debug)]
pub(super) struct Filters {
    values: Tensor,
    forms: Mutex<BTreeMap<Use, Arc<Form>>>,
}

/// A way of use, and the size of the maps that the convolution reads.
type Use = (Direction, [usize; 2]);

impl Filters {
    /// Wraps filters, which then belong to layers of one geometry.
    pub(super) fn place(values: &Tensor) -> Computed {
        values.values()?;
        let filters = Self { values: values.clone(), forms: Mutex::default() };
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
        let key = (direction, filtering.axes.map(|axis| axis.size));
        let forms = || placed.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(form) = forms().get(&key) {
            return Ok(form.clone());
        }
        let form = Arc::new(Form::new(backend, direction, filtering, &placed.values)?);
        forms().insert(key, form.clone());
        Ok(form)
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
