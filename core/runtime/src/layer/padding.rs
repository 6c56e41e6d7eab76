use super::{Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand};
use crate::{Backend, LayerError, Shape, Tensor, Window, geometry};

/// What stands beyond the ends of a padded axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filling {
    /// One number.
    Constant(f32),
    /// The nearest element.
    Edge,
    /// The elements in reverse order, without the one at the end.
    Reflect,
    /// The elements of the other end.
    Wrap,
}

/// How many elements an axis gains at its ends, or loses where a number is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaddedAxis {
    /// Which axis.
    pub axis: usize,
    /// Elements before the first.
    pub before: isize,
    /// Elements behind the last.
    pub behind: isize,
}

impl PaddedAxis {
    /// Returns what is left of an axis before anything is added, as start and length.
    fn kept(&self, extent: usize) -> Option<(usize, usize)> {
        let cut = |pad: isize| if pad < 0 { pad.unsigned_abs() } else { 0 };
        let kept = extent.checked_sub(cut(self.before))?.checked_sub(cut(self.behind))?;
        Some((cut(self.before), kept))
    }

    fn gained(&self) -> [usize; 2] {
        [self.before, self.behind].map(|pad| pad.max(0).unsigned_abs())
    }

    /// Returns the extent of the padded axis, where the filling has enough to fill it with.
    fn padded(&self, extent: usize, filling: Filling) -> Option<usize> {
        let (_, kept) = self.kept(extent)?;
        let [before, behind] = self.gained();
        let enough = match filling {
            Filling::Constant(_) => true,
            Filling::Edge | Filling::Wrap => kept > 0,
            Filling::Reflect => before.max(behind) < kept,
        };
        let padded = kept.checked_add(before)?.checked_add(behind)?;
        (enough && isize::try_from(padded).is_ok()).then_some(padded)
    }

    /// Lists where the elements of the padded axis come from.
    fn sources(&self, extent: usize, filling: Filling) -> Vec<Option<usize>> {
        let Some((start, kept)) = self.kept(extent) else { return Vec::new() };
        let [before, behind] = self.gained();
        let beyond = |at: isize| {
            let last = kept.cast_signed() - 1;
            match filling {
                Filling::Constant(_) => None,
                Filling::Edge => Some(at.clamp(0, last)),
                Filling::Reflect => Some(if at < 0 { -at } else { 2 * last - at }),
                Filling::Wrap => Some(at.rem_euclid(last + 1)),
            }
        };
        (0..before + kept + behind)
            .map(|index| {
                let at = index.cast_signed() - before.cast_signed();
                let inside = (0..kept.cast_signed()).contains(&at);
                let at = if inside { Some(at) } else { beyond(at) };
                at.map(|at| start + at.unsigned_abs())
            })
            .collect()
    }
}

/// Pads axes at their ends, or crops them. Its inversion crops; what was repeated is added up.
#[derive(Clone, Debug)]
pub struct Padding {
    axes: Vec<PaddedAxis>,
    filling: Filling,
}

impl Padding {
    /// Makes the layer.
    ///
    /// # Errors
    /// Fails when there is no axis, one is there twice, or one is the batch.
    pub fn new(axes: impl Into<Vec<PaddedAxis>>, filling: Filling) -> Result<Self, LayerError> {
        let mut axes = axes.into();
        axes.sort_by_key(|padded| padded.axis);
        let twice = axes.windows(2).any(|pair| pair[0].axis == pair[1].axis);
        if twice || axes.first().is_none_or(|padded| padded.axis == 0) {
            let axes: Vec<usize> = axes.iter().map(|padded| padded.axis).collect();
            let expected = "different axes other than the batch";
            return Err(LayerError::invalid(LayerKind::Padding, expected, format!("{axes:?}")));
        }
        Ok(Self { axes, filling })
    }
}

impl Layer for Padding {
    fn kind(&self) -> LayerKind {
        LayerKind::Padding
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let mut output = input.clone();
        for padded in &self.axes {
            operand::own_axis(self.kind(), padded.axis, input)?;
            let extent = padded.padded(input.extents()[padded.axis], self.filling);
            let Some(extent) = extent.filter(|&extent| extent > 0) else {
                let PaddedAxis { axis, before, behind } = padded;
                let filling = match self.filling {
                    Filling::Constant(_) => "a constant",
                    Filling::Edge => "its edge",
                    Filling::Reflect => "its reflection",
                    Filling::Wrap => "its other end",
                };
                let expected = format!(
                    "an axis {axis} that {before} before and {behind} behind can be padded with \
                     {filling}"
                );
                return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
            };
            output = output.with_extent(padded.axis, extent);
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
        let fill = if let Filling::Constant(fill) = self.filling { fill } else { 0.0 };
        let mut output = input.clone();
        for padded in &self.axes {
            let sources = padded.sources(input.shape().extents()[padded.axis], self.filling);
            output = backend.gather(&output, padded.axis, &sources, fill)?;
        }
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }

    fn reach(&self, _input: usize) -> Reach {
        if let [PaddedAxis { axis, .. }] = *self.axes.as_slice()
            && !(2..4).contains(&axis)
        {
            return Reach::Along(axis);
        }
        let mut window = Window::of([1, 1]);
        let mut padding = geometry::Padding::default();
        for padded in &self.axes {
            let [before, behind] = padded.gained();
            // A window has no start of its own: it spans what is cropped before the first cell.
            let cropped = padded.kept(usize::MAX).map_or(0, |(start, _)| start);
            match (padded.axis, self.filling) {
                (1, _) => {}
                (2, Filling::Constant(_)) => {
                    (padding.top, padding.bottom) = (before, behind);
                    window.kernel[0] = cropped.saturating_add(1);
                }
                (3, Filling::Constant(_)) => {
                    (padding.left, padding.right) = (before, behind);
                    window.kernel[1] = cropped.saturating_add(1);
                }
                _ => return Reach::Global,
            }
        }
        Reach::Window(Window { padding, ..window })
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        self.output_shape(inputs)
            .map_or_else(|_| Work::default(), |output| Work::count(inputs, &output, 0, 0))
    }
}

impl LayerInversion for Padding {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let restored = record.input_shape(self.kind())?;
        let mut carried = signal.clone();
        for padded in self.axes.iter().rev() {
            let extent = restored.extents().get(padded.axis).copied().unwrap_or(0);
            let sources = padded.sources(extent, self.filling);
            carried = backend.scatter(&carried, padded.axis, &sources, extent)?;
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
    use crate::CpuBackend;
    use crate::layer::testing::check;

    const ALL: [Filling; 4] =
        [Filling::Constant(2.5), Filling::Edge, Filling::Reflect, Filling::Wrap];

    fn along(axis: usize, before: isize, behind: isize) -> PaddedAxis {
        PaddedAxis { axis, before, behind }
    }

    #[test]
    fn padding_keeps_its_promises_for_every_filling() {
        for filling in ALL {
            let around = [along(2, 1, 2), along(3, 3, 0)];
            check(&Padding::new(around, filling).unwrap(), &[&[2, 3, 4]]);
            let cropped = [along(3, -1, 1), along(1, 0, -1)];
            check(&Padding::new(cropped, filling).unwrap(), &[&[2, 3, 4]]);
        }
    }

    #[test]
    fn every_filling_continues_a_row_in_its_own_way() {
        let input = Tensor::new([1, 4], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let padded = |before, behind, filling| {
            let layer = Padding::new([along(1, before, behind)], filling).unwrap();
            let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
            output.values().unwrap().to_vec()
        };
        let rows = ALL.map(|filling| padded(2, 1, filling));
        assert_eq!(rows[0], [2.5, 2.5, 1.0, 2.0, 3.0, 4.0, 2.5]);
        assert_eq!(rows[1], [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(rows[2], [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0]);
        assert_eq!(rows[3], [3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0]);
        // What is cropped away is gone before anything is repeated.
        let rows = ALL.map(|filling| padded(-1, 2, filling));
        assert_eq!(rows[0], [2.0, 3.0, 4.0, 2.5, 2.5]);
        assert_eq!(rows[1], [2.0, 3.0, 4.0, 4.0, 4.0]);
        assert_eq!(rows[2], [2.0, 3.0, 4.0, 3.0, 2.0]);
        assert_eq!(rows[3], [2.0, 3.0, 4.0, 2.0, 3.0]);
    }

    #[test]
    fn constants_around_a_map_are_a_window_of_one_cell() {
        let around = [along(2, 1, 0), along(3, 2, -1)];
        let reach = |filling| Padding::new(around, filling).unwrap().reach(0);
        let padding = geometry::Padding { top: 1, left: 2, ..geometry::Padding::default() };
        let window = Window { padding, ..Window::of([1, 1]) };
        assert_eq!(reach(Filling::Constant(0.0)), Reach::Window(window));
        assert_eq!(reach(Filling::Reflect), Reach::Global);
        let cropped = Padding::new([along(2, -2, 0)], Filling::Constant(0.0)).unwrap();
        assert_eq!(cropped.reach(0), Reach::Window(Window::of([3, 1])));
        let channels = Padding::new([along(1, 2, 2)], Filling::Edge).unwrap();
        assert_eq!(channels.reach(0), Reach::Along(1));
    }

    #[test]
    fn padding_refuses_the_batch_and_what_cannot_be_filled() {
        for axes in [vec![along(0, 1, 1)], vec![], vec![along(2, 1, 1), along(2, 1, 1)]] {
            let listed: Vec<usize> = axes.iter().map(|padded| padded.axis).collect();
            assert_eq!(
                Padding::new(axes, Filling::Edge).unwrap_err().to_string(),
                format!("padding: expected different axes other than the batch, got {listed:?}")
            );
        }
        let refused = |before, behind, filling| {
            let layer = Padding::new([along(1, before, behind)], filling).unwrap();
            layer.output_shape(&[&Shape::from([1, 3])]).unwrap_err().to_string()
        };
        assert_eq!(
            refused(3, 0, Filling::Reflect),
            "padding: expected an axis 1 that 3 before and 0 behind can be padded with its \
             reflection, got shape [1, 3]"
        );
        for (filling, name) in ALL.into_iter().zip(["a constant", "its edge", "its r", "its o"]) {
            let message = refused(-2, -1, filling);
            assert!(message.contains(&format!("can be padded with {name}")), "{message}");
        }
        assert!(refused(isize::MAX, 1, Filling::Edge).contains("its edge"));
        assert!(refused(isize::MIN, 1, Filling::Edge).contains("its edge"));
    }
}
