//! Messages as rows: the fields that a rule needs, from JSON.

use super::table::Table;
use rulemill_plan::{Fallback, Literal, Need, Origin, PathSegment, Type};
use serde_json::Value;

/// One row for each message that is not rejected. Panics when a payload is not JSON.
pub(super) fn decode(needs: &[Need], messages: &[(String, String)]) -> Table {
    let mut table = Table::new(needs.iter().map(|need| need.kind).collect());
    for (number, (topic, payload)) in messages.iter().enumerate() {
        let value: Value = serde_json::from_str(payload)
            .unwrap_or_else(|error| panic!("the payload of message {number} is not JSON: {error}"));
        let cells = needs.iter().map(|need| cell(need, number, topic, payload, &value));
        if let Some(row) = cells.collect() {
            table.rows.push(row);
        }
    }
    table
}

/// The cell of a need; `None` when the message is rejected.
fn cell(need: &Need, number: usize, topic: &str, payload: &str, value: &Value) -> Option<Literal> {
    let literal = match &need.origin {
        Origin::Field(path) => match find(value, path) {
            None | Some(Value::Null) if need.missing == Fallback::Reject => return None,
            None | Some(Value::Null) => Literal::Null,
            Some(found) => match typed(found, need.kind) {
                Some(literal) => literal,
                None if need.mistyped == Fallback::Reject => return None,
                None => Literal::Null,
            },
        },
        Origin::Topic => Literal::from(topic),
        Origin::Payload => Literal::from(payload),
        Origin::ArrivalTime => Literal::Int(i64::try_from(number).ok()? * 1_000_000),
        Origin::Qos => Literal::Int(1),
        Origin::Retain => Literal::Bool(false),
        Origin::Source => Literal::from("test"),
    };
    Some(literal)
}

fn find<'v>(value: &'v Value, path: &[PathSegment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        PathSegment::Name(name) => value.get(name),
        PathSegment::Index(index) => value.get(*index as usize),
    })
}

fn typed(value: &Value, kind: Type) -> Option<Literal> {
    match kind {
        Type::Bool => value.as_bool().map(Literal::Bool),
        Type::Int | Type::Time => value.as_i64().map(Literal::Int),
        Type::Float => value.as_f64().map(Literal::Float),
        Type::Text => value.as_str().map(Literal::from),
        Type::Json => Some(Literal::Text(value.to_string())),
        Type::Bytes => None,
    }
}
