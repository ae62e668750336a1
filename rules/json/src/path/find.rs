//! From a value to what is at a path in it.

use super::read::{Choice, Path, Step};
use crate::limits::FOUND_MAX;
use rulemill_guest::RowError;
use rulemill_guest_values::json::{Array, Kind, Value};

/// All that is at `path` in `value`, in the order of the text. More than [`FOUND_MAX`] values after any step are an error.
pub(super) fn find<'j>(value: Value<'j>, path: &Path) -> Result<Vec<Value<'j>>, RowError> {
    let mut found = vec![value];
    for step in &path.steps {
        let mut next = Found::default();
        for value in found {
            walk(value, step, &mut next)?;
        }
        found = next.values;
    }
    Ok(found)
}

#[derive(Default)]
struct Found<'j> {
    values: Vec<Value<'j>>,
}

impl<'j> Found<'j> {
    fn push(&mut self, value: Value<'j>) -> Result<(), RowError> {
        if self.values.len() == FOUND_MAX {
            return Err(RowError::new(format!("the path finds more than {FOUND_MAX} values")));
        }
        self.values.push(value);
        Ok(())
    }
}

/// Calls itself for the parts of a value when the step descends: as deep as the text goes.
fn walk<'j>(value: Value<'j>, step: &Step, found: &mut Found<'j>) -> Result<(), RowError> {
    for choice in &step.choices {
        choose(value, choice, found)?;
    }
    if step.descends {
        for part in parts(value) {
            walk(part, step, found)?;
        }
    }
    Ok(())
}

fn choose<'j>(value: Value<'j>, choice: &Choice, found: &mut Found<'j>) -> Result<(), RowError> {
    match (choice, value.kind()) {
        (Choice::Member(name), Kind::Object(object)) => object.member(name).map_or(Ok(()), |value| found.push(value)),
        (Choice::Element(index), Kind::Array(array)) => array.element(*index).map_or(Ok(()), |value| found.push(value)),
        (Choice::Slice(from, to), Kind::Array(array)) => slice(array, *from, *to)
            .into_iter()
            .try_for_each(|value| found.push(value)),
        (Choice::All, _) => parts(value).into_iter().try_for_each(|value| found.push(value)),
        (Choice::Where(filter), _) => {
            for part in parts(value) {
                if filter.holds(part)? {
                    found.push(part)?;
                }
            }
            Ok(())
        }
        (Choice::Member(_) | Choice::Element(_) | Choice::Slice(..), _) => Ok(()),
    }
}

/// The elements or the values of the members.
fn parts(value: Value<'_>) -> Vec<Value<'_>> {
    match value.kind() {
        Kind::Array(array) => array.into_iter().collect(),
        Kind::Object(object) => object.into_iter().map(|(_, value)| value).collect(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => Vec::new(),
    }
}

/// The elements between two positions. Positions beyond the array stand for its ends.
fn slice(array: Array<'_>, from: Option<i64>, to: Option<i64>) -> Vec<Value<'_>> {
    let count = array.count();
    let position = |position: i64| {
        let magnitude = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
        if position < 0 {
            count.saturating_sub(magnitude)
        } else {
            magnitude.min(count)
        }
    };
    let (start, end) = (from.map_or(0, position), to.map_or(count, position));
    array.into_iter().take(end).skip(start).collect()
}
