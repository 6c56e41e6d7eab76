//! Seeds that depend on what is computed, never on time, order or thread.

use serde_json::{Map, Value};

/// Derives the seed of a stream of random numbers of one analysis.
pub(crate) fn derive(
    session: u64,
    analysis: &str,
    parameters: &Map<String, Value>,
    stream: u64,
) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("convscope 2026 seeds of analyses");
    hasher.update(&session.to_le_bytes());
    hasher.update(&(analysis.len() as u64).to_le_bytes());
    hasher.update(analysis.as_bytes());
    let parameters = canonical(parameters);
    hasher.update(&(parameters.len() as u64).to_le_bytes());
    hasher.update(parameters.as_bytes());
    hasher.update(&stream.to_le_bytes());
    let mut seed = [0; 8];
    hasher.finalize_xof().fill(&mut seed);
    u64::from_le_bytes(seed)
}

/// Writes parameters such that equal ones are written alike: the order in which they were given
/// means nothing.
pub(crate) fn canonical(parameters: &Map<String, Value>) -> String {
    sorted(&Value::Object(parameters.clone())).to_string()
}

/// Sorts the keys of every object.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            let entries = entries.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(entries.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_seed_depends_on_everything_but_the_order_of_parameters() {
        let parameters = map(&json!({ "a": 1, "b": { "c": 2, "d": 3 } }));
        let reordered = map(&json!({ "b": { "d": 3, "c": 2 }, "a": 1 }));
        let seed = derive(7, "x/y", &parameters, 0);
        assert_eq!(seed, derive(7, "x/y", &reordered, 0));
        let others = [
            derive(8, "x/y", &parameters, 0),
            derive(7, "x/z", &parameters, 0),
            derive(7, "x/y", &map(&json!({ "a": 2 })), 0),
            derive(7, "x/y", &parameters, 1),
        ];
        assert!(!others.contains(&seed));
    }
}
