//! The bar that says which colour stands for which number.

use convscope_protocol::figure::Colours;
use plotters::style::text_anchor::HPos;

use super::LABEL;
use crate::colour;
use crate::pixels::Numbers;
use crate::svg::markup::number;
use crate::svg::{Area, Canvas, Role, whole};
use crate::{ReportError, theme};

const BAR: (i32, i32) = (1800, 100);
/// The steps of a bar: enough to look smooth.
const STEPS: usize = 180;
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
        let (low, high) = colour::ends(colours)?;
        let (low, high) = (f64::from(low), f64::from(high));
        let marks = [low, f64::midpoint(low, high), high].map(number);
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
            let bar = Area { x, y, width: BAR.0, height: BAR.1 };
            canvas.picture(&colour::paint(&self.ramp(), &self.colours), bar, "")?;
            canvas.frame(bar, theme::RULE)?;
            let [low, middle, high] = &self.marks;
            canvas.text(low, (x, y + MARKS), HPos::Left, LABEL)?;
            canvas.text(high, (x + BAR.0, y + MARKS), HPos::Right, LABEL)?;
            let room = BAR.0 / 2 - LABEL.width(low).max(LABEL.width(high)) - 60;
            if !middle.is_empty() && LABEL.width(middle) / 2 <= room {
                canvas.text(middle, (x + BAR.0 / 2, y + MARKS), HPos::Center, LABEL)?;
            }
            canvas.lines(&self.words, (x + BAR.0 + GAP, y + WORDS), LABEL)
        })
    }

    /// Numbers from one end of the scale to the other.
    fn ramp(&self) -> Numbers {
        let (low, high) = colour::ends(&self.colours).unwrap_or((0.0, 1.0));
        let place = |step: usize| step as f32 / (STEPS - 1) as f32;
        let values = (0..STEPS).map(|step| low + (high - low) * place(step)).collect();
        Numbers { channels: 1, height: 1, width: STEPS, values }
    }
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
