//! One picture or map.

use convscope_protocol::figure::Picture;
use plotters::style::text_anchor::HPos;

use super::legend::{Legend, meaning, sentence};
use super::{LABEL, Plan, Scene, WIDEST};
use crate::pixels::Pixels;
use crate::svg::{Area, Canvas, Role, whole};
use crate::{ReportError, colour, theme};

/// Small pictures grow by a whole factor to about this side, in pixels.
const USUAL_SIDE: usize = 448;
const LEGEND_GAP: i32 = 160;
/// The words below a narrow picture have at least this room.
const NARROWEST: i32 = 3600;

/// How a picture is laid out.
pub(crate) struct PicturePlan {
    picture: Option<Pixels>,
    size: (i32, i32),
    label: Vec<String>,
    title: String,
    legend: Option<Legend>,
    width: i32,
}

impl PicturePlan {
    /// Lays a picture out.
    pub(crate) fn new(scene: &Scene<'_>, picture: &Picture) -> Result<Self, ReportError> {
        let numbers = scene.numbers(&picture.source, &picture.colours)?;
        let widest = WIDEST as usize / 10;
        let factor = (USUAL_SIDE / numbers.side()).max(1);
        let numbers = if numbers.side() > widest {
            numbers.shrunk(widest as f64 / numbers.side() as f64)
        } else {
            numbers
        };
        let size = (whole(numbers.width * factor * 10), whole(numbers.height * factor * 10));
        let width = size.0.max(NARROWEST);
        let unit = &scene.array(&picture.source.array)?.meta.unit;
        Ok(Self {
            picture: (!numbers.is_absent()).then(|| colour::paint(&numbers, &picture.colours)),
            size,
            label: LABEL.wrap(&picture.label, width),
            title: picture.label.clone(),
            legend: Legend::new(&picture.colours, &sentence(&[unit, meaning(&picture.colours)])),
            width,
        })
    }

    fn panel_height(&self) -> i32 {
        let label = whole(self.label.len()) * LABEL.line();
        self.size.1 + if label > 0 { label + 60 } else { 0 }
    }
}

impl Plan for PicturePlan {
    fn size(&self) -> (i32, i32) {
        let (width, height) = self.legend.as_ref().map_or((0, -LEGEND_GAP), Legend::size);
        (self.width.max(width), self.panel_height() + LEGEND_GAP + height)
    }

    fn draw(&self, canvas: &Canvas, (x, y): (i32, i32)) -> Result<(), ReportError> {
        let area = Area { x, y, width: self.width, height: self.panel_height() };
        canvas.part(Role::Panel, &self.title, area, |canvas| {
            let inner = Area { x, y, width: self.size.0, height: self.size.1 };
            if let Some(picture) = &self.picture {
                if picture.has_gaps() {
                    canvas.hatch(inner, theme::FAINT);
                }
                canvas.picture(picture, inner, &self.title)?;
            } else {
                canvas.frame(inner, theme::FAINT)?;
                let middle = (x + self.size.0 / 2, y + self.size.1 / 2);
                canvas.text("nothing to show", middle, HPos::Center, LABEL)?;
            }
            canvas.lines(&self.label, (x, y + self.size.1 + 160), LABEL)
        })?;
        match &self.legend {
            Some(legend) => legend.draw(canvas, (x, y + self.panel_height() + LEGEND_GAP)),
            None => Ok(()),
        }
    }
}
