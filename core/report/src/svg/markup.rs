//! How numbers and words are written in SVG and HTML.

use std::fmt::{self, Display, Formatter};

/// A length in tenths of a pixel, written in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenths(pub(crate) i32);

impl Display for Tenths {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, tenth) = (self.0.unsigned_abs() / 10, self.0.unsigned_abs() % 10);
        match tenth {
            0 => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

/// Writes words so that they are words in SVG and HTML, in text and in attributes. Characters
/// that XML forbids are replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Writes a number with three significant digits, as figures show it.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        let name = if value.is_nan() { "not a number" } else { "∞" };
        return if value < 0.0 { format!("−{name}") } else { name.to_owned() };
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).max(0) as usize;
        let fixed = format!("{size:.digits$}");
        if digits == 0 { fixed } else { trimmed(&fixed).to_owned() }
    } else {
        let scientific = format!("{size:.2e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        format!("{}×10{}", trimmed(mantissa), raised(exponent))
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// Writes a number with a fixed count of decimals and a real minus sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return number(value);
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        // What rounds to zero has no sign.
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn raised(exponent: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent
        .chars()
        .filter_map(|c| match c {
            '-' => Some('⁻'),
            c => c.to_digit(10).map(|digit| DIGITS[digit as usize]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_written_with_one_decimal_at_most() {
        let written: Vec<String> =
            [0, 5, 10, -3, -125, 123].iter().map(|&t| Tenths(t).to_string()).collect();
        assert_eq!(written, ["0", "0.5", "1", "-0.3", "-12.5", "12.3"]);
    }

    #[test]
    fn markup_in_words_stays_words() {
        let hostile = "<script>alert('x')</script> & \"q\"\u{0}\u{1b}";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}', '\u{1b}']), "{safe}");
        assert!(safe.starts_with("&lt;script&gt;"), "{safe}");
    }

    #[test]
    fn numbers_keep_three_significant_digits() {
        let written: Vec<String> = [
            0.0,
            0.421_34,
            -12.345,
            1234.5,
            99_999.0,
            0.000_012,
            3e7,
            2.0,
            -0.1,
            f64::NEG_INFINITY,
        ]
        .iter()
        .map(|&v| number(v))
        .collect();
        let expected =
            ["0", "0.421", "−12.3", "1234", "99999", "1.2×10⁻⁵", "3×10⁷", "2", "−0.1", "−∞"];
        assert_eq!(written, expected);
    }

    #[test]
    fn fixed_decimals_have_a_real_minus_and_no_negative_zero() {
        assert_eq!(fixed(-1.005, 1), "−1.0");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(2.0, 0), "2");
    }
}
