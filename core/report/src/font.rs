//! The bundled font: measures text exactly, so that nothing is placed by guesswork.
//!
//! Inter (SIL Open Font License 1.1), cut down to Latin, Greek and mathematical signs by
//! `fonts/subset.py`. It has tabular digits and no kerning: the width of a text is the sum of its
//! advances in every program that draws it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ttf_parser::{Face, GlyphId};

/// The family's name, as SVG and CSS name it.
pub(crate) const FAMILY: &str = "Inter";

const REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../fonts/Inter-SemiBold.ttf");
const REGULAR_WOFF2: &[u8] = include_bytes!("../fonts/Inter-Regular.woff2");
const SEMIBOLD_WOFF2: &[u8] = include_bytes!("../fonts/Inter-SemiBold.woff2");

/// Parts of the em, from the font's `hhea` and `OS/2` tables.
const ASCENT: f64 = 1984.0 / 2048.0;
const DESCENT: f64 = 494.0 / 2048.0;
const CAPITAL: f64 = 1490.0 / 2048.0;

/// Width in em of a character that the font lacks: what a fallback font takes at most.
const FOREIGN: f64 = 1.0;

/// The two weights that figures use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// Returns the width of a text, in the unit of `size`.
pub(crate) fn width(text: &str, weight: Weight, size: f64) -> f64 {
    text.chars().map(|character| advance(character, weight)).sum::<f64>() * size
}

/// Returns the distance from the top of a line to its baseline.
pub(crate) fn ascent(size: f64) -> f64 {
    ASCENT * size
}

/// Returns the distance from the baseline of a line to its bottom.
pub(crate) fn descent(size: f64) -> f64 {
    DESCENT * size
}

/// Returns the height of a capital letter.
pub(crate) fn capital(size: f64) -> f64 {
    CAPITAL * size
}

/// Breaks a text into lines no wider than `limit`: between words, or within a word that is wider
/// than a whole line.
pub(crate) fn wrap(text: &str, weight: Weight, size: f64, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&joined, weight, size) <= limit {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for character in word.chars() {
            line.push(character);
            if line.chars().count() > 1 && width(&line, weight, size) > limit {
                line.pop();
                lines.push(std::mem::replace(&mut line, character.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns the text, cut and ended with an ellipsis where it is wider than `limit`.
pub(crate) fn fit(text: &str, weight: Weight, size: f64, limit: f64) -> String {
    if width(text, weight, size) <= limit {
        return text.to_owned();
    }
    let ellipsis = advance('…', weight) * size;
    let mut used = 0.0;
    let mut kept = String::new();
    for character in text.chars() {
        used += advance(character, weight) * size;
        if used + ellipsis > limit {
            break;
        }
        kept.push(character);
    }
    format!("{}…", kept.trim_end())
}

/// Returns the `@font-face` rules that carry the font inside a file.
pub(crate) fn faces() -> String {
    let mut rules = String::new();
    for (weight, bytes) in [(400, REGULAR_WOFF2), (600, SEMIBOLD_WOFF2)] {
        let _ = writeln!(
            rules,
            "@font-face{{font-family:{FAMILY};font-weight:{weight};src:\
             url(data:font/woff2;base64,{}) format(\"woff2\")}}",
            STANDARD.encode(bytes)
        );
    }
    rules
}

fn advance(character: char, weight: Weight) -> f64 {
    let bytes = match weight {
        Weight::Regular => REGULAR,
        Weight::SemiBold => SEMIBOLD,
    };
    let measured = Face::parse(bytes, 0).ok().and_then(|face| {
        let glyph: GlyphId = face.glyph_index(character)?;
        Some(f64::from(face.glyph_hor_advance(glyph)?) / f64::from(face.units_per_em()))
    });
    measured.unwrap_or(FOREIGN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_constants_are_those_of_the_font_files() {
        for bytes in [REGULAR, SEMIBOLD] {
            let face = Face::parse(bytes, 0).unwrap();
            let em = f64::from(face.units_per_em());
            let capital = f64::from(face.capital_height().unwrap());
            let found = [f64::from(face.ascender()), -f64::from(face.descender()), capital];
            let expected = [ASCENT, DESCENT, CAPITAL].map(|part| part * em);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        }
    }

    /// Draws a text with resvg's parser and returns the width of its box.
    fn drawn_width(text: &str, weight: u16) -> f64 {
        use resvg::usvg::{Node, Options, Tree, fontdb};
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(REGULAR.to_vec());
        fonts.load_font_data(SEMIBOLD.to_vec());
        let options = Options { fontdb: fonts.into(), ..Options::default() };
        let svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='40' font-family='Inter' \
             font-weight='{weight}' font-size='20'><text y='20'>{text}</text></svg>"
        );
        let tree = Tree::from_str(&svg, &options).unwrap();
        match tree.root().children() {
            [Node::Text(text)] => f64::from(text.bounding_box().width()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_as_wide_as_it_is_drawn() {
        for text in ["Strongest activations in fire9/concat", "AVATAR To 1.11 → λ ≤ 5·10⁻³ ±0.04"]
        {
            for (weight, number) in [(Weight::Regular, 400), (Weight::SemiBold, 600)] {
                let (measured, drawn) = (width(text, weight, 20.0), drawn_width(text, number));
                assert!((measured - drawn).abs() < 0.05, "{text}: {measured} and {drawn}");
            }
        }
    }

    #[test]
    fn all_digits_are_equally_wide() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            let widths =
                "0123456789".chars().map(|d| width(&d.to_string(), weight, 10.0).to_bits());
            assert_eq!(widths.collect::<BTreeSet<_>>().len(), 1);
        }
    }

    #[test]
    fn wrapped_lines_keep_every_word_and_stay_within_the_limit() {
        let text = "the strongest activations of every map antidisestablishmentarianism end";
        let lines = wrap(text, Weight::Regular, 12.0, 90.0);
        assert!(lines.iter().all(|line| width(line, Weight::Regular, 12.0) <= 90.0), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn a_text_that_fits_is_not_cut_and_one_that_does_not_ends_with_an_ellipsis() {
        assert_eq!(fit("map 17", Weight::Regular, 12.0, 100.0), "map 17");
        let cut = fit("a very long heading of a map", Weight::Regular, 12.0, 60.0);
        assert!(cut.ends_with('…') && width(&cut, Weight::Regular, 12.0) <= 60.0, "{cut}");
    }
}
