//! Split: every part is a selection of its own.

use convscope_runtime::layer::{Chosen, Selection};
use convscope_runtime::network::ValueId;

use crate::call::{Call, Known};
use crate::refusal::Refusal;

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let input = call.value(0)?;
    let shape = call.shape(input);
    if !call.further.is_empty() && call.cuts_batch(shape.rank())? {
        return Err(Refusal::unsupported("it splits the batch"));
    }
    let (axis, lengths) = call.split_parts(shape.extents())?;
    if let [_] = lengths.as_slice() {
        return Ok(input);
    }
    if lengths.contains(&0) {
        return Err(Refusal::unsupported("one of its parts is empty"));
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        parts.push(Selection::new([(axis, Chosen::range(start..start + length))])?);
        start += length;
    }
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or_else(|| Refusal::invalid("it has no parts"))?;
    for (output, part) in call.further.clone().into_iter().zip(parts) {
        if let Some(output) = output {
            let value = call.add_further(output, part, &[input])?;
            call.give(output, Known::Computed(value));
        }
    }
    call.add(first, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{Is, integers, load_nodes, node, refusal, shape_of};

    /// Splits the three channels of `x` and joins the parts again in another order.
    fn split(inputs: &[&str]) -> Vec<NodeProto> {
        vec![
            node("Split", "n", inputs, &["a", "b"]).with("axis", Is::Integer(-3)),
            node("Concat", "joined", &["b", "a", "b"], &["y"]).with("axis", Is::Integer(1)),
        ]
    }

    fn along(axis: i64, outputs: &[&str]) -> NodeProto {
        node("Split", "n", &["x"], outputs).with("axis", Is::Integer(axis))
    }

    #[test]
    fn every_part_is_a_layer_that_is_found_by_its_output() {
        let stored = || vec![integers("s", &[1, 2])];
        let model = load_nodes(split(&["x", "s"]), stored(), 13).unwrap();
        let shape = |name| model.network.value(model.find(name).unwrap()).shape.extents().to_vec();
        assert_eq!(shape("a"), [1, 1, 8, 8]);
        assert_eq!(shape("b"), [1, 2, 8, 8]);
        assert_eq!(model.find("n").unwrap(), model.find("a").unwrap());
        assert_eq!(shape("y"), [1, 5, 8, 8]);
    }

    #[test]
    fn lengths_come_from_an_attribute_an_input_or_the_number_of_parts() {
        let mut old = split(&["x"]);
        old[0] = old[0].clone().with("split", Is::Integers(&[1, 2]));
        assert_eq!(shape_of(old, vec![], 11), [1, 5, 8, 8]);
        let thirds = along(3, &["a", "y", "c"]).with("num_outputs", Is::Integer(3));
        // The last of the parts is the shorter one.
        assert_eq!(shape_of(vec![thirds.clone()], vec![], 18), [1, 3, 8, 3]);
        let last = NodeProto { output: vec!["a".into(), "b".into(), "y".into()], ..thirds };
        assert_eq!(shape_of(vec![last], vec![], 18), [1, 3, 8, 2]);
        assert_eq!(shape_of(vec![along(2, &["a", "y"])], vec![], 13), [1, 3, 4, 8]);
    }

    #[test]
    fn parts_that_do_not_make_the_whole_are_invalid() {
        let nodes = || split(&["x", "s"]);
        let with = |lengths: &[i64]| refusal(nodes(), vec![integers("s", lengths)], 13);
        let wrong = "Split n: it splits an axis of 3 elements into 2 parts of ";
        assert_eq!(with(&[1, 1]), format!("{wrong}[1, 1]"));
        assert_eq!(with(&[4, -1]), format!("{wrong}[4, -1]"));
        assert_eq!(with(&[3]), format!("{wrong}[3]"));
        let uneven = vec![along(1, &["a", "y"])];
        assert_eq!(
            refusal(uneven, vec![], 13),
            "Split n: it splits an axis of 3 elements into 2 equal parts"
        );
        let many = along(3, &["a", "y"]).with("num_outputs", Is::Integer(9));
        assert_eq!(
            refusal(vec![many], vec![], 18),
            "Split n: its num_outputs is 9, but it has 2 outputs"
        );
    }

    #[test]
    fn empty_parts_are_refused() {
        let words = refusal(split(&["x", "s"]), vec![integers("s", &[3, 0])], 13);
        assert!(words.contains("Split n: one of its parts is empty"), "{words}");
    }

    #[test]
    fn the_batch_is_not_split() {
        let nodes = vec![along(0, &["a", "y"]).with("split", Is::Integers(&[1, 0]))];
        assert!(refusal(nodes, vec![], 11).ends_with("Split n: it splits the batch"));
        assert_eq!(shape_of(vec![along(0, &["y"])], vec![], 13), [1, 3, 8, 8]);
    }
}
