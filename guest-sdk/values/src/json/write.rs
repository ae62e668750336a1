//! Making JSON.

use super::Value;
use rulemill_guest::JsonString;
use std::fmt::Write;

/// An array that is being written.
pub struct ArrayWriter {
    text: String,
}

/// An object that is being written.
pub struct ObjectWriter {
    text: String,
}

impl ArrayWriter {
    /// An empty array.
    #[expect(clippy::new_without_default, reason = "an unfinished array is no value of its own")]
    pub fn new() -> Self {
        ArrayWriter { text: "[".to_owned() }
    }

    /// Appends an element.
    pub fn push(&mut self, element: Value<'_>) {
        self.push_raw(element.raw());
    }

    /// Appends an element that is JSON already.
    pub fn push_raw(&mut self, json: &str) {
        self.separate();
        self.text.push_str(json);
    }

    /// Appends a text.
    pub fn push_text(&mut self, characters: &str) {
        self.separate();
        write_text(&mut self.text, characters);
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.text.len() == 1
    }

    /// The array.
    pub fn finish(mut self) -> JsonString {
        self.text.push(']');
        JsonString(self.text)
    }

    fn separate(&mut self) {
        if !self.is_empty() {
            self.text.push(',');
        }
    }
}

impl ObjectWriter {
    /// An empty object.
    #[expect(clippy::new_without_default, reason = "an unfinished object is no value of its own")]
    pub fn new() -> Self {
        ObjectWriter { text: "{".to_owned() }
    }

    /// Appends a member. Whoever reads it takes the last of several of one name.
    pub fn push(&mut self, name: &str, value: Value<'_>) {
        self.push_raw(name, value.raw());
    }

    /// Appends a member whose value is JSON already.
    pub fn push_raw(&mut self, name: &str, json: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_text(&mut self.text, name);
        self.text.push(':');
        self.text.push_str(json);
    }

    /// The object.
    pub fn finish(mut self) -> JsonString {
        self.text.push('}');
        JsonString(self.text)
    }
}

/// A text as JSON.
pub fn json_of_text(characters: &str) -> JsonString {
    let mut text = String::with_capacity(characters.len() + 2);
    write_text(&mut text, characters);
    JsonString(text)
}

/// A double as JSON, recognisable as one: `5.0`. `None` for what JSON has no number for, NaN and the infinities.
pub fn json_of_float(float: f64) -> Option<JsonString> {
    float.is_finite().then(|| JsonString(format!("{float:?}")))
}

fn write_text(text: &mut String, characters: &str) {
    text.push('"');
    let mut rest = characters;
    while let Some(at) = rest.find(|character| matches!(character, '"' | '\\' | '\0'..=' ') && character != ' ') {
        text.push_str(&rest[..at]);
        let escaped = rest.as_bytes()[at];
        match escaped {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            control => write!(text, "\\u{control:04x}").expect("a String takes all that is written"),
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_guest::Json;

    #[test]
    fn what_is_written_can_be_read_again() {
        for characters in ["", "größe 😀", "a\"b\\c", "\n\r\t\0\u{1f} /"] {
            let json = json_of_text(characters);
            let value = Value::of(Json(&json.0)).unwrap();
            assert_eq!(value.text().unwrap().characters(), characters);
        }
        for float in [0.1, -0.0, 1e300, 5e-324, 123_456_789.0] {
            let json = json_of_float(float).unwrap();
            assert_eq!(Value::of(Json(&json.0)).unwrap().raw().parse(), Ok(float), "{}", json.0);
        }
        assert_eq!(json_of_float(5.0).unwrap().0, "5.0");
        assert_eq!(json_of_float(f64::NAN), None);
    }

    #[test]
    fn containers_are_put_together() {
        let mut array = ArrayWriter::new();
        assert!(array.is_empty());
        array.push_raw("1");
        array.push_text("a");
        assert_eq!(array.finish().0, "[1,\"a\"]");
        let mut object = ObjectWriter::new();
        object.push_raw("a\"", "1");
        object.push("b", Value::of(Json("[]")).unwrap());
        assert_eq!(object.finish().0, "{\"a\\\"\":1,\"b\":[]}");
    }
}
