//! Findings that look like those of an occlusion, made from formulas: the same on every run.

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::figure::{
    CellPlaces, ClassName, Colours, Figure, FigureContent, MapRow, Maps, Mark, Panel, PanelContent,
    Source, Tile,
};
use convscope_protocol::{Array, Axis, Findings, Region};
use ndarray::{ArrayD, Dimension as _, IxDyn};

use crate::sample::{array, origin};

/// What is covered, and of how many pictures.
#[derive(Clone, Copy)]
pub(crate) struct Occlusion {
    pub(crate) pictures: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) window: usize,
    pub(crate) stride: usize,
    /// How many classes the class maps hold.
    pub(crate) classes: u32,
}

/// One picture of 64 pixels, with 7 × 7 places of which the last are nearer to each other.
pub(crate) const SMALL: Occlusion =
    Occlusion { pictures: 1, height: 64, width: 64, window: 16, stride: 9, classes: 3 };
/// Four pictures of 224 pixels with 25 × 25 places, and more classes than colours.
pub(crate) const LARGE: Occlusion =
    Occlusion { pictures: 4, height: 224, width: 224, window: 32, stride: 8, classes: 11 };
/// One picture of 224 pixels with 53 × 53 places.
pub(crate) const FINE: Occlusion =
    Occlusion { pictures: 1, height: 224, width: 224, window: 16, stride: 4, classes: 7 };

/// What the classes from 281 on are called.
pub(crate) const NAMES: [&str; 9] = [
    "tabby",
    "Egyptian cat",
    "black-and-tan coonhound",
    "soft-coated wheaten terrier, a breed with a name of many words",
    "Rhinotermitidaeantidisestablishmentarianism",
    "cup",
    "espresso",
    "academic gown",
    "",
];

impl Occlusion {
    fn starts(&self, extent: usize) -> Vec<usize> {
        let last = extent - self.window;
        let mut starts: Vec<usize> = (0..last).step_by(self.stride).collect();
        starts.push(last);
        starts
    }

    /// How near the thing in a picture is to a place, from 0 to 1.
    fn nearness(&self, image: usize, row: f32, column: f32) -> f32 {
        let middle = 0.35 + 0.1 * image as f32;
        let y = row / self.height as f32 - middle;
        let x = column / self.width as f32 - (1.0 - middle);
        (-18.0 * (x * x + y * y)).exp()
    }

    fn arrays(&self) -> Vec<Array> {
        let &Self { pictures, height, width, window, .. } = self;
        let (tops, lefts) = (self.starts(height), self.starts(width));
        let near = |index: &[usize]| {
            let middle = |start: usize| start as f32 + window as f32 / 2.0;
            self.nearness(index[0], middle(tops[index[1]]), middle(lefts[index[2]]))
        };
        let pixel = |index: &[usize]| {
            let near = self.nearness(index[0], index[2] as f32, index[3] as f32);
            let grain = ((index[2] * 31 + index[3] * 17 + index[0]) % 11) as f32;
            let base = 70.0 + 90.0 * index[2] as f32 / height as f32 + 25.0 * index[1] as f32;
            (base + grain + near * [70.0, 10.0, -60.0][index[1]]).clamp(0.0, 255.0).round()
        };
        let projection = |index: &[usize]| {
            let near = self.nearness(index[0], index[2] as f32, index[3] as f32);
            near * near * (index[2] as f32 / 3.0 + index[3] as f32 / 5.0).sin() * 0.02
        };
        let drop = |index: &[usize]| {
            let near = self.nearness(index[0], index[1] as f32, index[2] as f32);
            0.8 * near - 0.05 * (index[2] as f32 / width as f32 * 9.0).sin().max(0.0)
        };
        let (planes, pixels) = ([pictures, tops.len(), lefts.len()], ["image", "row", "column"]);
        let colour = [pictures, 3, height, width];
        let colours = ["image", "channel", "row", "column"];
        let with_unit = |mut array: Array, unit: &str| {
            unit.clone_into(&mut array.meta.unit);
            array
        };
        let labels = ArrayD::from_shape_fn(IxDyn(&planes), |index| {
            let near = near(index.slice());
            if near > 0.3 { ((near - 0.3) / 0.7 * self.classes as f32) as u32 + 281 } else { 281 }
        });
        let axes = pixels.iter().map(|axis| Axis::named(axis)).collect();
        let meta = ArrayMeta { axes, ..ArrayMeta::default() };
        vec![
            array("picture", &colour, &colours, pixel),
            with_unit(
                array("activity.fire9/concat", &planes, &pixels, |i| 420.0 - 400.0 * near(i)),
                "activation",
            ),
            array("projection", &colour, &colours, projection),
            with_unit(
                array("probability", &planes, &pixels, |i| 0.94 - 0.9 * near(i)),
                "probability",
            ),
            Array { name: "label".into(), meta, values: labels.into() },
            with_unit(
                array("attribution", &[pictures, height, width], &pixels, drop),
                "drop of the probability",
            ),
        ]
    }

    fn row(&self, image: usize) -> MapRow {
        let source = |array: &str| Source { array: array.to_owned(), index: vec![image] };
        let cells = || CellPlaces::Windows {
            height: self.window,
            width: self.window,
            rows: self.starts(self.height),
            columns: self.starts(self.width),
        };
        let side = self.window as u64;
        let map = |array: &str, low, high| PanelContent::Map {
            source: source(array),
            colours: Colours::Viridis { low, high },
            cells: cells(),
        };
        let photograph = PanelContent::Map {
            source: source("picture"),
            colours: Colours::Photograph,
            cells: CellPlaces::Whole,
        };
        let tiles = (0..4.min(self.pictures)).map(|other| Tile {
            source: Source {
                array: "projection".into(),
                index: vec![(image + other) % self.pictures],
            },
            title: format!("projection of photo_{other:02}.jpg"),
        });
        let tiles = PanelContent::Tiles {
            columns: if self.pictures > 1 { 2 } else { 1 },
            colours: Colours::AroundGrey { limit: 0.02 },
            tiles: tiles.collect(),
            framed: (self.pictures > 1).then_some(0),
        };
        let name = |(class, name): (u32, &&str)| ClassName { class, name: (*name).to_owned() };
        let classes = PanelContent::Classes {
            source: source("label"),
            names: (281..).zip(&NAMES).map(name).collect(),
            cells: cells(),
        };
        let overlay = PanelContent::Overlay {
            photograph: source("picture"),
            source: source("attribution"),
            limit: 0.8,
            cells: CellPlaces::Whole,
        };
        let region = Region { top: 0, left: 0, height: side, width: side };
        let occluder = Mark {
            region,
            fill: Some([124, 117, 104]),
            title: format!("occluder, {side} × {side} px"),
        };
        let region = Region { top: 8, left: 16, height: 24, width: 40 };
        let object = Mark { region, fill: None, title: "box of the object".into() };
        let panel = |label: &str, marks: &[&Mark], content| Panel {
            label: label.to_owned(),
            marks: marks.iter().map(|&mark| mark.clone()).collect(),
            content,
        };
        MapRow {
            label: format!("photo_{image:02}.jpg"),
            note: "tabby with a probability of 0.94".into(),
            height: self.height,
            width: self.width,
            panels: vec![
                panel("(a) picture and occluder", &[&object, &occluder], photograph),
                panel("(b) activity of map 17", &[], map("activity.fire9/concat", 0.0, 420.0)),
                panel("(c) projections of map 17", &[], tiles),
                panel("(d) probability of tabby", &[], map("probability", 0.0, 1.0)),
                panel("(e) most probable class", &[], classes),
                panel("(f) drop, over the picture", &[&object], overlay),
            ],
        }
    }

    /// Returns the arrays and the figure that shows them.
    pub(crate) fn parts(&self) -> (Vec<Array>, Figure) {
        let &Self { window, stride, .. } = self;
        let figure = Figure {
            name: "occlusion".into(),
            title: "What covering a place does".into(),
            how_to_read:
                "Every square stands for one place of the occluder: what the network says \
                          of the picture while that place is covered."
                    .into(),
            caption: format!(
                "A window of {window} × {window} pixels in steps of {stride}, filled with the mean \
                 colour of the training pictures (Zeiler & Fergus 2013, figure 7). One scale for \
                 all pictures in each column."
            ),
            content: FigureContent::Maps(Maps {
                rows: (0..self.pictures).map(|image| self.row(image)).collect(),
            }),
        };
        (self.arrays(), figure)
    }

    /// Returns findings with nothing but these.
    pub(crate) fn findings(&self) -> Findings {
        let (arrays, figure) = self.parts();
        let mut findings = Findings { origin: origin(), ..Findings::default() };
        for array in arrays {
            findings.add_array(array).unwrap();
        }
        findings.add_figure(figure).unwrap();
        findings
    }
}
