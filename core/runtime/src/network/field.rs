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
    /// `units`: the union over every path between them.
    pub fn receptive_field(&self, value: ValueId, units: Region, source: ValueId) -> Field {
        let mut fields = vec![Field::Nothing; self.values.len()];
        fields[value.0] = Field::Region(units);
        for node in self.nodes.iter().rev() {
            let field = fields[node.output.0];
            if field == Field::Nothing || node.output == source {
                continue;
            }
            for (index, id) in node.inputs.iter().enumerate() {
                let seen = match (node.layer.reach(index), field) {
                    (Reach::Pointwise, field) => field,
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
}
