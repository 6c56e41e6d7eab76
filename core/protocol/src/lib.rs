//! What crosses the boundary between the host and its plugins, and between those and scripts and
//! reports, as data.
//!
//! Nothing here computes or draws. A plugin describes its parameters ([`Schema`]), asks the host
//! for forward and backward passes ([`observe`], [`attribute`]), and hands back [`Findings`]:
//! arrays, tables and figures described as data.

pub mod array;
pub mod attribute;
pub mod descriptor;
pub mod figure;
pub mod findings;
pub mod item;
pub mod model;
pub mod observe;
pub mod schema;
pub mod suggest;
pub mod table;

pub use array::{Array, Axis, Values};
pub use attribute::{Amount, Composite, Rule, Start};
pub use descriptor::{AnalysisDescriptor, PluginDescriptor};
pub use figure::{Figure, FigureContent};
pub use findings::{Findings, FindingsError};
pub use item::Item;
pub use model::{LayerDescription, ModelDescription};
pub use observe::{Capture, Case, Disjoint, Fill, Intervention, Reduction, Region};
pub use schema::{Parameter, ParameterError, Role, Schema, SchemaError};
pub use table::{Cell, Table};
