//! What a forward pass leaves behind.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{NodeId, ValueId};
use crate::{Backend, BackendError, LayerError, Record, Shape, Tensor};

/// What a forward pass left behind.
#[derive(Clone, Debug)]
pub struct Trace {
    pub(super) batch: usize,
    pub(super) values: BTreeMap<ValueId, Tensor>,
    /// Those of `values` that are the same for every image.
    pub(super) shared: BTreeSet<ValueId>,
    pub(super) records: Arc<BTreeMap<NodeId, Record>>,
    /// The rows of the records that are this trace's images; `None` for all as they are.
    pub(super) rows: Option<Vec<usize>>,
}

impl Trace {
    /// Returns the number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns a captured value.
    pub fn value(&self, id: ValueId) -> Option<&Tensor> {
        self.values.get(&id)
    }

    /// Returns the trace of the given images, any number of times each, so that several signals
    /// share one forward pass. The records are shared; the way back takes the rows of each when it
    /// comes to it, so that they are never all there twice.
    ///
    /// # Errors
    /// Fails when a row does not exist.
    pub fn select(&self, backend: &dyn Backend, rows: &[usize]) -> Result<Self, LayerError> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.batch) {
            let expected = format!("more than {row} images");
            let actual = Shape::from([self.batch]);
            return Err(BackendError::Incompatible { kernel: "select", expected, actual }.into());
        }
        if rows.iter().copied().eq(0..self.batch) {
            return Ok(self.clone());
        }
        let values = self
            .values
            .iter()
            .map(|(&id, value)| {
                let shared = self.shared.contains(&id);
                Ok((id, if shared { value.clone() } else { backend.select(value, rows)? }))
            })
            .collect::<Result<_, LayerError>>()?;
        let rows = match &self.rows {
            Some(earlier) => rows.iter().map(|&row| earlier[row]).collect(),
            None => rows.to_vec(),
        };
        let records = self.records.clone();
        Ok(Self {
            batch: rows.len(),
            values,
            shared: self.shared.clone(),
            records,
            rows: Some(rows),
        })
    }

    /// Returns the record of a layer, if there is one.
    pub(super) fn record(
        &self,
        backend: &dyn Backend,
        node: NodeId,
    ) -> Result<Option<Cow<'_, Record>>, LayerError> {
        match (self.records.get(&node), &self.rows) {
            (Some(record), Some(rows)) => Ok(Some(Cow::Owned(record.select(backend, rows)?))),
            (record, _) => Ok(record.map(Cow::Borrowed)),
        }
    }
}
