//! Handles: numbers that stand for the host's things, never reused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use convscope_abi::{CS_F32, CS_READ, CS_U8, CS_U32, CS_WRITE, MAX_RANK};
use convscope_protocol::Values;
use ndarray::{ArcArray, IxDyn};

use super::allowance::Allowance;
use super::{Fault, locked};
use crate::images::Dataset;
use crate::{HostError, Model};

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
    owner: Owner,
    access: Access,
    /// Bytes taken of the run's allowance.
    counted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The plugin created it.
    Plugin,
    /// The host handed it out.
    Host,
    /// The host handed it to a sink, and takes it back itself.
    Sink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// So many times mapped for reading.
    Reading(u32),
    /// Mapped for writing.
    Writing,
}

impl Slot {
    /// A tensor of the host's, which can only be read, and whose values are there anyway.
    pub(super) fn of_host(values: Values) -> Self {
        Self { values, owner: Owner::Host, access: Access::Reading(0), counted: 0 }
    }

    /// A tensor that a sink gets.
    pub(super) fn of_sink(values: Values) -> Self {
        Self { values, owner: Owner::Sink, access: Access::Reading(0), counted: 0 }
    }
}

/// The shape of a tensor that is to be made, and its size in bytes.
struct Plan {
    extents: IxDyn,
    count: usize,
    bytes: u64,
}

impl Plan {
    fn new(dtype: u32, shape: &[u64]) -> Result<Self, Fault> {
        let wrong = |reason: &str| Fault::Invalid(format!("shape {shape:?}: {reason}"));
        if shape.len() > MAX_RANK {
            return Err(wrong("too many axes"));
        }
        let size = match dtype {
            CS_F32 | CS_U32 => 4,
            CS_U8 => 1,
            other => return Err(Fault::Invalid(format!("there is no element type {other}"))),
        };
        let mut extents = Vec::with_capacity(shape.len());
        let mut volume = 1_usize;
        for &extent in shape {
            let extent = usize::try_from(extent).map_err(|_| wrong("too large"))?;
            // An empty axis must not hide extents that do not fit.
            volume = volume.checked_mul(extent.max(1)).ok_or_else(|| wrong("too large"))?;
            extents.push(extent);
        }
        let count: usize = extents.iter().product();
        let bytes = (count as u64).checked_mul(size).ok_or_else(|| wrong("too large"))?;
        Ok(Self { extents: IxDyn(&extents), count, bytes })
    }

    /// Allocates zeros, or says that the memory does not suffice.
    fn zeros(self, dtype: u32) -> Option<Values> {
        let Self { extents, count, .. } = self;
        Some(match dtype {
            CS_U32 => Values::U32(zeros(extents, count)?),
            CS_U8 => Values::U8(zeros(extents, count)?),
            _ => Values::F32(zeros(extents, count)?),
        })
    }
}

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
pub(super) struct Handles {
    held: Mutex<BTreeMap<u64, Held>>,
    allowance: Allowance,
}

impl Handles {
    /// No handles yet; the tensors behind them may take so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { held: Mutex::default(), allowance: Allowance::new(limit) }
    }

    /// Lends a pass a part of the bytes that are left.
    pub(super) fn pass<T>(
        &self,
        pass: impl FnMut(u64) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        self.allowance.lend(pass)
    }

    /// Gives out a handle.
    pub(super) fn hold(&self, held: Held) -> u64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let handle = (number << KIND_BITS) | held.kind();
        locked(&self.held).insert(handle, held);
        handle
    }

    /// Makes a tensor of zeros for the plugin.
    pub(super) fn create(&self, dtype: u32, shape: &[u64]) -> Result<u64, Fault> {
        let plan = Plan::new(dtype, shape)?;
        let counted = plan.bytes;
        self.allowance.take(counted, || format!("a tensor of shape {shape:?}"))?;
        let Some(values) = plan.zeros(dtype) else {
            self.allowance.give_back(counted);
            return Err(Fault::Invalid(format!("shape {shape:?}: no memory")));
        };
        let access = Access::Reading(0);
        Ok(self.hold(Held::Tensor(Slot { values, owner: Owner::Plugin, access, counted })))
    }

    /// Hands out a tensor that was read for the plugin, such as a picture, and lives with its
    /// handle; it can only be read.
    pub(super) fn lend(&self, values: Values) -> Result<u64, Fault> {
        let counted = bytes_of(&values);
        self.allowance.take(counted, || format!("an image of shape {:?}", values.shape()))?;
        Ok(self.hold(Held::Tensor(Slot { counted, ..Slot::of_host(values) })))
    }

    /// Shares the values of a tensor.
    pub(super) fn values(&self, handle: u64) -> Result<Values, Fault> {
        self.with_tensor(handle, |slot| match slot.access {
            Access::Reading(_) => Ok(slot.values.clone()),
            Access::Writing => Err(mapped_still()),
        })
    }

    /// Takes a tensor that the plugin created, whose values stay with the run. The handle is dead
    /// afterwards, also when this fails.
    pub(super) fn take(&self, handle: u64) -> Result<Values, Fault> {
        let taken = self.values(handle);
        self.release(handle, Owner::Plugin)?;
        taken
    }

    fn with_tensor<T>(
        &self,
        handle: u64,
        look: impl FnOnce(&mut Slot) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match locked(&self.held).get_mut(&handle) {
            Some(Held::Tensor(slot)) => look(slot),
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
        let writes = match mode {
            CS_READ => false,
            CS_WRITE => true,
            _ => return Err(Fault::Invalid(format!("there is no mode {mode}"))),
        };
        self.with_tensor(handle, |slot| {
            slot.access = match (slot.access, writes) {
                (Access::Reading(times), false) => Access::Reading(times.saturating_add(1)),
                (Access::Reading(0), true) if slot.owner == Owner::Plugin => Access::Writing,
                (Access::Reading(0), true) => {
                    let reason = "a tensor of the host's can only be read";
                    return Err(Fault::Invalid(reason.to_owned()));
                }
                _ => return Err(mapped_still()),
            };
            Ok(match &mut slot.values {
                Values::F32(array) => mapped(array, CS_F32, writes),
                Values::U32(array) => mapped(array, CS_U32, writes),
                Values::U8(array) => mapped(array, CS_U8, writes),
            })
        })
    }

    /// Ends an access.
    pub(super) fn unmap(&self, handle: u64) -> Result<(), Fault> {
        self.with_tensor(handle, |slot| {
            slot.access = match slot.access {
                Access::Writing => Access::Reading(0),
                Access::Reading(0) => {
                    return Err(Fault::Invalid("the tensor is not mapped".to_owned()));
                }
                Access::Reading(times) => Access::Reading(times - 1),
            };
            Ok(())
        })
    }

    /// Gives a tensor up for the plugin.
    pub(super) fn give_up(&self, handle: u64) -> Result<(), Fault> {
        let counted = self.release(handle, Owner::Host)?;
        self.allowance.give_back(counted);
        Ok(())
    }

    /// Takes the tensor of a sink back, whatever the sink has done with it.
    pub(super) fn take_back(&self, handle: u64) {
        locked(&self.held).remove(&handle);
    }

    /// Forgets a tensor: one that the plugin created or, where `least` allows it, one of the host's.
    /// Returns the bytes that it took of the allowance.
    fn release(&self, handle: u64, least: Owner) -> Result<u64, Fault> {
        let counted = self.with_tensor(handle, |slot| match (slot.owner, slot.access) {
            (Owner::Sink, _) => {
                Err(Fault::Invalid("the tensor is the sink's and goes with it".to_owned()))
            }
            (Owner::Host, _) if least == Owner::Plugin => {
                Err(Fault::Invalid("the plugin did not create the tensor".to_owned()))
            }
            (_, Access::Reading(0)) => Ok(slot.counted),
            _ => Err(mapped_still()),
        })?;
        // Two threads that release one tensor must not give its bytes back twice.
        match locked(&self.held).remove(&handle) {
            Some(_) => Ok(counted),
            None => Err(Fault::BadHandle(handle, "a tensor")),
        }
    }
}

fn bytes_of(values: &Values) -> u64 {
    let size = if matches!(values, Values::U8(_)) { 1 } else { 4 };
    values.shape().iter().fold(size, |bytes, &extent| bytes.saturating_mul(extent as u64))
}

fn mapped_still() -> Fault {
    Fault::Invalid("the tensor is still mapped".to_owned())
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

    fn handles() -> Handles {
        Handles::new(1 << 20)
    }

    fn small(handles: &Handles) -> u64 {
        handles.create(CS_F32, &[2, 3]).unwrap()
    }

    #[test]
    fn a_released_handle_is_stale_and_never_comes_back() {
        let handles = handles();
        let first = small(&handles);
        handles.give_up(first).unwrap();
        let second = small(&handles);
        assert_ne!(first, second);
        let fault = handles.map(first, CS_READ).unwrap_err();
        assert_eq!(fault.status(), convscope_abi::CsStatus::BAD_HANDLE);
    }

    #[test]
    fn handles_of_another_run_or_kind_and_forged_ones_are_refused() {
        let (handles, others) = (handles(), handles());
        let tensor = small(&handles);
        assert!(matches!(others.values(tensor), Err(Fault::BadHandle(..))));
        assert!(matches!(handles.model(tensor), Err(Fault::BadHandle(..))));
        assert!(matches!(handles.dataset(tensor), Err(Fault::BadHandle(..))));
        for forged in [0, 1, u64::MAX, tensor ^ 3] {
            assert!(matches!(handles.give_up(forged), Err(Fault::BadHandle(..))), "{forged}");
        }
    }

    #[test]
    fn only_the_plugins_own_tensors_are_mapped_for_writing_and_only_once() {
        let handles = handles();
        let own = small(&handles);
        let view = handles.map(own, CS_WRITE).unwrap();
        assert_eq!((view.shape, view.strides), (vec![2, 3], vec![3, 1]));
        for mode in [CS_READ, CS_WRITE] {
            assert_eq!(refusal(handles.map(own, mode)), "the tensor is still mapped");
        }
        let hosts = handles.hold(hosts());
        assert_eq!(
            refusal(handles.map(hosts, CS_WRITE)),
            "a tensor of the host's can only be read"
        );
        handles.map(hosts, CS_READ).unwrap();
        handles.map(hosts, CS_READ).unwrap();
        assert_eq!(refusal(handles.map(own, CS_READ | CS_WRITE)), "there is no mode 3");
    }

    #[test]
    fn mapped_tensors_are_not_used_or_given_up() {
        let handles = handles();
        let handle = small(&handles);
        handles.map(handle, CS_WRITE).unwrap();
        assert_eq!(refusal(handles.values(handle)), "the tensor is still mapped");
        assert_eq!(refusal(handles.give_up(handle)), "the tensor is still mapped");
        handles.unmap(handle).unwrap();
        assert_eq!(refusal(handles.unmap(handle)), "the tensor is not mapped");
        handles.take(handle).unwrap();
        assert!(matches!(handles.take(handle), Err(Fault::BadHandle(..))));
    }

    #[test]
    fn tensors_of_sinks_and_of_the_host_are_not_taken() {
        let handles = handles();
        let hosts = handles.hold(hosts());
        assert_eq!(refusal(handles.take(hosts)), "the plugin did not create the tensor");
        let sinks =
            handles.hold(Held::Tensor(Slot::of_sink(Values::F32(ArcArray::zeros(IxDyn(&[1]))))));
        let expected = "the tensor is the sink's and goes with it";
        assert_eq!(refusal(handles.take(sinks)), expected);
        assert_eq!(refusal(handles.give_up(sinks)), expected);
        handles.take_back(sinks);
        assert!(matches!(handles.values(sinks), Err(Fault::BadHandle(..))));
    }

    #[test]
    fn values_that_were_shared_are_not_changed_by_writing() {
        let handles = handles();
        let handle = small(&handles);
        let shared = handles.values(handle).unwrap();
        let Values::F32(before) = &shared else { panic!("{shared:?}") };
        let view = handles.map(handle, CS_WRITE).unwrap();
        assert_ne!(view.data.cast_const().cast::<f32>(), before.as_ptr());
    }

    fn hosts() -> Held {
        Held::Tensor(Slot::of_host(Values::F32(ArcArray::zeros(IxDyn(&[1])))))
    }

    fn refusal<T>(outcome: Result<T, Fault>) -> String {
        outcome.map_or_else(|fault| fault.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn tensors_that_no_memory_could_hold_are_refused() {
        let handles = Handles::new(u64::MAX);
        for shape in [&[u64::MAX][..], &[1 << 40, 1 << 40], &[0, u64::MAX, 2], &[1 << 61]] {
            let refused = handles.create(CS_F32, shape);
            assert!(matches!(refused, Err(Fault::Invalid(_))), "{shape:?}");
        }
        assert!(matches!(handles.create(CS_F32, &[1; 9]), Err(Fault::Invalid(_))));
        assert!(matches!(handles.create(9, &[1]), Err(Fault::Invalid(_))));
    }

    #[test]
    fn tensors_larger_than_the_budget_are_refused_with_their_size() {
        assert!(Handles::new(100).create(CS_F32, &[25]).is_ok());
        assert!(Handles::new(100).create(CS_U8, &[100]).is_ok());
        assert_eq!(
            refusal(Handles::new(100).create(CS_F32, &[26])),
            "a tensor of shape [26] needs 104 bytes, but the session may use 100"
        );
    }

    #[test]
    fn living_tensors_share_the_budget_and_emitted_ones_still_live() {
        let handles = Handles::new(100);
        let refused = |count| refusal(handles.create(CS_U8, &[count]));
        let first = handles.create(CS_F32, &[15]).unwrap();
        let picture = Values::U8(ArcArray::zeros(IxDyn(&[5, 8])));
        let lent = handles.lend(picture.clone()).unwrap();
        let expected = "a tensor of shape [1] beside the other tensors of this run needs 101 \
                        bytes, but the session may use 100";
        assert_eq!(refused(1), expected);
        let expected = "an image of shape [5, 8] beside the other tensors of this run needs 140 \
                        bytes, but the session may use 100";
        assert_eq!(refusal(handles.lend(picture)), expected);
        handles.take(first).unwrap();
        assert!(refused(1).contains("needs 101 bytes"), "{}", refused(1));
        handles.give_up(lent).unwrap();
        assert_eq!(refused(40), "accepted");
        assert!(refused(1).contains("needs 101 bytes"), "{}", refused(1));
    }
}
