//! Tensors of the fake host, behind handles.

use convscope_abi::{CS_F32, CS_READ, CS_U8, CS_U32, CS_WRITE, CsView, MAX_RANK};
use convscope_protocol::Values;
use ndarray::{ArrayD, IxDyn};

use super::Fault;

/// The most elements a plugin may ask for.
const MOST: usize = 1 << 28;

/// A tensor and who may do what with it.
#[derive(Debug)]
pub(super) struct Entry {
    values: Buffer,
    shape: Vec<usize>,
    pub(super) owner: Owner,
    /// How many times it is mapped.
    pub(super) mapped: usize,
}

/// Who made a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The plugin: it may write and emit it.
    Plugin,
    /// The host: it is to be read.
    Host,
    /// The host, for one call of a sink.
    Sink,
}

#[derive(Debug)]
enum Buffer {
    F32(Vec<f32>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

impl Entry {
    /// Makes a tensor of zeros for the plugin.
    pub(super) fn zeros(dtype: u32, shape: &[u64]) -> Result<Self, Fault> {
        if shape.len() > MAX_RANK {
            return Err(Fault::invalid(format!("a tensor of {} axes", shape.len())));
        }
        let mut volume = 1_usize;
        let mut extents = Vec::new();
        for &extent in shape {
            let checked = usize::try_from(extent).ok().and_then(|extent| {
                extents.push(extent);
                volume.checked_mul(extent)
            });
            volume = checked.filter(|volume| *volume <= MOST).ok_or_else(|| {
                Fault::invalid(format!("a tensor of shape {shape:?} is too large"))
            })?;
        }
        let values = match dtype {
            CS_F32 => Buffer::F32(vec![0.0; volume]),
            CS_U32 => Buffer::U32(vec![0; volume]),
            CS_U8 => Buffer::U8(vec![0; volume]),
            other => return Err(Fault::invalid(format!("no element type {other}"))),
        };
        Ok(Self { values, shape: extents, owner: Owner::Plugin, mapped: 0 })
    }

    /// Wraps values of the host's.
    pub(super) fn of(values: &Values, owner: Owner) -> Self {
        let shape = values.shape().to_vec();
        let values = match values {
            Values::F32(values) => Buffer::F32(values.iter().copied().collect()),
            Values::U32(values) => Buffer::U32(values.iter().copied().collect()),
            Values::U8(values) => Buffer::U8(values.iter().copied().collect()),
        };
        Self { values, shape, owner, mapped: 0 }
    }

    /// Gives access to the values.
    pub(super) fn map(&mut self, mode: u32) -> Result<CsView, Fault> {
        match mode {
            CS_READ => {}
            CS_WRITE if self.owner == Owner::Plugin && self.mapped == 0 => {}
            CS_WRITE => {
                return Err(Fault::invalid(
                    "only a tensor that the plugin made and has not mapped can be written to",
                ));
            }
            other => return Err(Fault::invalid(format!("no mode {other} of mapping"))),
        }
        self.mapped += 1;
        let (data, dtype) = match &mut self.values {
            Buffer::F32(values) => (values.as_mut_ptr().cast(), CS_F32),
            Buffer::U32(values) => (values.as_mut_ptr().cast(), CS_U32),
            Buffer::U8(values) => (values.as_mut_ptr().cast(), CS_U8),
        };
        let mut shape = [0; MAX_RANK];
        let mut strides = [0; MAX_RANK];
        let mut stride = 1_i64;
        for (axis, &extent) in self.shape.iter().enumerate().rev() {
            shape[axis] = extent as u64;
            strides[axis] = stride;
            stride *= (extent as u64).cast_signed();
        }
        Ok(CsView { data, dtype, ndim: self.shape.len() as u32, shape, strides })
    }

    /// Ends one access.
    pub(super) fn unmap(&mut self) -> Result<(), Fault> {
        self.mapped =
            self.mapped.checked_sub(1).ok_or_else(|| Fault::invalid("the tensor is not mapped"))?;
        Ok(())
    }

    /// Turns the tensor into values.
    pub(super) fn into_values(self) -> Result<Values, Fault> {
        let shape = IxDyn(&self.shape);
        Ok(match self.values {
            Buffer::F32(values) => {
                ArrayD::from_shape_vec(shape, values).map_err(Fault::broken)?.into()
            }
            Buffer::U32(values) => {
                ArrayD::from_shape_vec(shape, values).map_err(Fault::broken)?.into()
            }
            Buffer::U8(values) => {
                ArrayD::from_shape_vec(shape, values).map_err(Fault::broken)?.into()
            }
        })
    }

    /// Copies floating-point values.
    pub(super) fn numbers(&self) -> Result<ArrayD<f32>, Fault> {
        match &self.values {
            Buffer::F32(values) => {
                let shape = IxDyn(&self.shape);
                ArrayD::from_shape_vec(shape, values.clone()).map_err(Fault::broken)
            }
            _ => Err(Fault::invalid("images must be of type float32")),
        }
    }
}
