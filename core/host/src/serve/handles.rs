//! Handles: numbers that stand for the host's things, never reused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use convscope_abi::{CS_F32, CS_READ, CS_U8, CS_U32, CS_WRITE, MAX_RANK};
use convscope_protocol::Values;
use ndarray::{ArcArray, IxDyn};

use super::{Fault, locked};
use crate::Model;
use crate::images::Dataset;

/// Counts handles over all runs of the process: a handle of an earlier run means nothing in a later
/// one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The lowest bits of a handle say what it stands for.
const KIND_BITS: u32 = 2;
const TENSOR: u64 = 1;
const MODEL: u64 = 2;
const DATASET: u64 = 3;

/// What a handle stands for.
pub(super) enum Held {
    /// A tensor.
    Tensor(Slot),
    /// A model.
    Model(Arc<Model>),
    /// A data set.
    Dataset(Arc<Dataset>),
}

impl Held {
    fn kind(&self) -> u64 {
        match self {
            Self::Tensor(_) => TENSOR,
            Self::Model(_) => MODEL,
            Self::Dataset(_) => DATASET,
        }
    }
}

/// A tensor and what the plugin does with it.
pub(super) struct Slot {
    values: Values,
    is_own: bool,
    mapped: u32,
}

impl Slot {
    /// A tensor of the host's, which can only be read.
    pub(super) fn of_host(values: Values) -> Self {
        Self { values, is_own: false, mapped: 0 }
    }

    /// Makes a tensor of zeros for the plugin.
    pub(super) fn zeros(dtype: u32, shape: &[u64]) -> Result<Self, Fault> {
        let wrong = |reason: &str| Fault::Invalid(format!("shape {shape:?}: {reason}"));
        if shape.len() > MAX_RANK {
            return Err(wrong("too many axes"));
        }
        let mut extents = Vec::with_capacity(shape.len());
        let mut volume = 1_usize;
        for &extent in shape {
            let extent = usize::try_from(extent).map_err(|_| wrong("too large"))?;
            // An empty axis must not hide extents that do not fit.
            volume = volume.checked_mul(extent.max(1)).ok_or_else(|| wrong("too large"))?;
            extents.push(extent);
        }
        let count = extents.iter().product();
        let extents = IxDyn(&extents);
        let values = match dtype {
            CS_F32 => Values::F32(zeros(extents, count).ok_or_else(|| wrong("no memory"))?),
            CS_U32 => Values::U32(zeros(extents, count).ok_or_else(|| wrong("no memory"))?),
            CS_U8 => Values::U8(zeros(extents, count).ok_or_else(|| wrong("no memory"))?),
            other => return Err(Fault::Invalid(format!("there is no element type {other}"))),
        };
        Ok(Self { values, is_own: true, mapped: 0 })
    }
}

/// Allocates zeros, or says that the memory does not suffice.
fn zeros<T: Clone + Default>(extents: IxDyn, count: usize) -> Option<ArcArray<T, IxDyn>> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(count).ok()?;
    values.resize(count, T::default());
    ArcArray::from_shape_vec(extents, values).ok()
}

/// Where the values of a tensor lie. The pointer is valid while the tensor is held.
#[derive(Clone, Debug)]
pub(super) struct Mapped {
    pub(super) data: *mut std::ffi::c_void,
    pub(super) dtype: u32,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<isize>,
}

/// The handles of one run.
#[derive(Default)]
pub(super) struct Handles {
    held: Mutex<BTreeMap<u64, Held>>,
}

impl Handles {
    /// Gives out a handle.
    pub(super) fn hold(&self, held: Held) -> u64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let handle = (number << KIND_BITS) | held.kind();
        locked(&self.held).insert(handle, held);
        handle
    }

    /// Shares the values of a tensor.
    pub(super) fn values(&self, handle: u64) -> Result<Values, Fault> {
        match locked(&self.held).get(&handle) {
            Some(Held::Tensor(slot)) => Ok(slot.values.clone()),
            _ => Err(Fault::BadHandle(handle, "a tensor")),
        }
    }

    /// Finds a model.
    pub(super) fn model(&self, handle: u64) -> Result<Arc<Model>, Fault> {
        match locked(&self.held).get(&handle) {
            Some(Held::Model(model)) => Ok(Arc::clone(model)),
            _ => Err(Fault::BadHandle(handle, "a model")),
        }
    }

    /// Finds a data set.
    pub(super) fn dataset(&self, handle: u64) -> Result<Arc<Dataset>, Fault> {
        match locked(&self.held).get(&handle) {
            Some(Held::Dataset(dataset)) => Ok(Arc::clone(dataset)),
            _ => Err(Fault::BadHandle(handle, "a data set")),
        }
    }

    /// Gives access to the values of a tensor.
    pub(super) fn map(&self, handle: u64, mode: u32) -> Result<Mapped, Fault> {
        if mode == 0 || mode & !(CS_READ | CS_WRITE) != 0 {
            return Err(Fault::Invalid(format!("there is no mode {mode}")));
        }
        let mut held = locked(&self.held);
        let Some(Held::Tensor(slot)) = held.get_mut(&handle) else {
            return Err(Fault::BadHandle(handle, "a tensor"));
        };
        let writes = mode & CS_WRITE != 0;
        if writes && !slot.is_own {
            return Err(Fault::Invalid("a tensor of the host's can only be read".to_owned()));
        }
        slot.mapped += 1;
        Ok(match &mut slot.values {
            Values::F32(array) => mapped(array, CS_F32, writes),
            Values::U32(array) => mapped(array, CS_U32, writes),
            Values::U8(array) => mapped(array, CS_U8, writes),
        })
    }

    /// Ends an access.
    pub(super) fn unmap(&self, handle: u64) -> Result<(), Fault> {
        match locked(&self.held).get_mut(&handle) {
            Some(Held::Tensor(slot)) if slot.mapped > 0 => {
                slot.mapped -= 1;
                Ok(())
            }
            Some(Held::Tensor(_)) => Err(Fault::Invalid("the tensor is not mapped".to_owned())),
            _ => Err(Fault::BadHandle(handle, "a tensor")),
        }
    }

    /// Takes a tensor back.
    pub(super) fn release(&self, handle: u64) -> Result<(), Fault> {
        let mut held = locked(&self.held);
        if !matches!(held.get(&handle), Some(Held::Tensor(_))) {
            return Err(Fault::BadHandle(handle, "a tensor"));
        }
        held.remove(&handle);
        Ok(())
    }
}

fn mapped<T: Clone>(array: &mut ArcArray<T, IxDyn>, dtype: u32, writes: bool) -> Mapped {
    // Writing takes the values out of what others share; reading leaves them shared.
    let data = if writes { array.as_mut_ptr() } else { array.as_ptr().cast_mut() };
    Mapped {
        data: data.cast(),
        dtype,
        shape: array.shape().to_vec(),
        strides: array.strides().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Held {
        Held::Tensor(Slot::zeros(CS_F32, &[2, 3]).unwrap())
    }

    #[test]
    fn a_released_handle_is_stale_and_never_comes_back() {
        let handles = Handles::default();
        let first = handles.hold(small());
        handles.release(first).unwrap();
        let second = handles.hold(small());
        assert_ne!(first, second);
        let fault = handles.map(first, CS_READ).unwrap_err();
        assert_eq!(fault.status(), convscope_abi::CsStatus::BAD_HANDLE);
    }

    #[test]
    fn handles_of_another_run_or_kind_and_forged_ones_are_refused() {
        let (handles, others) = (Handles::default(), Handles::default());
        let tensor = handles.hold(small());
        assert!(matches!(others.values(tensor), Err(Fault::BadHandle(..))));
        assert!(matches!(handles.model(tensor), Err(Fault::BadHandle(..))));
        assert!(matches!(handles.dataset(tensor), Err(Fault::BadHandle(..))));
        for forged in [0, 1, u64::MAX, tensor ^ 3] {
            assert!(matches!(handles.release(forged), Err(Fault::BadHandle(..))), "{forged}");
        }
    }

    #[test]
    fn only_the_plugins_own_tensors_are_mapped_for_writing() {
        let handles = Handles::default();
        let own = handles.hold(small());
        let view = handles.map(own, CS_WRITE).unwrap();
        assert_eq!((view.shape, view.strides), (vec![2, 3], vec![3, 1]));
        let hosts = Values::F32(ArcArray::zeros(IxDyn(&[1])));
        let hosts = handles.hold(Held::Tensor(Slot::of_host(hosts)));
        assert!(handles.map(hosts, CS_READ).is_ok());
        let fault = handles.map(hosts, CS_READ | CS_WRITE).unwrap_err();
        assert_eq!(fault.to_string(), "a tensor of the host's can only be read");
        assert!(matches!(handles.map(own, 4), Err(Fault::Invalid(_))));
    }

    #[test]
    fn unmapping_more_often_than_mapping_is_refused() {
        let handles = Handles::default();
        let handle = handles.hold(small());
        handles.map(handle, CS_READ).unwrap();
        handles.unmap(handle).unwrap();
        assert_eq!(handles.unmap(handle).unwrap_err().to_string(), "the tensor is not mapped");
    }

    #[test]
    fn tensors_that_no_memory_could_hold_are_refused() {
        for shape in [&[u64::MAX][..], &[1 << 40, 1 << 40], &[0, u64::MAX, 2], &[1 << 61]] {
            assert!(matches!(Slot::zeros(CS_F32, shape), Err(Fault::Invalid(_))), "{shape:?}");
        }
        assert!(matches!(Slot::zeros(CS_F32, &[1; 9]), Err(Fault::Invalid(_))));
        assert!(matches!(Slot::zeros(9, &[1]), Err(Fault::Invalid(_))));
    }
}
