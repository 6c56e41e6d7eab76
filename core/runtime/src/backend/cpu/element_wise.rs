//! Functions of single elements and of pairs over blocks, and scales of channels.

use std::num::FpCategory;

use super::CpuBackend;
use super::blocked::{Blocked, Maps, Operand, clear_lanes};
use super::broadcast::{Along, Broadcast, spreads};
use super::buffer::Buffer;
use super::micro::BLOCK;
use super::simd::vectorized;
use super::strips::strips;
use crate::backend::functions::{BinaryVisitor, UnaryVisitor, carried, of_one, of_two, rectified};
use crate::backend::operand::require;
use crate::backend::units::{CHEAP_UNIT, for_each_chunk, for_each_unit};
use crate::{Binary, Computed, Epilogue, Side, Tensor, Unary};

/// Moving an element costs about as much as so many multiply-adds.
pub(super) const MOVED: usize = 8;

/// Applies a function to every element; see [`Backend::unary`](crate::Backend::unary).
pub(super) fn unary(backend: &CpuBackend, function: Unary, input: &Blocked) -> Computed {
    of_one(function, Applied { backend, input })
}

/// Multiplies with a derivative; see [`Backend::unary_adjoint`](crate::Backend::unary_adjoint).
pub(super) fn unary_adjoint(
    backend: &CpuBackend,
    function: Unary,
    signal: &Tensor,
    input: &Tensor,
) -> Computed {
    const KERNEL: &str = "unary_adjoint";
    require(KERNEL, "a signal", signal.shape(), input.shape().extents())?;
    let signal = Operand::of(&backend.pool, KERNEL, signal)?;
    let input = Operand::of(&backend.pool, KERNEL, input)?;
    of_one(function, CarriedBack { backend, signal: &signal, input: &input })
}

struct Applied<'a> {
    backend: &'a CpuBackend,
    input: &'a Blocked,
}

impl UnaryVisitor for Applied<'_> {
    fn visit(
        self,
        value: impl Fn(f32) -> f32 + Sync,
        _slope: impl Fn(f32) -> f32 + Sync,
    ) -> Computed {
        let (maps, values) = (self.input.maps(), self.input.values());
        let mut output = self.backend.room("unary", maps)?;
        for_each_chunk(&mut output, CHEAP_UNIT, |index, target| {
            let source = &values[index * CHEAP_UNIT..];
            vectorized(
                self.backend.isa,
                #[inline(always)]
                || target.iter_mut().zip(source).for_each(|(cell, &x)| *cell = value(x)),
            );
        });
        if value(0.0).classify() != FpCategory::Zero {
            clear_lanes(&mut output, maps);
        }
        Ok(Blocked::new(maps, output).into_tensor())
    }
}

struct CarriedBack<'a> {
    backend: &'a CpuBackend,
    signal: &'a Blocked,
    input: &'a Blocked,
}

impl UnaryVisitor for CarriedBack<'_> {
    fn visit(
        self,
        _value: impl Fn(f32) -> f32 + Sync,
        slope: impl Fn(f32) -> f32 + Sync,
    ) -> Computed {
        let maps = self.signal.maps();
        let (signal, input) = (self.signal.values(), self.input.values());
        let mut output = self.backend.room("unary_adjoint", maps)?;
        for_each_chunk(&mut output, CHEAP_UNIT, |index, target| {
            let start = index * CHEAP_UNIT;
            let pairs = signal[start..].iter().zip(&input[start..]);
            vectorized(
                self.backend.isa,
                #[inline(always)]
                || {
                    let triples = target.iter_mut().zip(pairs);
                    triples.for_each(|(cell, (&signal, &x))| *cell = carried(signal, slope(x)));
                },
            );
        });
        // No signal arrives in lanes beyond the channels, so none leaves them.
        Ok(Blocked::new(maps, output).into_tensor())
    }
}

/// Applies a function to every pair of elements, if one operand is in blocks and one spreads over
/// the other; see [`Backend::binary`](crate::Backend::binary).
pub(super) fn binary(
    backend: &CpuBackend,
    function: Binary,
    a: &Tensor,
    b: &Tensor,
) -> Option<Computed> {
    let pair = Pair::of(backend, "binary", [a, b])?;
    Some(pair.and_then(|pair| of_two(function, pair)))
}

/// Adds, under the same condition, and applies an epilogue; see
/// [`Backend::addition`](crate::Backend::addition).
pub(super) fn addition(
    backend: &CpuBackend,
    a: &Tensor,
    b: &Tensor,
    epilogue: Epilogue,
) -> Option<Computed> {
    let pair = Pair::of(backend, "addition", [a, b])?;
    Some(pair.and_then(|pair| {
        let output = match epilogue {
            Epilogue::None => pair.combined(|a, b| a + b, |_, _| ()),
            Epilogue::Rectify => pair.combined(|a, b| rectified(a + b), |_, _| ()),
        };
        Ok(Blocked::new(pair.maps, output?).into_tensor())
    }))
}

/// Multiplies with a partial derivative, under the same condition; see
/// [`Backend::binary_adjoint`](crate::Backend::binary_adjoint).
pub(super) fn binary_adjoint(
    backend: &CpuBackend,
    function: Binary,
    side: Side,
    signal: &Tensor,
    operands: [&Tensor; 2],
) -> Option<Computed> {
    const KERNEL: &str = "binary_adjoint";
    let pair = Pair::of(backend, KERNEL, operands)?;
    Some(pair.and_then(|pair| {
        require(KERNEL, "a signal", signal.shape(), pair.maps.shape().extents())?;
        let signal = Operand::of(&backend.pool, KERNEL, signal)?;
        of_two(function, PairCarriedBack { side, signal: &signal, pair })
    }))
}

/// Two operands, the maps to which they broadcast, and who works on them.
struct Pair<'a> {
    backend: &'a CpuBackend,
    kernel: &'static str,
    maps: Maps,
    operands: [Broadcast<'a>; 2],
}

impl<'a> Pair<'a> {
    fn of(
        backend: &'a CpuBackend,
        kernel: &'static str,
        operands: [&'a Tensor; 2],
    ) -> Option<Computed<Self>> {
        operands.iter().find_map(|operand| Blocked::behind(operand))?;
        let shapes = operands.map(Tensor::shape);
        let spread = |maps: &Maps| shapes.iter().all(|shape| spreads(shape, *maps));
        let maps = shapes.into_iter().filter_map(Maps::of).find(spread)?;
        let [a, b] = operands.map(|tensor| Broadcast::of(&backend.pool, kernel, tensor, maps));
        let pair = a.and_then(|a| Ok(Self { backend, kernel, maps, operands: [a, b?] }));
        Some(pair)
    }

    /// Computes every element, and hands every stretch of them, with the number of its first, to
    /// `finish`.
    fn combined(
        &self,
        function: impl Fn(f32, f32) -> f32 + Sync,
        finish: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Computed<Buffer> {
        let maps = self.maps;
        let mut output = self.backend.room(self.kernel, maps)?;
        let units: Vec<_> = strips(&mut output, maps).collect();
        for_each_unit(units, maps.len() * MOVED, |strip| {
            let [a, b] = self.operands.each_ref().map(|operand| operand.along(&strip, maps));
            let start = strip.start(maps);
            let target = strip.values;
            vectorized(
                self.backend.isa,
                #[inline(always)]
                || {
                    fill(target, a, b, &function);
                    finish(start, target);
                },
            );
        });
        Ok(output)
    }
}

impl BinaryVisitor for Pair<'_> {
    fn visit(
        self,
        value: impl Fn(f32, f32) -> f32 + Sync,
        _first: impl Fn(f32, f32) -> f32 + Sync,
        _second: impl Fn(f32, f32) -> f32 + Sync,
    ) -> Computed {
        let mut output = self.combined(&value, |_, _| ())?;
        if value(0.0, 0.0).classify() != FpCategory::Zero {
            clear_lanes(&mut output, self.maps);
        }
        Ok(Blocked::new(self.maps, output).into_tensor())
    }
}

struct PairCarriedBack<'a> {
    side: Side,
    signal: &'a Blocked,
    pair: Pair<'a>,
}

impl BinaryVisitor for PairCarriedBack<'_> {
    fn visit(
        self,
        _value: impl Fn(f32, f32) -> f32 + Sync,
        first: impl Fn(f32, f32) -> f32 + Sync,
        second: impl Fn(f32, f32) -> f32 + Sync,
    ) -> Computed {
        let times_signal = |start: usize, slopes: &mut [f32]| {
            let pairs = slopes.iter_mut().zip(&self.signal.values()[start..]);
            pairs.for_each(|(slope, &signal)| *slope = carried(signal, *slope));
        };
        // No signal arrives in lanes beyond the channels, so none leaves them.
        let output = match self.side {
            Side::First => self.pair.combined(first, times_signal),
            Side::Second => self.pair.combined(second, times_signal),
        };
        Ok(Blocked::new(self.pair.maps, output?).into_tensor())
    }
}

#[inline(always)]
fn fill(target: &mut [f32], a: Along<'_>, b: Along<'_>, function: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (Along::Cells(a), Along::Cells(b)) => {
            let pairs = a.iter().zip(b);
            target.iter_mut().zip(pairs).for_each(|(cell, (&a, &b))| *cell = function(a, b));
        }
        (Along::Cells(a), Along::Lanes(b)) => {
            for (target, a) in target.chunks_exact_mut(BLOCK).zip(a.chunks_exact(BLOCK)) {
                let lanes = target.iter_mut().zip(a.iter().zip(b));
                lanes.for_each(|(cell, (&a, &b))| *cell = function(a, b));
            }
        }
        (Along::Lanes(a), Along::Cells(b)) => {
            for (target, b) in target.chunks_exact_mut(BLOCK).zip(b.chunks_exact(BLOCK)) {
                let lanes = target.iter_mut().zip(a.iter().zip(b));
                lanes.for_each(|(cell, (&a, &b))| *cell = function(a, b));
            }
        }
        (Along::Lanes(a), Along::Lanes(b)) => {
            for target in target.chunks_exact_mut(BLOCK) {
                let lanes = target.iter_mut().zip(a.iter().zip(b));
                lanes.for_each(|(cell, (&a, &b))| *cell = function(a, b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same, backends, extents, in_blocks, rough};
    use super::*;
    use crate::{Backend, PlainBackend, Shape};

    const UNARY: [Unary; 23] = [
        Unary::Absolute,
        Unary::Clip { low: 0.0, high: 6.0 },
        Unary::Clip { low: 0.5, high: 2.0 },
        Unary::ErrorFunction,
        Unary::Exponential,
        Unary::ExponentialLinear { alpha: 1.5, gain: 1.1, rate: 0.9 },
        Unary::Gelu,
        Unary::GeluByTanh,
        Unary::HardSigmoid { slope: 0.2, offset: 0.5 },
        Unary::HardSwish,
        Unary::LeakyRectify(0.1),
        Unary::Logarithm,
        Unary::Mish,
        Unary::Power(-1.5),
        Unary::Reciprocal,
        Unary::Rectify,
        Unary::Scale(-2.0),
        Unary::Sigmoid,
        Unary::Softplus,
        Unary::Softsign,
        Unary::SquareRoot,
        Unary::Swish(1.0),
        Unary::Tanh,
    ];

    const BINARY: [Binary; 9] = [
        Binary::Add,
        Binary::Divide,
        Binary::Gate { low: 0.0, high: 1.5 },
        Binary::Maximum,
        Binary::Minimum,
        Binary::Multiply,
        Binary::ParametricRectify,
        Binary::Power,
        Binary::Subtract,
    ];

    #[test]
    fn sums_are_rectified_in_the_same_pass() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let [a, b] = [rough(extents, 3), rough(extents, 4)];
                for epilogue in [Epilogue::None, Epilogue::Rectify] {
                    let sum = backend.addition(&in_blocks(&backend, &a), &b, epilogue).unwrap();
                    assert_same(&sum, &plain.addition(&a, &b, epilogue).unwrap(), "addition");
                }
            }
        }
    }

    #[test]
    fn functions_and_their_adjoints_are_those_of_the_plain_backend() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let hosts = [rough(extents, 3), rough(extents, 4)];
                let [signal, input] = hosts.each_ref().map(|host| in_blocks(&backend, host));
                for function in UNARY {
                    let what = format!("{} {extents:?} {function:?}", backend.isa());
                    let output = backend.unary(function, &input).unwrap();
                    assert_same(&output, &plain.unary(function, &hosts[1]).unwrap(), &what);
                    let expected = plain.unary_adjoint(function, &hosts[0], &hosts[1]).unwrap();
                    for [signal, input] in [[&signal, &input], [&hosts[0], &input]] {
                        let carried = backend.unary_adjoint(function, signal, input).unwrap();
                        assert_same(&carried, &expected, &what);
                    }
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn pairs_are_combined_as_by_the_plain_backend_however_they_broadcast() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let [n, c, ..] = extents;
                let (signal, first) = (rough(extents, 3), rough(extents, 4));
                let others = [
                    rough(extents, 5),
                    rough([n, c, 1, 1], 5),
                    rough([1, c, 1, 1], 6),
                    rough([1, c, 1, 1], 6).with_shape([c, 1, 1]).unwrap(),
                    rough([n, 1, 1, 1], 7),
                    Tensor::filled([1], 1.5),
                    Tensor::filled(Shape::new(&[]), -1.0),
                ];
                for (function, second) in BINARY
                    .into_iter()
                    .flat_map(|function| others.iter().map(move |x| (function, x)))
                {
                    let what = format!("{} {extents:?} {function:?} {second:?}", backend.isa());
                    let blocked = in_blocks(&backend, &first);
                    let mut seconds = vec![second.clone()];
                    if second.shape().rank() == 4 {
                        seconds.push(in_blocks(&backend, second));
                    }
                    for second_here in &seconds {
                        for is_turned in [false, true] {
                            let turned = |mut pair: [Tensor; 2]| {
                                if is_turned {
                                    pair.reverse();
                                }
                                pair
                            };
                            let [a, b] = turned([blocked.clone(), second_here.clone()]);
                            let [x, y] = turned([first.clone(), second.clone()]);
                            let expected = plain.binary(function, &x, &y).unwrap();
                            assert_same(
                                &backend.binary(function, &a, &b).unwrap(),
                                &expected,
                                &what,
                            );
                            for side in [Side::First, Side::Second] {
                                let carried =
                                    backend.binary_adjoint(function, side, &signal, [&a, &b]);
                                let expected = plain
                                    .binary_adjoint(function, side, &signal, [&x, &y])
                                    .unwrap();
                                assert_same(&carried.unwrap(), &expected, &what);
                            }
                        }
                    }
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }

    #[test]
    fn other_pairs_run_on_the_plain_backend() {
        let backend = CpuBackend::new();
        let host = rough([2, 17, 3, 4], 3);
        let maps = in_blocks(&backend, &host);
        for second in [rough([2, 1, 3, 4], 4), rough([1, 17, 3, 4], 4), rough([1, 1, 1, 4], 4)] {
            let output = backend.binary(Binary::Add, &maps, &second).unwrap().to_host().unwrap();
            let expected = PlainBackend::new().binary(Binary::Add, &host, &second).unwrap();
            assert_eq!(format!("{output:?}"), format!("{expected:?}"));
        }
        assert_eq!(backend.conversions().get("binary"), Some(&3));
    }

    #[test]
    fn unfit_shapes_are_refused_as_on_the_plain_backend() {
        let (backend, plain) = (CpuBackend::new(), PlainBackend::new());
        let [host, other] = [rough([2, 17, 3, 4], 3), rough([2, 17, 4, 4], 3)];
        let maps = in_blocks(&backend, &host);
        let scale = Tensor::zeros([16]);
        let refusals = |backend: &dyn Backend, maps: &Tensor| {
            [
                backend.unary_adjoint(Unary::Rectify, &other, maps),
                backend.binary(Binary::Add, maps, &other),
                backend.binary_adjoint(Binary::Add, Side::First, &other, [maps, maps]),
                backend.affine(maps, &scale, None),
                backend.affine(maps, &Tensor::zeros([17]), Some(&scale)),
            ]
            .map(|refused| refused.unwrap_err().to_string())
        };
        assert_eq!(refusals(&backend, &maps), refusals(&plain, &host));
    }

    #[test]
    fn channels_are_scaled_and_shifted_as_by_the_plain_backend() {
        let plain = PlainBackend::new();
        for backend in backends() {
            for extents in extents() {
                let host = rough(extents, 3);
                let maps = in_blocks(&backend, &host);
                let scale = rough([1, extents[1], 1, 1], 5).with_shape([extents[1]]).unwrap();
                for shift in [None, Some(&scale)] {
                    let what = format!("{} {extents:?}", backend.isa());
                    let expected = plain.affine(&host, &scale, shift).unwrap();
                    assert_same(&backend.affine(&maps, &scale, shift).unwrap(), &expected, &what);
                }
            }
            assert_eq!(backend.conversions().len(), 0);
        }
    }
}
