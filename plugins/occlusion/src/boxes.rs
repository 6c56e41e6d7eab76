//! Boxes in which the share of the drop is measured.

use convscope_sdk::protocol::item::Part;
use convscope_sdk::protocol::{Item, Region};
use convscope_sdk::{AnalysisError, Boxes, Images};

/// What the box of the parameter is called in tables.
const BOX: &str = "box";

/// A part of a picture, in pixels of the network's input and within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedBox {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is; it has an area.
    pub(crate) region: Region,
}

/// Returns the boxes of every picture of `[height, width]`: those given, or the parts that the list
/// of pictures names, as far as the network sees them.
pub(crate) fn boxes(
    given: Option<&Boxes>,
    images: &Images<'_>,
    picture: [usize; 2],
) -> Result<Vec<Vec<NamedBox>>, AnalysisError> {
    let Some(Boxes(given)) = given else {
        return (0..images.len()).map(|index| Ok(parts(&images.item(index)?))).collect();
    };
    let boxes = given.for_each(images.len(), BOX)?;
    let named = |&&[top, left, height, width]: &&[usize; 4]| {
        let is_within = |start: usize, length: usize, whole: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= whole)
        };
        if !is_within(top, height, picture[0]) || !is_within(left, width, picture[1]) {
            let problem = format!(
                "[{top}, {left}, {height}, {width}] is no part of a picture of {} × {} pixels",
                picture[0], picture[1]
            );
            return Err(AnalysisError::parameter(BOX, problem));
        }
        let [top, left, height, width] = [top, left, height, width].map(|number| number as u64);
        let (top, left) = (top.cast_signed(), left.cast_signed());
        Ok(vec![NamedBox { name: BOX.to_owned(), region: Region { top, left, height, width } }])
    };
    boxes.iter().map(named).collect()
}

/// Returns the parts of a picture that the network sees.
fn parts(item: &Item) -> Vec<NamedBox> {
    let Some(mapping) = item.mapping else { return Vec::new() };
    let along = |axis: usize, start: i64, length: u64| {
        let pixel = |place: f64| (place - mapping.offset[axis]) / mapping.step[axis];
        let whole = item.input_size[axis] as f64;
        // A pixel belongs to the part when its middle does.
        let edge = |place: f64| pixel(place).round().clamp(0.0, whole);
        let (first, end) = (edge(start as f64), edge(start as f64 + length as f64));
        (end > first).then_some((first as i64, (end - first) as u64))
    };
    let seen = |part: &Part| {
        let (top, height) = along(0, part.region.top, part.region.height)?;
        let (left, width) = along(1, part.region.left, part.region.width)?;
        let region = Region { top, left, height, width };
        Some(NamedBox { name: part.name.clone(), region })
    };
    item.parts.iter().filter_map(seen).collect()
}

#[cfg(test)]
mod tests {
    use convscope_sdk::protocol::item::Mapping;

    use super::*;

    #[test]
    fn parts_of_the_original_lie_where_the_network_sees_them() {
        let part = |name: &str, top, left, height, width| Part {
            name: name.to_owned(),
            region: Region { top, left, height, width },
        };
        let item = Item {
            input_size: [20, 30],
            // The crop begins at row 10 and column 5 of the original, at half its resolution.
            mapping: Some(Mapping { offset: [10.0, 5.0], step: [2.0, 2.0] }),
            parts: vec![
                part("eye", 12, 15, 6, 4),
                part("over the border", 0, 55, 14, 100),
                part("cropped away", 0, 0, 10, 5),
            ],
            ..Item::default()
        };
        let found = parts(&item);
        let regions: Vec<[i64; 4]> = found
            .iter()
            .map(|one| one.region)
            .map(|r| [r.top, r.left, r.height.cast_signed(), r.width.cast_signed()])
            .collect();
        assert_eq!(regions, [[1, 5, 3, 2], [0, 25, 2, 5]]);
        assert_eq!(found[1].name, "over the border");
    }
}
