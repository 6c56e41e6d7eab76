//! A finished drawing, as a file of its own or as parts of a page.

use std::fmt::Write as _;

use super::markup::{Tenths, escape};
use super::{Part, Role};
use crate::{font, theme};

/// A finished drawing.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) parts: Vec<Part>,
    pub(crate) warnings: Vec<String>,
}

/// The words that a file carries beside what can be seen.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(crate) title: String,
    /// What a reader without eyes is told.
    pub(crate) description: String,
    /// Where it comes from, as JSON.
    pub(crate) metadata: String,
}

impl Drawing {
    /// Writes a file that is complete in itself: with font, both themes and all words.
    pub(crate) fn file(&self, words: &Words) -> String {
        let (width, height) = (Tenths(self.width), Tenths(self.height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\" \
             font-family=\"{}, sans-serif\">\n",
            font::FAMILY
        );
        let _ = writeln!(svg, "<title id=\"title\">{}</title>", escape(&words.title));
        let _ = writeln!(svg, "<desc id=\"desc\">{}</desc>", escape(&words.description));
        let _ = writeln!(svg, "<metadata>{}</metadata>", escape(&words.metadata));
        let dark = theme::dark_rules("");
        let _ = writeln!(
            svg,
            "<style>\n{}@media (prefers-color-scheme:dark){{{dark}}}\n</style>",
            font::faces()
        );
        let pictures: Vec<&str> =
            self.parts.iter().flat_map(|part| &part.pictures).map(String::as_str).collect();
        svg.push_str(&definitions(&pictures));
        let paper = theme::PAPER;
        let colour = paper.colour();
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" width=\"{width}\" height=\"{height}\" \
             fill=\"#{:02x}{:02x}{:02x}\"/>",
            paper.class, colour.0, colour.1, colour.2
        );
        for part in &self.parts {
            let label = escape(&part.label);
            let _ = writeln!(svg, "<g role=\"group\" aria-label=\"{label}\">");
            svg.push_str(&part.markup);
            svg.push_str("</g>\n");
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Writes every part with a role as a small drawing for a page that has the font and the
    /// theme: they flow into as many columns as the window holds. Words above rows of panels come
    /// with these.
    pub(crate) fn pieces(&self, role: Role) -> String {
        let mut html = String::new();
        for part in &self.parts {
            if part.role == Role::Row && role == Role::Panel {
                let _ = writeln!(html, "<p class=\"row\">{}</p>", escape(&part.label));
            }
            if part.role != role {
                continue;
            }
            let [x, y, width, height] =
                [part.area.x, part.area.y, part.area.width, part.area.height].map(Tenths);
            let pictures: Vec<&str> = part.pictures.iter().map(String::as_str).collect();
            let values = match &part.values {
                Some(values) => format!(" data-values=\"{}\"", escape(&values.json())),
                None => String::new(),
            };
            let _ = writeln!(
                html,
                "<svg viewBox=\"{x} {y} {width} {height}\" width=\"{width}\" \
                 height=\"{height}\" role=\"img\" aria-label=\"{}\"{values}>",
                escape(&part.label)
            );
            html.push_str(&definitions(&pictures));
            html.push_str(&part.markup);
            html.push_str("</svg>\n");
        }
        html
    }
}

fn definitions(pictures: &[&str]) -> String {
    match pictures {
        [] => String::new(),
        _ => format!("<defs>\n{}\n</defs>\n", pictures.join("\n")),
    }
}
