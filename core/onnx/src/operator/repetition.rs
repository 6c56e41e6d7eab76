//! Expand and Tile, which repeat the elements of axes.

use convscope_runtime::layer::{Chosen, Selection};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn expand(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let shape = call.shape(input).with_batch(call.bench.batch);
    let target = call.expanded(shape.extents())?;
    if target.len() > shape.rank() {
        return Err(Refusal::unsupported("it puts an axis before the batch"));
    }
    let times = target.iter().zip(shape.extents()).map(|(&target, &own)| target / own.max(1));
    repeat(call, input, &times.collect::<Vec<_>>())
}

pub(super) fn tile(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let input = call.value(0)?;
    let times = call.tiles(call.shape(input).rank())?;
    repeat(call, input, &times)
}

fn repeat(call: &mut Call<'_, '_>, input: ValueId, times: &[usize]) -> Result<ValueId, Refusal> {
    let shape = call.shape(input);
    let mut chosen = Vec::new();
    for (axis, (&times, &extent)) in times.iter().zip(shape.extents()).enumerate() {
        match (axis, times) {
            (_, 1) => {}
            (0, _) => return Err(Refusal::unsupported("it repeats the images of the batch")),
            (_, 0) => return Err(Refusal::Unsupported(format!("it takes nothing of axis {axis}"))),
            _ => {
                let count = call.made(&[extent, times])?.volume();
                let positions = (0..extent).cycle().take(count).collect();
                chosen.push((axis, Chosen::Listed(positions)));
            }
        }
    }
    if chosen.is_empty() {
        return Ok(input);
    }
    call.add(Selection::new(chosen)?, &[input])
}

#[cfg(test)]
mod tests {
    use crate::proto::NodeProto;
    use crate::testing::{integers, load_nodes, node, refusal, shape_of};

    fn repeated(operator: &str) -> Vec<NodeProto> {
        vec![
            node("GlobalAveragePool", "pool", &["x"], &["a"]),
            node(operator, "n", &["a", "k"], &["y"]),
        ]
    }

    #[test]
    fn elements_are_repeated_along_axes_of_every_image() {
        let expand = |target: &[i64]| shape_of(repeated("Expand"), vec![integers("k", target)], 13);
        assert_eq!(expand(&[1, 3, 4, 5]), [1, 3, 4, 5]);
        assert_eq!(expand(&[4, 1]), [1, 3, 4, 1]);
        let tiles = vec![integers("k", &[1, 2, 1, 3])];
        assert_eq!(shape_of(repeated("Tile"), tiles, 13), [1, 6, 1, 3]);
        for operator in ["Expand", "Tile"] {
            let once = vec![integers("k", &[1, 1, 1, 1])];
            let network = load_nodes(repeated(operator), once, 13).unwrap().network;
            assert_eq!(network.nodes().len(), 1);
        }
    }

    #[test]
    fn images_are_not_repeated_and_nothing_too_often() {
        let refused =
            |operator, list: &[i64]| refusal(repeated(operator), vec![integers("k", list)], 13);
        let twice = "n: it repeats the images of the batch";
        assert!(refused("Expand", &[2, 3, 1, 1]).ends_with(twice));
        assert!(refused("Tile", &[2, 1, 1, 1]).ends_with(twice));
        assert!(refused("Expand", &[1, 1, 3, 1, 1]).ends_with("it puts an axis before the batch"));
        assert!(refused("Tile", &[1, 1, 1, 0]).ends_with("it takes nothing of axis 3"));
        assert!(refused("Tile", &[1, 1, 1, 1 << 40]).contains("numbers along an axis"));
        assert_eq!(
            refused("Expand", &[2, 1, 1]),
            "Expand n: a value of shape [1, 3, 1, 1] does not expand to [2, 1, 1]"
        );
        assert_eq!(refused("Tile", &[2]), "Tile n: it repeats 1 axes of 4");
        assert_eq!(refused("Tile", &[1, 1, 1, -1]), "Tile n: its repeats hold -1");
    }
}
