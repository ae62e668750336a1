//! A value, and what it is.

use super::check::{self, DEPTH_MAX, Malformed};
use super::{Array, Number, Object, Text};
use rulemill_guest::{Json, RowError};
use std::fmt;

/// A value of JSON, as text that was checked.
#[derive(Clone, Copy)]
pub struct Value<'j> {
    /// Strict JSON, without blanks around it.
    raw: &'j str,
}

/// What a value is.
#[derive(Clone, Copy)]
pub enum Kind<'j> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(Text<'j>),
    /// An array.
    Array(Array<'j>),
    /// An object.
    Object(Object<'j>),
}

impl<'j> Value<'j> {
    /// Checks the whole text. What is not JSON, or goes deeper than [`DEPTH_MAX`], is an error of the row.
    pub fn of(json: Json<'j>) -> Result<Self, RowError> {
        match check::check(json.0) {
            Ok(raw) => Ok(Value { raw }),
            Err(Malformed::At(byte)) => Err(RowError::new(format!("the text is not JSON from byte {byte} on"))),
            Err(Malformed::TooDeep) => Err(RowError::new(format!(
                "JSON may have {DEPTH_MAX} arrays and objects in each other, and this has more"
            ))),
        }
    }

    /// The value; `None` for null, be it that of a column or that of JSON.
    pub fn present(json: Option<Json<'j>>) -> Result<Option<Self>, RowError> {
        let value = json.map(Value::of).transpose()?;
        Ok(value.filter(|value| !value.is_null()))
    }

    /// A part of a value that was checked.
    pub(super) fn part(raw: &'j str) -> Self {
        Value { raw }
    }

    /// What it is.
    pub fn kind(self) -> Kind<'j> {
        match self.raw.as_bytes().first() {
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'"') => Kind::Text(Text::quoted(self.raw)),
            Some(b'[') => Kind::Array(Array::enclosed(self.raw)),
            Some(b'{') => Kind::Object(Object::enclosed(self.raw)),
            Some(b'-' | b'0'..=b'9') => Kind::Number(Number::of(self.raw)),
            _ => Kind::Null,
        }
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        matches!(self.kind(), Kind::Null)
    }

    /// Its text.
    pub fn raw(self) -> &'j str {
        self.raw
    }

    /// It, as the result of a function; null becomes null.
    pub fn json(self) -> Option<Json<'j>> {
        (!self.is_null()).then_some(Json(self.raw))
    }

    /// The elements; another kind is an error of the row.
    pub fn array(self) -> Result<Array<'j>, RowError> {
        match self.kind() {
            Kind::Array(array) => Ok(array),
            _ => Err(self.unlike("an array")),
        }
    }

    /// The members; another kind is an error of the row.
    pub fn object(self) -> Result<Object<'j>, RowError> {
        match self.kind() {
            Kind::Object(object) => Ok(object),
            _ => Err(self.unlike("an object")),
        }
    }

    /// The text; another kind is an error of the row.
    pub fn text(self) -> Result<Text<'j>, RowError> {
        match self.kind() {
            Kind::Text(text) => Ok(text),
            _ => Err(self.unlike("a text")),
        }
    }

    /// The error of a value that is not what is needed: `needs an array, got the int 4`.
    pub fn unlike(self, wanted: &str) -> RowError {
        RowError::new(format!("needs {wanted}, got {self}"))
    }
}

/// What it is and the beginning of its text, for messages: `the int 4`.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind() {
            Kind::Null => return f.write_str("null"),
            Kind::Bool(_) => "boolean",
            Kind::Number(Number::Int(_)) => "int",
            Kind::Number(Number::Float(_)) => "float",
            Kind::Text(_) => "text",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        };
        let mut end = SHOWN_LEN_MAX.min(self.raw.len());
        while !self.raw.is_char_boundary(end) {
            end -= 1;
        }
        let rest = if end < self.raw.len() { "..." } else { "" };
        write!(f, "the {name} {}{rest}", &self.raw[..end])
    }
}

/// How many bytes of a value a message shows.
const SHOWN_LEN_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_the_beginning_of_a_value() {
        let long = format!("\"{}\"", "ä".repeat(100));
        let shown = Value::of(Json(&long)).unwrap().to_string();
        assert_eq!(shown, format!("the text \"{}...", "ä".repeat(29)));
        assert_eq!(Value::of(Json(" 4 ")).unwrap().to_string(), "the int 4");
    }

    #[test]
    fn both_nulls_are_null() {
        assert!(Value::present(None).unwrap().is_none());
        assert!(Value::present(Some(Json(" null"))).unwrap().is_none());
        assert!(Value::present(Some(Json("0"))).unwrap().is_some());
        assert!(Value::present(Some(Json("nil"))).is_err());
    }
}
