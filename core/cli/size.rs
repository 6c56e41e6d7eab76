//! Sizes of memory on the command line.

use std::str::FromStr;

/// A number of bytes, written such as `800M`, `1.5G` or `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let power = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 1,
            "M" | "MB" | "MIB" => 2,
            "G" | "GB" | "GIB" => 3,
            "T" | "TB" | "TIB" => 4,
            unit => return Err(format!("`{unit}` is no unit; use K, M, G or T, such as 800M")),
        };
        let number: f64 = digits
            .trim()
            .parse()
            .map_err(|_| format!("`{text}` is no size; write such as 800M"))?;
        let bytes = number * 1024_f64.powi(power);
        if bytes >= 1.0 && bytes < u64::MAX as f64 {
            Ok(Self(bytes as u64))
        } else {
            Err(format!("`{text}` is out of range"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_with_their_units() {
        assert_eq!("800M".parse(), Ok(Size(800 << 20)));
        assert_eq!("1.5g".parse(), Ok(Size(3 << 29)));
        assert_eq!("4096".parse(), Ok(Size(4096)));
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        let refusal = |text: &str| text.parse::<Size>().unwrap_err();
        assert_eq!(refusal("4 apples"), "`APPLES` is no unit; use K, M, G or T, such as 800M");
        assert_eq!(refusal("much"), "`MUCH` is no unit; use K, M, G or T, such as 800M");
        assert_eq!(refusal("G"), "`G` is no size; write such as 800M");
        assert_eq!(refusal("0"), "`0` is out of range");
    }
}
