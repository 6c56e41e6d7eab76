//! The host, as an analysis sees it.

use std::sync::OnceLock;

use convscope_abi as abi;
use convscope_protocol::array::ArrayMeta;
use convscope_protocol::{Array, Figure, ModelDescription, Table};
use ndarray::ArrayD;
use serde::Serialize;

use crate::boundary::Connection;
use crate::{AnalysisError, Images, Model};

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// The user must know.
    Warning,
    /// The user may like to know.
    Info,
    /// For the author.
    Debug,
}

/// The host, as an analysis sees it: the model, the pictures, and where results go.
///
/// It may be shared with threads that end before `run` returns.
pub struct Host<'run> {
    connection: &'run Connection<'run>,
    model: OnceLock<(u64, ModelDescription)>,
}

impl<'run> Host<'run> {
    pub(crate) fn new(connection: &'run Connection<'_>) -> Self {
        Self { connection, model: OnceLock::new() }
    }

    /// Writes a line to the log. What a reader of the report must know is a [`note`](Self::note).
    pub fn log(&self, level: LogLevel, line: &str) {
        let level = match level {
            LogLevel::Warning => abi::CS_LOG_WARNING,
            LogLevel::Info => abi::CS_LOG_INFO,
            LogLevel::Debug => abi::CS_LOG_DEBUG,
        };
        self.connection.log(level, line);
    }

    /// Reports how far the analysis is, from 0 to 1, and what it is doing.
    ///
    /// # Errors
    /// [`AnalysisError::Cancelled`] when the user wants to stop: return it.
    pub fn progress(&self, fraction: f64, doing: &str) -> Result<(), AnalysisError> {
        self.connection.progress(fraction, doing)
    }

    /// Says whether the user wants to stop; for long work between two calls of the host.
    pub fn is_cancelled(&self) -> bool {
        self.connection.is_cancelled()
    }

    /// Derives a seed from the session's, the analysis, its parameters and a stream number: the
    /// only source of randomness that gives the same report twice.
    pub fn rng_seed(&self, stream: u64) -> u64 {
        self.connection.rng_seed(stream)
    }

    /// Returns the completed parameters as the host wrote them.
    ///
    /// # Errors
    /// Fails when the host breaks the interface.
    pub fn parameters_json(&self) -> Result<&'run str, AnalysisError> {
        self.connection.parameters()
    }

    /// Returns the images of the parameter `key`, whose type is
    /// [`ImagesParameter`](crate::ImagesParameter).
    ///
    /// # Errors
    /// Fails when the parameter was not given.
    pub fn images(&self, key: &str) -> Result<Images<'_>, AnalysisError> {
        if self.connection.parameter_count(key)? == 0 {
            return Err(AnalysisError::parameter(key, "no pictures were given"));
        }
        let dataset = self.connection.parameter_handle(key, 0, abi::CS_PARAM_DATASET)?;
        Images::new(self.connection, dataset)
    }

    /// Makes images of values `[n, c, h, w]` in network-input units.
    ///
    /// # Errors
    /// Fails when the host refuses the shape or lacks the memory.
    pub fn images_from(&self, values: ArrayD<f32>) -> Result<Images<'_>, AnalysisError> {
        let tensor = self.connection.create(&values.into())?;
        let dataset = self.connection.dataset_of(tensor)?;
        Images::new(self.connection, dataset)
    }

    /// Returns the model that the analysis was called on.
    ///
    /// # Errors
    /// Fails when the host breaks the interface.
    pub fn model(&self) -> Result<Model<'_>, AnalysisError> {
        if self.model.get().is_none() {
            let handle = self.connection.current_model()?;
            let description = serde_json::from_str(self.connection.describe(handle)?)
                .map_err(|error| AnalysisError::Interface(format!("model: {error}")))?;
            // Another thread may have been faster, with the same description.
            let _ = self.model.set((handle, description));
        }
        match self.model.get() {
            Some((handle, description)) => Ok(Model::new(self.connection, *handle, description)),
            None => Err(AnalysisError::Interface("no model".into())),
        }
    }

    /// Hands an array to the host. Names are singular and in snake case; `NAME.LAYER` is the array
    /// of one layer.
    ///
    /// # Errors
    /// Fails when the host refuses it: the name was used before, or axes and shape disagree.
    pub fn emit_array(&self, array: Array) -> Result<(), AnalysisError> {
        let Array { name, meta, values } = array;
        let meta = json::<ArrayMeta>(&meta)?;
        let tensor = self.connection.create(&values)?;
        // The host has its own copy now; two would count against the memory.
        drop(values);
        self.connection.emit(abi::CS_EMIT_ARRAY, &name, &meta, tensor)
    }

    /// Hands a table to the host.
    ///
    /// # Errors
    /// Fails when the host refuses it: the name was used before, or rows and columns disagree.
    pub fn emit_table(&self, table: &Table) -> Result<(), AnalysisError> {
        let meta = json(table)?;
        self.connection.emit(abi::CS_EMIT_TABLE, &table.name, &meta, abi::CS_NONE)
    }

    /// Hands a figure to the host. The arrays and tables it refers to must be emitted before.
    ///
    /// # Errors
    /// Fails when the host refuses it: the name was used before, or it refers to what is not
    /// there.
    pub fn emit_figure(&self, figure: &Figure) -> Result<(), AnalysisError> {
        let meta = json(figure)?;
        self.connection.emit(abi::CS_EMIT_FIGURE, &figure.name, &meta, abi::CS_NONE)
    }

    /// Hands a number to the host.
    ///
    /// # Errors
    /// Fails when the host refuses it: the name was used before, or the number is not finite.
    pub fn emit_scalar(&self, name: &str, number: f64) -> Result<(), AnalysisError> {
        let meta = json(&number)?;
        self.connection.emit(abi::CS_EMIT_SCALAR, name, &meta, abi::CS_NONE)
    }

    /// Adds a remark that every reader of the report must see, such as an approximation taken.
    ///
    /// # Errors
    /// Fails when the host refuses it.
    pub fn note(&self, remark: &str) -> Result<(), AnalysisError> {
        let meta = json(remark)?;
        self.connection.emit(abi::CS_EMIT_NOTE, "", &meta, abi::CS_NONE)
    }
}

/// Writes what crosses the boundary as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, AnalysisError> {
    serde_json::to_string(value).map_err(|error| AnalysisError::Failed(error.to_string()))
}
