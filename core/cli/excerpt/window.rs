//! The part of a line that an excerpt shows.

use std::ops::Range;

use convscope_script::Place;

/// What is shown of a source around a place: all of it, but for a line that is too long.
#[derive(Debug)]
pub(super) struct Window {
    /// The source, with what is left out of the line replaced by an ellipsis.
    pub(super) source: String,
    /// The marked words, in characters from the beginning.
    pub(super) span: Range<usize>,
    /// The column at which they begin in this source.
    pub(super) column: usize,
}

impl Window {
    /// Shows at most `width` characters of the line around a place.
    pub(super) fn around(place: &Place, width: usize) -> Self {
        let whole = || place.source.to_string();
        let start = place.span.start.saturating_sub(place.column.saturating_sub(1));
        let line: Vec<char> =
            place.source.chars().skip(start).take_while(|letter| *letter != '\n').collect();
        let before = place.span.start - start;
        let marked = place.span.len().min(line.len().saturating_sub(before));
        if line.len() <= width {
            let span = place.span.clone();
            return Self { source: whole(), span, column: place.column };
        }
        let marked = marked.min(width * 3 / 4);
        let first = before.saturating_sub((width - marked) / 2);
        let last = (first + width).min(line.len());
        let first = last.saturating_sub(width).min(before);
        let head: String = place.source.chars().take(start).collect();
        let tail: String = place.source.chars().skip(start + line.len()).collect();
        let shown: String = line[first..last].iter().collect();
        let (left, right) =
            (if first > 0 { "…" } else { "" }, if last < line.len() { "…" } else { "" });
        let column = before - first + left.chars().count();
        let span = start + column..start + column + marked;
        let source = format!("{head}{left}{shown}{right}{tail}");
        Self { source, span, column: column + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(source: &str, column: usize, length: usize, width: usize) -> (String, String) {
        let before: usize = source.chars().take_while(|letter| *letter == '\n').count();
        let span = before + column - 1..before + column - 1 + length;
        let place =
            Place { path: "x".into(), source: source.into(), line: before + 1, column, span };
        let window = Window::around(&place, width);
        let marked = window.source.chars().skip(window.span.start).take(window.span.len());
        (window.source.clone(), marked.collect())
    }

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        let (source, marked) = window("\nlet größe = 1;", 5, 5, 14);

        assert_eq!((source.as_str(), marked.as_str()), ("\nlet größe = 1;", "größe"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let line = format!("\n{}größe{}\nb", "-".repeat(500), "+".repeat(500));

        let (source, marked) = window(&line, 501, 5, 15);
        assert_eq!((source.as_str(), marked.as_str()), ("\n…-----größe+++++…\nb", "größe"));
        let (source, marked) = window(&line, 1, 2, 15);
        assert_eq!((source.as_str(), marked.as_str()), ("\n---------------…\nb", "--"));
        let (source, marked) = window(&line, 1005, 1, 15);
        assert_eq!((source.as_str(), marked.as_str()), ("\n…+++++++++++++++\nb", "+"));
    }

    #[test]
    fn a_word_longer_than_the_window_is_marked_where_it_begins() {
        let (source, marked) = window(&"x".repeat(500), 101, 400, 20);

        assert_eq!(source, format!("…{}…", "x".repeat(20)));
        assert_eq!(marked, "x".repeat(15));
    }
}
