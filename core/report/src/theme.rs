//! The colours of a figure, light and dark. Colours that stand for numbers are in `colour`.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour that changes with the theme: drawn in its light form, recoloured by its class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    /// The class of everything that is drawn with it.
    pub(crate) class: &'static str,
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

/// The page.
pub(crate) const PAPER: Ink = ink("paper", (0xff, 0xff, 0xff), (0x16, 0x18, 0x1d));
/// Text.
pub(crate) const TEXT: Ink = ink("text", (0x1b, 0x1f, 0x27), (0xe8, 0xea, 0xee));
/// Text of the second rank.
pub(crate) const SOFT: Ink = ink("soft", (0x5a, 0x63, 0x70), (0xa5, 0xad, 0xb9));
/// Rules.
pub(crate) const RULE: Ink = ink("rule", (0xd5, 0xd9, 0xe0), (0x3a, 0x3f, 0x4a));
/// Places where nothing is.
pub(crate) const FAINT: Ink = ink("faint", (0xe3, 0xe6, 0xeb), (0x2e, 0x32, 0x3b));

const INKS: [Ink; 5] = [PAPER, TEXT, SOFT, RULE, FAINT];

const fn ink(class: &'static str, light: (u8, u8, u8), dark: (u8, u8, u8)) -> Ink {
    Ink { class, light, dark }
}

impl Ink {
    /// Returns the light form, as plotters wants it.
    pub(crate) fn colour(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }
}

/// Returns the class of a colour, if it changes with the theme.
pub(crate) fn class_of(rgb: (u8, u8, u8)) -> Option<&'static str> {
    INKS.iter().find(|ink| ink.light == rgb).map(|ink| ink.class)
}

/// Returns the rules that recolour everything for the dark theme, each selector after `scope`.
///
/// Filled things and drawn lines have different classes: `.text` is filled, `.text-line` drawn.
pub(crate) fn dark_rules(scope: &str) -> String {
    let mut rules = String::new();
    for Ink { class, dark: (r, g, b), .. } in INKS {
        let _ = write!(
            rules,
            "{scope}.{class}{{fill:#{r:02x}{g:02x}{b:02x}}}\
             {scope}.{class}-line{{stroke:#{r:02x}{g:02x}{b:02x}}}"
        );
    }
    rules
}

/// Returns the dark theme as the variables of the page's own style.
pub(crate) fn page_variables() -> String {
    let mut variables = String::new();
    for Ink { class, dark: (r, g, b), .. } in INKS {
        let _ = write!(variables, "--{class}:#{r:02x}{g:02x}{b:02x};");
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        if a > b { a / b } else { b / a }
    }

    #[test]
    fn text_can_be_read_in_both_themes() {
        for ink in [TEXT, SOFT] {
            assert!(contrast(ink.light, PAPER.light) >= 4.5, "{} light", ink.class);
            assert!(contrast(ink.dark, PAPER.dark) >= 4.5, "{} dark", ink.class);
        }
    }

    #[test]
    fn a_colour_of_the_theme_is_known_by_its_light_form() {
        assert_eq!(class_of(RULE.light), Some("rule"));
        assert_eq!(class_of((1, 2, 3)), None);
    }
}
