//! An array of numbers: a handle with operations on the whole.

mod arithmetic;
mod reduce;

use std::sync::Arc;

use convscope_protocol::array::{ArrayMeta, Axis};
use convscope_protocol::{Array, Values};
use ndarray::{ArrayD, Slice};
use rhai::{Dynamic, INT};

pub(crate) use reduce::Reduction;

use crate::state::{Budget, Reserved, bytes_of};
use crate::suggest::listed;
use crate::{Failure, convert, kind};

/// The most numbers that may become a list of a script.
const LARGEST_LIST: usize = 1 << 16;

/// A handle of an array.
///
/// NaN, and `u32::MAX` in whole numbers, stand for "nothing to say": reductions leave them out,
/// arithmetic carries them on.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    array: Arc<Array>,
    /// Held for as long as the array is.
    _reserved: Arc<Reserved>,
}

/// Does the same to the array inside every kind of values.
macro_rules! for_each_kind {
    ($values:expr, $array:ident => $body:expr) => {
        match $values {
            Values::F32($array) => Values::F32($body),
            Values::U32($array) => Values::U32($body),
            Values::U8($array) => Values::U8($body),
        }
    };
}

impl Tensor {
    /// Wraps an array of findings, which have reserved their memory.
    pub(crate) fn of_findings(array: Array, reserved: Arc<Reserved>) -> Self {
        Self { array: Arc::new(array), _reserved: reserved }
    }

    /// Wraps a new array and reserves its memory.
    fn new(array: Array, budget: &Arc<Budget>) -> Result<Self, Failure> {
        let reserved = budget.reserve(bytes_of(&array))?;
        Ok(Self { array: Arc::new(array), _reserved: reserved })
    }

    /// Makes an array of the same name whose values are new.
    fn with_floats(
        &self,
        values: ArrayD<f32>,
        axes: Vec<Axis>,
        unit: &str,
        budget: &Arc<Budget>,
    ) -> Result<Self, Failure> {
        let meta = ArrayMeta { axes, unit: unit.to_owned(), doc: String::new() };
        let array = Array { name: self.array.name.clone(), meta, values: values.into() };
        Self::new(array, budget)
    }

    pub(crate) fn shared(&self) -> Arc<Array> {
        Arc::clone(&self.array)
    }

    pub(crate) fn get(&self) -> &Array {
        &self.array
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.array.values.shape()
    }

    /// Returns every number, row-major, NaN where there is none.
    pub(crate) fn numbers(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match &self.array.values {
            Values::F32(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Values::U32(values) => Box::new(values.iter().map(|&value| whole(value))),
            Values::U8(values) => Box::new(values.iter().map(|&value| f64::from(value))),
        }
    }

    /// Returns the part at an index of the leading axis: an array, or a number when there is but
    /// one axis. Negative indices count from the end.
    pub(crate) fn at(&self, index: INT, budget: &Arc<Budget>) -> Result<Dynamic, Failure> {
        let Some(&extent) = self.shape().first() else {
            return Err(Failure::new(kind::OUT_OF_BOUNDS, "a single number has no index"));
        };
        let end = convert::whole(extent);
        let place = if index < 0 { index + end } else { index };
        if !(0..end).contains(&place) {
            let message = format!("index {index} is out of bounds: the axis has {extent} entries");
            return Err(Failure::new(kind::OUT_OF_BOUNDS, message));
        }
        let place = place as usize;
        if self.shape().len() == 1 {
            return Ok(match &self.array.values {
                Values::F32(values) => f64::from(values[place]).into(),
                Values::U32(values) if values[place] == u32::MAX => Dynamic::UNIT,
                Values::U32(values) => INT::from(values[place]).into(),
                Values::U8(values) => INT::from(values[place]).into(),
            });
        }
        let values = for_each_kind!(&self.array.values, values => {
            values.index_axis(ndarray::Axis(0), place).to_owned().into_shared()
        });
        let mut array = self.derived(values);
        array.meta.axes = array.meta.axes.split_off(1.min(array.meta.axes.len()));
        Ok(Dynamic::from(Self::new(array, budget)?))
    }

    /// Returns the part between two indices of an axis; the second is not included.
    pub(crate) fn slice(
        &self,
        axis: usize,
        start: INT,
        end: INT,
        budget: &Arc<Budget>,
    ) -> Result<Self, Failure> {
        let extent = self.shape()[axis];
        if start < 0 || end < start || end > convert::whole(extent) {
            let message = format!("{start}..{end} is out of bounds: the axis has {extent} entries");
            return Err(Failure::new(kind::OUT_OF_BOUNDS, message));
        }
        let part = Slice::from(start as usize..end as usize);
        let values = for_each_kind!(&self.array.values, values => {
            values.slice_axis(ndarray::Axis(axis), part).to_owned().into_shared()
        });
        let mut array = self.derived(values);
        if let Some(labels) = array.meta.axes.get_mut(axis).and_then(|axis| axis.labels.as_mut()) {
            *labels = labels.iter().take(end as usize).skip(start as usize).cloned().collect();
        }
        Self::new(array, budget)
    }

    fn derived(&self, values: Values) -> Array {
        Array { name: self.array.name.clone(), meta: self.array.meta.clone(), values }
    }

    /// Finds an axis by its number or name.
    pub(crate) fn axis(&self, axis: &Dynamic) -> Result<usize, Failure> {
        let count = self.shape().len();
        let names = || self.array.meta.axes.iter().map(|axis| axis.name.as_str());
        let known = || {
            let names = listed(names(), 12);
            if names.is_empty() { format!("there are {count}") } else { format!("axes: {names}") }
        };
        if let Ok(number) = axis.as_int() {
            return usize::try_from(number).ok().filter(|&number| number < count).ok_or_else(
                || {
                    Failure::new(kind::UNKNOWN_AXIS, format!("there is no axis {number}"))
                        .with_help(known())
                },
            );
        }
        let Ok(name) = axis.clone().into_string() else {
            let message =
                format!("an axis is a number or a name, not {}", convert::described(axis));
            return Err(Failure::new(kind::WRONG_TYPE, message));
        };
        names().position(|other| other == name).filter(|&number| number < count).ok_or_else(|| {
            Failure::new(kind::UNKNOWN_AXIS, format!("there is no axis `{name}`"))
                .with_help(known())
        })
    }

    /// Returns the numbers as nested lists.
    ///
    /// # Errors
    ///
    /// When there are too many for that.
    pub(crate) fn to_lists(&self) -> Result<Dynamic, Failure> {
        let count: usize = self.shape().iter().product();
        if count > LARGEST_LIST {
            let message = format!("{count} numbers are too many for a list");
            return Err(Failure::new(kind::TOO_LARGE, message).with_help(format!(
                "at most {LARGEST_LIST}; slice first, or stay with whole-array operations"
            )));
        }
        let whole_numbers = !matches!(self.array.values, Values::F32(_));
        let mut items: Vec<Dynamic> = self
            .numbers()
            .map(|number| match number {
                number if !whole_numbers => number.into(),
                number if number.is_nan() => Dynamic::UNIT,
                number => Dynamic::from(number as INT),
            })
            .collect();
        for &extent in self.shape().iter().skip(1).rev() {
            if extent == 0 {
                return Ok(rhai::Array::new().into());
            }
            let mut rest = items.into_iter().peekable();
            items = Vec::new();
            while rest.peek().is_some() {
                items.push(rest.by_ref().take(extent).collect::<rhai::Array>().into());
            }
        }
        if self.shape().is_empty() {
            return Ok(items.pop().unwrap_or_default());
        }
        Ok(items.into())
    }
}

impl std::fmt::Display for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.array.name, self.shape())?;
        let unit = &self.array.meta.unit;
        if !unit.is_empty() {
            write!(f, " in {unit}")?;
        }
        if let (Ok(low), Ok(high)) =
            (self.reduced(Reduction::Minimum), self.reduced(Reduction::Maximum))
        {
            write!(f, ", {low} to {high}")?;
        }
        Ok(())
    }
}

/// Returns a whole number as a number, NaN where there is none.
fn whole(value: u32) -> f64 {
    if value == u32::MAX { f64::NAN } else { f64::from(value) }
}
