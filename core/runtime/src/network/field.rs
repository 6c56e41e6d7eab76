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

#[cfg(test)]
mod tests {
    use super::super::testing::{add, convolution, forked, overlapping_pool, value, with_image};
    use super::*;
    use crate::layer::testing::Numbers;
    use crate::layer::{
        Concatenation, Flatten, GlobalAveragePooling, Multiplication, ResponseNormalization,
    };
    use crate::{CpuBackend, ForwardRequest, Keep, Tensor, backend};

    const SIZE: usize = 13;

    /// Two branches of different reach, an uneven kernel, strides, a pooling and a normalization.
    fn branches() -> Network {
        let (mut builder, image) = with_image([1, 1, SIZE, SIZE]);
        let form = backend::ResponseNormalization { size: 3, alpha: 0.5, beta: 0.75, bias: 2.0 };
        let norm = ResponseNormalization::new(form).unwrap();
        let wide = add(&mut builder, "wide", convolution(1, [2, 1, 1, 5], 1), &[image]);
        let high = add(&mut builder, "high", convolution(2, [2, 1, 3, 1], 1), &[image]);
        let joined = add(&mut builder, "joined", Concatenation::new(1).unwrap(), &[wide, high]);
        let norm = add(&mut builder, "norm", norm, &[joined]);
        let pool = add(&mut builder, "pool", overlapping_pool(), &[norm]);
        let last = add(&mut builder, "last", convolution(3, [1, 4, 3, 3], 2), &[pool]);
        builder.finish(vec![last])
    }

    /// Runs one pixel changed at a time, and returns the bounds of those that change the unit.
    fn changed_by(network: &Network, unit: usize) -> Region {
        let image = Numbers::new(1).tensor([1, 1, SIZE, SIZE]);
        let mut values = Vec::new();
        for pixel in 0..SIZE * SIZE {
            for change in [0.0, 9.0, -9.0] {
                let mut changed = image.values().unwrap().to_vec();
                changed[pixel] += change;
                values.extend(changed);
            }
        }
        let images = Tensor::new([3 * SIZE * SIZE, 1, SIZE, SIZE], values).unwrap();
        let captures = network.outputs();
        let request = ForwardRequest { captures, interventions: &[], keep: Keep::Output };
        let trace = network.forward(&CpuBackend::new(), &[images], &request).unwrap();
        let output = trace.value(captures[0]).unwrap();
        let each = output.shape().volume() / output.shape().batch();
        let of = |image: usize| output.values().unwrap()[image * each + unit].to_bits();
        let sees = |pixel: &usize| (1..3).any(|change| of(3 * pixel + change) != of(3 * pixel));
        (0..SIZE * SIZE)
            .filter(sees)
            .map(|pixel| Region {
                top: (pixel / SIZE).cast_signed(),
                left: (pixel % SIZE).cast_signed(),
                height: 1,
                width: 1,
            })
            .reduce(Region::union)
            .unwrap()
    }

    #[test]
    fn a_receptive_field_is_what_changes_the_unit() {
        let network = branches();
        let source = network.inputs()[0];
        let last = value(&network, "last");
        let [_, _, rows, columns] = network.value(last).shape.as_maps().unwrap();
        assert_eq!([rows, columns], [3, 3]);
        for row in 0..rows {
            for column in 0..columns {
                let (top, left) = (row.cast_signed(), column.cast_signed());
                let unit = Region { top, left, height: 1, width: 1 };
                let Field::Region(field) = network.receptive_field(last, unit, source) else {
                    panic!("the field of {unit:?} is no region");
                };
                let changed = changed_by(&network, row * columns + column);
                assert_eq!(field.clipped([SIZE, SIZE]), changed, "{unit:?}");
            }
        }
    }

    #[test]
    fn behind_a_global_layer_everything_is_seen() {
        let network = forked();
        let unit = Region::whole([1, 1]);
        let [image, scores, pool, second, relu2] =
            ["image", "scores", "pool", "second", "relu2"].map(|name| value(&network, name));
        assert_eq!(network.receptive_field(scores, unit, image), Field::Whole);
        assert_eq!(network.receptive_field(scores, unit, pool), Field::Whole);
        assert_eq!(network.receptive_field(second, unit, relu2), Field::Nothing);
        assert_eq!(network.receptive_field(relu2, unit, relu2), Field::Region(unit));
        let behind = Region { top: -1, left: -1, height: 3, width: 3 };
        let relu1 = value(&network, "relu1");
        assert_eq!(network.receptive_field(second, unit, relu1), Field::Region(behind));
    }

    #[test]
    fn a_factor_that_is_broadcast_over_the_map_is_seen_whole() {
        let (mut builder, image) = with_image([1, 2, 4, 4]);
        let mean = add(&mut builder, "mean", GlobalAveragePooling::of_maps(), &[image]);
        let gate = add(&mut builder, "gate", convolution(1, [2, 2, 1, 1], 1), &[mean]);
        let gated = add(&mut builder, "gated", Multiplication, &[image, gate]);
        let flat = add(&mut builder, "flat", Flatten, &[gated]);
        let network = builder.finish(vec![flat]);
        let unit = Region { top: 2, left: 3, height: 1, width: 1 };
        assert_eq!(network.receptive_field(gated, unit, gate), Field::Whole);
        assert_eq!(network.receptive_field(gated, unit, image), Field::Whole);
        assert_eq!(network.receptive_field(flat, Region::whole([1, 1]), gated), Field::Whole);
    }
}
