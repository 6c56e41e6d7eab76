//! `--set NAME=VALUE`.

use serde_json::{Map, Value};

use crate::failure::Failure;

/// Splits settings into names and values.
pub(crate) fn pairs(settings: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for setting in settings {
        let Some((name, value)) = setting.split_once('=').filter(|(name, _)| !name.is_empty())
        else {
            return Err(Failure::usage(format!("--set {setting}: expected NAME=VALUE")));
        };
        if pairs.iter().any(|(earlier, _)| earlier == name) {
            return Err(Failure::usage(format!("--set {name}: given twice")));
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Reads settings as parameters; a value that is no JSON is a plain string.
pub(crate) fn parse(settings: &[String]) -> Result<Map<String, Value>, Failure> {
    let json = |value: String| serde_json::from_str(&value).unwrap_or(Value::String(value));
    Ok(pairs(settings)?.into_iter().map(|(name, value)| (name, json(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(texts: &[&str]) -> Result<Map<String, Value>, Failure> {
        parse(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_json_or_plain_strings() {
        let map = settings(&["maps=[1,2]", "start=one", "top=3", "a=b=c"]).unwrap();
        let expected = json!({ "maps": [1, 2], "start": "one", "top": 3, "a": "b=c" });
        assert_eq!(Value::Object(map), expected);
    }

    #[test]
    fn settings_without_a_name_or_given_twice_are_refused() {
        let refusal = |texts: &[&str]| settings(texts).unwrap_err().message;
        assert_eq!(refusal(&["top"]), "--set top: expected NAME=VALUE");
        assert_eq!(refusal(&["=3"]), "--set =3: expected NAME=VALUE");
        assert_eq!(refusal(&["top=3", "top=4"]), "--set top: given twice");
    }
}
