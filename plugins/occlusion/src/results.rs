//! The arrays.

use convscope_sdk::input_channels;
use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::{Array, Axis, ModelDescription, Values};
use ndarray::{Array3, ArrayD, Axis as Dimension, stack};

use crate::covering::{Covered, Seen, per_pixel};
use crate::projection::Projections;
use crate::subject::Subject;
use crate::windows::Windows;

/// The maps of one occluder over all pictures.
pub(crate) struct Scale {
    /// The occluder.
    pub(crate) windows: Windows,
    /// What the network says of the covered pictures, `[image, row, column]`.
    pub(crate) seen: Array3<Seen>,
    /// Drop of the score per pixel, `[image, row, column]`; NaN where nothing covers it.
    attribution: Array3<f32>,
    /// Drop of the probability per pixel, as above.
    pub(crate) drop: Array3<f32>,
}

impl Scale {
    /// Gathers the maps of one occluder, the one in `place`, over all pictures of
    /// `[height, width]`.
    pub(crate) fn gather(
        windows: Windows,
        place: usize,
        covered: &[Covered],
        picture: [usize; 2],
    ) -> Result<Self, ndarray::ShapeError> {
        let maps: Vec<_> = covered.iter().map(|covered| covered.maps[place].view()).collect();
        let seen = stack(Dimension(0), &maps)?;
        let [height, width] = picture;
        let pixels = |value: fn(&Seen) -> f32| {
            let mut all = Array3::zeros([covered.len(), height, width]);
            for (covered, mut pixels) in covered.iter().zip(all.outer_iter_mut()) {
                let clean = value(&covered.clean);
                let drop = covered.maps[place].map(|seen| clean - value(seen));
                pixels.assign(&per_pixel(&drop.view(), &windows, picture));
            }
            all
        };
        let attribution = pixels(|seen| seen.score);
        let drop = pixels(|seen| seen.probability);
        Ok(Self { windows, seen, attribution, drop })
    }

    /// Returns the name of one of its arrays.
    pub(crate) fn name(&self, array: &str) -> String {
        format!("{array}{}", self.windows.suffix)
    }

    /// Makes its arrays.
    pub(crate) fn into_arrays(self, names: &[String]) -> Vec<Array> {
        let suffix = self.windows.suffix.clone();
        let image = Axis::labelled("image", names.to_vec());
        let map = [image, Axis::named("row"), Axis::named("column")];
        let array = |name: &str, values: Values, unit: &str, doc: &str| {
            array(&format!("{name}{suffix}"), map.to_vec(), values, unit, doc)
        };
        let seen = |value: fn(&Seen) -> f32| Values::from(self.seen.map(value).into_dyn());
        let labels = self.seen.map(|seen| seen.label).into_dyn();
        let place = [self.windows.shape()[0], self.windows.shape()[1], 2];
        let position = Array3::from_shape_fn(place, |(row, column, axis)| {
            let start =
                if axis == 0 { self.windows.rows[row] } else { self.windows.columns[column] };
            start as u32
        });
        let corner = Axis::labelled("edge", vec!["top".to_owned(), "left".to_owned()]);
        let mut arrays = vec![
            array(
                "probability",
                seen(|seen| seen.probability),
                "probability",
                "Probability of the target, with the occluder at each place.",
            ),
            array(
                "score",
                seen(|seen| seen.score),
                "score",
                "Score of the target, with the occluder at each place.",
            ),
            array(
                "activity",
                seen(|seen| seen.activity),
                "activation",
                "Sum of the feature map, with the occluder at each place.",
            ),
            array(
                "label",
                labels.into(),
                "",
                "The most probable class, with the occluder at each place.",
            ),
        ];
        arrays.push(self::array(
            &format!("position{suffix}"),
            vec![map[1].clone(), map[2].clone(), corner],
            position.into_dyn().into(),
            "px",
            "First pixel row and column of the occluder at each place.",
        ));
        let doc = "Mean, over the places that cover a pixel, of what the score of the target lost: \
                   clean minus covered; NaN where no place covers it.";
        arrays.push(array("attribution", self.attribution.into_dyn().into(), "score", doc));
        let doc = "The same of the probability of the target.";
        arrays.push(array("drop", self.drop.into_dyn().into(), "probability", doc));
        arrays
    }
}

/// Makes the arrays of uncovered pictures: what the network says of them, and what is watched.
pub(crate) fn clean(covered: &[Covered], subjects: &[Subject], names: &[String]) -> Vec<Array> {
    let image = || vec![Axis::labelled("image", names.to_vec())];
    let values = |value: fn(&Seen) -> f32| -> Values {
        covered
            .iter()
            .map(|covered| value(&covered.clean))
            .collect::<ndarray::Array1<_>>()
            .into_dyn()
            .into()
    };
    let numbers = |numbers: Vec<usize>| -> Values {
        ArrayD::from_shape_fn(vec![numbers.len()], |place| numbers[place[0]] as u32).into()
    };
    let labels = covered.iter().map(|covered| covered.clean.label as usize).collect();
    let [classes, maps] = [
        subjects.iter().map(|subject| subject.class).collect(),
        subjects.iter().map(|subject| subject.map).collect(),
    ];
    let doc = |what: &str| format!("{what} in the picture as it is.");
    vec![
        array(
            "clean_probability",
            image(),
            values(|seen| seen.probability),
            "probability",
            &doc("Probability of the target"),
        ),
        array(
            "clean_score",
            image(),
            values(|seen| seen.score),
            "score",
            &doc("Score of the target"),
        ),
        array(
            "clean_activity",
            image(),
            values(|seen| seen.activity),
            "activation",
            &doc("Sum of the feature map"),
        ),
        array("clean_label", image(), numbers(labels), "", &doc("The most probable class")),
        array("target", image(), numbers(classes), "", "The class that is watched."),
        array("map", image(), numbers(maps), "", "The feature map that is watched."),
    ]
}

/// Makes the arrays of projections.
pub(crate) fn projections(
    projections: Projections,
    model: &ModelDescription,
    names: &[String],
) -> Vec<Array> {
    let shown = projections.images.len_of(Dimension(0));
    let image = Axis::labelled("image", names.iter().take(shown).cloned().collect());
    let ranked = vec![image, Axis::named("rank")];
    let pixels = [input_channels(model), Axis::named("row"), Axis::named("column")];
    vec![
        array(
            "projection",
            [&ranked[..], &pixels].concat(),
            projections.values.into_dyn().into(),
            "",
            "The strongest unit of the feature map, carried back by a deconvnet: in the picture, \
             then in others; NaN where there is none.",
        ),
        array(
            "projection_image",
            ranked,
            projections.images.into_dyn().into(),
            "",
            "Number of the picture that each projection comes from.",
        ),
    ]
}

fn array(name: &str, axes: Vec<Axis>, values: Values, unit: &str, doc: &str) -> Array {
    let meta = ArrayMeta { axes, unit: unit.to_owned(), doc: doc.to_owned() };
    Array { name: name.to_owned(), meta, values }
}
