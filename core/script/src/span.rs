//! Places in a script: Rhai gives a point, readers want the word.

use std::path::Path;
use std::sync::Arc;

use rhai::Position;

use crate::Place;

/// Widens a position of Rhai's to the word, number, string or sign that begins there.
pub(crate) fn place(path: &Path, source: &Arc<str>, position: Position) -> Option<Place> {
    let line = position.line()?;
    // Position 0 of a line stands for the line as a whole.
    let column = position.position().unwrap_or(1).max(1);
    let start = source.split_inclusive('\n').take(line - 1).map(|line| line.chars().count());
    let start = start.sum::<usize>() + column - 1;
    let skipped = before_name(source, start);
    let (start, column) = (start + skipped, column + skipped);
    let span = start..start + width(source, start);
    Some(Place { path: path.to_path_buf(), source: Arc::clone(source), line, column, span })
}

/// Returns how many characters the point before a name has, when one begins at a character: a
/// missing property is the name's fault.
fn before_name(source: &str, start: usize) -> usize {
    let rest = source.chars().skip(start);
    let signs = rest.clone().take_while(|&sign| sign == '.' || sign == '?').count();
    let named = rest.clone().nth(signs).is_some_and(|next| next.is_alphabetic() || next == '_');
    let is_access = rest.clone().take(signs).eq(".".chars()) || rest.take(signs).eq("?.".chars());
    if is_access && named { signs } else { 0 }
}

/// Returns how many characters the token that begins at a character has.
fn width(source: &str, start: usize) -> usize {
    let mut rest = source.chars().skip(start).peekable();
    let Some(first) = rest.next() else { return 0 };
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    match first {
        '\n' | '\r' => 0,
        '"' | '`' | '\'' => {
            let mut width = 1;
            let mut escaped = false;
            for letter in rest.take_while(|&letter| letter != '\n') {
                width += 1;
                if letter == first && !escaped {
                    break;
                }
                escaped = letter == '\\' && !escaped && first != '`';
            }
            width
        }
        first if first.is_ascii_digit() => {
            let mut width = 1;
            while let Some(letter) = rest.next() {
                // The two points of a range are no decimal point.
                let decimal = letter == '.' && rest.peek().is_some_and(char::is_ascii_digit);
                if !(is_word(letter) || decimal) {
                    break;
                }
                width += 1;
            }
            width
        }
        first if is_word(first) => 1 + rest.take_while(|&letter| is_word(letter)).count(),
        '#' if rest.peek() == Some(&'{') => 2,
        first if "+-*/%=<>!&|.:?^~".contains(first) => {
            1 + rest.take_while(|&sign| "=<>&|.*:?".contains(sign)).count()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str, line: u16, column: u16) -> String {
        let source: Arc<str> = source.into();
        let place = place(Path::new("x"), &source, Position::new(line, column)).unwrap();
        source.chars().skip(place.span.start).take(place.span.len()).collect()
    }

    #[test]
    fn a_point_becomes_the_word_that_begins_there() {
        let source = "let größe = 12.5;\nmodel.run(\"a \\\" b\", #{ x: 0..5 }) += `x`;";

        assert_eq!(words(source, 1, 5), "größe");
        assert_eq!(words(source, 1, 13), "12.5");
        assert_eq!(words(source, 2, 7), "run");
        assert_eq!(words(source, 2, 11), "\"a \\\" b\"");
        assert_eq!(words(source, 2, 21), "#{");
        assert_eq!(words(source, 2, 27), "0");
        assert_eq!(words(source, 2, 28), "..");
        assert_eq!(words(source, 2, 35), "+=");
        assert_eq!(words(source, 2, 6), "run", "the point stands for the name behind it");
    }

    #[test]
    fn a_point_behind_the_end_marks_nothing() {
        assert_eq!(words("a\nb", 2, 2), "");
    }
}
