//! Where figures are drawn: an SVG document that plotters draws on.
//!
//! Plotters' own SVG backend draws pictures as one rectangle a pixel, knows whole pixels only and
//! guesses the width of a text. [`Canvas`] counts in tenths of a pixel, stores every picture once,
//! measures with the bundled font, and marks what changes with the theme by a class.

mod backend;
mod document;
pub(crate) mod markup;
mod values;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle};

pub(crate) use document::{Drawing, Words};
pub(crate) use values::{Meaning, Values};

use crate::ReportError;
use crate::font::{self, Weight};
use crate::pixels::Pixels;
use crate::theme::Ink;
use markup::{Tenths, escape};

/// A rectangle in tenths of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

impl Area {
    /// Returns the area with so much more on every side.
    pub(crate) fn grown(self, by: i32) -> Self {
        let Self { x, y, width, height } = self;
        Self { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by }
    }
}

/// What a part of a figure is for. A page shows panels and legends, and says the rest itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Title and how to read it.
    Head,
    /// Words above a row of panels. A page says them as text, and begins a new line.
    Row,
    /// What the figure shows.
    Panel,
    /// What its colours mean.
    Legend,
    /// Caption and origin.
    Foot,
}

/// A labelled group of a drawing.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) label: String,
    pub(crate) area: Area,
    /// Pictures that are used here for the first time, as elements.
    pictures: Vec<String>,
    markup: String,
    /// What a page tells under the pointer.
    values: Option<Values>,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    /// In tenths of a pixel.
    pub(crate) size: i32,
    pub(crate) weight: Weight,
    pub(crate) ink: Ink,
}

impl Type {
    /// Returns the width of a text in tenths of a pixel, rounded up.
    pub(crate) fn width(&self, text: &str) -> i32 {
        font::width(text, self.weight, f64::from(self.size)).ceil() as i32
    }

    /// Breaks a text into lines.
    pub(crate) fn wrap(&self, text: &str, limit: i32) -> Vec<String> {
        font::wrap(text, self.weight, f64::from(self.size), f64::from(limit))
    }

    /// Cuts a text that is too wide.
    pub(crate) fn fit(&self, text: &str, limit: i32) -> String {
        font::fit(text, self.weight, f64::from(self.size), f64::from(limit))
    }

    /// Returns the height of a line, with the space to the next: whole pixels, so that pictures
    /// below are sharp.
    pub(crate) fn line(&self) -> i32 {
        (self.size * 14 / 10 + 9) / 10 * 10
    }
}

/// The document while it is drawn. Clones draw on the same document.
#[derive(Clone)]
pub(crate) struct Canvas(Rc<RefCell<Sheet>>);

struct Sheet {
    figure: String,
    width: i32,
    height: i32,
    prefix: String,
    parts: Vec<Part>,
    markup: String,
    values: Option<Values>,
    pictures: Vec<String>,
    known: BTreeSet<String>,
    warnings: Vec<String>,
}

/// Above this many bytes an embedded picture is worth a warning.
const LARGE_PICTURE: usize = 1 << 20;

impl Canvas {
    /// Starts a document of a size in tenths of a pixel. `prefix` begins the names of its
    /// pictures and must be its own among the documents of a page.
    pub(crate) fn new(figure: &str, (width, height): (i32, i32), prefix: &str) -> Self {
        Self(Rc::new(RefCell::new(Sheet {
            figure: figure.to_owned(),
            width,
            height,
            prefix: prefix.to_owned(),
            parts: Vec::new(),
            markup: String::new(),
            values: None,
            pictures: Vec::new(),
            known: BTreeSet::new(),
            warnings: Vec::new(),
        })))
    }

    /// Draws one labelled group.
    pub(crate) fn part(
        &self,
        role: Role,
        label: &str,
        area: Area,
        draw: impl FnOnce(&Self) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        draw(self)?;
        let mut sheet = self.0.borrow_mut();
        let markup = std::mem::take(&mut sheet.markup);
        let pictures = std::mem::take(&mut sheet.pictures);
        let values = sheet.values.take();
        sheet.parts.push(Part { role, label: label.to_owned(), area, pictures, markup, values });
        Ok(())
    }

    /// Gives the part that is drawn the numbers which a page tells under the pointer.
    pub(crate) fn tell(&self, values: Values) {
        self.0.borrow_mut().values = Some(values);
    }

    /// Draws a text whose first baseline is at `y`, and whose left, right or middle is at `x`.
    pub(crate) fn text(
        &self,
        text: &str,
        (x, y): (i32, i32),
        side: HPos,
        kind: Type,
    ) -> Result<(), ReportError> {
        let style = match kind.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::SemiBold => FontStyle::Bold,
        };
        let font = FontDesc::new(FontFamily::Name(font::FAMILY), f64::from(kind.size), style);
        let style = TextStyle {
            font,
            color: kind.ink.colour().to_backend_color(),
            pos: Pos::new(side, VPos::Bottom),
        };
        let bottom = y + font::descent(f64::from(kind.size)).round() as i32;
        self.draw(&Text::new(text.to_owned(), (x, bottom), style))
    }

    /// Draws lines of text below each other, the first baseline at `y`.
    pub(crate) fn lines(
        &self,
        lines: &[String],
        (x, y): (i32, i32),
        kind: Type,
    ) -> Result<(), ReportError> {
        let mut baseline = y;
        for line in lines {
            self.text(line, (x, baseline), HPos::Left, kind)?;
            baseline += kind.line();
        }
        Ok(())
    }

    /// Draws a horizontal rule.
    pub(crate) fn rule(&self, (x, y): (i32, i32), width: i32, ink: Ink) -> Result<(), ReportError> {
        let style = ShapeStyle::from(ink.colour()).stroke_width(10);
        self.draw(&PathElement::new(vec![(x, y), (x + width, y)], style))
    }

    /// Draws a frame, half a pixel inside `area`, so that it is sharp.
    pub(crate) fn frame(&self, area: Area, ink: Ink) -> Result<(), ReportError> {
        let Area { x, y, width, height } = area;
        let style = ShapeStyle::from(ink.colour()).stroke_width(10);
        self.draw(&Rectangle::new([(x + 5, y + 5), (x + width - 5, y + height - 5)], style))
    }

    /// Draws thin slanted lines over a rectangle: the sign for places where nothing is.
    pub(crate) fn hatch(&self, area: Area, ink: Ink) {
        const STEP: usize = 60;
        let (right, bottom) = (area.x + area.width, area.y + area.height);
        let mut path = String::new();
        for reach in (whole(STEP) / 2..area.width + area.height).step_by(STEP) {
            // From the left or the bottom edge up to the top or the right edge.
            let from = (area.x + (reach - area.height).max(0), (area.y + reach).min(bottom));
            let to = ((area.x + reach).min(right), area.y + (reach - area.width).max(0));
            let [x, y, to_x, to_y] = [from.0, from.1, to.0, to.1].map(Tenths);
            let _ = write!(path, "M{x} {y}L{to_x} {to_y}");
        }
        let colour = ink.colour();
        let mut sheet = self.0.borrow_mut();
        let _ = writeln!(
            sheet.markup,
            "<path class=\"{}-line\" d=\"{path}\" fill=\"none\" stroke=\"#{:02x}{:02x}{:02x}\"/>",
            ink.class, colour.0, colour.1, colour.2
        );
    }

    /// Draws a rectangle that can be seen on every picture: a light line around a dark one.
    pub(crate) fn mark(&self, area: Area, fill: Option<[u8; 3]>, title: &str) {
        let fill = match fill {
            Some([r, g, b]) => format!("#{r:02x}{g:02x}{b:02x}"),
            None => "none".to_owned(),
        };
        let Area { x, y, width, height } = area;
        let [x, y, width, height] = [x, y, width, height].map(Tenths);
        let rectangle = format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        // Neither colour is one of the theme's: what is below stays as it is, too.
        let _ = writeln!(
            self.0.borrow_mut().markup,
            "<g><title>{}</title>{rectangle} fill=\"{fill}\" stroke=\"#fefefe\" \
             stroke-width=\"3\"/>{rectangle} fill=\"none\" stroke=\"#000000\"/></g>",
            escape(title)
        );
    }

    /// Draws a picture over `area`. Pixels that grow stay sharp squares.
    pub(crate) fn picture(
        &self,
        pixels: &Pixels,
        area: Area,
        title: &str,
    ) -> Result<(), ReportError> {
        let (width, height) = (pixels.width as f64, pixels.height as f64);
        let scale_x = f64::from(area.width) / 10.0 / width;
        let scale_y = f64::from(area.height) / 10.0 / height;
        let mut sheet = self.0.borrow_mut();
        let id = format!("{}-{}", sheet.prefix, pixels.hash());
        if sheet.known.insert(id.clone()) {
            let png = pixels.png().map_err(|fault| ReportError::Drawing {
                figure: sheet.figure.clone(),
                reason: fault.to_string(),
            })?;
            if png.len() > LARGE_PICTURE {
                let warning = format!(
                    "figure `{}`: a picture of {} × {} pixels takes {:.1} MB",
                    sheet.figure,
                    pixels.width,
                    pixels.height,
                    png.len() as f64 / 1e6
                );
                sheet.warnings.push(warning);
            }
            sheet.pictures.push(format!(
                "<image id=\"{id}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                 image-rendering=\"optimizeSpeed\" \
                 style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
                pixels.width,
                pixels.height,
                STANDARD.encode(png)
            ));
        }
        let scale = if (scale_x - scale_y).abs() < 1e-9 {
            scaled(scale_x)
        } else {
            format!("{} {}", scaled(scale_x), scaled(scale_y))
        };
        let (x, y) = (Tenths(area.x), Tenths(area.y));
        let _ = write!(sheet.markup, "<use href=\"#{id}\" transform=\"translate({x} {y})");
        if scale != "1" {
            let _ = write!(sheet.markup, " scale({scale})");
        }
        let title = if title.is_empty() {
            String::new()
        } else {
            format!("<title>{}</title>", escape(title))
        };
        let _ = writeln!(sheet.markup, "\">{title}</use>");
        Ok(())
    }

    /// Ends the drawing.
    pub(crate) fn finish(self) -> Drawing {
        let mut sheet = self.0.borrow_mut();
        Drawing {
            width: sheet.width,
            height: sheet.height,
            parts: std::mem::take(&mut sheet.parts),
            warnings: std::mem::take(&mut sheet.warnings),
        }
    }

    /// Draws any element of plotters, in tenths of a pixel from the top left corner.
    pub(crate) fn draw<E>(&self, element: &E) -> Result<(), ReportError>
    where
        for<'a> &'a E: plotters::element::PointCollection<'a, (i32, i32)>,
        E: plotters::element::Drawable<Self>,
    {
        let area: DrawingArea<Self, Shift> = self.clone().into_drawing_area();
        area.draw(element).map_err(|fault| ReportError::Drawing {
            figure: self.0.borrow().figure.clone(),
            reason: fault.to_string(),
        })
    }
}

/// Returns a count as lengths are counted. What is larger than any figure stays so.
pub(crate) fn whole(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// Writes a scale as short as it can be without moving anything by a hundredth of a pixel.
fn scaled(scale: f64) -> String {
    let text = format!("{scale:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
