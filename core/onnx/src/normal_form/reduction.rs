//! Reductions, whose axes moved from an attribute to an input.

use convscope_runtime::layer::ReducedAxes;

use super::resolve_axes;
use crate::call::Call;
use crate::refusal::Refusal;

impl Call<'_, '_> {
    /// Returns the axes that are reduced, ascending, and what becomes of them: an attribute before
    /// operator set `since`, an input from then on. `None` where the node changes nothing.
    pub(crate) fn reduced_axes(
        &self,
        rank: usize,
        since: i64,
    ) -> Result<Option<(Vec<usize>, ReducedAxes)>, Refusal> {
        self.at_most(if self.operator_set() < since { 1 } else { 2 })?;
        let axes = self.attribute_or_input("axes", 1, since)?.unwrap_or_default();
        let without_axes = self.attributes.flag("noop_with_empty_axes")?;
        let left = match self.attributes.flag("keepdims")? {
            Some(false) => ReducedAxes::Dropped,
            _ => ReducedAxes::Kept,
        };
        if axes.is_empty() {
            let all = (without_axes != Some(true)).then(|| (0..rank).collect());
            return Ok(all.map(|all| (all, left)));
        }
        Ok(Some((resolve_axes(&axes, rank)?, left)))
    }
}
