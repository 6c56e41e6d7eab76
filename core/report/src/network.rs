//! A model drawn as a graph: one row a layer, from the input down, with the values as lines beside
//! them, as version control shows its branches. It stays readable however deep the network is.

mod lanes;

use convscope_protocol::{LayerDescription, ModelDescription};
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::HPos;
use plotters::style::{RGBColor, ShapeStyle};
use serde_json::json;

use crate::ReportError;
use crate::font::Weight;
use crate::svg::{Area, Canvas, Role, Type, Words, whole};
use crate::theme::{FAINT, SOFT, TEXT};
use lanes::{Edge, Lanes};

const TITLE: Type = Type { size: 190, weight: Weight::SemiBold, ink: TEXT };
const READING: Type = Type { size: 135, weight: Weight::Regular, ink: SOFT };
const HEAD: Type = Type { size: 120, weight: Weight::SemiBold, ink: TEXT };
const BODY: Type = Type { size: 120, weight: Weight::Regular, ink: TEXT };
const QUIET: Type = Type { size: 120, weight: Weight::Regular, ink: SOFT };

const MARGIN: i32 = 240;
const ROW: i32 = 230;
const LANE: i32 = 150;
const DOT: i32 = 42;
const GAP: i32 = 220;
/// Width of the bar of the layer with the most multiply-adds.
const BAR: i32 = 1400;
/// No name is drawn wider; what does not fit is cut.
const WIDEST_NAME: i32 = 3600;
/// Narrower drawings leave room for their words.
const NARROWEST: i32 = 6600;
/// More layers than these are too many for a drawing.
const MOST_LAYERS: usize = 4000;
/// More values than these beside each other are too many for a drawing.
const MOST_LANES: usize = 200;

/// The families of layers, with what a reader calls them. Colours: Okabe & Ito (2008).
const FAMILIES: [(&str, RGBColor, &[&str]); 5] = [
    (
        "weights",
        RGBColor(0, 114, 178),
        &["convolution", "linear", "matrix_product", "transposed_convolution"],
    ),
    (
        "rectifier or activation",
        RGBColor(213, 94, 0),
        &["activation", "clip", "rectifier", "softmax"],
    ),
    (
        "pooling",
        RGBColor(0, 158, 115),
        &["average_pooling", "global_average_pooling", "max_pooling", "max_unpooling", "reduction"],
    ),
    (
        "normalization",
        RGBColor(204, 121, 167),
        &["batch_normalization", "response_normalization", "standardization"],
    ),
    (
        "several values meet",
        RGBColor(230, 159, 0),
        &["addition", "concatenation", "division", "maximum", "minimum", "multiplication"],
    ),
];

/// Draws a model as a graph, as an SVG file that is complete in itself.
///
/// # Errors
/// Fails for a network too large to be drawn.
pub fn draw_network(model: &ModelDescription, version: &str) -> Result<String, ReportError> {
    let limit = |what: &'static str, actual: usize, limit: usize| {
        if actual <= limit {
            return Ok(());
        }
        Err(ReportError::TooLarge { figure: model.name.clone(), what, count: actual, most: limit })
    };
    limit("layers", model.layers.len(), MOST_LAYERS)?;
    let lanes = Lanes::of(model);
    limit("values beside each other", lanes.count(), MOST_LANES)?;
    let plan = Plan::new(model, &lanes);
    let canvas = Canvas::new(&model.name, plan.size(), "network");
    plan.draw(&canvas)?;
    let words = Words {
        title: model.name.clone(),
        description: reading(model),
        metadata: json!({ "convscope": version, "model": model.name }).to_string(),
    };
    Ok(canvas.finish().file(&words))
}

fn reading(model: &ModelDescription) -> String {
    let layers = model.layers.len();
    format!(
        "{layers} layers from the input down. A line is a value on its way to the layers that read it; a bar shows \
         a layer's multiply-adds beside those of the busiest."
    )
}

/// Where everything stands, in tenths of a pixel.
struct Plan<'m> {
    model: &'m ModelDescription,
    lanes: &'m Lanes,
    columns: Vec<Column>,
    reading: Vec<String>,
    width: i32,
    /// Top of the first row.
    top: i32,
    /// The most multiply-adds of one layer; at least 1.
    busiest: u64,
}

/// A column of words.
struct Column {
    head: &'static str,
    x: i32,
    width: i32,
    side: HPos,
    kind: Type,
    cells: Vec<String>,
}

impl<'m> Plan<'m> {
    fn new(model: &'m ModelDescription, lanes: &'m Lanes) -> Self {
        let mut x = MARGIN + whole(lanes.count()) * LANE + GAP;
        let mut columns = Vec::new();
        for (head, side, kind, cell) in COLUMNS {
            let inputs = model.inputs.iter().map(|input| match head {
                "layer" => input.name.clone(),
                "kind" => "input".to_owned(),
                "shape" => extents(&input.shape),
                _ => String::new(),
            });
            let cells: Vec<String> = inputs.chain(model.layers.iter().map(cell)).collect();
            let widest = cells.iter().map(|cell| kind.width(cell)).chain([HEAD.width(head)]).max();
            let width = widest.unwrap_or(0).min(WIDEST_NAME);
            columns.push(Column { head, x, width, side, kind, cells });
            x += width + GAP;
        }
        let width = (x + BAR + MARGIN).max(NARROWEST);
        let reading = READING.wrap(&reading(model), width - 2 * MARGIN);
        let top = MARGIN + 240 + whole(reading.len()) * READING.line() + 2 * ROW + 160;
        let busiest =
            model.layers.iter().map(|layer| layer.multiply_adds).max().unwrap_or(0).max(1);
        Self { model, lanes, columns, reading, width, top, busiest }
    }

    fn rows(&self) -> usize {
        self.model.inputs.len() + self.model.layers.len()
    }

    fn size(&self) -> (i32, i32) {
        (self.width, self.top + whole(self.rows()) * ROW + MARGIN)
    }

    /// Where a row's dot stands.
    fn place(&self, row: usize, lane: usize) -> (i32, i32) {
        (MARGIN + whole(lane) * LANE + LANE / 2, self.top + whole(row) * ROW + ROW / 2)
    }

    fn draw(&self, canvas: &Canvas) -> Result<(), ReportError> {
        let (width, height) = self.size();
        let inner = width - 2 * MARGIN;
        let head = Area { x: MARGIN, y: MARGIN, width: inner, height: self.top - ROW - MARGIN };
        canvas.part(Role::Head, &self.model.name, head, |canvas| {
            canvas.text(
                &TITLE.fit(&self.model.name, inner),
                (MARGIN, MARGIN + 180),
                HPos::Left,
                TITLE,
            )?;
            canvas.lines(&self.reading, (MARGIN, MARGIN + 240 + 130), READING)?;
            legend(canvas, self.top - 2 * ROW)
        })?;
        let y = self.top - ROW;
        let panel = Area { x: MARGIN, y, width: inner, height: height - MARGIN - y };
        canvas.part(Role::Panel, "layers", panel, |canvas| {
            for column in &self.columns {
                column.write(canvas, column.head, y + 130, HEAD)?;
            }
            let bars = self.columns.last().map_or(MARGIN, |last| last.x + last.width + GAP);
            canvas.text("work", (bars, y + 130), HPos::Left, HEAD)?;
            canvas.rule((MARGIN, y + ROW - 30), inner, SOFT)?;
            for edge in &self.lanes.edges {
                self.edge(canvas, edge)?;
            }
            for row in 0..self.rows() {
                self.row(canvas, row, bars)?;
            }
            Ok(())
        })
    }

    /// Draws a value on its way: down its own lane, and over to its reader in the last row.
    fn edge(&self, canvas: &Canvas, edge: &Edge) -> Result<(), ReportError> {
        let style = ShapeStyle::from(SOFT.colour()).stroke_width(13);
        let from = self.place(edge.from, edge.lane);
        let to = self.place(edge.to, self.lanes.lanes[edge.to]);
        let bend = (from.0, to.1 - ROW);
        let mut points = vec![from, bend];
        if from.0 == to.0 {
            points.push(to);
        } else {
            const STEPS: i32 = 12;
            points.extend((1..=STEPS).map(|step| {
                // A cubic that starts and ends vertically.
                let t = f64::from(step) / f64::from(STEPS);
                let over = t * t * (3.0 - 2.0 * t);
                let x = f64::from(bend.0) + over * f64::from(to.0 - bend.0);
                (x.round() as i32, bend.1 + (t * f64::from(ROW)).round() as i32)
            }));
        }
        canvas.draw(&PathElement::new(points, style))
    }

    fn row(&self, canvas: &Canvas, row: usize, bars: i32) -> Result<(), ReportError> {
        let (x, y) = self.place(row, self.lanes.lanes[row]);
        let layer =
            row.checked_sub(self.model.inputs.len()).and_then(|index| self.model.layers.get(index));
        let colour = layer.map_or(TEXT.colour(), |layer| family(&layer.kind));
        canvas.draw(&Circle::new((x, y), DOT, ShapeStyle::from(colour).filled()))?;
        for column in &self.columns {
            column.write(canvas, &column.cells[row], y + 45, column.kind)?;
        }
        let Some(layer) = layer else { return Ok(()) };
        if layer.multiply_adds == 0 {
            return Ok(());
        }
        let share = layer.multiply_adds as f64 / self.busiest as f64;
        let end = bars + ((share * f64::from(BAR)).round() as i32).max(5);
        let rest = [(bars, y - 5), (bars + BAR, y + 5)];
        canvas.draw(&Rectangle::new(rest, ShapeStyle::from(FAINT.colour()).filled()))?;
        let bar = [(bars, y - 50), (end, y + 50)];
        canvas.draw(&Rectangle::new(bar, ShapeStyle::from(colour).filled()))
    }
}

impl Column {
    fn write(
        &self,
        canvas: &Canvas,
        text: &str,
        baseline: i32,
        kind: Type,
    ) -> Result<(), ReportError> {
        let x = if matches!(self.side, HPos::Right) { self.x + self.width } else { self.x };
        canvas.text(&kind.fit(text, self.width), (x, baseline), self.side, kind)
    }
}

type Cell = fn(&LayerDescription) -> String;

/// The columns: heading, side, type, and what stands in it.
const COLUMNS: [(&str, HPos, Type, Cell); 6] = [
    ("layer", HPos::Left, BODY, |layer| layer.name.clone()),
    ("kind", HPos::Left, QUIET, |layer| layer.kind.replace('_', " ")),
    ("shape", HPos::Left, BODY, |layer| extents(&layer.shape)),
    ("field", HPos::Right, QUIET, |layer| {
        layer.receptive_field.map_or_else(|| "all".to_owned(), pair)
    }),
    ("parameters", HPos::Right, BODY, |layer| counted(layer.parameters)),
    ("multiply-adds", HPos::Right, BODY, |layer| counted(layer.multiply_adds)),
];

/// Says which colour stands for which family.
fn legend(canvas: &Canvas, y: i32) -> Result<(), ReportError> {
    let mut x = MARGIN;
    let others = ("other", SOFT.colour());
    for (words, colour) in FAMILIES.iter().map(|family| (family.0, family.1)).chain([others]) {
        canvas.draw(&Circle::new((x + DOT, y + 85), DOT, ShapeStyle::from(colour).filled()))?;
        canvas.text(words, (x + 3 * DOT, y + 130), HPos::Left, BODY)?;
        x += 3 * DOT + BODY.width(words) + GAP;
    }
    Ok(())
}

fn family(kind: &str) -> RGBColor {
    let of = FAMILIES.iter().find(|(_, _, kinds)| kinds.contains(&kind));
    of.map_or(SOFT.colour(), |&(_, colour, _)| colour)
}

fn pair([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("{a}×{b}") }
}

/// Writes a shape without its batch.
fn extents(shape: &[usize]) -> String {
    shape.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("×")
}

/// Writes a count in groups of three digits; nothing for 0.
fn counted(count: u64) -> String {
    if count == 0 {
        return String::new();
    }
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use convscope_protocol::model::ValueDescription;

    use super::*;

    fn model(layers: usize) -> ModelDescription {
        let layer = |index: usize| LayerDescription {
            name: format!("layer{index}"),
            kind: if index.is_multiple_of(2) { "convolution" } else { "rectifier" }.to_owned(),
            shape: vec![1, 8, 4, 4],
            inputs: vec![if index == 0 { "x".to_owned() } else { format!("layer{}", index - 1) }],
            multiply_adds: 1_234_567,
            ..LayerDescription::default()
        };
        ModelDescription {
            name: "small.onnx".to_owned(),
            inputs: vec![ValueDescription { name: "x".to_owned(), shape: vec![1, 3, 4, 4] }],
            layers: (0..layers).map(layer).collect(),
            ..ModelDescription::default()
        }
    }

    #[test]
    fn every_layer_has_its_row() {
        let svg = draw_network(&model(3), "1").unwrap();
        for words in [
            "small.onnx",
            ">x<",
            ">layer0<",
            ">layer2<",
            ">rectifier<",
            ">8×4×4<",
            "1\u{2009}234\u{2009}567",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        // The input, three layers, and six families in the legend.
        assert_eq!(svg.matches("<circle").count(), 10);
        assert_eq!(svg, draw_network(&model(3), "1").unwrap());
    }

    #[test]
    fn a_network_too_large_to_be_drawn_is_refused() {
        let refused = draw_network(&model(4001), "1").unwrap_err();
        assert!(refused.to_string().contains("4001 layers"), "{refused}");
    }
}
