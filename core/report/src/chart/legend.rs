//! The bar that says which colour stands for which number.

use convscope_protocol::figure::Colours;
use plotters::style::text_anchor::HPos;

use super::LABEL;
use crate::colour;
use crate::pixels::{Numbers, Pixels};
use crate::svg::markup::number;
use crate::svg::{Area, Canvas, Role, whole};
use crate::{ReportError, theme};

const BAR: (i32, i32) = (1800, 100);
/// The steps of a bar: enough to look smooth.
pub(super) const STEPS: usize = 180;
/// Between the bar and the words beside it.
const GAP: i32 = 160;
/// No legend is wider: one then fits into a narrow window as it is.
const WIDEST: i32 = 4600;
/// From the top of the bar to the baseline of the marks below it.
const MARKS: i32 = BAR.1 + 150;
/// The baseline of the first line of words.
const WORDS: i32 = 95;

/// A horizontal bar of colours with its ends written below and its meaning beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Legend {
    colours: Colours,
    /// Below the bar: left, middle, right.
    marks: [String; 3],
    words: Vec<String>,
}

impl Legend {
    /// Makes a legend. `None` for photographs, whose colours mean themselves.
    pub(crate) fn new(colours: &Colours, words: &str) -> Option<Self> {
        let marks = marks(colour::ends(colours)?);
        Some(Self { colours: colours.clone(), marks, words: fold(words) })
    }

    /// Makes a legend for blocks that each have a scale of their own.
    pub(crate) fn relative(colours: &Colours, words: &str) -> Option<Self> {
        let (colours, marks) = match colours {
            Colours::Photograph => return None,
            Colours::AroundGrey { .. } => {
                (Colours::AroundGrey { limit: 1.0 }, ["−limit", "0", "+limit"])
            }
            Colours::Signed { .. } => (Colours::Signed { limit: 1.0 }, ["−limit", "0", "+limit"]),
            Colours::Viridis { .. } => {
                (Colours::Viridis { low: 0.0, high: 1.0 }, ["lowest", "", "highest"])
            }
        };
        Some(Self { colours, marks: marks.map(str::to_owned), words: fold(words) })
    }

    /// Width and height in tenths of a pixel.
    pub(crate) fn size(&self) -> (i32, i32) {
        let words = self.words.iter().map(|line| LABEL.width(line)).max().unwrap_or(0);
        let lines = WORDS + (whole(self.words.len()) - 1) * LABEL.line() + 50;
        (BAR.0 + 20 + if words > 0 { GAP + words } else { 0 }, lines.max(MARKS + 50))
    }

    /// Draws the legend.
    pub(crate) fn draw(&self, canvas: &Canvas, (x, y): (i32, i32)) -> Result<(), ReportError> {
        let (width, height) = self.size();
        let label = format!("colour scale: {}", self.words.join(" "));
        canvas.part(Role::Legend, &label, Area { x, y, width, height }, |canvas| {
            let bar = Bar { pixels: ramp(&self.colours), marks: self.marks.clone() };
            bar.draw(canvas, (x, y), BAR.0)?;
            canvas.lines(&self.words, (x + BAR.0 + GAP, y + WORDS), LABEL)
        })
    }
}

/// A horizontal bar of colours with marks below: left, middle, right.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    /// The colours from left to right.
    pub(super) pixels: Pixels,
    /// The middle one is left out where it has no room.
    pub(super) marks: [String; 3],
}

impl Bar {
    /// Makes a bar. `None` for photographs, whose colours mean themselves.
    pub(super) fn new(colours: &Colours) -> Option<Self> {
        Some(Self { pixels: ramp(colours), marks: marks(colour::ends(colours)?) })
    }

    /// Height with marks, in tenths of a pixel.
    pub(super) const HEIGHT: i32 = MARKS + 50;

    /// Draws the bar.
    pub(super) fn draw(
        &self,
        canvas: &Canvas,
        (x, y): (i32, i32),
        width: i32,
    ) -> Result<(), ReportError> {
        let bar = Area { x, y, width, height: BAR.1 };
        canvas.picture(&self.pixels, bar, "")?;
        canvas.frame(bar, theme::RULE)?;
        let [low, middle, high] = &self.marks;
        canvas.text(low, (x, y + MARKS), HPos::Left, LABEL)?;
        canvas.text(high, (x + width, y + MARKS), HPos::Right, LABEL)?;
        let room = width / 2 - LABEL.width(low).max(LABEL.width(high)) - 60;
        if !middle.is_empty() && LABEL.width(middle) / 2 <= room {
            canvas.text(middle, (x + width / 2, y + MARKS), HPos::Center, LABEL)?;
        }
        Ok(())
    }
}

/// Writes the ends of a scale and what is between them.
pub(super) fn marks((low, high): (f32, f32)) -> [String; 3] {
    let (low, high) = (f64::from(low), f64::from(high));
    [low, f64::midpoint(low, high), high].map(number)
}

/// Colours from one end of the scale to the other.
fn ramp(colours: &Colours) -> Pixels {
    let (low, high) = colour::ends(colours).unwrap_or((0.0, 1.0));
    let place = |step: usize| step as f32 / (STEPS - 1) as f32;
    let values = (0..STEPS).map(|step| low + (high - low) * place(step)).collect();
    colour::paint(&Numbers { channels: 1, height: 1, width: STEPS, values }, colours)
}

/// Breaks the words beside a bar.
fn fold(words: &str) -> Vec<String> {
    LABEL.wrap(words, WIDEST - BAR.0 - GAP)
}

/// Says what the colours of a map mean, before or after the words of its block.
pub(crate) fn meaning(colours: &Colours) -> &'static str {
    match colours {
        Colours::AroundGrey { .. } => "grey is zero",
        Colours::Signed { .. } => "red is positive, blue is negative",
        Colours::Photograph | Colours::Viridis { .. } => "",
    }
}

/// Joins the parts that are not empty.
pub(crate) fn sentence(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}
