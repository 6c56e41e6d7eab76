//! convscope's own card, in TOML.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::fields::Fields;
use super::{Card, Labels, MAX_SIDE};
use crate::mistake::Mistake;
use crate::value::{Field, Value};
use crate::{
    Centre, Channels, DataError, Interpolation, LongSide, Mean, Origin, Preprocessing, Resize,
    file, read_npy,
};

/// The largest card that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Looks for the card `STEM.toml` of `STEM.onnx`.
pub(super) fn find(model: &Path, _input: Option<[usize; 3]>) -> Result<Option<Card>, DataError> {
    let path = model.with_extension("toml");
    if path.exists() { read_card(&path).map(Some) } else { Ok(None) }
}

/// Reads a card in TOML. File names in it are relative to its folder.
///
/// # Errors
/// Fails when the file cannot be read, and names everything that is wrong in it: fields that are
/// unknown, of another type, or contradict each other, and files that are not there.
pub fn read_card(path: &Path) -> Result<Card, DataError> {
    let text = file::read_text(path, MAX_BYTES)?;
    let (document, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let mistake = |error: &toml::de::Error| Mistake {
            line: error.span().map(|span| line_of(&text, span.start)),
            reason: error.message().to_owned(),
        };
        let mut mistakes: Vec<Mistake> = errors.iter().map(mistake).collect();
        mistakes.sort_by_key(|mistake| mistake.line);
        return Err(DataError::Card { path: path.to_owned(), mistakes });
    }
    let mut card = Fields::new("", fields(&text, document.get_ref()));
    let mut tables = ["input", "output"].map(|name| {
        card.read(name, "a table", |value| match value {
            Value::Table(fields) => Some(fields.clone()),
            _ => None,
        })
    });
    card.refuse_unknown();
    let mut output = Fields::new("[output] ", tables[1].take().unwrap_or_default());
    let scores = output.text("scores");
    let labels = file_of(&mut output, path, "labels").map(Labels::File);
    output.refuse_unknown();
    let preprocessing = tables[0].take().map(|fields| {
        let mut input = Fields::new("[input] ", fields);
        let preprocessing = read_input(&mut input, path);
        input.refuse_unknown();
        card.join(input);
        preprocessing
    });
    if preprocessing.is_none() {
        card.refuse_all("there is no [input] table; preprocessing is never guessed");
    }
    card.join(output);
    card.finish(path)?;
    Ok(Card { path: path.to_owned(), preprocessing, scores, labels })
}

fn read_input(input: &mut Fields, path: &Path) -> Preprocessing {
    let mut rules = Preprocessing {
        origin: Origin::Card(path.to_owned()),
        resize: input.read("resize", "the length of the shorter side, or [height, width]", size),
        interpolation: Interpolation::Bilinear,
        crop: input.read("crop", "[height, width]", Value::pair),
        centre: Centre::Nearest,
        channels: input.choice("channels", &CHANNELS),
        scale: input.number("scale").unwrap_or(1.0),
        mean: Mean::Channels(vec![0.0]),
        std: input.numbers("std").unwrap_or_else(|| vec![1.0]),
    };
    let interpolation = input.choice("interpolation", &INTERPOLATIONS);
    check_sizes(input, &rules, interpolation);
    rules.interpolation = interpolation.unwrap_or_default();
    if !rules.scale.is_finite() || rules.scale == 0.0 {
        input.refuse("scale", "must be a number other than 0");
    }
    if rules.std.iter().any(|std| !std.is_finite() || *std <= 0.0) {
        input.refuse("std", "must be numbers above 0");
    }
    check_count(input, "std", rules.std.len(), rules.channels);
    if input.has("mean") && input.has("mean_image") {
        input.refuse("mean", "and mean_image exclude each other; keep one of them");
    }
    let mean_image = file_of(input, path, "mean_image");
    if let Some(mean) = input.numbers("mean") {
        if mean.iter().any(|mean| !mean.is_finite()) {
            input.refuse("mean", "must be finite numbers");
        }
        check_count(input, "mean", mean.len(), rules.channels);
        rules.mean = Mean::Channels(mean);
    } else if let Some(file) = mean_image {
        match read_mean_image(&file, rules.channels) {
            Ok(mean) => rules.mean = mean,
            Err(reason) => input.refuse("mean_image", &reason),
        }
    }
    rules
}

const CHANNELS: [(&str, Channels); 3] =
    [("rgb", Channels::Rgb), ("bgr", Channels::Bgr), ("grey", Channels::Grey)];

const INTERPOLATIONS: [(&str, Interpolation); 2] =
    [("bilinear", Interpolation::Bilinear), ("bicubic", Interpolation::Bicubic)];

fn size(value: &Value) -> Option<Resize> {
    let shorter = |length| Resize::ShorterSide { length, other: LongSide::Nearest };
    value.whole().map(shorter).or_else(|| value.pair().map(Resize::Exact))
}

fn check_sizes(input: &mut Fields, rules: &Preprocessing, interpolation: Option<Interpolation>) {
    let sides = rules.resize.map(|resize| match resize {
        Resize::ShorterSide { length, .. } => [length, length],
        Resize::Exact(size) => size,
    });
    for (field, size) in [("resize", sides), ("crop", rules.crop)] {
        if size.iter().flatten().any(|side| !(1..=MAX_SIDE).contains(side)) {
            input.refuse(field, &format!("must be from 1 to {MAX_SIDE} pixels"));
        }
    }
    let Some(crop) = rules.crop else { return };
    let fits = match rules.resize {
        None => true,
        Some(Resize::Exact(size)) => crop[0] <= size[0] && crop[1] <= size[1],
        // One side of the picture will be this short.
        Some(Resize::ShorterSide { length, .. }) => crop[0] <= length || crop[1] <= length,
    };
    if !fits {
        input.refuse("crop", "is larger than resize leaves the picture");
    }
    if rules.resize.is_none() && interpolation.is_some() {
        input.refuse("interpolation", "stands beside crop but no resize: nothing is resized");
    }
}

fn check_count(input: &mut Fields, field: &str, count: usize, channels: Option<Channels>) {
    let (wanted, words) = match channels {
        Some(Channels::Grey) => (&[1][..], "one, for grey"),
        _ => (&[1, 3][..], "one, or one per channel"),
    };
    if !wanted.contains(&count) {
        input.refuse(field, &format!("has {count} numbers; needed is {words}"));
    }
}

/// Takes the name of a file and returns its path, or notes that there is no such file.
fn file_of(fields: &mut Fields, card: &Path, name: &'static str) -> Option<PathBuf> {
    let path = card.with_file_name("").join(fields.text(name)?);
    if !path.is_file() {
        fields.refuse(name, &format!("names {}, which is no file", path.display()));
        return None;
    }
    Some(path)
}

fn read_mean_image(path: &Path, channels: Option<Channels>) -> Result<Mean, String> {
    let image = read_npy(path).map_err(|error| format!("cannot be used: {error}"))?;
    let count = match image.shape().extents() {
        [count, _, _] => *count,
        _ => 0,
    };
    if channels.map_or(![1, 3].contains(&count), |channels| channels.count() != count) {
        let wanted = channels.map_or("1 or 3".to_owned(), |channels| channels.count().to_string());
        return Err(format!("has shape {}; needed is [{wanted}, height, width]", image.shape()));
    }
    let is_finite = image.values().is_ok_and(|values| values.iter().all(|value| value.is_finite()));
    if is_finite { Ok(Mean::Image(image)) } else { Err("holds NaN or infinity".to_owned()) }
}

fn line_of(text: &str, place: usize) -> u64 {
    let before = text.as_bytes().get(..place).unwrap_or(text.as_bytes());
    before.split(|&byte| byte == b'\n').count() as u64
}

fn fields(text: &str, table: &DeTable<'_>) -> Vec<Field> {
    let mut fields: Vec<Field> = table
        .iter()
        .map(|(name, value)| Field {
            name: name.get_ref().to_string(),
            line: Some(line_of(text, name.span().start)),
            value: value_of(text, value.get_ref()),
        })
        .collect();
    fields.sort_by_key(|field| field.line);
    fields
}

fn value_of(text: &str, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other, |integer| Value::Number(integer as f64)),
        DeValue::Float(float) => float.as_str().parse().map_or(Value::Other, Value::Number),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other,
        DeValue::Array(array) => {
            Value::List(array.iter().map(|value| value_of(text, value.get_ref())).collect())
        }
        DeValue::Table(table) => Value::Table(fields(text, table)),
    }
}
