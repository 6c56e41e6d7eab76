//! A host for the tests of a plugin, without the program: the whole table that a plugin sees, over
//! a tiny network whose values can be computed by hand.
//!
//! It checks what the real host checks: parameters against the schema, names, indices, handles,
//! results. It also refuses what the real host would only survive: a plugin that goes on after it
//! was cancelled, or that keeps a tensor mapped.
//!
//! The network takes `input` `[1, 2, 6, 6]`, with channels x and y:
//!
//! | layer | kind | output | value |
//! | --- | --- | --- | --- |
//! | `conv` | convolution 1×1 | `[1, 3, 6, 6]` | x, y − 1, x − y + 0.5 ([`WEIGHT`], [`BIAS`]) |
//! | `relu` | rectifier | `[1, 3, 6, 6]` | max(`conv`, 0) |
//! | `pool` | max pooling 2×2, stride 2 | `[1, 3, 3, 3]` | first maximum of each window |
//! | `scores` | linear | `[1, 4]` | [`CLASS_WEIGHT`] · sums of the maps of `pool` |
//!
//! The classes are `ant`, `bee`, `cat`, `dog`. Under [`FakeHost::with_colours`] the input has a
//! third channel, which adds to `conv` by [`THIRD_WEIGHT`].

mod attribute;
mod images;
mod network;
mod observe;
mod parameters;
mod reduction;
mod run;
mod tensors;
mod verbs;

use std::sync::Mutex;

use convscope_abi::CsStatus;
use convscope_protocol::{
    Composite, Findings, ModelDescription, ParameterError, Schema, SchemaError,
};
use ndarray::ArrayD;
use serde_json::Value;
use thiserror::Error;

pub use network::{BIAS, CLASS_WEIGHT, LABELS, THIRD_WEIGHT, WEIGHT};

pub(crate) use images::Picked;
pub(crate) use run::{Fault, Run};

use crate::boundary::table;
use crate::{Analysis, LogLevel};
use images::ImageSet;

/// A host for the tests of a plugin.
///
/// ```
/// # use convscope_sdk::fake::FakeHost;
/// let host = FakeHost::new().with_tensors("images", ndarray::ArrayD::zeros(vec![3, 2, 6, 6]));
/// ```
#[derive(Debug)]
pub struct FakeHost {
    images: Vec<(String, ImageSet)>,
    seed: u64,
    cancel_after: Option<usize>,
    rows_per_batch: usize,
    network: Network,
    heard: Mutex<Heard>,
}

/// What an analysis said on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) log: Vec<(LogLevel, String)>,
    pub(crate) progress: Vec<(f64, String)>,
    pub(crate) composites: Vec<Composite>,
}

/// In which order the network takes the colours of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How the network differs from the plain one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    pub(crate) colours: Option<ColourOrder>,
    pub(crate) edit: Option<fn(&mut ModelDescription)>,
    pub(crate) margin: u32,
}

impl ColourOrder {
    const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        }
    }

    /// Counts the channels of the network's input.
    const fn channels(order: Option<Self>) -> usize {
        if order.is_some() { 3 } else { 2 }
    }
}

impl Network {
    fn description(self) -> ModelDescription {
        let mut description = network::description(self.colours);
        if let Some(edit) = self.edit {
            edit(&mut description);
        }
        description
    }
}

/// Why a run under the fake host failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FakeError {
    /// A host would refuse the plugin: its schema is not acceptable.
    #[error("the schema of the analysis is refused")]
    Schema(#[from] SchemaError),
    /// The parameters do not fit the schema, or name what is not there. The analysis did not run.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Parameters(Vec<ParameterError>),
    /// The images do not fit the network. The analysis did not run.
    ///
    /// Cure: Give the test pictures of that shape: `[n, channels, 6, 6]`.
    #[error("images `{key}`: expected shape [n, {channels}, 6, 6], got {shape:?}")]
    Images {
        /// The parameter.
        key: String,
        /// Their shape.
        shape: Vec<usize>,
        /// Channels of the network's input.
        channels: usize,
    },
    /// The analysis returned an error.
    ///
    /// Cure: Look at the words: they are what a user would read.
    #[error("{message}")]
    Analysis {
        /// What it returned.
        status: CsStatus,
        /// Its words.
        message: String,
    },
    /// The analysis broke the plugin interface.
    ///
    /// Cure: Mend the analysis: a real host would end the run, and call the plugin at fault.
    #[error("the plugin broke the interface: {0}")]
    Misbehaved(String),
}

impl FakeHost {
    /// Makes a host without images, which hands out two cases at a time.
    pub fn new() -> Self {
        Self {
            images: Vec::new(),
            seed: 0,
            cancel_after: None,
            rows_per_batch: 2,
            network: Network::default(),
            heard: Mutex::default(),
        }
    }

    /// Gives tensors `[n, 2, 6, 6]` as the parameter `key`.
    #[must_use]
    pub fn with_tensors(mut self, key: &str, values: ArrayD<f32>) -> Self {
        self.images.push((key.to_owned(), ImageSet::tensors(values)));
        self
    }

    /// Gives pictures as the parameter `key`, whose inputs are `[n, 2, 6, 6]`. Their originals are
    /// twice as large, and their pixels are 128 + 64 · (x, y, 0), limited to bytes; under
    /// [`with_colours`](Self::with_colours) all three channels are pixels.
    #[must_use]
    pub fn with_pictures(mut self, key: &str, values: ArrayD<f32>) -> Self {
        self.images.push((key.to_owned(), ImageSet::pictures(values)));
        self
    }

    /// Gives the network a third channel, and its channels the names of colours, so that figures
    /// can be drawn: images are `[n, 3, 6, 6]` then.
    #[must_use]
    pub fn with_colours(mut self, order: ColourOrder) -> Self {
        self.network.colours = Some(order);
        self
    }

    /// Changes what plugins are told about the network, which itself stays as it is: to see what an
    /// analysis makes of a model without labels, say.
    #[must_use]
    pub fn with_description(mut self, edit: fn(&mut ModelDescription)) -> Self {
        self.network.edit = Some(edit);
        self
    }

    /// Makes every receptive field larger by so many pixels on each side, as padding does: fields
    /// overlap then, and hang over the border.
    #[must_use]
    pub fn with_margin(mut self, pixels: u32) -> Self {
        self.network.margin = pixels;
        self
    }

    /// Sets the session's seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many cases or starts are handed to a sink at a time; at least one.
    #[must_use]
    pub fn with_rows_per_batch(mut self, rows: usize) -> Self {
        self.rows_per_batch = rows.max(1);
        self
    }

    /// Cancels at the given call of `progress`, counted from 1.
    #[must_use]
    pub fn cancel_at(mut self, call: usize) -> Self {
        self.cancel_after = Some(call.saturating_sub(1));
        self
    }

    /// Reads the parameters of an analysis as a host does.
    ///
    /// # Errors
    /// Fails where a host would refuse the plugin.
    pub fn schema<A: Analysis>(_: &A) -> Result<Schema, FakeError> {
        Ok(Schema::parse(&crate::schema::text::<A::Parameters>())?)
    }

    /// Runs an analysis with the given parameters, a JSON object; images stand in by themselves.
    ///
    /// # Errors
    /// Returns what a user would be told, or how the analysis broke the interface.
    pub fn run<A: Analysis>(
        &self,
        analysis: &'static A,
        parameters: &Value,
    ) -> Result<Findings, FakeError> {
        for (key, images) in &self.images {
            images.check(key, ColourOrder::channels(self.network.colours))?;
        }
        let schema = Self::schema(analysis)?;
        let sets = self.images.iter().map(|(_, images)| images.clone()).collect();
        let keys: Vec<&str> = self.images.iter().map(|(key, _)| key.as_str()).collect();
        let completed = parameters::complete(&schema, parameters, &keys)?;
        let run = Run::new(run::Settings {
            analysis: A::ID.to_owned(),
            seed: self.seed,
            cancel_after: self.cancel_after,
            rows_per_batch: self.rows_per_batch,
            network: self.network,
            needs_backward: A::NEEDS_BACKWARD,
            parameters: completed,
            images: sets,
        });
        let status = table::run(&crate::export::register(analysis), &run);
        let (outcome, heard) = run.finish(status);
        if let Ok(mut kept) = self.heard.lock() {
            *kept = heard;
        }
        outcome
    }

    /// Returns what the last run wrote to the log.
    pub fn log(&self) -> Vec<(LogLevel, String)> {
        self.heard.lock().map(|heard| heard.log.clone()).unwrap_or_default()
    }

    /// Returns the composites by which the last run carried signals back, one for every call.
    pub fn composites(&self) -> Vec<Composite> {
        self.heard.lock().map(|heard| heard.composites.clone()).unwrap_or_default()
    }

    /// Returns what the last run reported as progress.
    pub fn progress(&self) -> Vec<(f64, String)> {
        self.heard.lock().map(|heard| heard.progress.clone()).unwrap_or_default()
    }
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}
