//! Slice, Split, Squeeze, Unsqueeze, Pad and Transpose, whose parameters moved from attributes to
//! inputs.

use convscope_runtime::Shape;
use convscope_runtime::layer::{Filling, PaddedAxis};

use super::{resolve_axes, resolve_axis};
use crate::call::Call;
use crate::constant::Integers;
use crate::limits::RANK;
use crate::refusal::Refusal;

/// The positions that a slice takes of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: usize,
    pub(crate) step: isize,
    pub(crate) count: usize,
    /// Whether it runs forward to the end, however long the axis is.
    pub(crate) open: bool,
}

impl Steps {
    /// Reads a range as Slice and Python mean it: ends that lie outside are drawn in.
    ///
    /// # Errors
    /// Fails for a step of 0.
    fn of(start: i64, end: i64, step: i64, extent: usize) -> Result<Self, Refusal> {
        if step == 0 {
            return Err(Refusal::invalid("its step is 0"));
        }
        if extent == 0 {
            return Ok(Self { start: 0, step: 1, count: 0, open: false });
        }
        let signed = extent.cast_signed() as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(signed) } else { at };
        let (low, high) = if step > 0 { (0, signed) } else { (-1, signed - 1) };
        // Exporters write the largest number of 32 or 64 bits.
        let open = end >= i64::from(i32::MAX);
        let (start, end) = (from_end(start).clamp(0, high), from_end(end).clamp(low, high));
        let room = if step > 0 { end - start } else { start - end };
        let count = u64::try_from(room).unwrap_or(0).div_ceil(step.unsigned_abs());
        Ok(Self { start: start as usize, step: step as isize, count: count as usize, open })
    }

    /// Lists the positions.
    pub(crate) fn positions(self) -> impl Iterator<Item = usize> {
        let at = move |index: usize| {
            self.start.wrapping_add_signed(index.cast_signed().wrapping_mul(self.step))
        };
        (0..self.count).map(at)
    }
}

/// What a Pad adds to axes, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Pads {
    pub(crate) axes: Vec<PaddedAxis>,
    pub(crate) filling: Filling,
}

impl Call<'_, '_> {
    /// Returns the order of the axes that a Transpose makes.
    pub(crate) fn axis_order(&self, rank: usize) -> Result<Vec<usize>, Refusal> {
        let Some(order) = self.attributes.integers("perm")? else {
            return Ok((0..rank).rev().collect());
        };
        if resolve_axes(order, rank)?.len() != rank {
            return Err(Refusal::invalid("its order has not as many axes as its input"));
        }
        order.iter().map(|&axis| resolve_axis(axis, rank)).collect()
    }

    /// Returns the axes that a Squeeze drops; `None` where it drops all of extent 1.
    pub(crate) fn dropped_axes(&self, extents: &[usize]) -> Result<Option<Vec<usize>>, Refusal> {
        let Some(axes) = self.attribute_or_input("axes", 1, 13)? else { return Ok(None) };
        let dropped = resolve_axes(&axes, extents.len())?;
        if dropped.iter().any(|&axis| extents[axis] != 1) {
            return Err(Refusal::invalid("an axis to be dropped is longer than 1"));
        }
        Ok(Some(dropped))
    }

    /// Returns the extents that an Unsqueeze makes, and the axes that it adds, ascending.
    pub(crate) fn unsqueezed(
        &self,
        extents: &[usize],
    ) -> Result<(Vec<usize>, Vec<usize>), Refusal> {
        let axes = self.attribute_or_input("axes", 1, 13)?;
        let axes = axes.ok_or_else(|| Refusal::invalid("its axes are missing"))?;
        let rank = extents.len() + axes.len();
        if rank > RANK {
            return Err(Refusal::invalid(format!("its output would have {rank} axes")));
        }
        let added = resolve_axes(&axes, rank)?;
        let mut own = extents.iter().copied();
        let extent = |axis| if added.contains(&axis) { Some(1) } else { own.next() };
        Ok(((0..rank).filter_map(extent).collect(), added))
    }

    /// Returns what a Slice takes of which axes: attributes before operator set 10, inputs from
    /// then on.
    pub(crate) fn slices(&self, extents: &[usize]) -> Result<Vec<(usize, Steps)>, Refusal> {
        let list = |name, index| self.attribute_or_input(name, index, 10);
        let (Some(starts), Some(ends)) = (list("starts", 1)?, list("ends", 2)?) else {
            return Err(Refusal::invalid("its starts or ends are missing"));
        };
        let axes = list("axes", 3)?.unwrap_or_else(|| (0_i64..).take(starts.len()).collect());
        let steps = if self.operator_set() < 10 { None } else { self.integers(4, "steps")? };
        let steps = steps.map_or_else(|| vec![1; starts.len()], <[i64]>::to_vec);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(Refusal::invalid("its starts, ends, axes and steps differ in number"));
        }
        resolve_axes(&axes, extents.len())?;
        let limits = starts.iter().zip(&ends).zip(axes.iter().zip(&steps));
        let slice = |((&start, &end), (&axis, &step))| {
            let axis = resolve_axis(axis, extents.len())?;
            Ok((axis, Steps::of(start, end, step, extents[axis])?))
        };
        limits.map(slice).collect()
    }

    /// Says whether the attribute `axis` of a Split or Gather is the batch, whose extent is not
    /// known.
    pub(crate) fn cuts_batch(&self, rank: usize) -> Result<bool, Refusal> {
        Ok(resolve_axis(self.attributes.integer("axis")?.unwrap_or(0), rank)? == 0)
    }

    /// Returns the axis that a Split cuts, and the lengths of its parts: an attribute before
    /// operator set 13, an input from then on, and otherwise equal parts.
    pub(crate) fn split_parts(&self, extents: &[usize]) -> Result<(usize, Vec<usize>), Refusal> {
        let axis = resolve_axis(self.attributes.integer("axis")?.unwrap_or(0), extents.len())?;
        let (extent, outputs) = (extents[axis], self.further.len() + 1);
        let number = self.attributes.integer("num_outputs")?;
        if let Some(number) = number.filter(|&number| usize::try_from(number) != Ok(outputs)) {
            let reason = format!("its num_outputs is {number}, but it has {outputs} outputs");
            return Err(Refusal::Invalid(reason));
        }
        let whole = format!("it splits an axis of {extent} elements into {outputs}");
        let Some(lengths) = self.attribute_or_input("split", 1, 13)? else {
            let each = extent.div_ceil(outputs);
            let last = each.checked_mul(outputs - 1).and_then(|before| extent.checked_sub(before));
            return match last {
                // Only where the number of parts is written down may the last be shorter.
                Some(last) if last > 0 && (last == each || number.is_some()) => {
                    let mut lengths = vec![each; outputs];
                    lengths[outputs - 1] = last;
                    Ok((axis, lengths))
                }
                _ => Err(Refusal::Invalid(format!("{whole} equal parts"))),
            };
        };
        let sizes: Option<Vec<usize>> =
            lengths.iter().map(|&length| usize::try_from(length).ok()).collect();
        let total =
            |sizes: &Vec<usize>| sizes.iter().try_fold(0, |sum: usize, &n| sum.checked_add(n));
        match sizes.filter(|sizes| sizes.len() == outputs && total(sizes) == Some(extent)) {
            Some(sizes) => Ok((axis, sizes)),
            None => Err(Refusal::Invalid(format!("{whole} parts of {lengths:?}"))),
        }
    }

    /// Returns the axis that a Gather looks into, and the positions that it takes.
    pub(crate) fn gathered(
        &self,
        extents: &[usize],
        indices: &Integers,
    ) -> Result<(usize, Vec<usize>), Refusal> {
        let axis = resolve_axis(self.attributes.integer("axis")?.unwrap_or(0), extents.len())?;
        let positions = indices.values.iter().map(|&index| resolve_axis(index, extents[axis]));
        let outside = |_| Refusal::invalid("an index lies outside its input");
        Ok((axis, positions.collect::<Result<_, _>>().map_err(outside)?))
    }

    /// Returns the extents that an Expand makes: those to which the input and its target broadcast.
    pub(crate) fn expanded(&self, extents: &[usize]) -> Result<Vec<usize>, Refusal> {
        let target = self.integers(1, "shape")?;
        let target = target.ok_or_else(|| Refusal::invalid("its target shape is missing"))?;
        let wrong = || {
            let from = Shape::new(extents);
            Refusal::Invalid(format!("a value of shape {from} does not expand to {target:?}"))
        };
        let asked: Option<Vec<usize>> =
            target.iter().map(|&extent| usize::try_from(extent).ok()).collect();
        let asked = asked.ok_or_else(wrong)?;
        let rank = asked.len().max(extents.len());
        let at = |list: &[usize], axis: usize| {
            let own = (axis + list.len()).checked_sub(rank);
            own.and_then(|own| list.get(own).copied()).unwrap_or(1)
        };
        let joined = (0..rank).map(|axis| match (at(extents, axis), at(&asked, axis)) {
            (own, 1) => Ok(own),
            (own, asked) if own == 1 || own == asked => Ok(asked),
            _ => Err(wrong()),
        });
        joined.collect()
    }

    /// Returns how often a Tile repeats every axis.
    pub(crate) fn tiles(&self, rank: usize) -> Result<Vec<usize>, Refusal> {
        let times = self.integers(1, "repeats")?;
        let times = times.ok_or_else(|| Refusal::invalid("its repeats are missing"))?;
        if times.len() != rank {
            let count = times.len();
            return Err(Refusal::Invalid(format!("it repeats {count} axes of {rank}")));
        }
        let times = times.iter().map(|&times| {
            usize::try_from(times)
                .map_err(|_| Refusal::Invalid(format!("its repeats hold {times}")))
        });
        times.collect()
    }

    /// Returns what a Pad adds to axes of which it adds anything: attributes before operator set
    /// 11, inputs from then on, for chosen axes from 18 on.
    pub(crate) fn pads(&self, rank: usize) -> Result<Pads, Refusal> {
        let old = self.operator_set() < 11;
        let pads = self.attribute_or_input("pads", 1, 11)?;
        let pads = pads.ok_or_else(|| Refusal::invalid("its pads are missing"))?;
        let axes = if old { None } else { self.integers(3, "axes")? };
        let axes = axes.map_or_else(|| (0_i64..).take(rank).collect(), <[i64]>::to_vec);
        resolve_axes(&axes, rank)?;
        if Some(pads.len()) != axes.len().checked_mul(2) {
            let (count, axes) = (pads.len(), axes.len());
            return Err(Refusal::Invalid(format!("it has {count} pads for {axes} axes")));
        }
        let (before, behind) = pads.split_at(axes.len());
        let mut padded = Vec::with_capacity(axes.len());
        for ((&axis, &before), &behind) in axes.iter().zip(before).zip(behind) {
            let axis = resolve_axis(axis, rank)?;
            let [Ok(before), Ok(behind)] = [before, behind].map(isize::try_from) else {
                return Err(Refusal::invalid("its pads are out of range"));
            };
            if [before, behind] != [0, 0] {
                padded.push(PaddedAxis { axis, before, behind });
            }
        }
        Ok(Pads { axes: padded, filling: self.filling(old)? })
    }

    fn filling(&self, old: bool) -> Result<Filling, Refusal> {
        let constant = if old {
            self.attributes.real("value")?
        } else {
            let constant = self.constant(2, "constant value")?;
            let wrong = || Refusal::invalid("its constant value is not one real number");
            constant.map(|constant| constant.scalar().ok_or_else(wrong)).transpose()?
        };
        match self.attributes.text("mode")?.unwrap_or("constant") {
            "constant" => Ok(Filling::Constant(constant.unwrap_or(0.0))),
            "edge" => Ok(Filling::Edge),
            "reflect" => Ok(Filling::Reflect),
            "wrap" => Ok(Filling::Wrap),
            mode => Err(Refusal::unsupported(format!("its mode {mode} is not supported"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(start: i64, end: i64, step: i64, extent: usize) -> Vec<usize> {
        Steps::of(start, end, step, extent).unwrap().positions().collect()
    }

    #[test]
    fn slices_run_either_way_and_stop_at_the_ends() {
        assert_eq!(positions(1, 9, 2, 6), [1, 3, 5]);
        assert_eq!(positions(-2, i64::MAX, 1, 6), [4, 5]);
        assert_eq!(positions(-1, i64::MIN, -1, 3), [2, 1, 0]);
        assert_eq!(positions(9, 0, -2, 4), [3, 1]);
        assert_eq!(positions(1, 6, i64::MAX, 6), [1]);
        assert_eq!(positions(4, 0, i64::MIN, 6), [4]);
        // A start before the first element is drawn in, whichever way the slice runs.
        assert_eq!(positions(-9, -9, -1, 4), [0]);
        for (start, end, step, extent) in [(4, 2, 1, 6), (0, 5, 1, 0), (9, 9, 1, 4)] {
            assert_eq!(positions(start, end, step, extent), [0_usize; 0]);
        }
        assert!(Steps::of(0, 1, 0, 3).is_err());
    }
}
