//! The decoder against a slow model of itself, type by type, and against hostile payloads.

mod batches;
mod hostile;
mod model;
mod types;

use super::{BadReason, Decoded, Decoder};
use crate::message::Message;
use bytes::Bytes;
use rulemill_core::{Cells, Column, Field, Micros};
use rulemill_plan::{Origin, PathSegment, Type};

/// A field by its path in dots; a part that is a number is a position in an array.
fn field(path: &str, kind: Type) -> Field {
    let segments = path.split('.').filter(|part| !part.is_empty());
    let path = segments
        .map(|part| part.parse().map_or_else(|_| part.into(), PathSegment::Index))
        .collect();
    Field {
        origin: Origin::Field(path),
        kind,
    }
}

fn message(payload: impl AsRef<[u8]>) -> Message {
    Message {
        topic: "devices/1/messages".into(),
        payload: Bytes::copy_from_slice(payload.as_ref()),
        qos: 1,
        retain: false,
        arrival: Micros(1_700_000_000_000_000),
    }
}

fn decode(fields: &[Field], payloads: &[&[u8]]) -> Decoded {
    let messages: Vec<Message> = payloads.iter().map(message).collect();
    let mut decoded = Decoded::default();
    Decoder::new(fields).decode("default", (0..).zip(&messages), &mut decoded);
    decoded
}

/// A cell as text; `null`, or the value.
fn cell(column: &Column, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match &column.cells {
        Cells::Bools(bits) => bits.get(row).to_string(),
        Cells::Ints(values) | Cells::Times(values) => values[row].to_string(),
        Cells::Floats(values) => values[row].to_string(),
        Cells::Texts(texts) | Cells::Json(texts) => texts.get(row).to_owned(),
        Cells::Bytes(blobs) => format!("{:x?}", blobs.get(row)),
    }
}

/// Decodes one payload; gives each field's cell, with `!` when it was mistyped.
fn cells(fields: &[Field], payload: impl AsRef<[u8]>) -> Vec<String> {
    let decoded = decode(fields, &[payload.as_ref()]);
    assert_eq!(decoded.bad, [], "{}", String::from_utf8_lossy(payload.as_ref()));
    let mistyped = |field: usize| decoded.mistyped.iter().any(|mistyped| mistyped.field as usize == field);
    let texts = decoded.columns.iter().enumerate().map(|(field, column)| {
        let mark = if mistyped(field) { "!" } else { "" };
        cell(column, 0) + mark
    });
    texts.collect()
}

/// Row and field of each cell that was mistyped.
fn mistyped(decoded: &Decoded) -> Vec<(u32, u32)> {
    let places = decoded.mistyped.iter().map(|mistyped| (mistyped.row, mistyped.field));
    places.collect()
}

/// Decodes one payload that must be bad, between two good ones that must not notice.
fn bad(fields: &[Field], payload: impl AsRef<[u8]>) -> (BadReason, String) {
    let good: &[u8] = br#"{"a":1,"b":"x","c":{"d":2}}"#;
    let decoded = decode(fields, &[good, payload.as_ref(), good]);
    let alone = decode(fields, &[good, good]);
    assert_eq!(
        decoded.columns, alone.columns,
        "the neighbours are as without the bad message"
    );
    assert_eq!((decoded.rows, &decoded.good[..]), (2, &[0, 2][..]));
    let [bad] = &decoded.bad[..] else {
        panic!("one bad message, got {:?}", decoded.bad)
    };
    assert_eq!(bad.position, 1);
    (bad.reason, bad.detail.clone())
}
