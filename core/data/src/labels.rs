//! Names of classes.

use std::collections::BTreeMap;
use std::path::Path;

use crate::value::Value;
use crate::{DataError, file};

/// The largest file of class names that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the names of a model's classes, in the order of the classes.
///
/// Three kinds of files are known: one name a line; `synset_words.txt`, whose lines begin with a
/// `WordNet` number (`n01440764 tench, Tinca tinca`); and JSON, either a list of names or
/// `imagenet_class_index.json`, which maps class numbers to `["n01440764", "tench"]` or to names.
///
/// # Errors
/// Fails when the file cannot be read or is of another kind, or when a class has no name.
pub fn read_labels(path: &Path) -> Result<Vec<String>, DataError> {
    let refuse = |reason: String| DataError::Labels { path: path.to_owned(), reason };
    let text = file::read_text(path, MAX_BYTES)?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let labels = if is_json { from_json(&text) } else { from_lines(&text) }.map_err(refuse)?;
    if labels.is_empty() {
        return Err(refuse("there are no names in it".to_owned()));
    }
    Ok(labels)
}

fn from_lines(text: &str) -> Result<Vec<String>, String> {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
    if let Some(empty) = lines.iter().position(|line| line.is_empty()) {
        // Skipping it would shift every class behind it.
        return Err(format!("line {} is empty; a class needs a name", empty + 1));
    }
    let words: Option<Vec<&str>> = lines.iter().map(|line| without_synset(line)).collect();
    Ok(words.unwrap_or(lines).into_iter().map(str::to_owned).collect())
}

/// Strips a `WordNet` number such as `n01440764`, or returns `None` where there is none.
fn without_synset(line: &str) -> Option<&str> {
    let (synset, words) = line.split_once(char::is_whitespace)?;
    let digits = synset.strip_prefix('n')?;
    let is_synset = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_synset.then(|| words.trim_start())
}

fn from_json(text: &str) -> Result<Vec<String>, String> {
    // In two steps: the first says where the JSON is broken, the second what it should hold.
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let wanted = "expected a list of names, or class numbers with a name or [synset, name]";
    match json {
        Value::List(names) => {
            let names = names.iter().map(|name| name.text().map(str::to_owned));
            names.collect::<Option<_>>().ok_or_else(|| wanted.to_owned())
        }
        Value::Table(classes) => {
            let named = classes.into_iter().map(|class| {
                let name = match &class.value {
                    Value::List(pair) => match pair.as_slice() {
                        [_, name] => name.text(),
                        _ => None,
                    },
                    name => name.text(),
                };
                Some((class.name, name?.to_owned()))
            });
            in_order(named.collect::<Option<_>>().ok_or(wanted)?)
        }
        _ => Err(wanted.to_owned()),
    }
}

/// Sorts names by the class numbers beside them, and says which number is wrong or missing.
pub(crate) fn in_order(named: Vec<(String, String)>) -> Result<Vec<String>, String> {
    let mut numbered = BTreeMap::new();
    for (key, name) in named {
        let class: usize = key.parse().map_err(|_| format!("{key:?} is no class number"))?;
        if numbered.insert(class, name).is_some() {
            return Err(format!("class {class} has two names"));
        }
    }
    let gap = numbered.keys().enumerate().find(|(place, class)| place != *class);
    match gap {
        Some((missing, _)) => Err(format!("class {missing} has no name")),
        None => Ok(numbered.into_values().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_labels(&path).map_err(|error| error.to_string().replace(path.to_str().unwrap(), name))
    }

    #[test]
    fn one_name_a_line_is_read_with_any_line_ends() {
        let text = "\u{feff}tench, Tinca tinca\r\nn02 is no synset\r\n\r\n";
        assert_eq!(read("labels.txt", text).unwrap(), ["tench, Tinca tinca", "n02 is no synset"]);
    }

    #[test]
    fn synsets_are_stripped_where_every_line_has_one() {
        let text = "n01440764 tench, Tinca tinca\nn01443537 goldfish\n";
        assert_eq!(read("synset_words.txt", text).unwrap(), ["tench, Tinca tinca", "goldfish"]);
    }

    #[test]
    fn an_index_is_read_in_the_order_of_its_numbers() {
        let classes: Vec<String> =
            (0..12).rev().map(|class| format!("\"{class}\": [\"n0\", \"c{class}\"]")).collect();
        let labels = read("index.json", &format!("{{{}}}", classes.join(","))).unwrap();
        assert_eq!(labels[9..], ["c9", "c10", "c11"]);
        assert_eq!(read("id2label.json", r#"{"0": "cat", "1": "dog"}"#).unwrap(), ["cat", "dog"]);
        assert_eq!(read("list.json", r#"["cat", "dog"]"#).unwrap(), ["cat", "dog"]);
    }

    #[test]
    fn files_that_name_no_classes_are_refused() {
        let refused = |name, text| read(name, text).unwrap_err();
        assert_eq!(refused("l.txt", "\n \n"), "labels l.txt: there are no names in it");
        assert_eq!(
            refused("l.txt", "cat\n\ndog"),
            "labels l.txt: line 2 is empty; a class needs a name"
        );
        assert_eq!(
            refused("l.json", r#"{"0": "cat", "2": "dog"}"#),
            "labels l.json: class 1 has no name"
        );
        assert_eq!(
            refused("l.json", r#"{"0": "cat", "00": "dog"}"#),
            "labels l.json: class 0 has two names"
        );
        assert_eq!(
            refused("l.json", r#"{"cat": "0"}"#),
            "labels l.json: \"cat\" is no class number"
        );
        assert!(refused("l.json", "[1]").contains("expected a list of names"));
        assert_eq!(
            refused("l.json", r#"{"0": "cat", "0": "dog"}"#),
            "labels l.json: \"0\" stands there twice at line 1 column 24"
        );
        assert!(refused("l.json", "[").contains("EOF"));
    }
}
