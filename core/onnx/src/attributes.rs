//! The attributes of a node.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::proto::{AttributeProto, TensorProto, attribute_type};
use crate::refusal::Refusal;

/// The attributes of a node. It remembers which were read: one that nobody reads may change what
/// the node does, so the node is refused.
#[derive(Debug)]
pub(crate) struct Attributes<'m> {
    list: &'m [AttributeProto],
    read: RefCell<BTreeSet<String>>,
}

impl<'m> Attributes<'m> {
    /// Wraps the attributes of a node.
    ///
    /// # Errors
    /// Fails when one is there twice.
    pub(crate) fn new(list: &'m [AttributeProto]) -> Result<Self, Refusal> {
        let mut names = BTreeSet::new();
        for AttributeProto { name, .. } in list {
            if !names.insert(name) {
                return Err(Refusal::invalid(format!("its attribute {name} is there twice")));
            }
        }
        Ok(Self { list, read: RefCell::default() })
    }

    /// Returns an integer.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        Ok(self.find(name, attribute_type::INT)?.map(|attribute| attribute.i))
    }

    /// Returns an integer that is 0 or 1.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.integer(name)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => {
                Err(Refusal::invalid(format!("its attribute {name} is {other}, neither 0 nor 1")))
            }
        }
    }

    /// Returns a list of integers.
    pub(crate) fn integers(&self, name: &str) -> Result<Option<&'m [i64]>, Refusal> {
        Ok(self.find(name, attribute_type::INTS)?.map(|attribute| attribute.ints.as_slice()))
    }

    /// Returns a number.
    pub(crate) fn real(&self, name: &str) -> Result<Option<f32>, Refusal> {
        Ok(self.find(name, attribute_type::FLOAT)?.map(|attribute| attribute.f))
    }

    /// Returns a list of numbers.
    pub(crate) fn reals(&self, name: &str) -> Result<Option<&'m [f32]>, Refusal> {
        Ok(self.find(name, attribute_type::FLOATS)?.map(|attribute| attribute.floats.as_slice()))
    }

    /// Returns a text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'m str>, Refusal> {
        let Some(attribute) = self.find(name, attribute_type::STRING)? else { return Ok(None) };
        match std::str::from_utf8(&attribute.s) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Refusal::invalid(format!("its attribute {name} is no text"))),
        }
    }

    /// Returns a tensor.
    pub(crate) fn tensor(&self, name: &str) -> Result<Option<&'m TensorProto>, Refusal> {
        let attribute = self.find(name, attribute_type::TENSOR)?;
        Ok(attribute.and_then(|attribute| attribute.t.as_deref()))
    }

    /// Says that an attribute does not matter.
    pub(crate) fn ignore(&self, name: &str) {
        self.read.borrow_mut().insert(name.to_owned());
    }

    /// Returns an attribute that nobody has asked for.
    pub(crate) fn unread(&self) -> Option<&'m str> {
        let read = self.read.borrow();
        self.list.iter().map(|attribute| attribute.name.as_str()).find(|&name| !read.contains(name))
    }

    fn find(&self, name: &str, kind: i32) -> Result<Option<&'m AttributeProto>, Refusal> {
        self.ignore(name);
        let Some(attribute) = self.list.iter().find(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        // The first files did not state the type.
        if ![kind, attribute_type::UNDEFINED].contains(&attribute.r#type) {
            return Err(Refusal::invalid(format!("its attribute {name} has the wrong type")));
        }
        if !attribute.ref_attr_name.is_empty() {
            let reason = format!("its attribute {name} refers to a function");
            return Err(Refusal::unsupported(reason));
        }
        Ok(Some(attribute))
    }
}
