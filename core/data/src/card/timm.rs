//! `config.json` of timm: what stands in `pretrained_cfg`.

use std::path::Path;

use super::fields::Fields;
use super::{Card, Labels, MAX_SIDE};
use crate::value::{Field, Value};
use crate::{
    Centre, Channels, DataError, Interpolation, LongSide, Mean, Origin, Preprocessing, Resize,
};

/// The field by which timm's `config.json` is known.
pub(super) const FIELD: &str = "pretrained_cfg";

/// Fields of `pretrained_cfg` that change neither pixels nor classes.
const IGNORED: [&str; 23] = [
    "architecture",
    "classifier",
    "custom_load",
    "description",
    "file",
    "first_conv",
    "fixed_input_size",
    "hf_hub_filename",
    "hf_hub_id",
    "license",
    "min_input_size",
    "notes",
    "num_classes",
    "origin_url",
    "paper_ids",
    "paper_name",
    "pool_size",
    "source",
    "state_dict",
    "tag",
    "test_pool_size",
    "url",
    "label_descriptions",
];

#[derive(Clone, Copy)]
enum CropMode {
    Center,
    Other,
}

/// Reads the card of timm's `config.json`, whose fields are given.
///
/// As `timm.data.create_transform` for evaluation: the shorter side becomes the input's side
/// divided by `crop_pct`, rounded down, and the centre is cut out. Where the model's input is
/// `test_input_size` and not `input_size`, `test_crop_pct` counts.
pub(super) fn read(
    path: &Path,
    fields: Vec<Field>,
    input: Option<[usize; 3]>,
) -> Result<Card, DataError> {
    let mut top = Fields::new("", fields);
    let inner = top.read(FIELD, "a table", |value| match value {
        Value::Table(fields) => Some(fields.clone()),
        _ => None,
    });
    let mut config = Fields::new("pretrained_cfg.", inner.unwrap_or_default());
    let preprocessing = read_pixels(&mut config, path, input);
    let inner_labels = read_labels(&mut config);
    let labels = read_labels(&mut top).or(inner_labels);
    config.ignore(|field| {
        IGNORED.contains(&field.name.as_str())
            || matches!(field.value, Value::Nothing | Value::Flag(false))
    });
    config.refuse_unread();
    top.join(config);
    top.finish(path)?;
    Ok(Card { path: path.to_owned(), preprocessing, scores: None, labels })
}

fn read_pixels(
    config: &mut Fields,
    path: &Path,
    input: Option<[usize; 3]>,
) -> Option<Preprocessing> {
    let needed = "[channels, height, width]";
    let size = required(config, "input_size", |config| config.read("input_size", needed, triple));
    let test_size = config.read("test_input_size", needed, triple);
    let crop_share = required(config, "crop_pct", |config| config.number("crop_pct"));
    let test_share = config.number("test_crop_pct");
    let interpolation = required(config, "interpolation", |config| config.text("interpolation"));
    let mean = required(config, "mean", |config| config.numbers("mean"));
    let std = required(config, "std", |config| config.numbers("std"));
    let modes =
        [("center", CropMode::Center), ("squash", CropMode::Other), ("border", CropMode::Other)];
    if let Some(CropMode::Other) = config.choice("crop_mode", &modes) {
        config.refuse_unsupported("crop_mode", "other than \"center\" is not supported");
    }
    let interpolation = match interpolation.as_deref() {
        Some("bilinear") => Some(Interpolation::Bilinear),
        Some("bicubic") => Some(Interpolation::Bicubic),
        Some(other) => {
            let reason = format!("{other:?} is not supported; bilinear and bicubic are");
            config.refuse_unsupported("interpolation", &reason);
            None
        }
        None => None,
    };
    let (size, share) = match (input, test_size) {
        (Some(input), Some(test)) if input == test && Some(input) != size => {
            (test, test_share.or(crop_share)?)
        }
        _ => (size?, crop_share?),
    };
    let [channels, height, width] = size;
    if height != width || !(1..=MAX_SIDE).contains(&height) {
        config.refuse_unsupported("input_size", "that is not square is not supported");
    }
    if !(share > 0.0 && share <= 1.0) {
        config.refuse("crop_pct", "must be above 0 and at most 1");
    }
    let (mean, std) = (mean?, std?);
    for (field, numbers) in [("mean", &mean), ("std", &std)] {
        if numbers.len() != channels || numbers.iter().any(|number| !number.is_finite()) {
            config.refuse(
                field,
                &format!("must be one finite number for each of {channels} channels"),
            );
        }
    }
    if std.iter().any(|std| *std <= 0.0) {
        config.refuse("std", "must be numbers above 0");
    }
    let length = (height as f64 / share).floor() as usize;
    Some(Preprocessing {
        origin: Origin::Card(path.to_owned()),
        resize: Some(Resize::ShorterSide { length, other: LongSide::Down }),
        interpolation: interpolation?,
        crop: Some([height, width]),
        centre: Centre::Nearest,
        channels: Some(if channels == 1 { Channels::Grey } else { Channels::Rgb }),
        scale: 1.0 / 255.0,
        mean: Mean::Channels(mean),
        std,
    })
}

/// Takes a field, or notes that it is missing.
fn required<T>(
    config: &mut Fields,
    name: &str,
    take: impl FnOnce(&mut Fields) -> Option<T>,
) -> Option<T> {
    if !config.has(name) {
        config.refuse(name, "is missing");
    }
    take(config)
}

fn triple(value: &Value) -> Option<[usize; 3]> {
    match value {
        Value::List(values) => match values.as_slice() {
            [a, b, c] => Some([a.whole()?, b.whole()?, c.whole()?]),
            _ => None,
        },
        _ => None,
    }
}

/// Reads `label_names`, in the words of `label_descriptions` where those are given.
fn read_labels(fields: &mut Fields) -> Option<Labels> {
    let descriptions = match fields.any("label_descriptions") {
        Some(Value::Table(descriptions)) => descriptions,
        _ => Vec::new(),
    };
    let described = |name: &str| {
        let field = descriptions.iter().find(|field| field.name == name)?;
        field.value.text().map(str::to_owned)
    };
    fields
        .read("label_names", "a list of names", |value| match value {
            Value::List(values) => values
                .iter()
                .map(|value| {
                    let name = value.text()?;
                    Some(described(name).unwrap_or_else(|| name.to_owned()))
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        })
        .map(Labels::Names)
}
