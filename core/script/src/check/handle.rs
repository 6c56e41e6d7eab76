//! The kinds of values that functions of convscope hand out.

use std::any::TypeId;

use crate::register;
use crate::value::{FigureHandle, Images, Model, Page, Results, TableHandle, Tensor};

/// A kind of value that functions of convscope hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    Figure,
    Images,
    Model,
    Report,
    Result,
    Table,
    Tensor,
}

impl Handle {
    const ALL: [Self; 7] = [
        Self::Figure,
        Self::Images,
        Self::Model,
        Self::Report,
        Self::Result,
        Self::Table,
        Self::Tensor,
    ];

    /// Finds a kind by the name that signatures use.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|handle| handle.name() == name)
    }

    /// Returns the name that signatures use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Figure => "Figure",
            Self::Images => "Images",
            Self::Model => "Model",
            Self::Report => "Report",
            Self::Result => "Result",
            Self::Table => "Table",
            Self::Tensor => "Tensor",
        }
    }

    /// Returns the type of the values.
    pub(super) fn type_id(self) -> TypeId {
        match self {
            Self::Figure => TypeId::of::<FigureHandle>(),
            Self::Images => TypeId::of::<Images>(),
            Self::Model => TypeId::of::<Model>(),
            Self::Report => TypeId::of::<Page>(),
            Self::Result => TypeId::of::<Results>(),
            Self::Table => TypeId::of::<TableHandle>(),
            Self::Tensor => TypeId::of::<Tensor>(),
        }
    }

    /// Returns what the kind is called in messages and its properties; nothing for results, whose
    /// properties are also the names of their arrays.
    pub(super) const fn properties(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Figure => Some(register::FIGURE),
            Self::Images => Some(register::IMAGES),
            Self::Model => Some(register::MODEL),
            Self::Report => Some(register::REPORT),
            Self::Result => None,
            Self::Table => Some(register::TABLE),
            Self::Tensor => Some(register::TENSOR),
        }
    }
}
