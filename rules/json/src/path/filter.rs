//! Conditions in paths: `(@.a > 1)`.

use super::find::find;
use super::read::{Path, Reader};
use rulemill_guest::{Json, RowError};
use rulemill_guest_values::json::{Kind, Value, json_of_text};
use std::cmp::Ordering;

/// What must hold for a value.
#[derive(Debug, PartialEq)]
pub(super) struct Filter {
    /// Where to look in it.
    path: Path,
    /// What must be there; `None`: anything.
    comparison: Option<Comparison>,
}

#[derive(Debug, PartialEq)]
struct Comparison {
    sign: &'static str,
    /// A value as JSON.
    with: String,
}

/// The longer before those that they begin with.
const SIGNS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl Filter {
    /// Reads `(@.a)` or `(@.a > 1)`, the parentheses or not.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, RowError> {
        reader.blanks();
        let in_parentheses = reader.eat("(");
        reader.blanks();
        reader.expect("@")?;
        let path = Path { steps: reader.steps()? };
        reader.blanks();
        let sign = SIGNS.into_iter().find(|sign| reader.eat(sign));
        let comparison = match sign {
            Some(sign) => {
                reader.blanks();
                Some(Comparison {
                    sign,
                    with: literal(reader)?,
                })
            }
            None => None,
        };
        reader.blanks();
        if in_parentheses {
            reader.expect(")")?;
        }
        Ok(Filter { path, comparison })
    }

    /// Whether it holds for `value`. Values of different types differ, and neither is greater.
    pub(super) fn holds(&self, value: Value<'_>) -> Result<bool, RowError> {
        let found = find(value, &self.path)?;
        let Some(comparison) = &self.comparison else {
            return Ok(!found.is_empty());
        };
        let with = Value::of(Json(&comparison.with))?;
        Ok(found.into_iter().any(|value| comparison.holds(value, with)))
    }
}

impl Comparison {
    fn holds(&self, value: Value<'_>, with: Value<'_>) -> bool {
        let order = value.compare(with);
        let ordered = matches!(
            (value.kind(), with.kind()),
            (Kind::Number(_), Kind::Number(_)) | (Kind::Text(_), Kind::Text(_))
        );
        match self.sign {
            "==" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            "<" => ordered && order.is_lt(),
            "<=" => ordered && order.is_le(),
            ">" => ordered && order.is_gt(),
            _ => ordered && order.is_ge(),
        }
    }
}

/// A text in quotes, or a number or word as JSON has it; as JSON.
fn literal(reader: &mut Reader<'_>) -> Result<String, RowError> {
    if reader.rest.starts_with(['"', '\'']) {
        return Ok(json_of_text(&reader.quoted()?).0);
    }
    let is_end = |sign: char| !(sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '+'));
    let len = reader.rest.find(is_end).unwrap_or(reader.rest.len());
    if Value::of(Json(&reader.rest[..len])).is_err() {
        return Err(reader.error());
    }
    Ok(reader.take(len))
}
