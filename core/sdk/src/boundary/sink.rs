//! Functions of the author's that the host calls back.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use convscope_abi::{CsStatus, CsTensor};

use crate::AnalysisError;

/// What the host hands to a sink: consecutive rows and their tensors.
#[derive(Clone, Copy)]
pub(crate) struct RawBatch<'a> {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) tensors: &'a [CsTensor],
}

/// The author's function and how its last call ended.
pub(crate) struct SinkState<'a> {
    sink: &'a mut dyn FnMut(RawBatch<'_>) -> Result<(), AnalysisError>,
    ended: Option<Ended>,
}

enum Ended {
    Error(AnalysisError),
    Panic(Box<dyn Any + Send>),
}

impl<'a> SinkState<'a> {
    pub(crate) fn new(sink: &'a mut dyn FnMut(RawBatch<'_>) -> Result<(), AnalysisError>) -> Self {
        Self { sink, ended: None }
    }

    /// Hands on how the sink ended, after the host has returned: its error, or its panic, which
    /// goes on here as if the host had not been in between.
    pub(crate) fn outcome(&mut self) -> Result<(), AnalysisError> {
        match self.ended.take() {
            None => Ok(()),
            Some(Ended::Error(error)) => Err(error),
            Some(Ended::Panic(payload)) => resume_unwind(payload),
        }
    }
}

/// The sink of every verb.
///
/// # Safety
/// `user` must be the [`SinkState`] that the verb was called with, `tensors` must hold
/// `tensor_count` handles, and the call must come from the thread of the verb, while it runs.
pub(super) unsafe extern "C" fn receive(
    user: *mut c_void,
    first: u64,
    count: u64,
    tensors: *const CsTensor,
    tensor_count: usize,
) -> CsStatus {
    // SAFETY: the state outlives the verb, which is waiting, on this thread; so nobody else
    // borrows it.
    let Some(state) = (unsafe { user.cast::<SinkState<'_>>().as_mut() }) else {
        return CsStatus::INVALID;
    };
    if state.ended.is_some() {
        return CsStatus::FAILED;
    }
    let tensors = if tensors.is_null() {
        &[]
    } else {
        // SAFETY: not null; the host promises as many handles as it says.
        unsafe { std::slice::from_raw_parts(tensors, tensor_count) }
    };
    let batch = RawBatch { first: first as usize, count: count as usize, tensors };
    let sink = &mut *state.sink;
    // What a panic leaves half done is not looked at again: the panic goes on in `outcome`.
    match catch_unwind(AssertUnwindSafe(|| sink(batch))) {
        Ok(Ok(())) => CsStatus::OK,
        Ok(Err(error)) => {
            let status = error.status();
            state.ended = Some(Ended::Error(error));
            status
        }
        Err(payload) => {
            state.ended = Some(Ended::Panic(payload));
            CsStatus::PANICKED
        }
    }
}
