//! A scale and a shift for every channel, such as those of batch normalization.

use super::CpuBackend;
use super::blocked::Blocked;
use super::element_wise::MOVED;
use super::lanes::{Lanes, cells, cells_mut};
use super::micro::BLOCK;
use super::registers::{InRegisters, Registers, in_registers};
use super::simd::Vector;
use super::strips::strips;
use crate::backend::operand::require;
use crate::backend::units::for_each_unit;
use crate::{Computed, Tensor};

/// Scales and shifts every channel; see [`Backend::affine`](crate::Backend::affine).
pub(super) fn affine(
    backend: &CpuBackend,
    input: &Blocked,
    scale: &Tensor,
    shift: Option<&Tensor>,
) -> Computed {
    const KERNEL: &str = "affine";
    let maps = input.maps();
    require(KERNEL, "a scale", scale.shape(), &[maps.channels])?;
    if let Some(shift) = shift {
        require(KERNEL, "a shift", shift.shape(), &[maps.channels])?;
    }
    let lanes = |values: &[f32]| {
        let mut lanes = backend.pool.zeros(maps.blocks() * BLOCK);
        lanes[..maps.channels].copy_from_slice(values);
        lanes
    };
    let scale = lanes(scale.values()?);
    let shift = shift.map(|shift| shift.values().map(lanes)).transpose()?;
    let mut output = backend.room(KERNEL, maps)?;
    let units: Vec<_> = strips(&mut output, maps).collect();
    for_each_unit(units, maps.len() * MOVED, |strip| {
        let source = &input.values()[strip.start(maps)..][..strip.values.len()];
        let scale = &cells(&scale)[strip.block];
        let shift = shift.as_ref().map(|shift| &cells(shift)[strip.block]);
        in_registers(
            backend.isa,
            Affine { source: cells(source), scale, shift, target: cells_mut(strip.values) },
        );
    });
    Ok(Blocked::new(maps, output).into_tensor())
}

struct Affine<'a> {
    source: &'a [Lanes],
    scale: &'a Lanes,
    shift: Option<&'a Lanes>,
    target: &'a mut [Lanes],
}

impl InRegisters for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector, const N: usize>(self, r: Registers<V, N>) {
        let scale = r.load(self.scale);
        let pairs = self.target.iter_mut().zip(self.source);
        if let Some(shift) = self.shift {
            let shift = r.load(shift);
            for (target, source) in pairs {
                r.load(source).mul(scale).add(shift).store(target);
            }
        } else {
            for (target, source) in pairs {
                r.load(source).mul(scale).store(target);
            }
        }
    }
}
