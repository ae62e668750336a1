//! The order of all values: null, booleans, numbers, texts, arrays, objects; within a kind by what they are.

use super::number::compare_numbers;
use super::{Kind, Value};
use std::cmp::Ordering;

impl Value<'_> {
    /// Which comes first. Numbers are compared exactly, arrays element by element, objects by their sorted members.
    ///
    /// It calls itself for parts, at most [`DEPTH_MAX`](super::DEPTH_MAX) times, as the text was checked.
    pub fn compare(self, other: Value<'_>) -> Ordering {
        match (self.kind(), other.kind()) {
            (Kind::Bool(left), Kind::Bool(right)) => left.cmp(&right),
            (Kind::Number(left), Kind::Number(right)) => compare_numbers(left, right),
            (Kind::Text(left), Kind::Text(right)) => left.compare(right),
            (Kind::Array(left), Kind::Array(right)) => {
                let (mut left, mut right) = (left.into_iter(), right.into_iter());
                loop {
                    match (left.next(), right.next()) {
                        (Some(one), Some(other)) => match one.compare(other) {
                            Ordering::Equal => {}
                            order => return order,
                        },
                        (one, other) => return one.is_some().cmp(&other.is_some()),
                    }
                }
            }
            (Kind::Object(left), Kind::Object(right)) => {
                let (left, right) = (left.sorted(), right.sorted());
                for ((name, value), (other_name, other)) in left.iter().zip(&right) {
                    let order = name.cmp(other_name).then_with(|| value.compare(*other));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
                left.len().cmp(&right.len())
            }
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }

    /// Whether both are the same value: `1` is `1.0`, and the order of members does not matter.
    pub fn equals(self, other: Value<'_>) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

/// Puts values in order, with what belongs to each; equal ones stay in the order that they have.
///
/// One function for all that sort: each closure of a sort of its own would be another copy of the sort.
pub fn sort_values(values: &mut [(Value<'_>, usize)]) {
    values.sort_by(|(left, _), (right, _)| left.compare(*right));
}

impl Kind<'_> {
    fn rank(self) -> u8 {
        match self {
            Kind::Null => 0,
            Kind::Bool(_) => 1,
            Kind::Number(_) => 2,
            Kind::Text(_) => 3,
            Kind::Array(_) => 4,
            Kind::Object(_) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rulemill_guest::Json;

    fn value(text: &str) -> Value<'_> {
        Value::of(Json(text)).unwrap()
    }

    #[test]
    fn values_have_one_order() {
        let ordered = [
            "null",
            "false",
            "true",
            "-1e999",
            "-1",
            "1",
            "1.5",
            "\"\"",
            "\"Z\"",
            "\"a\"",
            "\"ä\"",
            "[]",
            "[1]",
            "[1,0]",
            "[2]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,\"b\":0}",
            "{\"a\":2}",
            "{\"b\":0}",
        ];
        for (position, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                assert_eq!(
                    value(left).compare(value(right)),
                    position.cmp(&other),
                    "{left} {right}"
                );
            }
        }
    }

    #[test]
    fn the_same_value_can_be_written_in_several_ways() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("\"a\"", "\"\\u0061\""),
            ("[1, 2]", "[1,2.0]"),
            ("{\"a\":1,\"b\":[2]}", "{ \"b\": [2], \"a\": 1 }"),
            ("{\"a\":1}", "{\"a\":0,\"a\":1}"),
        ] {
            assert!(value(left).equals(value(right)), "{left} {right}");
        }
    }
}
