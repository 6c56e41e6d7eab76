//! Gather at stored positions.

use convscope_runtime::layer::{Chosen, Reshape, Selection};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::constant::Constant;
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let Some(Constant::Integer(indices)) = call.constant(1, "list of indices")?.cloned() else {
        return Err(Refusal::invalid("its indices are not integers"));
    };
    let shape = call.shape(input);
    // Before the indices: how long the batch is, they do not know.
    if call.cuts_batch(shape.rank())? {
        return Err(Refusal::unsupported("it picks images of the batch"));
    }
    let (axis, positions) = call.gathered(shape.extents(), &indices)?;
    if positions.is_empty() {
        return Err(Refusal::Unsupported(format!("it takes nothing of axis {axis}")));
    }
    let layer = Selection::new([(axis, Chosen::Listed(positions.into()))])?;
    if indices.shape.rank() == 1 {
        return call.add(layer, &[input]);
    }
    let gathered = call.add_before("gathered", layer, &[input])?;
    let mut extents = shape.extents().to_vec();
    extents.splice(axis..=axis, indices.shape.extents().iter().copied());
    call.add(Reshape::new(extents.get(1..).unwrap_or_default()), &[gathered])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, integers, node, reals, refusal, shape_of};

    fn gather(axis: i64) -> Vec<NodeProto> {
        vec![node("Gather", "n", &["x", "k"], &["y"]).with("axis", Is::Integer(axis))]
    }

    #[test]
    fn the_indices_take_the_place_of_the_axis() {
        let list = integers("k", &[2, -1, 0, 0]);
        assert_eq!(shape_of(gather(1), vec![list.clone()], 13), [1, 4, 8, 8]);
        let matrix = crate::proto::TensorProto { dims: vec![2, 2], ..list };
        assert_eq!(shape_of(gather(-1), vec![matrix], 13), [1, 3, 8, 2, 2]);
        let mut scalar = integers("k", &[1]);
        scalar.dims.clear();
        assert_eq!(shape_of(gather(2), vec![scalar], 13), [1, 3, 8]);
    }

    #[test]
    fn images_missing_indices_and_computed_ones_are_refused() {
        let refused = |axis, stored| refusal(gather(axis), vec![stored], 13);
        for image in [0, 2] {
            let words = refused(0, integers("k", &[image]));
            assert!(words.ends_with("Gather n: it picks images of the batch"), "{words}");
        }
        let outside = refused(1, integers("k", &[3]));
        assert_eq!(outside, "Gather n: an index lies outside its input");
        let none = refused(1, integers("k", &[]));
        assert!(none.ends_with("Gather n: it takes nothing of axis 1"), "{none}");
        let wrong = refused(1, reals("k", &[1], &[0.0]));
        assert_eq!(wrong, "Gather n: its indices are not integers");
        let computed = vec![node("Gather", "n", &["x", "x"], &["y"])];
        assert!(refusal(computed, vec![], 13).ends_with(
            "Gather n: its list of indices x is computed; only a stored one is supported"
        ));
    }
}
