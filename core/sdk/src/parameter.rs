//! Types that parameters of many analyses have.

mod boxes;
mod images;
mod layer_name;
mod layer_with_maps;
mod one_or_many;
mod position;
mod target;

pub use boxes::Boxes;
pub use images::ImagesParameter;
pub use layer_name::LayerName;
pub use layer_with_maps::LayerWithMaps;
pub use one_or_many::OneOrMany;
pub use position::{Position, Positions};
pub use target::Target;
