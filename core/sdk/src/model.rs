//! The model of a run.

use convscope_protocol::{
    Capture, Case, Composite, LayerDescription, ModelDescription, Region, Start,
};
use ndarray::ArrayD;

use crate::batch::Batch;
use crate::boundary::{Connection, Mapped, RawBatch, SinkState};
use crate::host::json;
use crate::{AnalysisError, Images};

/// The model that the analysis was called on.
#[derive(Clone, Copy)]
pub struct Model<'host> {
    connection: &'host Connection<'host>,
    handle: u64,
    description: &'host ModelDescription,
}

impl<'host> Model<'host> {
    pub(crate) fn new(
        connection: &'host Connection<'_>,
        handle: u64,
        description: &'host ModelDescription,
    ) -> Self {
        Self { connection, handle, description }
    }

    /// Returns what is known about the model: layers, inputs, labels, preprocessing.
    pub fn description(&self) -> &'host ModelDescription {
        self.description
    }

    /// Finds a layer by its full name.
    pub fn layer(&self, name: &str) -> Option<&'host LayerDescription> {
        self.description.layers.iter().find(|layer| layer.name == name)
    }

    /// Returns `[channels, height, width]` of the picture that the model takes.
    ///
    /// # Errors
    /// Fails when the model's first input is no picture.
    pub fn input_extents(&self) -> Result<[usize; 3], AnalysisError> {
        let input = self.description.inputs.first();
        match input.map(|input| input.shape.as_slice()) {
            Some(&[_, channels, height, width]) => Ok([channels, height, width]),
            shape => Err(AnalysisError::Unsupported(format!(
                "the model's first input is no picture: its shape is {:?}",
                shape.unwrap_or_default()
            ))),
        }
    }

    /// Runs forward and hands what is captured to `sink`, some cases at a time and in order, so
    /// that memory stays bounded. With no cases, every image is one case as it is.
    ///
    /// `sink` gets the cases of a [`Batch`] and, for every capture, its values.
    ///
    /// # Errors
    /// Fails when a name or an index is wrong, when the host runs out of memory for a single case,
    /// when the user cancels, or with the error of `sink`.
    ///
    /// # Panics
    /// Carries on a panic of `sink`.
    pub fn observe(
        &self,
        images: &Images<'_>,
        cases: &[Case],
        captures: &[Capture],
        mut sink: impl FnMut(&Batch<'_>) -> Result<(), AnalysisError>,
    ) -> Result<(), AnalysisError> {
        let cases = if cases.is_empty() { String::new() } else { json(cases)? };
        let counts: Vec<usize> =
            captures.iter().map(|capture| capture.reduction.tensor_count()).collect();
        let connection = self.connection;
        let mut receive =
            |raw: RawBatch<'_>| sink(&Batch::new(connection, raw, counts.iter().copied())?);
        let mut state = SinkState::new(&mut receive);
        let captures = json(captures)?;
        connection.observe(self.handle, images.selection(), &cases, &captures, &mut state)
    }

    /// Carries signals back from units and hands what arrives to `sink`, some starts at a time and
    /// in order. With no names in `to`, signals go to the first input.
    ///
    /// `sink` gets the starts of a [`Batch`] and, for every name of `to`, what arrived there.
    ///
    /// # Errors
    /// As [`Model::observe`].
    ///
    /// # Panics
    /// Carries on a panic of `sink`.
    pub fn attribute(
        &self,
        images: &Images<'_>,
        starts: &[Start],
        composite: &Composite,
        to: &[&str],
        mut sink: impl FnMut(&Batch<'_>) -> Result<(), AnalysisError>,
    ) -> Result<(), AnalysisError> {
        let count = to.len().max(1);
        let connection = self.connection;
        let mut receive =
            |raw: RawBatch<'_>| sink(&Batch::new(connection, raw, std::iter::repeat_n(1, count))?);
        let mut state = SinkState::new(&mut receive);
        let to = if to.is_empty() { String::new() } else { json(to)? };
        let (starts, composite) = (json(starts)?, json(composite)?);
        let texts = [starts.as_str(), &composite, &to];
        connection.attribute(self.handle, images.selection(), texts, &mut state)
    }

    /// Returns the pixels of the network's input that a unit can see; the rectangle hangs over the
    /// border where the unit sees padding. `position` is `[row, column]`, nothing for features.
    ///
    /// # Errors
    /// Fails when there is no such value or position.
    pub fn receptive_field(
        &self,
        value: &str,
        position: Option<[usize; 2]>,
    ) -> Result<Region, AnalysisError> {
        let place = position.map(|place| place.map(|index| index as u64));
        let [top, left, height, width] =
            self.connection.receptive_field(self.handle, value, place)?;
        let extent = |extent: i64| {
            u64::try_from(extent)
                .map_err(|_| AnalysisError::Interface(format!("a field of extent {extent}")))
        };
        Ok(Region { top, left, height: extent(height)?, width: extent(width)? })
    }

    /// Returns a parameter of a layer: `weight` or `bias`.
    ///
    /// # Errors
    /// Fails when the layer has no such parameter.
    pub fn parameter(&self, layer: &str, name: &str) -> Result<ArrayD<f32>, AnalysisError> {
        let tensor = self.connection.layer_parameter(self.handle, layer, name)?;
        let values = Mapped::read(self.connection, tensor)
            .and_then(|mapped| Ok(mapped.view::<f32>()?.to_owned()));
        self.connection.release(tensor);
        values
    }
}
