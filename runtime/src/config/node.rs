//! The configuration as a tree of values that know where they come from, before anything is checked.

use super::problems::{Problems, Spot};
use std::collections::BTreeMap;
use std::fmt;
use toml::de::{DeTable, DeValue};

/// A value and where it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value of TOML.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A date or time; no key takes one, so its text is enough for messages.
    Time(String),
    List(Vec<Node>),
    Table(Table),
}

/// The keys of a table, in alphabetical order.
pub(super) type Table = BTreeMap<String, Node>;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In `default.toml`, or nowhere.
    Default,
    /// On this line of the file, from 1.
    Line(usize),
    /// In this environment variable.
    Variable(String),
}

impl Node {
    /// Parses TOML. What cannot be parsed is reported, and the rest is still there to be checked.
    pub(super) fn parse(text: &str, problems: &mut Problems) -> Table {
        let lines = Lines::of(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| lines.line_at(span.start));
            let spot = Spot::new("", &Origin::Line(line));
            problems.add(&spot, error.message().replace('\n', ", "));
        }
        table_of(document.get_ref(), &lines, problems)
    }

    pub(super) fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self {
            value: Value::Text(text.into()),
            origin,
        }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) => None,
        }
    }

    /// Marks the value and everything in it as coming from the defaults.
    pub(super) fn into_default(mut self) -> Self {
        self.origin = Origin::Default;
        match &mut self.value {
            Value::Table(table) => {
                *table = std::mem::take(table)
                    .into_iter()
                    .map(|(key, node)| (key, node.into_default()))
                    .collect();
            }
            Value::List(list) => *list = std::mem::take(list).into_iter().map(Node::into_default).collect(),
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => {}
        }
        self
    }
}

/// Adds what `table` lacks from `defaults`, in depth. What `table` has stays as it is.
pub(super) fn fill_in(table: &mut Table, defaults: &Table) {
    for (key, default) in defaults {
        match table.get_mut(key) {
            None => {
                table.insert(key.clone(), default.clone());
            }
            Some(Node {
                value: Value::Table(inner),
                ..
            }) => {
                if let Some(default) = default.table() {
                    fill_in(inner, default);
                }
            }
            Some(_) => {}
        }
    }
}

/// As it would stand in the file, shortened for messages.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) if text.chars().count() > SHOWN_CHARS_MAX => {
                let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                write!(f, "\"{}...\"", start.escape_debug())
            }
            Value::Text(text) => write!(f, "\"{}\"", text.escape_debug()),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Time(text) => f.write_str(text),
            Value::List(_) => f.write_str("a list"),
            Value::Table(_) => f.write_str("a table"),
        }
    }
}

/// The most characters of a text that a message repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// Where the lines of a text start.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect())
    }

    fn line_at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

fn table_of(table: &DeTable<'_>, lines: &Lines, problems: &mut Problems) -> Table {
    table
        .iter()
        .filter_map(|(key, value)| {
            let line = Origin::Line(lines.line_at(key.span().start));
            let value = value_of(value.get_ref(), &line, lines, problems)?;
            Some((key.get_ref().to_string(), Node { value, origin: line }))
        })
        .collect()
}

fn value_of(value: &DeValue<'_>, line: &Origin, lines: &Lines, problems: &mut Problems) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Table(table) => Value::Table(table_of(table, lines, problems)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Int(number),
            Err(_) => {
                // The number is not repeated: it may be a password without its quotes.
                problems.add(&Spot::new("", line), "the number does not fit in 64 bits");
                return None;
            }
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Array(list) => Value::List(
            list.iter()
                .filter_map(|item| {
                    let line = Origin::Line(lines.line_at(item.span().start));
                    let value = value_of(item.get_ref(), &line, lines, problems)?;
                    Some(Node { value, origin: line })
                })
                .collect(),
        ),
    })
}
