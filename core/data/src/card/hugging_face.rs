//! `preprocessor_config.json` of Hugging Face's image processors.

use std::path::Path;

use super::fields::Fields;
use super::{Card, MAX_SIDE, config, json};
use crate::value::{Field, Value};
use crate::{
    Centre, Channels, DataError, Interpolation, LongSide, Mean, Origin, Preprocessing, Resize,
};

/// Fields that change no pixel.
const IGNORED: [&str; 9] = [
    "_processor_class",
    "_valid_processor_keys",
    "do_convert_rgb",
    "do_reduce_labels",
    "input_data_format",
    "processor_class",
    "reduce_labels",
    "return_tensors",
    "use_fast",
];

/// What kind of image processor it is: what it does with a `size` that is a single number, and
/// whether it knows `do_center_crop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// The picture becomes a square of that side, whatever its shape; nothing is cropped.
    Square,
    /// The same, and the centre may be cut out.
    SquareCrop,
    /// The shorter side becomes that long, and the centre may be cut out.
    Shorter,
    /// The same; the order of the channels may be turned, and nothing is normalised.
    MobileVit,
    /// From 384 on a square; below, the shorter side becomes `size / crop_pct` and `size` is cut
    /// out.
    ConvNext,
}

/// The processors that are known to do nothing but what their fields say.
const FAMILIES: [(&str, Family); 10] = [
    ("Beit", Family::SquareCrop),
    ("Bit", Family::Shorter),
    ("CLIP", Family::Shorter),
    ("ConvNext", Family::ConvNext),
    ("DeiT", Family::SquareCrop),
    ("MobileNetV1", Family::Shorter),
    ("MobileNetV2", Family::Shorter),
    ("MobileViT", Family::MobileVit),
    ("Pvt", Family::Square),
    ("ViT", Family::Square),
];

/// Reads the `preprocessor_config.json` in the model's folder. Fields that would change pixels and
/// are not known are refused; where a field is missing, the processor's default is taken only if
/// all processors share it.
pub(super) fn find(model: &Path, _input: Option<[usize; 3]>) -> Result<Option<Card>, DataError> {
    let path = model.with_file_name("preprocessor_config.json");
    if !path.exists() {
        return Ok(None);
    }
    let mut fields = Fields::new("", json::read(&path)?);
    let preprocessing = read(&mut fields, &path);
    fields.ignore(is_ignored);
    fields.refuse_unread();
    fields.finish(&path)?;
    let labels = config::labels_beside(&path)?;
    Ok(Some(Card { path, preprocessing: Some(preprocessing), scores: None, labels }))
}

fn is_ignored(field: &Field) -> bool {
    let is_layout =
        field.name == "data_format" && field.value == Value::Text("channels_first".to_owned());
    is_layout
        || IGNORED.contains(&field.name.as_str())
        || matches!(field.value, Value::Nothing | Value::Flag(false))
}

fn read(fields: &mut Fields, path: &Path) -> Preprocessing {
    let (family, centre) = read_type(fields);
    let (resize, interpolation, implied_crop) = read_resize(fields, family);
    let crop = read_crop(fields, family).or(implied_crop);
    let scale = match fields.flag("do_rescale") {
        Some(false) => {
            fields.any("rescale_factor");
            1.0
        }
        Some(true) | None => fields.number("rescale_factor").unwrap_or(1.0 / 255.0),
    };
    if !scale.is_finite() || scale == 0.0 {
        fields.refuse("rescale_factor", "must be a number other than 0");
    }
    let (mean, std) = read_normalization(fields, family);
    if family == Some(Family::MobileVit) && !fields.has("do_flip_channel_order") {
        fields.refuse("do_flip_channel_order", "is missing; add true or false");
    }
    let channels = match fields.flag("do_flip_channel_order") {
        Some(true) => Channels::Bgr,
        Some(false) | None => Channels::Rgb,
    };
    Preprocessing {
        origin: Origin::Card(path.to_owned()),
        resize,
        interpolation,
        crop,
        centre,
        channels: Some(channels),
        scale,
        mean: Mean::Channels(mean),
        std,
    }
}

/// Takes the type of the processor. Those called `…Fast` round the place of the crop as
/// torchvision does, the others down.
fn read_type(fields: &mut Fields) -> (Option<Family>, Centre) {
    let mut found = None;
    for name in ["feature_extractor_type", "image_processor_type"] {
        found = fields.text(name).map(|text| (name, text)).or(found);
    }
    let Some((name, text)) = found else { return (None, Centre::Down) };
    let slow = text.strip_suffix("Fast");
    let centre = if slow.is_some() { Centre::Nearest } else { Centre::Down };
    let slow = slow.unwrap_or(&text);
    let stem = slow.strip_suffix("ImageProcessor").or(slow.strip_suffix("FeatureExtractor"));
    let known = FAMILIES.iter().find(|(known, _)| Some(*known) == stem);
    if known.is_none() {
        let stems: Vec<&str> = FAMILIES.iter().map(|(stem, _)| *stem).collect();
        let reason = format!(
            "{text:?} may take steps of its own; known are the image processors of {}",
            stems.join(", ")
        );
        fields.refuse_unsupported(name, &reason);
    }
    (known.map(|(_, family)| *family), centre)
}

fn read_resize(
    fields: &mut Fields,
    family: Option<Family>,
) -> (Option<Resize>, Interpolation, Option<[usize; 2]>) {
    let share = fields.number("crop_pct");
    if fields.flag("do_resize") == Some(false) {
        fields.any("size");
        fields.any("resample");
        return (None, Interpolation::Bilinear, None);
    }
    let interpolation = match fields.number("resample") {
        Some(2.0) => Interpolation::Bilinear,
        Some(3.0) => Interpolation::Bicubic,
        Some(other) => {
            let reason = format!("{other} is not supported; 2 (bilinear) and 3 (bicubic) are");
            fields.refuse_unsupported("resample", &reason);
            Interpolation::Bilinear
        }
        None => {
            if !fields.has("resample") {
                let reason = "is missing; add 2 for bilinear or 3 for bicubic";
                fields.refuse("resample", reason);
            }
            Interpolation::Bilinear
        }
    };
    let Some(size) = read_size(fields, "size", family) else {
        return (None, interpolation, None);
    };
    match (family, size, share) {
        (Some(Family::ConvNext), Resize::ShorterSide { length, .. }, _) if length >= 384 => {
            (Some(Resize::Exact([length, length])), interpolation, None)
        }
        (Some(Family::ConvNext), Resize::ShorterSide { length, other }, Some(share))
            if share > 0.0 && share <= 1.0 =>
        {
            let crop = Some([length, length]);
            let length = (length as f64 / share) as usize;
            (Some(Resize::ShorterSide { length, other }), interpolation, crop)
        }
        (Some(Family::ConvNext), Resize::ShorterSide { .. }, _) => {
            fields.refuse("crop_pct", "must be there, above 0 and at most 1");
            (None, interpolation, None)
        }
        (Some(Family::ConvNext), Resize::Exact(_), _) => {
            fields.refuse("size", "must be a number or hold shortest_edge for this processor");
            (None, interpolation, None)
        }
        (_, size, Some(_)) => {
            fields.refuse_unsupported("crop_pct", "is supported for ConvNext's processors only");
            (Some(size), interpolation, None)
        }
        (_, size, None) => (Some(size), interpolation, None),
    }
}

/// Takes a size: a number, `{"shortest_edge"}` or `{"height", "width"}`.
fn read_size(fields: &mut Fields, name: &'static str, family: Option<Family>) -> Option<Resize> {
    if !fields.has(name) {
        fields.refuse(name, "is missing");
    }
    let shorter = |length| Resize::ShorterSide { length, other: LongSide::Down };
    let needed = "a number, {\"shortest_edge\"} or {\"height\", \"width\"}, in pixels";
    let value = fields.any(name)?;
    let size = match (&value, value.whole(), family) {
        (_, Some(side), Some(Family::Square | Family::SquareCrop)) => {
            Some(Resize::Exact([side, side]))
        }
        (_, Some(side), Some(_)) => Some(shorter(side)),
        (_, Some(side), None) => {
            let reason = format!(
                "{side} is the shorter side for some image processors and both for others; write \
                 {{\"shortest_edge\": {side}}} or {{\"height\": {side}, \"width\": {side}}}"
            );
            fields.refuse(name, &reason);
            return None;
        }
        (Value::Table(sides), None, _) => {
            let side = |wanted: &str| sides.iter().find(|side| side.name == wanted)?.value.whole();
            match sides.len() {
                1 => side("shortest_edge").map(shorter),
                2 => side("height").zip(side("width")).map(|(h, w)| Resize::Exact([h, w])),
                _ => None,
            }
        }
        _ => None,
    };
    let sides = match size {
        Some(Resize::ShorterSide { length, .. }) => [length, length],
        Some(Resize::Exact(sides)) => sides,
        None => [0, 0],
    };
    if sides.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
        fields.refuse(name, &format!("is not understood; needed is {needed}"));
        return None;
    }
    size
}

fn read_crop(fields: &mut Fields, family: Option<Family>) -> Option<[usize; 2]> {
    let never_crops = matches!(family, Some(Family::ConvNext | Family::Square));
    let is_missing = !fields.has("do_center_crop") && fields.has("crop_size");
    match fields.flag("do_center_crop") {
        Some(true) if never_crops => {
            fields.refuse("do_center_crop", "is true, but this processor does not do it");
            fields.any("crop_size");
            None
        }
        Some(true) => match read_size(fields, "crop_size", Some(Family::Square))? {
            Resize::Exact(size) => Some(size),
            Resize::ShorterSide { .. } => {
                fields.refuse("crop_size", "must be a number or {\"height\", \"width\"}");
                None
            }
        },
        Some(false) | None => {
            if is_missing && !never_crops {
                fields.refuse("do_center_crop", "is missing beside crop_size; add true or false");
            }
            fields.any("crop_size");
            None
        }
    }
}

fn read_normalization(fields: &mut Fields, family: Option<Family>) -> (Vec<f64>, Vec<f64>) {
    let is_missing = !fields.has("do_normalize");
    let none = (vec![0.0], vec![1.0]);
    match fields.flag("do_normalize") {
        None if is_missing && family == Some(Family::MobileVit) => return none,
        Some(false) => {
            fields.any("image_mean");
            fields.any("image_std");
            return none;
        }
        Some(true) => {
            for name in ["image_mean", "image_std"] {
                if !fields.has(name) {
                    fields.refuse(name, "is missing");
                }
            }
        }
        None if is_missing => fields.refuse("do_normalize", "is missing; add true or false"),
        None => {}
    }
    let mean = fields.numbers("image_mean").unwrap_or(none.0);
    let std = fields.numbers("image_std").unwrap_or(none.1);
    for (name, numbers) in [("image_mean", &mean), ("image_std", &std)] {
        if ![1, 3].contains(&numbers.len()) || numbers.iter().any(|number| !number.is_finite()) {
            fields.refuse(name, "must be one finite number, or one per channel");
        }
    }
    if std.iter().any(|std| *std <= 0.0) {
        fields.refuse("image_std", "must be numbers above 0");
    }
    (mean, std)
}
