//! A node with its operands, as the operators see it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use convscope_runtime::layer::Transposition;
use convscope_runtime::network::ValueId;
use convscope_runtime::{LayerInversion, NetworkBuilder, Rounding, Shape, Tensor, Window};

use crate::attributes::Attributes;
use crate::constant::Constant;
use crate::layout::CHANNELS_LAST;
use crate::limits::{FOLDED_BYTES, FOLDED_EXTENT};
use crate::proto::TensorProto;
use crate::refusal::Refusal;
use crate::store::Store;
use crate::tensor;

/// What is known of a value before anything runs.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Everything.
    Constant(Constant),
    /// Its shape.
    Computed(ValueId),
    /// The shape of a picture that the network takes with channels first and the file with
    /// channels last.
    ChannelsLast(ValueId),
    /// That it holds the positions of the maxima of a pooling. No value of the network does: who
    /// reads them finds them again.
    Switches(Pooling),
    /// Nothing, because its maker is not supported.
    Lost,
}

/// A max pooling and what it reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooling {
    pub(crate) pooled: ValueId,
    pub(crate) window: Window,
    pub(crate) rounding: Rounding,
}

/// A value that a node reads.
#[derive(Clone, Debug)]
pub(crate) struct Operand<'m> {
    pub(crate) name: &'m str,
    pub(crate) known: Known,
}

/// What the nodes of a model share while they become layers.
#[derive(Debug)]
pub(crate) struct Workbench<'m> {
    pub(crate) builder: NetworkBuilder,
    /// Version of the default operator set.
    pub(crate) operator_set: i64,
    /// Number of images for which the file writes down its shapes.
    pub(crate) batch: usize,
    pub(crate) store: &'m Store,
    /// Names of values and nodes that the file uses.
    pub(crate) names: &'m BTreeSet<&'m str>,
    /// Constants that are values of the network already.
    pub(crate) placed: BTreeMap<String, ValueId>,
    /// Pictures with channels last, by the input that has them first.
    turned: BTreeMap<ValueId, ValueId>,
    /// Bytes that constant folding may still make.
    pub(crate) left: Cell<usize>,
    /// Names of values that nodes want to be constant: an input of the model whose value is given
    /// is bound then.
    pub(crate) demanded: &'m RefCell<BTreeSet<String>>,
}

impl<'m> Workbench<'m> {
    pub(crate) fn new(
        operator_set: i64,
        batch: usize,
        store: &'m Store,
        names: &'m BTreeSet<&'m str>,
        demanded: &'m RefCell<BTreeSet<String>>,
    ) -> Self {
        Self {
            builder: NetworkBuilder::default(),
            operator_set,
            batch,
            store,
            names,
            placed: BTreeMap::new(),
            turned: BTreeMap::new(),
            left: Cell::new(FOLDED_BYTES),
            demanded,
        }
    }

    /// Makes a constant a value of the network, once for every shape in which it is used.
    pub(crate) fn place(&mut self, name: &str, tensor: Tensor) -> Result<ValueId, Refusal> {
        let mut own = name.to_owned();
        while let Some(&id) = self.placed.get(&own) {
            if self.builder.shape(id) == tensor.shape() {
                return Ok(id);
            }
            own.push('_');
            while self.names.contains(own.as_str()) {
                own.push('_');
            }
        }
        let id = self.builder.constant(&own, tensor)?;
        self.placed.insert(own, id);
        Ok(id)
    }

    /// Gives a picture back the layout of the file, once.
    pub(crate) fn channels_last(
        &mut self,
        name: &str,
        picture: ValueId,
    ) -> Result<ValueId, Refusal> {
        if let Some(&id) = self.turned.get(&picture) {
            return Ok(id);
        }
        let name = self.fresh_name(name, "channels_last");
        let layer = Arc::new(Transposition::new(&CHANNELS_LAST)?);
        let id = self.builder.layer(&name, layer, &[picture], &name)?;
        self.turned.insert(picture, id);
        Ok(id)
    }

    /// Returns a name that the file does not use, behind one that it does.
    fn fresh_name(&self, name: &str, step: &str) -> String {
        let mut name = format!("{name}/{step}");
        while self.names.contains(name.as_str()) {
            name.push('_');
        }
        name
    }
}

/// A node with its operands, as the operators see it.
#[derive(Debug)]
pub(crate) struct Call<'a, 'm> {
    pub(crate) operator: &'m str,
    pub(crate) name: &'m str,
    pub(crate) output: &'m str,
    /// The outputs behind the first; `None` where nobody reads one.
    pub(crate) further: Vec<Option<&'m str>>,
    /// What the further outputs hold, as far as the operator has said.
    pub(crate) given: RefCell<BTreeMap<&'m str, Known>>,
    pub(crate) attributes: Attributes<'m>,
    /// `None` where an operand is left out.
    pub(crate) operands: Vec<Option<Operand<'m>>>,
    pub(crate) bench: &'a mut Workbench<'m>,
}

impl<'m> Call<'_, 'm> {
    /// Returns the version of the operator set.
    pub(crate) fn operator_set(&self) -> i64 {
        self.bench.operator_set
    }

    /// Returns an operand, if it is there.
    pub(crate) fn operand(&self, index: usize) -> Option<&Operand<'m>> {
        self.operands.get(index)?.as_ref()
    }

    /// Returns the number of axes of an operand, if it is there and known.
    pub(crate) fn rank(&self, index: usize) -> Option<usize> {
        match &self.operand(index)?.known {
            Known::Constant(constant) => Some(constant.shape().rank()),
            Known::Computed(id) | Known::ChannelsLast(id) => {
                Some(self.bench.builder.shape(*id).rank())
            }
            Known::Lost | Known::Switches(_) => None,
        }
    }

    /// Puts a constant in the place of an operand.
    pub(crate) fn replace(&mut self, index: usize, constant: Constant) {
        if let Some(Some(operand)) = self.operands.get_mut(index) {
            operand.known = Known::Constant(constant);
        }
    }

    /// Refuses more operands than the operator has.
    pub(crate) fn at_most(&self, count: usize) -> Result<(), Refusal> {
        if self.operands.len() > count {
            let actual = self.operands.len();
            return Err(Refusal::invalid(format!("it has {actual} inputs, at most {count} fit")));
        }
        Ok(())
    }

    /// Returns an operand as a value of the network; a constant becomes one.
    pub(crate) fn value(&mut self, index: usize) -> Result<ValueId, Refusal> {
        let Some(operand) = self.operands.get(index).and_then(Option::as_ref) else {
            return Err(Refusal::invalid(format!("its input {index} is missing")));
        };
        match &operand.known {
            Known::Computed(id) => Ok(*id),
            Known::ChannelsLast(id) => self.bench.channels_last(operand.name, *id),
            Known::Constant(Constant::Real(tensor)) => {
                let tensor = tensor.clone();
                let name = operand.name;
                self.bench.place(name, tensor)
            }
            Known::Switches(_) => {
                let name = operand.name;
                Err(Refusal::unsupported(format!(
                    "its input {name} holds the positions of maxima, which MaxUnpool alone can read"
                )))
            }
            Known::Constant(Constant::Integer(_)) | Known::Lost => {
                let name = operand.name;
                Err(Refusal::unsupported(format!("its input {name} holds integers")))
            }
        }
    }

    /// Returns all operands as values of the network.
    pub(crate) fn all_values(&mut self) -> Result<Vec<ValueId>, Refusal> {
        (0..self.operands.len()).map(|index| self.value(index)).collect()
    }

    /// Returns a constant operand, if it is there.
    pub(crate) fn constant(&self, index: usize, what: &str) -> Result<Option<&Constant>, Refusal> {
        match self.operand(index) {
            None => Ok(None),
            Some(Operand { known: Known::Constant(constant), .. }) => Ok(Some(constant)),
            Some(Operand { name, .. }) => {
                self.bench.demanded.borrow_mut().insert((*name).to_owned());
                Err(Refusal::unsupported(format!(
                    "its {what} {name} is computed; only a stored one is supported"
                )))
            }
        }
    }

    /// Returns a stored tensor of real numbers, if it is there.
    pub(crate) fn tensor(&self, index: usize, what: &str) -> Result<Option<Tensor>, Refusal> {
        let wrong = || Refusal::invalid(format!("its {what} holds integers"));
        let constant = self.constant(index, what)?;
        constant.map(|constant| constant.real().cloned().ok_or_else(wrong)).transpose()
    }

    /// Returns a stored tensor of real numbers.
    pub(crate) fn required_tensor(&self, index: usize, what: &str) -> Result<Tensor, Refusal> {
        let missing = || Refusal::invalid(format!("its {what} is missing"));
        self.tensor(index, what)?.ok_or_else(missing)
    }

    /// Returns a stored list of integers, if it is there.
    pub(crate) fn integers(&self, index: usize, what: &str) -> Result<Option<&[i64]>, Refusal> {
        let wrong = || Refusal::invalid(format!("its {what} is not a list of integers"));
        let constant = self.constant(index, what)?;
        constant.map(|constant| constant.integers().ok_or_else(wrong)).transpose()
    }

    /// Returns the shape of a value for one image.
    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        self.bench.builder.shape(value).clone()
    }

    /// Returns the size of maps, `[height, width]`.
    pub(crate) fn map_size(&self, value: ValueId) -> Result<[usize; 2], Refusal> {
        match self.bench.builder.shape(value).extents() {
            &[_, _, height, width] => Ok([height, width]),
            extents @ ([] | [_] | [_, _]) => {
                Err(Refusal::invalid(format!("its input has the shape {extents:?}, not maps")))
            }
            [_, _, _] => {
                Err(Refusal::unsupported("it has one spatial axis; only two are supported"))
            }
            [_, _, spatial @ ..] => Err(Refusal::unsupported(format!(
                "it has {} spatial axes; only two are supported",
                spatial.len()
            ))),
        }
    }

    /// Adds the layer that makes the output.
    pub(crate) fn add(
        &mut self,
        layer: impl LayerInversion + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, Refusal> {
        Ok(self.bench.builder.layer(self.name, Arc::new(layer), inputs, self.output)?)
    }

    /// Adds a layer that comes before the one that makes the output.
    pub(crate) fn add_before(
        &mut self,
        step: &str,
        layer: impl LayerInversion + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, Refusal> {
        let name = self.fresh_name(step);
        Ok(self.bench.builder.layer(&name, Arc::new(layer), inputs, &name)?)
    }

    /// Adds a constant that the file does not hold in this form.
    pub(crate) fn place(&mut self, what: &str, tensor: Tensor) -> Result<ValueId, Refusal> {
        let name = self.fresh_name(what);
        self.bench.place(&name, tensor)
    }

    /// Says what a further output holds; one that is read and of which nothing is said is refused.
    pub(crate) fn give(&self, output: &'m str, known: Known) {
        self.given.borrow_mut().insert(output, known);
    }

    /// Adds the layer that makes a further output, whose name it bears.
    pub(crate) fn add_further(
        &mut self,
        output: &'m str,
        layer: impl LayerInversion + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, Refusal> {
        Ok(self.bench.builder.layer(output, Arc::new(layer), inputs, output)?)
    }

    /// Reads a tensor in an attribute.
    pub(crate) fn stored(&self, proto: &TensorProto) -> Result<Constant, Refusal> {
        Ok(tensor::read(proto, self.bench.store)?)
    }

    /// Checks the shape of a constant that is about to be made, before memory is taken for it.
    ///
    /// # Errors
    /// Fails where the shape is impossible, or the model makes far more than it stores.
    pub(crate) fn made(&self, extents: &[usize]) -> Result<Shape, Refusal> {
        let shape = tensor::checked_shape(extents).map_err(Refusal::Invalid)?;
        check_extents(extents)?;
        // The first operand says of which type the result mostly is.
        let first = self.operand(0).map(|operand| &operand.known);
        let width =
            if matches!(first, Some(Known::Constant(Constant::Integer(_)))) { 8 } else { 4 };
        let bytes = shape.volume().checked_mul(width);
        match bytes.and_then(|bytes| self.bench.left.get().checked_sub(bytes)) {
            Some(left) => {
                self.bench.left.set(left);
                Ok(shape)
            }
            None => Err(Refusal::unsupported(format!(
                "the model computes more than {} MiB from constants",
                FOLDED_BYTES >> 20
            ))),
        }
    }

    /// Returns a name that the file does not use; the output's name is this node's alone.
    fn fresh_name(&self, step: &str) -> String {
        self.bench.fresh_name(self.output, step)
    }
}

/// Refuses constants along whose axes nothing can be moved within bounds.
///
/// # Errors
/// Fails for an axis that is too long.
pub(crate) fn check_extents(extents: &[usize]) -> Result<(), Refusal> {
    if extents.iter().all(|&extent| extent <= FOLDED_EXTENT) {
        return Ok(());
    }
    Err(Refusal::unsupported(format!(
        "it computes with a constant that has more than {FOLDED_EXTENT} numbers along an axis"
    )))
}
