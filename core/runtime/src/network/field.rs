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

/// The axes along which the rows and columns of maps lie.
const MAP: [usize; 2] = [2, 3];

/// What is seen of one value. Rows and columns lie along axes of their own where maps are
/// transposed on the way.
#[derive(Clone, Copy)]
struct Seen {
    field: Field,
    axes: [usize; 2],
}

impl Seen {
    const NOTHING: Self = Self { field: Field::Nothing, axes: MAP };
    const WHOLE: Self = Self { field: Field::Whole, axes: MAP };

    fn joined(self, other: Self) -> Self {
        match (self.field, other.field) {
            (Field::Region(a), Field::Region(b)) if self.axes == other.axes => {
                Self { field: Field::Region(a.union(b)), axes: self.axes }
            }
            (Field::Nothing, _) => other,
            (_, Field::Nothing) => self,
            _ => Self::WHOLE,
        }
    }
}

impl Network {
    /// Returns the receptive field, in cells of `source`, of the units of `value` in the rectangle
    /// `units`: the union over every path between them. Values that are not maps are seen whole.
    pub fn receptive_field(&self, value: ValueId, units: Region, source: ValueId) -> Field {
        let mut seen = vec![Seen::NOTHING; self.values.len()];
        let is_map = self.value(value).shape.as_maps().is_some();
        let field = if is_map { Field::Region(units) } else { Field::Whole };
        seen[value.0] = Seen { field, axes: MAP };
        for node in self.nodes.iter().rev() {
            let of_output = seen[node.output.0];
            if of_output.field == Field::Nothing || node.output == source {
                continue;
            }
            for (index, id) in node.inputs.iter().enumerate() {
                let of_input = match of_output {
                    Seen { field: Field::Region(region), axes } => {
                        self.seen_by(node.layer.reach(index), region, axes, *id, node.output)
                    }
                    Seen { .. } => Seen::WHOLE,
                };
                seen[id.0] = seen[id.0].joined(of_input);
            }
        }
        match seen[source.0] {
            Seen { field: Field::Region(_), axes } if axes != MAP => Field::Whole,
            Seen { field, .. } => field,
        }
    }

    /// Returns what a region of a layer's output sees of one of its inputs.
    fn seen_by(
        &self,
        reach: Reach,
        region: Region,
        axes: [usize; 2],
        input: ValueId,
        output: ValueId,
    ) -> Seen {
        let stays = Seen { field: Field::Region(region), axes };
        match reach {
            // An operand that is broadcast over the map has no cell at the same place.
            Reach::Pointwise if self.same_map(input, output, axes) => stays,
            Reach::Along(axis) if !axes.contains(&axis) && self.same_map(input, output, axes) => {
                stays
            }
            Reach::Window(window) if axes == MAP => {
                Seen { field: Field::Region(window.seen_by(region)), axes }
            }
            Reach::Spread(window) if axes == MAP => {
                let field = window.holding(region).map_or(Field::Nothing, Field::Region);
                Seen { field, axes }
            }
            Reach::Transposed(order) => {
                let turned = axes.map(|axis| order.get(axis).copied().unwrap_or(axis));
                Seen { axes: turned, ..stays }
            }
            _ => Seen::WHOLE,
        }
    }

    fn same_map(&self, a: ValueId, b: ValueId, axes: [usize; 2]) -> bool {
        match (self.value(a).shape.as_maps(), self.value(b).shape.as_maps()) {
            (Some(a), Some(b)) => axes.iter().all(|&axis| a.get(axis) == b.get(axis)),
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
        Concatenation, Flatten, GlobalAveragePooling, MaxPooling, MaxUnpooling, Pairwise,
        Rectifier, ResponseNormalization, Softmax, Switches, TransposedConvolution, Transposition,
    };
    use crate::{
        ConvolutionGeometry, CpuBackend, ForwardRequest, Keep, Rounding, Tensor, Window, backend,
    };

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

    /// Two convolutions, between them element-wise work and a normalization on channels last.
    fn turned() -> Network {
        let (mut builder, image) = with_image([1, 1, SIZE, SIZE]);
        let last = |builder: &mut _, name, value| {
            add(builder, name, Transposition::new(&[0, 2, 3, 1]).unwrap(), &[value])
        };
        let first = add(&mut builder, "first", convolution(1, [2, 1, 3, 3], 2), &[image]);
        let first = last(&mut builder, "first_turned", first);
        let joined = add(&mut builder, "joined", Concatenation::new(3).unwrap(), &[first, first]);
        let norm = add(&mut builder, "norm", Softmax::new(3).unwrap(), &[joined]);
        let relu = add(&mut builder, "relu", Rectifier, &[norm]);
        let back = Transposition::new(&[0, 3, 1, 2]).unwrap();
        let back = add(&mut builder, "back", back, &[relu]);
        let second = add(&mut builder, "second", convolution(3, [1, 4, 3, 1], 2), &[back]);
        let out = last(&mut builder, "out", second);
        builder.finish(vec![second, out])
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
        let output = trace.value(captures[0]).unwrap().to_host().unwrap();
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
        for network in [branches(), turned()] {
            fields_are_what_changes(&network);
        }
    }

    fn fields_are_what_changes(network: &Network) {
        let source = network.inputs()[0];
        let last = network.outputs()[0];
        let [_, _, rows, columns] = network.value(last).shape.as_maps().unwrap();
        assert!(rows > 2 && columns > 2);
        for row in 0..rows {
            for column in 0..columns {
                let (top, left) = (row.cast_signed(), column.cast_signed());
                let unit = Region { top, left, height: 1, width: 1 };
                let Field::Region(field) = network.receptive_field(last, unit, source) else {
                    panic!("the field of {unit:?} is no region");
                };
                let changed = changed_by(network, row * columns + column);
                assert_eq!(field.clipped([SIZE, SIZE]), changed, "{unit:?}");
            }
        }
    }

    /// Cells that are spread over windows with gaps, and maxima put back where they stood.
    fn spreading() -> Network {
        let (mut builder, image) = with_image([1, 1, SIZE, SIZE]);
        let small = add(&mut builder, "small", convolution(1, [2, 1, 3, 3], 3), &[image]);
        let window = Window { stride: [3, 3], ..Window::of([2, 3]) };
        let geometry = ConvolutionGeometry { window, groups: 1 };
        let weight = Numbers::new(2).tensor([2, 1, 2, 3]);
        let large = TransposedConvolution::new(weight, None, geometry, [0, 0]).unwrap();
        let large = add(&mut builder, "large", large, &[small]);
        let (window, rounding) = (Window { stride: [2, 2], ..Window::of([2, 2]) }, Rounding::Ceil);
        let pooling = MaxPooling::new(window, rounding).unwrap();
        let pool = add(&mut builder, "pool", pooling, &[large]);
        let switches = Switches::OfPooling { window, rounding };
        let unpooling = MaxUnpooling::new(switches).unwrap();
        let last = add(&mut builder, "last", unpooling, &[pool, large]);
        builder.finish(vec![last])
    }

    #[test]
    fn what_spreads_cells_has_the_field_of_the_cells_that_reach_the_unit() {
        let network = spreading();
        let source = network.inputs()[0];
        let [small, large, last] = ["small", "large", "last"].map(|name| value(&network, name));
        let unit = |top, left| Region { top, left, height: 1, width: 1 };
        let field = |id, top, left| network.receptive_field(id, unit(top, left), source);
        assert_eq!(field(large, 3, 7), field(small, 1, 2));
        // A row that no window reaches.
        assert_eq!(field(large, 5, 7), Field::Nothing);
        let [_, _, rows, columns] = network.value(last).shape.as_maps().unwrap();
        assert_eq!([rows, columns], [14, 15]);
        for (top, left) in [(0, 0), (3, 4), (7, 7), (13, 14)] {
            let Field::Region(field) = field(last, top, left) else { panic!("no region") };
            let changed = changed_by(&network, top as usize * columns + left as usize);
            assert_eq!(field.union(changed), field, "{top} {left}");
        }
    }

    #[test]
    fn what_mixes_rows_or_columns_of_transposed_maps_sees_everything() {
        let unit = Region { top: 1, left: 1, height: 1, width: 1 };
        let network = turned();
        let seen =
            |name: &str| network.receptive_field(value(&network, name), unit, network.inputs()[0]);
        // Rows and columns of a region are axes 2 and 3 of the value that is asked for.
        assert_eq!(seen("out"), Field::Whole);
        assert!(matches!(seen("back"), Field::Region(_)));
        let (mut builder, image) = with_image([1, 2, 4, 4]);
        let order = Transposition::new(&[0, 2, 3, 1]).unwrap();
        let turned = add(&mut builder, "turned", order, &[image]);
        let rows = add(&mut builder, "rows", Softmax::new(1).unwrap(), &[turned]);
        let filtered = add(&mut builder, "filtered", convolution(1, [4, 4, 3, 1], 1), &[turned]);
        let back = Transposition::new(&[0, 3, 1, 2]).unwrap();
        let rows = add(&mut builder, "rows_back", back.clone(), &[rows]);
        let filtered = add(&mut builder, "filtered_back", back, &[filtered]);
        let network = builder.finish(vec![rows, filtered]);
        for name in ["rows_back", "filtered_back"] {
            let field = network.receptive_field(value(&network, name), unit, image);
            assert_eq!(field, Field::Whole, "{name}");
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
        let gated = add(&mut builder, "gated", Pairwise::MULTIPLICATION, &[image, gate]);
        let flat = add(&mut builder, "flat", Flatten, &[gated]);
        let network = builder.finish(vec![flat]);
        let unit = Region { top: 2, left: 3, height: 1, width: 1 };
        assert_eq!(network.receptive_field(gated, unit, gate), Field::Whole);
        assert_eq!(network.receptive_field(gated, unit, image), Field::Whole);
        assert_eq!(network.receptive_field(flat, Region::whole([1, 1]), gated), Field::Whole);
    }
}
