//! What a verb computes with: network, backend, threads, memory.

use convscope_runtime::network::ValueId;
use convscope_runtime::{Backend, Network};
use rayon::ThreadPool;

use crate::HostError;

/// How cases that cover a part of an image are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passes {
    /// Only what the part changes.
    #[default]
    Incremental,
    /// Everything, for every case.
    Full,
}

/// Everything a verb computes with.
#[derive(Clone, Copy)]
pub(crate) struct Engine<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where it is computed.
    pub backend: &'a dyn Backend,
    /// The session's threads.
    pub pool: &'a ThreadPool,
    /// Bytes that may be used.
    pub memory: u64,
    /// How covered cases are computed.
    pub passes: Passes,
    /// Says whether the user wants to stop.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Engine<'_> {
    /// Computes on the session's threads.
    pub(crate) fn compute<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Returns the number of the session's threads.
    pub(crate) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Fails when the user wants to stop.
    pub(crate) fn check_cancelled(&self) -> Result<(), HostError> {
        if (self.cancelled)() { Err(HostError::Cancelled) } else { Ok(()) }
    }

    /// Returns the one input that takes images.
    pub(crate) fn image_input(&self) -> Result<ValueId, HostError> {
        image_input(self.network)
    }
}

/// Returns the one input of a network that takes images.
pub(crate) fn image_input(network: &Network) -> Result<ValueId, HostError> {
    match network.inputs() {
        [input] => Ok(*input),
        inputs => Err(HostError::Request {
            what: "the model".to_owned(),
            reason: format!("has {} inputs; images can only be given to one", inputs.len()),
        }),
    }
}
