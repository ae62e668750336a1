//! Labelled lines for people. What guests say about themselves is shown in them, so nothing in a line reaches the terminal
//! as a control character.

use std::fmt::Write as _;

/// Lines with labels in a column of their own.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    text: String,
}

impl Sheet {
    /// A line without a label, at the margin.
    pub(super) fn headline(&mut self, text: &str) {
        self.text.push_str(&printable(text));
        self.text.push('\n');
    }

    /// One line; an empty value is left out.
    pub(super) fn line(&mut self, label: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "  {label:<LABEL_WIDTH$}{}", printable(value));
    }

    /// A line for each value, the label before the first.
    pub(super) fn lines(&mut self, label: &str, values: impl IntoIterator<Item = String>) {
        let mut label = label;
        for value in values {
            self.line(label, &value);
            label = "";
        }
    }

    /// All lines.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// The text on one line, without anything that a terminal obeys.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' {
            shown.push(' ');
        } else if character.is_control() || is_bidirectional(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same for a text of several lines and columns, which stay what they are.
pub(super) fn printable_lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(printable).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Characters that make a terminal show the text around them in another order.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const LABEL_WIDTH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_with_escape_sequences_does_not_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}b\nc\u{202e}d"),
            "a\\u{1b}[2J\\u{9b}b c\\u{202e}d"
        );
        assert_eq!(printable("45 \u{b0}C"), "45 \u{b0}C");
    }

    #[test]
    fn lines_and_columns_stay_what_they_are() {
        assert_eq!(printable_lines("a\tb\n\u{1b}c\n"), "a\tb\n\\u{1b}c");
    }

    #[test]
    fn a_label_stands_before_the_first_of_its_lines() {
        let mut sheet = Sheet::default();
        sheet.headline("x");
        sheet.line("empty", "");
        sheet.lines("two", ["a".to_owned(), "b".to_owned()]);
        assert_eq!(sheet.into_text(), "x\n  two         a\n              b\n");
    }
}
