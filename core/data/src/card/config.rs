//! `config.json`: a name that timm, Hugging Face and many other programs share.

use std::path::Path;

use super::fields::Fields;
use super::{Card, Labels, json, timm};
use crate::value::{Field, Value};
use crate::{DataError, labels};

/// Reads the `config.json` in the model's folder, if it is timm's or has labels.
pub(super) fn find(model: &Path, input: Option<[usize; 3]>) -> Result<Option<Card>, DataError> {
    let path = model.with_file_name("config.json");
    if !path.exists() {
        return Ok(None);
    }
    let fields = json::read(&path)?;
    if fields.iter().any(|field| field.name == timm::FIELD) {
        return timm::read(&path, fields, input).map(Some);
    }
    let labels = labels_in(&path, fields)?;
    let card = |labels| Card { path, preprocessing: None, scores: None, labels: Some(labels) };
    Ok(labels.map(card))
}

/// Reads the labels of the `config.json` beside another card, if it has any.
pub(super) fn labels_beside(card: &Path) -> Result<Option<Labels>, DataError> {
    let path = card.with_file_name("config.json");
    if path.exists() { labels_in(&path, json::read(&path)?) } else { Ok(None) }
}

/// Reads `id2label`, which maps class numbers to names.
fn labels_in(path: &Path, fields: Vec<Field>) -> Result<Option<Labels>, DataError> {
    let mut fields = Fields::new("", fields);
    let needed = "a table of class numbers and names";
    let named = fields.read("id2label", needed, |value| match value {
        Value::Table(classes) => classes.iter().map(class).collect::<Option<Vec<_>>>(),
        _ => None,
    });
    let names = named.and_then(|named| match labels::in_order(named) {
        Ok(names) => Some(Labels::Names(names)),
        Err(reason) => {
            fields.refuse("id2label", &format!("is no list of classes: {reason}"));
            None
        }
    });
    fields.finish(path)?;
    Ok(names)
}

fn class(field: &Field) -> Option<(String, String)> {
    Some((field.name.clone(), field.value.text()?.to_owned()))
}
