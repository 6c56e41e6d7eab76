//! The bar that says which colour stands for which number.

use convscope_protocol::figure::Colours;
use plotters::style::text_anchor::HPos;

use super::LABEL;
use crate::colour;
use crate::pixels::Numbers;
use crate::svg::markup::number;
use crate::svg::{Area, Canvas, Role};
use crate::{ReportError, theme};

const BAR: (i32, i32) = (1800, 100);
/// The steps of a bar: enough to look smooth.
const STEPS: usize = 180;

/// A horizontal bar of colours with its ends written below and its meaning beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Legend {
    colours: Colours,
    /// Below the bar: left, middle, right.
    marks: [String; 3],
    words: Vec<String>,
}

impl Legend {
    /// The height of every legend, in tenths of a pixel.
    pub(crate) const HEIGHT: i32 = 300;

    /// Makes a legend. `None` for photographs, whose colours mean themselves.
    pub(crate) fn new(colours: &Colours, unit: &str, words: &str, width: i32) -> Option<Self> {
        let (low, high) = colour::ends(colours)?;
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let middle = f64::midpoint(f64::from(low), f64::from(high));
        let mark = |value: f64| format!("{}{unit}", number(value));
        let marks = [mark(f64::from(low)), number(middle), mark(f64::from(high))];
        Some(Self { colours: colours.clone(), marks, words: fold(words, width) })
    }

    /// Makes a legend for maps that each have a scale of their own, symmetric around zero.
    pub(crate) fn symmetric(colours: &Colours, words: &str, width: i32) -> Self {
        let unit = match colours {
            Colours::Signed { .. } => Colours::Signed { limit: 1.0 },
            _ => Colours::AroundGrey { limit: 1.0 },
        };
        let marks = ["−limit".to_owned(), "0".to_owned(), "+limit".to_owned()];
        Self { colours: unit, marks, words: fold(words, width) }
    }

    /// Draws the legend.
    pub(crate) fn draw(
        &self,
        canvas: &Canvas,
        (x, y): (i32, i32),
        width: i32,
    ) -> Result<(), ReportError> {
        let area = Area { x, y, width, height: Self::HEIGHT };
        let label = format!("colour scale: {}", self.words.join(" "));
        canvas.part(Role::Legend, &label, area, |canvas| {
            let bar = Area { x: x + 10, y, width: BAR.0, height: BAR.1 };
            canvas.picture(&colour::paint(&self.ramp(), &self.colours), bar, "")?;
            canvas.frame(bar, theme::RULE)?;
            let below = y + BAR.1 + 150;
            canvas.text(&self.marks[0], (bar.x, below), HPos::Left, LABEL)?;
            canvas.text(&self.marks[1], (bar.x + BAR.0 / 2, below), HPos::Center, LABEL)?;
            canvas.text(&self.marks[2], (bar.x + BAR.0, below), HPos::Right, LABEL)?;
            canvas.lines(&self.words, (bar.x + BAR.0 + 160, y + 95), LABEL)
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

/// Breaks the words beside a bar; two lines stand beside it.
fn fold(words: &str, width: i32) -> Vec<String> {
    let mut lines = LABEL.wrap(words, width - BAR.0 - 180);
    if lines.len() > 2 {
        let rest = lines.split_off(1).join(" ");
        lines.push(LABEL.fit(&rest, width - BAR.0 - 180));
    }
    lines
}
