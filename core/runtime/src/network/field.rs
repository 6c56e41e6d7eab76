//! Receptive fields.

use super::{Network, ValueId};
use crate::{Reach, Region};

/// The pixels that a unit can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A rectangle; it hangs over the border where padding is seen.
    Region(Region),
    /// Possibly the whole input.
    Whole,
    /// Nothing: the unit does not depend on the input.
    Nothing,
}

impl Field {
    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Region(a), Self::Region(b)) => Self::Region(a.union(b)),
            (Self::Nothing, field) | (field, Self::Nothing) => field,
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
        }
    }
}

impl Network {
    /// Returns the receptive field, in cells of `source`, of the units of `value` in the rectangle
    /// `units`: the union over every path between them. Values that are not maps are seen whole.
    pub fn receptive_field(&self, value: ValueId, units: Region, source: ValueId) -> Field {
        let mut fields = vec![Field::Nothing; self.values.len()];
        let is_map = |id: ValueId| self.value(id).shape.as_maps().is_some();
        fields[value.0] = if is_map(value) { Field::Region(units) } else { Field::Whole };
        for node in self.nodes.iter().rev() {
            let field = fields[node.output.0];
            if field == Field::Nothing || node.output == source {
                continue;
            }
            for (index, id) in node.inputs.iter().enumerate() {
                let seen = match (node.layer.reach(index), field) {
                    // An operand that is broadcast over the map has no cell at the same place.
                    (Reach::Pointwise, Field::Region(_)) if self.same_map(*id, node.output) => {
                        field
                    }
                    (Reach::Window(window), Field::Region(region)) => {
                        Field::Region(window.seen_by(region))
                    }
                    _ => Field::Whole,
                };
                fields[id.0] = fields[id.0].joined(seen);
            }
        }
        fields[source.0]
    }

    fn same_map(&self, a: ValueId, b: ValueId) -> bool {
        match (self.value(a).shape.as_maps(), self.value(b).shape.as_maps()) {
            (Some([_, _, height, width]), Some([_, _, rows, columns])) => {
                [height, width] == [rows, columns]
            }
            _ => false,
        }
    }
}
