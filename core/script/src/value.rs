//! The types of values that scripts handle beside Rhai's own.

mod images;
mod model;
mod page;
mod result;
mod tensor;

use rhai::Dynamic;

pub(crate) use images::Images;
pub(crate) use model::{Model, find_layer, layer_map};
pub(crate) use page::Page;
pub(crate) use result::{FigureHandle, Results, TableHandle, check_output};
pub(crate) use tensor::{Reduction, Tensor};

/// Returns the name under which scripts know the type of a value.
pub(crate) fn type_name(value: &Dynamic) -> String {
    let value = value.clone().flatten();
    if value.is::<Images>() {
        "Images"
    } else if value.is::<Model>() {
        "Model"
    } else if value.is::<Page>() {
        "Report"
    } else if value.is::<Results>() {
        "Result"
    } else if value.is::<FigureHandle>() {
        "Figure"
    } else if value.is::<TableHandle>() {
        "Table"
    } else if value.is::<Tensor>() {
        "Tensor"
    } else {
        value.type_name()
    }
    .to_owned()
}
