//! What is wrong with a text, and where.

use std::fmt::Write as _;

/// A part of a text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends; not part of it.
    pub end: usize,
}

impl Span {
    /// From the beginning of this one to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start,
            end: other.end.max(self.start),
        }
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The part of the text that is meant.
    pub span: Span,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem with a part of the text.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Problem {
            span,
            message: message.into(),
        }
    }

    /// The message, the line that is meant, and a mark below the place, as three lines.
    pub fn render(&self, text: &str) -> String {
        let place = Place::of(text, self.span.start);
        let mut out = self.line(text);
        let number = place.line.to_string();
        let marks = self.marks(text, &place);
        let indent = " ".repeat(number.len());
        let _ = write!(out, "\n {number} | {}\n {indent} | {marks}", visible(place.text));
        out
    }

    /// The message and the place, on one line.
    pub fn line(&self, text: &str) -> String {
        let place = Place::of(text, self.span.start);
        format!("{} (line {}, column {})", self.message, place.line, place.column)
    }

    fn marks(&self, text: &str, place: &Place<'_>) -> String {
        let end = self.span.end.min(place.start + place.text.len());
        let meant = text.get(self.span.start.min(end)..end).unwrap_or_default();
        let width = meant.chars().count().clamp(1, MARKS_MAX);
        format!("{}{}", " ".repeat(place.column - 1), "^".repeat(width))
    }
}

/// All problems of a text, one after the other, each with its place.
pub fn render(problems: &[Problem], text: &str) -> String {
    let parts: Vec<String> = problems.iter().map(|problem| problem.render(text)).collect();
    parts.join("\n")
}

/// All problems of a text on one line.
pub fn summary(problems: &[Problem], text: &str) -> String {
    let parts: Vec<String> = problems.iter().map(|problem| problem.line(text)).collect();
    parts.join("; ")
}

/// What of `known` is nearest to `name`, as the end of a sentence: `; did you mean "temperature"?`, or nothing.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    if name.len() > NAME_BYTES_MAX {
        return String::new();
    }
    let lower = name.to_lowercase();
    let near = known
        .into_iter()
        .filter(|other| other.len() <= NAME_BYTES_MAX)
        .map(|other| (strsim::damerau_levenshtein(&lower, &other.to_lowercase()), other))
        .min();
    match near {
        Some((distance, other)) if distance <= (name.chars().count() / 3).max(1) => {
            format!("; did you mean {other:?}?")
        }
        _ => String::new(),
    }
}

/// The line that a position is in.
struct Place<'t> {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// Where the line begins, in bytes.
    start: usize,
    text: &'t str,
}

impl<'t> Place<'t> {
    fn of(text: &'t str, position: usize) -> Self {
        let position = floor_char(text, position.min(text.len()));
        let before = &text[..position];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = text[position..].find('\n').map_or(text.len(), |at| position + at);
        let mut line = Place {
            line: before.matches('\n').count() + 1,
            column: text[start..position].chars().count() + 1,
            start,
            text: &text[start..end],
        };
        line.cut(text, position);
        line
    }

    /// A line of a megabyte is shown around the place only.
    fn cut(&mut self, text: &'t str, position: usize) {
        if self.text.len() <= LINE_BYTES_MAX {
            return;
        }
        let end = self.start + self.text.len();
        let from = floor_char(text, position.saturating_sub(LINE_BYTES_MAX / 2).max(self.start));
        let to = floor_char(text, (from + LINE_BYTES_MAX).min(end));
        self.start = from;
        self.text = &text[from..to];
        self.column = text[from..position].chars().count() + 1;
    }
}

fn floor_char(text: &str, mut position: usize) -> usize {
    while !text.is_char_boundary(position) {
        position -= 1;
    }
    position
}

/// Tabs and other control characters as one blank each, so that the mark stands below its place.
fn visible(line: &str) -> String {
    line.trim_end_matches('\r')
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

/// Nobody mistypes a name as long as this, and comparing takes the product of both lengths.
const NAME_BYTES_MAX: usize = 64;
const MARKS_MAX: usize = 60;
const LINE_BYTES_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_below_the_place() {
        let text = "SELECT a,\n  größe, temprature FROM demo";
        let start = text.find("temp").unwrap();
        let problem = Problem::new(Span { start, end: start + 10 }, "unknown column \"temprature\"");
        assert_eq!(
            problem.render(text),
            "unknown column \"temprature\" (line 2, column 10)\n 2 |   größe, temprature FROM demo\n   |          ^^^^^^^^^^"
        );
    }

    #[test]
    fn the_end_of_the_text_can_be_meant() {
        let problem = Problem::new(Span { start: 6, end: 6 }, "expected an expression");
        assert_eq!(
            problem.render("SELECT"),
            "expected an expression (line 1, column 7)\n 1 | SELECT\n   |       ^"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}x{}", "ä".repeat(10_000), "b".repeat(10_000));
        let shown = Problem::new(
            Span {
                start: 20_000,
                end: 20_001,
            },
            "wrong",
        )
        .render(&text);
        assert!(shown.len() < 500, "{shown}");
        assert!(shown.contains("äxb"), "{shown}");
    }

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        assert_eq!(
            nearest("temprature", ["humidity", "temperature"]),
            "; did you mean \"temperature\"?"
        );
        assert_eq!(nearest("x", ["humidity"]), "");
    }
}
