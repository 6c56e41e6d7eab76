//! The numbers behind a picture, for a page that tells the one under the pointer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Numbers on a grid of cells, where these lie on a part.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// Borders between the rows of cells, in tenths of a pixel.
    pub(crate) rows: Vec<i32>,
    /// Borders between the columns of cells.
    pub(crate) columns: Vec<i32>,
    /// Left and top of the picture whose pixels places are told in.
    pub(crate) origin: (i32, i32),
    /// Tenths of a pixel to a pixel of that picture.
    pub(crate) pixel: f64,
    /// What the numbers mean.
    pub(crate) meaning: Meaning,
    /// Row by row; NaN for none.
    pub(crate) numbers: Vec<f32>,
}

/// What a number means.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// An amount of this unit, which may be empty.
    Amount(String),
    /// The place of one of these names.
    Name(Vec<String>),
}

/// What stands for no number.
const NONE: u16 = u16::MAX;
/// The largest number.
const MOST: u16 = NONE - 1;

impl Values {
    /// Writes everything as JSON; numbers in two bytes each, from the smallest to the largest.
    pub(crate) fn json(&self) -> String {
        let (low, high) = match &self.meaning {
            Meaning::Amount(_) => self.extent(),
            Meaning::Name(_) => (0.0, f32::from(MOST)),
        };
        let step = |value: &f32| {
            let share = f64::from(*value - low) / f64::from(high - low);
            match share {
                share if share.is_finite() => {
                    (share.clamp(0.0, 1.0) * f64::from(MOST)).round() as u16
                }
                // One number everywhere is the lowest.
                _ if value.is_finite() => 0,
                _ => NONE,
            }
        };
        let bytes: Vec<u8> =
            self.numbers.iter().flat_map(|value| step(value).to_le_bytes()).collect();
        let (unit, names) = match &self.meaning {
            Meaning::Amount(unit) => (unit.as_str(), Value::Null),
            Meaning::Name(names) => ("", json!(names)),
        };
        json!({
            "rows": self.rows,
            "columns": self.columns,
            "origin": [self.origin.0, self.origin.1],
            "pixel": self.pixel,
            "low": low,
            "high": high,
            "unit": unit,
            "names": names,
            "values": STANDARD.encode(bytes),
        })
        .to_string()
    }

    fn extent(&self) -> (f32, f32) {
        let finite = self.numbers.iter().copied().filter(|value| value.is_finite());
        let ends = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if ends.0 > ends.1 { (0.0, 0.0) } else { ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(numbers: &[f32], meaning: Meaning) -> (Value, Vec<u16>) {
        let columns = (0..=i32::try_from(numbers.len()).unwrap()).collect();
        let numbers = numbers.to_vec();
        let values =
            Values { rows: vec![0, 10], columns, origin: (0, 0), pixel: 1.0, meaning, numbers };
        let json: Value = serde_json::from_str(&values.json()).unwrap();
        let bytes = STANDARD.decode(json["values"].as_str().unwrap()).unwrap();
        let steps = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let steps = steps.collect();
        (json, steps)
    }

    #[test]
    fn numbers_go_from_the_smallest_to_the_largest() {
        let (json, steps) =
            written(&[0.5, -1.5, f32::NAN, 2.5], Meaning::Amount("activation".into()));
        assert_eq!((json["low"].as_f64(), json["high"].as_f64()), (Some(-1.5), Some(2.5)));
        assert_eq!(steps, [MOST / 2, 0, NONE, MOST]);
        assert_eq!(json["unit"], "activation");
    }

    #[test]
    fn one_number_everywhere_is_kept() {
        let (json, steps) = written(&[0.25, 0.25], Meaning::Amount(String::new()));
        assert_eq!((json["low"].as_f64(), steps), (Some(0.25), vec![0, 0]));
        let (json, steps) = written(&[f32::NAN], Meaning::Amount(String::new()));
        assert_eq!((json["low"].as_f64(), steps), (Some(0.0), vec![NONE]));
    }

    #[test]
    fn names_are_told_by_their_place() {
        let names = vec!["tabby".to_owned(), "cup".to_owned()];
        let (json, steps) = written(&[1.0, 0.0, f32::NAN], Meaning::Name(names));
        assert_eq!(steps, [1, 0, NONE]);
        assert_eq!(json["names"][1], "cup");
    }
}
