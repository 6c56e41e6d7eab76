//! The drawing backend that plotters sees.

use std::convert::Infallible;
use std::fmt::{self, Write as _};

use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
};

use super::markup::{Tenths, escape};
use super::{Area, Canvas, whole};
use crate::font::{self, Weight};
use crate::pixels::Pixels;
use crate::theme;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Canvas {
    fn write(&self, element: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.0.borrow_mut().markup.write_fmt(element);
    }
}

/// Returns the attributes of a filled thing.
fn filled(colour: BackendColor) -> String {
    painted(colour, "fill", "")
}

/// Returns the attributes of a drawn line.
fn stroked<S: BackendStyle>(style: &S) -> String {
    let mut attributes = painted(style.color(), "stroke", "-line");
    if style.stroke_width() != 10 {
        let _ = write!(attributes, " stroke-width=\"{}\"", Tenths(whole(style.stroke_width())));
    }
    format!("fill=\"none\" {attributes}")
}

fn painted(colour: BackendColor, what: &str, suffix: &str) -> String {
    let (r, g, b) = colour.rgb;
    let mut attributes = String::new();
    if let Some(class) = theme::class_of(colour.rgb) {
        let _ = write!(attributes, "class=\"{class}{suffix}\" ");
    }
    let _ = write!(attributes, "{what}=\"#{r:02x}{g:02x}{b:02x}\"");
    if colour.alpha < 1.0 {
        let _ = write!(attributes, " {what}-opacity=\"{:.3}\"", colour.alpha);
    }
    attributes
}

fn weight<T: BackendTextStyle>(style: &T) -> Weight {
    match style.style() {
        FontStyle::Bold => Weight::SemiBold,
        FontStyle::Normal | FontStyle::Oblique | FontStyle::Italic => Weight::Regular,
    }
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut text = String::new();
    for (x, y) in path {
        let letter = if text.is_empty() { 'M' } else { 'L' };
        let _ = write!(text, "{letter}{} {}", Tenths(x), Tenths(y));
    }
    text
}

impl DrawingBackend for Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let sheet = self.0.borrow();
        (sheet.width as u32, sheet.height as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        let (x, y) = (Tenths(x), Tenths(y));
        self.write(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"0.1\" height=\"0.1\" {}/>\n",
            filled(colour)
        ));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, width) = (Tenths(left.min(right)), Tenths((right - left).abs()));
        let (y, height) = (Tenths(top.min(bottom)), Tenths((bottom - top).abs()));
        let paint = if fill { filled(style.color()) } else { stroked(style) };
        self.write(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {paint}/>\n"
        ));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.write(format_args!("<path d=\"{}\" {}/>\n", points(path), stroked(style)));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y, radius) = (Tenths(x), Tenths(y), Tenths(whole(radius)));
        let paint = if fill { filled(style.color()) } else { stroked(style) };
        self.write(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {paint}/>\n"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        let paint = filled(style.color());
        self.write(format_args!("<path d=\"{}Z\" {paint}/>\n", points(corners)));
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        (x, y): BackendCoord,
    ) -> Drawn {
        let size = style.size();
        let anchor = style.anchor();
        // From the anchor to the baseline, before any turn.
        let down = match anchor.v_pos {
            VPos::Top => font::ascent(size),
            VPos::Center => font::capital(size) / 2.0,
            VPos::Bottom => -font::descent(size),
        };
        let down = down.round() as i32;
        let (side, turn) = (anchor.h_pos, style.transform());
        let mut place = match turn {
            FontTransform::None => format!("x=\"{}\" y=\"{}\"", Tenths(x), Tenths(y + down)),
            _ => format!("x=\"0\" y=\"{}\"", Tenths(down)),
        };
        let degrees = match turn {
            FontTransform::None => None,
            FontTransform::Rotate90 => Some(90),
            FontTransform::Rotate180 => Some(180),
            FontTransform::Rotate270 => Some(270),
        };
        if let Some(degrees) = degrees {
            let (x, y) = (Tenths(x), Tenths(y));
            let _ = write!(place, " transform=\"translate({x} {y}) rotate({degrees})\"");
        }
        match side {
            HPos::Left => {}
            HPos::Center => place.push_str(" text-anchor=\"middle\""),
            HPos::Right => place.push_str(" text-anchor=\"end\""),
        }
        if weight(style) == Weight::SemiBold {
            place.push_str(" font-weight=\"600\"");
        }
        let size = Tenths(size.round() as i32);
        let paint = filled(style.color());
        self.write(format_args!(
            "<text {place} font-size=\"{size}\" {paint}>{}</text>\n",
            escape(text)
        ));
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size();
        let width = font::width(text, weight(style), size);
        let height = font::ascent(size) + font::descent(size);
        Ok((width.ceil() as u32, height.ceil() as u32))
    }

    fn blit_bitmap(
        &mut self,
        (x, y): BackendCoord,
        (width, height): (u32, u32),
        rgb: &[u8],
    ) -> Drawn {
        let rgba = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let pixels = Pixels { width: width as usize, height: height as usize, rgba };
        let area = Area { x, y, width: whole(width), height: whole(height) };
        self.picture(&pixels, area, "")
            .map_err(|fault| DrawingErrorKind::FontError(Box::new(fault)))
    }
}
