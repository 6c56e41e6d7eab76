//! The axes over which a layer brings many values down to one.

use super::operand;
use crate::{LayerError, LayerKind, Reach, Shape};

/// What becomes of the axes that are reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReducedAxes {
    /// They stay with extent 1.
    #[default]
    Kept,
    /// They vanish.
    Dropped,
}

/// Which axes are reduced, and what becomes of them.
#[derive(Clone, Debug)]
pub(super) struct Reduced {
    kind: LayerKind,
    /// Ascending, without the batch; `None` for all from axis 2 on.
    axes: Option<Vec<usize>>,
    left: ReducedAxes,
}

impl Reduced {
    /// Whole maps, which become `[batch, channel, 1, 1]`.
    pub(super) fn maps(kind: LayerKind) -> Self {
        Self { kind, axes: None, left: ReducedAxes::Kept }
    }

    /// The given axes.
    ///
    /// # Errors
    /// Fails when there is none, one is there twice, or one is the batch.
    pub(super) fn over(
        kind: LayerKind,
        axes: &[usize],
        left: ReducedAxes,
    ) -> Result<Self, LayerError> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.is_empty() || sorted.len() != axes.len() || sorted.contains(&0) {
            let expected = "different axes other than the batch";
            return Err(LayerError::invalid(kind, expected, format!("{axes:?}")));
        }
        Ok(Self { kind, axes: Some(sorted), left })
    }

    /// Returns the axes, and the shape in which they have extent 1.
    pub(super) fn kept(&self, input: &Shape) -> Result<(Vec<usize>, Shape), LayerError> {
        let axes = self.axes.clone().unwrap_or_else(|| (2..input.rank()).collect());
        let mut kept = input.clone();
        for &axis in &axes {
            operand::own_axis(self.kind, axis, input)?;
            kept = kept.with_extent(axis, 1);
        }
        if axes.is_empty() {
            return Err(LayerError::invalid(self.kind, "maps", format!("shape {input}")));
        }
        Ok((axes, kept))
    }

    /// Returns the shape of the output.
    pub(super) fn output_shape(&self, input: &Shape) -> Result<Shape, LayerError> {
        let (axes, kept) = self.kept(input)?;
        if self.left == ReducedAxes::Kept {
            return Ok(kept);
        }
        let extents = kept.extents().iter().enumerate();
        let left: Vec<usize> =
            extents.filter(|(axis, _)| !axes.contains(axis)).map(|(_, &extent)| extent).collect();
        Ok(Shape::new(&left))
    }

    /// Says whether maps are reduced as a whole, and no other axis is.
    pub(super) fn is_of_maps(&self) -> bool {
        self.axes.as_deref().is_none_or(|axes| axes == [2, 3])
    }

    /// Says what one output cell depends on.
    pub(super) fn reach(&self) -> Reach {
        match (self.axes.as_deref(), self.left) {
            (Some(&[axis]), ReducedAxes::Kept) => Reach::Along(axis),
            _ => Reach::Global,
        }
    }
}
