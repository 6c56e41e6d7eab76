//! Functions of single elements and of pairs, and scales of channels.

use crate::backend::functions::{BinaryVisitor, UnaryVisitor, carried, of_one, of_two};
use crate::backend::operand::{incompatible, require, zeros};
use crate::backend::units::{CHEAP_UNIT, for_each_chunk};
use crate::{Binary, Computed, Shape, Side, Tensor, Unary};

/// Applies a function to every element; see [`Backend::unary`](crate::Backend::unary).
pub(super) fn unary(function: Unary, input: &Tensor) -> Computed {
    of_one(function, Applied(input))
}

/// Multiplies with a derivative; see [`Backend::unary_adjoint`](crate::Backend::unary_adjoint).
pub(super) fn unary_adjoint(function: Unary, signal: &Tensor, input: &Tensor) -> Computed {
    require("unary_adjoint", "a signal", signal.shape(), input.shape().extents())?;
    of_one(function, CarriedBack { signal, input })
}

struct Applied<'a>(&'a Tensor);

impl UnaryVisitor for Applied<'_> {
    fn visit(
        self,
        value: impl Fn(f32) -> f32 + Sync,
        _slope: impl Fn(f32) -> f32 + Sync,
    ) -> Computed {
        map(self.0, value)
    }
}

struct CarriedBack<'a> {
    signal: &'a Tensor,
    input: &'a Tensor,
}

impl UnaryVisitor for CarriedBack<'_> {
    fn visit(
        self,
        _value: impl Fn(f32) -> f32 + Sync,
        slope: impl Fn(f32) -> f32 + Sync,
    ) -> Computed {
        combine(self.signal, self.input, move |signal, x| carried(signal, slope(x)))
    }
}

fn map(input: &Tensor, function: impl Fn(f32) -> f32 + Sync) -> Computed {
    let mut output = zeros("unary", input.shape())?;
    let input_values = input.values()?;
    for_each_chunk(&mut output, CHEAP_UNIT, |index, target| {
        let source = &input_values[index * CHEAP_UNIT..];
        target.iter_mut().zip(source).for_each(|(cell, &value)| *cell = function(value));
    });
    Tensor::new(input.shape().clone(), output)
}

/// Applies a function to every pair of elements; see [`Backend::binary`](crate::Backend::binary).
pub(super) fn binary(function: Binary, a: &Tensor, b: &Tensor) -> Computed {
    of_two(function, Paired([a, b]))
}

/// Multiplies with a partial derivative; see
/// [`Backend::binary_adjoint`](crate::Backend::binary_adjoint).
pub(super) fn binary_adjoint(
    function: Binary,
    side: Side,
    signal: &Tensor,
    operands: [&Tensor; 2],
) -> Computed {
    let [a, b] = operands;
    let Pairing { shape, .. } = Pairing::new(a.shape(), b.shape())?;
    require("binary_adjoint", "a signal", signal.shape(), shape.extents())?;
    of_two(function, PairCarriedBack { side, signal: signal.values()?, operands })
}

struct Paired<'a>([&'a Tensor; 2]);

impl BinaryVisitor for Paired<'_> {
    fn visit(
        self,
        value: impl Fn(f32, f32) -> f32 + Sync,
        _first: impl Fn(f32, f32) -> f32 + Sync,
        _second: impl Fn(f32, f32) -> f32 + Sync,
    ) -> Computed {
        let [a, b] = self.0;
        combine(a, b, value)
    }
}

struct PairCarriedBack<'a> {
    side: Side,
    signal: &'a [f32],
    operands: [&'a Tensor; 2],
}

impl BinaryVisitor for PairCarriedBack<'_> {
    fn visit(
        self,
        _value: impl Fn(f32, f32) -> f32 + Sync,
        first: impl Fn(f32, f32) -> f32 + Sync,
        second: impl Fn(f32, f32) -> f32 + Sync,
    ) -> Computed {
        let [a, b] = self.operands;
        let times_signal = |start: usize, slopes: &mut [f32]| {
            let pairs = slopes.iter_mut().zip(&self.signal[start..]);
            pairs.for_each(|(slope, &signal)| *slope = carried(signal, *slope));
        };
        match self.side {
            Side::First => combine_then(a, b, first, times_signal),
            Side::Second => combine_then(a, b, second, times_signal),
        }
    }
}

fn combine(a: &Tensor, b: &Tensor, function: impl Fn(f32, f32) -> f32 + Sync) -> Computed {
    combine_then(a, b, function, |_, _| ())
}

/// Combines two operands and hands every stretch of results, with the number of its first, to
/// `finish`.
fn combine_then(
    a: &Tensor,
    b: &Tensor,
    function: impl Fn(f32, f32) -> f32 + Sync,
    finish: impl Fn(usize, &mut [f32]) + Sync,
) -> Computed {
    let pairing = Pairing::new(a.shape(), b.shape())?;
    let mut output = zeros("binary", &pairing.shape)?;
    let (a, b) = (a.values()?, b.values()?);
    if output.is_empty() {
        return Tensor::new(pairing.shape, output);
    }
    let run = pairing.run;
    if run >= CHEAP_UNIT {
        for (index, target) in output.chunks_mut(run).enumerate() {
            let [a, b] = pairing.operands(a, b, index);
            for_each_chunk(target, CHEAP_UNIT, |part, target| {
                let start = part * CHEAP_UNIT;
                fill(target, a.from(start), b.from(start), &function);
                finish(index * run + start, target);
            });
        }
    } else {
        let runs = CHEAP_UNIT / run;
        for_each_chunk(&mut output, runs * run, |unit, target| {
            for (index, target) in target.chunks_mut(run).enumerate() {
                let [a, b] = pairing.operands(a, b, unit * runs + index);
                fill(target, a, b, &function);
            }
            finish(unit * runs * run, target);
        });
    }
    Tensor::new(pairing.shape, output)
}

/// The values of one operand along a run of results.
#[derive(Clone, Copy)]
enum Operand<'a> {
    /// One for each result.
    Each(&'a [f32]),
    /// One for all.
    Same(f32),
}

impl Operand<'_> {
    fn from(self, start: usize) -> Self {
        match self {
            Self::Each(values) => Self::Each(&values[start..]),
            Self::Same(value) => Self::Same(value),
        }
    }
}

fn fill(target: &mut [f32], a: Operand<'_>, b: Operand<'_>, function: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (Operand::Each(a), Operand::Each(b)) => {
            let pairs = a.iter().zip(b);
            target.iter_mut().zip(pairs).for_each(|(cell, (&a, &b))| *cell = function(a, b));
        }
        (Operand::Each(a), Operand::Same(b)) => {
            target.iter_mut().zip(a).for_each(|(cell, &a)| *cell = function(a, b));
        }
        (Operand::Same(a), Operand::Each(b)) => {
            target.iter_mut().zip(b).for_each(|(cell, &b)| *cell = function(a, b));
        }
        (Operand::Same(a), Operand::Same(b)) => target.fill(function(a, b)),
    }
}

/// How two operands are broadcast: runs of results along which each operand either goes on or
/// stays, and how each moves from run to run.
struct Pairing {
    shape: Shape,
    run: usize,
    goes_on: [bool; 2],
    /// Extent of every axis outside a run, innermost first, with the steps of the operands.
    outer: Vec<(usize, [usize; 2])>,
}

impl Pairing {
    fn new(a: &Shape, b: &Shape) -> Computed<Self> {
        let rank = a.rank().max(b.rank());
        let extent = |shape: &Shape, axis: usize| {
            (axis + shape.rank()).checked_sub(rank).map_or(1, |axis| shape.extents()[axis])
        };
        let mut extents = vec![1; rank];
        let mut steps = [1; 2];
        let mut axes: Vec<(usize, [usize; 2])> = Vec::new();
        for axis in (0..rank).rev() {
            let each = [extent(a, axis), extent(b, axis)];
            let common = match each {
                [x, y] if x == y => x,
                [1, other] | [other, 1] => other,
                _ => {
                    let expected = format!("a shape that broadcasts with {a}");
                    return Err(incompatible("binary", expected, b));
                }
            };
            extents[axis] = common;
            let moves = [0, 1].map(|side| if each[side] == 1 { 0 } else { steps[side] });
            steps = [0, 1].map(|side| steps[side] * each[side]);
            if common == 1 {
                continue;
            }
            // An axis that continues the one inside it belongs to the same run.
            match axes.last_mut() {
                Some((inner, inner_moves))
                    if [0, 1].iter().all(|&side| moves[side] == inner_moves[side] * *inner) =>
                {
                    *inner *= common;
                }
                _ => axes.push((common, moves)),
            }
        }
        let (run, moves) = if axes.is_empty() { (1, [0, 0]) } else { axes.remove(0) };
        let goes_on = moves.map(|step| step == 1);
        Ok(Self { shape: Shape::new(&extents), run, goes_on, outer: axes })
    }

    fn operands<'a>(&self, a: &'a [f32], b: &'a [f32], mut index: usize) -> [Operand<'a>; 2] {
        let mut starts = [0; 2];
        for (extent, steps) in &self.outer {
            let place = index % extent;
            index /= extent;
            starts = [0, 1].map(|side| starts[side] + place * steps[side]);
        }
        [(a, 0), (b, 1)].map(|(values, side)| {
            let start = starts[side];
            if self.goes_on[side] {
                Operand::Each(&values[start..][..self.run])
            } else {
                Operand::Same(values[start])
            }
        })
    }
}

/// Scales and shifts every channel; see [`Backend::affine`](crate::Backend::affine).
pub(super) fn affine(input: &Tensor, scale: &Tensor, shift: Option<&Tensor>) -> Computed {
    const KERNEL: &str = "affine";
    let shape = input.shape();
    let &[_, channels, ref rest @ ..] = shape.extents() else {
        return Err(incompatible(KERNEL, "maps or features", shape));
    };
    let cells: usize = rest.iter().product();
    require(KERNEL, "a scale", scale.shape(), &[channels])?;
    if let Some(shift) = shift {
        require(KERNEL, "a shift", shift.shape(), &[channels])?;
    }
    let (values, scale) = (input.values()?, scale.values()?);
    let shift = shift.map(Tensor::values).transpose()?;
    let mut output = zeros(KERNEL, shape)?;
    let planes = CHEAP_UNIT.div_ceil(cells.max(1));
    for_each_chunk(&mut output, planes * cells, |unit, target| {
        let source = values[unit * planes * cells..].chunks(cells);
        for (index, (target, source)) in target.chunks_mut(cells).zip(source).enumerate() {
            let channel = (unit * planes + index) % channels;
            let factor = scale[channel];
            let pairs = target.iter_mut().zip(source);
            match shift {
                Some(shift) => pairs.for_each(|(cell, x)| *cell = x * factor + shift[channel]),
                None => pairs.for_each(|(cell, x)| *cell = x * factor),
            }
        }
    });
    Tensor::new(shape.clone(), output)
}
