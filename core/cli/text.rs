//! Tables on a terminal.

use std::cmp::Reverse;

/// A table that fits a terminal: words that are too long lose their middle.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

/// Least width to which a column of words may shrink.
const LEAST: usize = 8;
/// Space between two columns.
const GAP: &str = "  ";

impl Table {
    /// Starts a table with headings; numbers, marked by true, are aligned to the right.
    pub(crate) fn new(headings: &[(&str, bool)]) -> Self {
        let headings = headings.iter().map(|&(text, number)| (text.to_owned(), number)).collect();
        Self { headings, rows: Vec::new() }
    }

    /// Adds a row with one cell per heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes the table; columns of words give way when it is wider than `width`.
    pub(crate) fn rendered(&self, width: usize) -> String {
        let mut widths: Vec<usize> =
            self.headings.iter().map(|(text, _)| text.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.fit(&mut widths, width);
        let headings: Vec<String> = self.headings.iter().map(|(text, _)| text.clone()).collect();
        let rows = std::iter::once(&headings).chain(&self.rows);
        rows.map(|row| self.line(row, &widths)).collect()
    }

    /// Takes width from columns of words, where it cuts the fewest cells and most is there.
    fn fit(&self, widths: &mut [usize], width: usize) {
        let cut = |column: usize, width: usize| {
            self.rows.iter().filter(|row| row[column].chars().count() >= width).count()
        };
        while widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1) > width {
            // Headings are never cut.
            let least = |column: usize| self.headings[column].0.chars().count().max(LEAST);
            let words = (0..widths.len()).filter(|&c| !self.headings[c].1 && widths[c] > least(c));
            let Some(column) = words.min_by_key(|&c| (cut(c, widths[c]), Reverse(widths[c])))
            else {
                break;
            };
            widths[column] -= 1;
        }
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.headings)
            .zip(widths)
            .map(|((cell, (_, number)), &width)| {
                let cell = shortened(cell, width);
                if *number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            })
            .collect();
        format!("{}\n", cells.join(GAP).trim_end())
    }
}

/// Takes the middle out of a text that is too long.
fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head: String = text.chars().take(kept / 2).collect();
    let tail: String = text.chars().skip(length - (kept - kept / 2)).collect();
    format!("{head}…{tail}")
}

/// Breaks a text into lines of at most `width` characters where words allow, each indented.
pub(crate) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let mut lines = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let longer = line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && indent + longer > width {
                lines.push(format!("{margin}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(format!("{margin}{line}"));
    }
    lines.join("\n") + "\n"
}

/// Breaks those lines of a text that are longer than `width` between words, as far as words allow;
/// the rest of a line is indented as its beginning.
pub(crate) fn folded(text: &str, width: usize) -> String {
    let lines = text.lines().map(|line| {
        if line.chars().count() <= width {
            return line.to_owned();
        }
        let indent = line.chars().take_while(|letter| *letter == ' ').count();
        wrapped(line, width, indent).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_and_gives_way_where_there_are_words() {
        let mut table = Table::new(&[("layer", false), ("kind", false), ("count", true)]);
        table.row(vec!["features/0/a/long/name".into(), "addition".into(), "7".into()]);
        table.row(vec!["a".into(), "global_pooling".into(), "12".into()]);
        let expected = "\
layer        kind          count
featu…/name  addition          7
a            globa…ooling     12
";
        assert_eq!(table.rendered(32), expected);
    }

    #[test]
    fn headings_are_never_cut() {
        let mut table = Table::new(&[("name", false), ("inheritance", false)]);
        table.row(vec!["a_very_long_name".into(), "-".into()]);
        assert_eq!(table.rendered(22), "name       inheritance\na_ve…name  -\n");
        assert_eq!(table.rendered(10), "name      inheritance\na_v…name  -\n");
    }

    #[test]
    fn texts_break_between_words() {
        assert_eq!(wrapped("one two three\n\nfour", 10, 2), "  one two\n  three\n  four\n");
    }

    #[test]
    fn only_lines_that_are_too_long_are_folded() {
        assert_eq!(folded("a  b\n  one two three", 10), "a  b\n  one two\n  three");
        assert_eq!(folded("anunbreakableword", 10), "anunbreakableword");
    }
}
