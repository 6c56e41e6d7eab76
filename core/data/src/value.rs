//! Values of JSON and TOML files, with the lines where the format tells them.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value. From JSON it is read strictly: no name stands in a table twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Nothing,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Table(Vec<Field>),
    /// Something that no field holds, such as a date.
    Other,
}

/// A named value and the line of its name, where the format tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) line: Option<u64>,
    pub(crate) value: Value,
}

impl Value {
    /// Returns a number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a number of pixels.
    pub(crate) fn whole(&self) -> Option<usize> {
        let number = self.number()?;
        let whole = number as usize;
        (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(whole)
    }

    /// Returns a list of two numbers of pixels.
    pub(crate) fn pair(&self) -> Option<[usize; 2]> {
        match self {
            Self::List(values) => match values.as_slice() {
                [first, second] => Some([first.whole()?, second.whole()?]),
                _ => None,
            },
            _ => None,
        }
    }

    /// Says what it is, for messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) if text.is_empty() => "empty".to_owned(),
            Self::Text(text) => format!("the text {text:?}"),
            Self::List(values) => format!("a list of {}", values.len()),
            Self::Table(_) => "a table".to_owned(),
            Self::Other => "of another type".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyValue { line: None }.deserialize(deserializer)
    }
}

/// Reads JSON with the line of every field's name.
///
/// # Errors
/// Fails where the text is no JSON, or a name stands in a table twice.
pub(crate) fn read_json(text: &str) -> Result<Value, serde_json::Error> {
    let line = Cell::new(1);
    let mut json =
        serde_json::Deserializer::from_reader(Lines { left: text.as_bytes(), line: &line });
    let value = AnyValue { line: Some(&line) }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Bytes that are taken one by one, so that whoever reads them knows the line of the last.
struct Lines<'a> {
    left: &'a [u8],
    line: &'a Cell<u64>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(place) = buffer.first_mut() else { return Ok(0) };
        let Some((&byte, left)) = self.left.split_first() else { return Ok(0) };
        (*place, self.left) = (byte, left);
        self.line.set(self.line.get() + u64::from(byte == b'\n'));
        Ok(1)
    }
}

/// Any value, whose fields begin in the line that is read, where that is known.
#[derive(Clone, Copy)]
struct AnyValue<'a> {
    line: Option<&'a Cell<u64>>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields: Vec<Field> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let line = self.line.map(Cell::get);
            fields.push(Field { name, line, value: map.next_value_seed(self)? });
        }
        let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(A::Error::custom(format!("{:?} stands there twice", pair[0]))),
            None => Ok(Value::Table(fields)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_json_knows_the_line_of_its_name() {
        let text = "{\n\"a\": [\n1, {\"b\"\n: 2,\n\n\"c\":3}],\r\n\"d\n\": 4, \"e\": {}}\n";
        // A line does not end within a name: JSON writes that as two characters.
        assert!(read_json(text).is_err());
        let Value::Table(fields) = read_json(&text.replace("d\n", "d\\n")).unwrap() else {
            panic!("it is a table");
        };
        let lines = |fields: &[Field]| {
            let line = |field: &Field| (field.name.clone(), field.line.unwrap());
            fields.iter().map(line).collect::<Vec<_>>()
        };
        let own = |name: &str, line| (name.to_owned(), line);
        assert_eq!(lines(&fields), [own("a", 2), own("d\n", 7), own("e", 7)]);
        let Value::List(values) = &fields[0].value else { panic!("it is a list") };
        let Value::Table(inner) = &values[1] else { panic!("it is a table") };
        assert_eq!(lines(inner), [own("b", 3), own("c", 6)]);
    }

    #[test]
    fn what_follows_the_json_is_an_error_in_its_line() {
        let error = read_json("{}\n{}").unwrap_err();
        assert_eq!(error.line(), 2, "{error}");
    }
}
