//! Arrays.

use super::Value;
use super::skip::{skip_blanks, skip_sign, split_value};

/// An array, as it stands between its brackets.
#[derive(Clone, Copy)]
pub struct Array<'j> {
    inner: &'j str,
}

/// The elements from the first to the last.
pub struct Elements<'j> {
    rest: &'j str,
}

impl<'j> Array<'j> {
    /// The array of a value that begins and ends with brackets.
    pub(super) fn enclosed(raw: &'j str) -> Self {
        let inner = raw.strip_prefix('[').unwrap_or(raw);
        Array {
            inner: inner.strip_suffix(']').unwrap_or(inner),
        }
    }

    /// How many elements there are.
    pub fn count(self) -> usize {
        self.into_iter().count()
    }

    /// The element at `index`, the first being 0; a negative index counts from the end, the last being -1.
    pub fn element(self, index: i64) -> Option<Value<'j>> {
        match usize::try_from(index) {
            Ok(index) => self.into_iter().nth(index),
            Err(_) => {
                let back = usize::try_from(index.unsigned_abs()).ok()?;
                self.into_iter().nth(self.count().checked_sub(back)?)
            }
        }
    }
}

impl<'j> IntoIterator for Array<'j> {
    type Item = Value<'j>;
    type IntoIter = Elements<'j>;

    fn into_iter(self) -> Elements<'j> {
        Elements {
            rest: skip_blanks(self.inner),
        }
    }
}

impl<'j> Iterator for Elements<'j> {
    type Item = Value<'j>;

    fn next(&mut self) -> Option<Value<'j>> {
        if self.rest.is_empty() {
            return None;
        }
        let (element, rest) = split_value(self.rest);
        self.rest = skip_sign(rest, b',');
        Some(Value::part(element))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_guest::Json;

    #[test]
    fn elements_are_parts_of_the_text() {
        let array = Value::of(Json(r#"[ 1 , "a,]" , [2, 3], {"b": [4]} , null ]"#)).unwrap();
        let elements: Vec<&str> = array.array().unwrap().into_iter().map(Value::raw).collect();
        assert_eq!(elements, ["1", "\"a,]\"", "[2, 3]", "{\"b\": [4]}", "null"]);
    }

    #[test]
    fn indices_count_from_either_end() {
        let array = Value::of(Json("[1,2,3]")).unwrap().array().unwrap();
        let at = |index| array.element(index).map(Value::raw);
        assert_eq!(
            [at(0), at(2), at(-1), at(-3)],
            [Some("1"), Some("3"), Some("3"), Some("1")]
        );
        assert_eq!([at(3), at(-4), at(i64::MAX), at(i64::MIN)], [None; 4]);
        assert_eq!(Value::of(Json("[ ]")).unwrap().array().unwrap().count(), 0);
    }
}
