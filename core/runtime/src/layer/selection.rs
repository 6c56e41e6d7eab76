use std::sync::Arc;

use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor, Window};

/// Which elements of an axis are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// `count` elements from `start` on, `step` apart.
    Stepped {
        /// The first.
        start: usize,
        /// From one to the next; negative runs backwards.
        step: isize,
        /// How many.
        count: usize,
    },
    /// Those at the listed positions, any number of times each.
    Listed(Arc<[usize]>),
}

impl Chosen {
    /// Chooses `start..end`.
    pub fn range(range: std::ops::Range<usize>) -> Self {
        Self::Stepped { start: range.start, step: 1, count: range.len() }
    }

    fn count(&self) -> usize {
        match self {
            Self::Stepped { count, .. } => *count,
            Self::Listed(positions) => positions.len(),
        }
    }

    /// Says whether there are any, and all within an axis.
    fn fits(&self, extent: usize) -> bool {
        match self {
            Self::Stepped { start, step, count } => {
                let ahead = |last| isize::try_from(last).ok()?.checked_mul(*step);
                let last = count.checked_sub(1).and_then(ahead);
                let last = last.and_then(|ahead| start.checked_add_signed(ahead));
                *start < extent && last.is_some_and(|last| last < extent)
            }
            Self::Listed(positions) => {
                !positions.is_empty() && positions.iter().all(|&position| position < extent)
            }
        }
    }

    /// Lists the positions; they are known to fit.
    fn sources(&self) -> Vec<Option<usize>> {
        match self {
            Self::Stepped { start, step, count } => {
                let at = |index: usize| start.wrapping_add_signed(index.cast_signed() * step);
                (0..*count).map(|index| Some(at(index))).collect()
            }
            Self::Listed(positions) => positions.iter().map(|&position| Some(position)).collect(),
        }
    }
}

/// Takes elements of axes by their positions. Its inversion puts them back, adds up what was taken
/// several times, and leaves zero where nothing was taken.
#[derive(Clone, Debug)]
pub struct Selection {
    chosen: Vec<(usize, Chosen)>,
}

impl Selection {
    /// Makes the layer of pairs of an axis and what is taken of it.
    ///
    /// # Errors
    /// Fails when there is none, an axis is there twice, or one is the batch.
    pub fn new(chosen: impl Into<Vec<(usize, Chosen)>>) -> Result<Self, LayerError> {
        let mut chosen = chosen.into();
        chosen.sort_by_key(|(axis, _)| *axis);
        let twice = chosen.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if twice || chosen.first().is_none_or(|(axis, _)| *axis == 0) {
            let axes: Vec<usize> = chosen.iter().map(|(axis, _)| *axis).collect();
            let expected = "different axes other than the batch";
            return Err(LayerError::invalid(LayerKind::Selection, expected, format!("{axes:?}")));
        }
        Ok(Self { chosen })
    }

    /// Says how far a cell reaches where all that is known is which axes are touched.
    fn alone(&self) -> Reach {
        if let [(axis, _)] = self.chosen.as_slice() { Reach::Along(*axis) } else { Reach::Global }
    }
}

impl Layer for Selection {
    fn kind(&self) -> LayerKind {
        LayerKind::Selection
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let mut output = input.clone();
        for (axis, chosen) in &self.chosen {
            operand::own_axis(self.kind(), *axis, input)?;
            if !chosen.fits(input.extents()[*axis]) {
                let expected = format!("an axis {axis} with what is taken of it");
                return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
            }
            output = output.with_extent(*axis, chosen.count());
        }
        Ok(output)
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        let mut output = input.clone();
        for (axis, chosen) in &self.chosen {
            output = backend.gather(&output, *axis, &chosen.sources(), 0.0)?;
        }
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        let mut window = Window::of([1, 1]);
        for (axis, chosen) in &self.chosen {
            match (axis, chosen) {
                (1, _) => {}
                (2 | 3, Chosen::Stepped { start, step: step @ 1.., .. }) => {
                    // A window has no start of its own: it spans what lies before the first cell.
                    window.kernel[axis - 2] = start.saturating_add(1);
                    window.stride[axis - 2] = step.unsigned_abs();
                }
                _ => return self.alone(),
            }
        }
        if window == Window::of([1, 1]) { self.alone() } else { Reach::Window(window) }
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, 0, 0))
    }
}

impl LayerInversion for Selection {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        let mut carried = signal.clone();
        for (axis, chosen) in self.chosen.iter().rev() {
            let extent = restored.extents().get(*axis).copied().unwrap_or(0);
            carried = backend.scatter(&carried, *axis, &chosen.sources(), extent)?;
        }
        Ok(vec![carried])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::check;

    fn listed(positions: &[usize]) -> Chosen {
        Chosen::Listed(positions.into())
    }

    fn one(axis: usize, chosen: Chosen) -> Selection {
        Selection::new([(axis, chosen)]).unwrap()
    }

    #[test]
    fn selection_keeps_its_promises_for_parts_steps_and_lookups() {
        check(&one(1, Chosen::range(1..3)), &[&[4, 2]]);
        check(&one(2, Chosen::Stepped { start: 4, step: -2, count: 3 }), &[&[2, 5]]);
        check(&one(1, listed(&[2, 0, 2, 2])), &[&[3, 2, 2]]);
        let both = [(3, Chosen::range(1..4)), (1, listed(&[1]))];
        check(&Selection::new(both).unwrap(), &[&[3, 2, 4]]);
    }

    #[test]
    fn a_cell_reaches_where_its_axes_say() {
        let stepped = |start, step| Chosen::Stepped { start, step, count: 2 };
        assert_eq!(one(1, listed(&[0])).reach(0), Reach::Along(1));
        assert_eq!(one(1, stepped(3, -1)).reach(0), Reach::Along(1));
        assert_eq!(one(2, stepped(3, -1)).reach(0), Reach::Along(2));
        let both = [(1, listed(&[0])), (2, listed(&[0]))];
        assert_eq!(Selection::new(both).unwrap().reach(0), Reach::Global);
        let window = Window { stride: [1, 2], ..Window::of([1, 2]) };
        assert_eq!(one(3, stepped(1, 2)).reach(0), Reach::Window(window));
    }

    #[test]
    fn selection_refuses_the_batch_and_what_lies_outside() {
        let refused = |chosen: Vec<(usize, Chosen)>| Selection::new(chosen).unwrap_err();
        for (axes, chosen) in [
            ("[0]", vec![(0, listed(&[0]))]),
            ("[]", vec![]),
            ("[1, 1]", vec![(1, listed(&[0])), (1, listed(&[0]))]),
        ] {
            assert_eq!(
                refused(chosen).to_string(),
                format!("selection: expected different axes other than the batch, got {axes}")
            );
        }
        for chosen in [
            listed(&[3]),
            listed(&[]),
            Chosen::range(0..0),
            Chosen::range(2..4),
            Chosen::Stepped { start: 1, step: -1, count: 3 },
            Chosen::Stepped { start: 1, step: isize::MAX, count: usize::MAX },
        ] {
            assert_eq!(
                one(1, chosen).output_shape(&[&Shape::from([1, 3])]).unwrap_err().to_string(),
                "selection: expected an axis 1 with what is taken of it, got shape [1, 3]"
            );
        }
        assert!(one(2, listed(&[0])).output_shape(&[&Shape::from([1, 3])]).is_err());
    }
}
