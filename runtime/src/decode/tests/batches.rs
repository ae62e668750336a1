//! Whole batches: metadata, selections, memory that is used again.

use super::{cell, decode, field, message, mistyped};
use crate::decode::{BadReason, Decoded, Decoder};
use rulemill_core::{Cells, Field};
use rulemill_plan::{Origin, Type};

fn origin(origin: Origin, kind: Type) -> Field {
    Field { origin, kind }
}

fn metadata() -> Vec<Field> {
    vec![
        origin(Origin::Topic, Type::Text),
        origin(Origin::Payload, Type::Bytes),
        origin(Origin::Payload, Type::Text),
        origin(Origin::ArrivalTime, Type::Time),
        origin(Origin::Qos, Type::Int),
        origin(Origin::Retain, Type::Bool),
        origin(Origin::Source, Type::Text),
    ]
}

#[test]
fn metadata_needs_no_json() {
    let decoded = decode(&metadata(), &[b"\xff\x00", b"not json", b""]);
    assert_eq!((decoded.rows, decoded.bad.len()), (3, 0));
    let row = |row| {
        decoded.columns[1..]
            .iter()
            .map(|column| cell(column, row))
            .collect::<Vec<_>>()
    };
    let rest = ["1700000000000000", "1", "false", "default"];
    assert_eq!(row(0), [&["[ff, 0]", "null"][..], &rest].concat());
    assert_eq!(
        row(1),
        [&["[6e, 6f, 74, 20, 6a, 73, 6f, 6e]", "not json"][..], &rest].concat()
    );
    assert_eq!(row(2), [&["[]", ""][..], &rest].concat());
    assert_eq!(
        mistyped(&decoded),
        [(0, 2)],
        "the payload that is not UTF-8 was wanted as text"
    );
    assert!(decoded.columns[0].is_empty(), "topics are numbered elsewhere");
}

#[test]
fn metadata_of_a_bad_message_leaves_no_cells() {
    let mut fields = metadata();
    fields.push(field("a", Type::Int));
    let decoded = decode(&fields, &[b"{\"a\":1}", b"{\"a\":2", b"{\"a\":3}"]);
    assert!(decoded.columns[1..].iter().all(|column| column.len() == 2));
    assert_eq!(cell(&decoded.columns[7], 1), "3");
    assert_eq!(decoded.bad.len(), 1);
}

#[test]
fn a_selection_keeps_the_positions_of_the_messages() {
    let payloads = ["{\"a\":0}", "{\"a\":1}", "oops", "{\"a\":\"x\"}", "{\"a\":4}", "[]"];
    let messages: Vec<_> = payloads.iter().map(message).collect();
    let mut decoded = Decoded::default();
    let mut decoder = Decoder::new(&[field("a", Type::Int)]);
    let selected = [1u32, 2, 3, 5].map(|at| (at, &messages[at as usize]));
    decoder.decode("default", selected.into_iter(), &mut decoded);
    assert_eq!(decoded.good, [1, 3]);
    assert_eq!(mistyped(&decoded), [(1, 0)], "rows are counted among the good messages");
    let bad: Vec<_> = decoded.bad.iter().map(|bad| (bad.position, bad.reason)).collect();
    assert_eq!(bad, [(2, BadReason::NotJson), (5, BadReason::WrongShape)]);
    decoder.decode("default", std::iter::empty(), &mut decoded);
    assert_eq!(
        decoded,
        Decoded {
            columns: decoded.columns.clone(),
            ..Decoded::default()
        }
    );
    assert!(decoded.columns[0].is_empty());
}

#[test]
fn a_second_batch_starts_afresh_in_the_same_memory() {
    let fields = [field("a", Type::Text), field("b", Type::Bool), field("", Type::Json)];
    let mut decoder = Decoder::new(&fields);
    let mut decoded = Decoded::default();
    let first: Vec<_> = ["{}", "nope", "{\"a\":\"\\n\"}", "{\"a\":1,\"b\":true}"]
        .iter()
        .map(message)
        .collect();
    let second: Vec<_> = ["{\"a\":\"x\",\"b\":false}"; 70].iter().map(message).collect();
    decoder.decode("default", (0..).zip(&first), &mut decoded);
    decoder.decode("default", (0..).zip(&second), &mut decoded);
    let mut fresh = Decoded::default();
    Decoder::new(&fields).decode("default", (0..).zip(&second), &mut fresh);
    assert_eq!(decoded, fresh);
    assert!(
        decoded.columns.iter().all(|column| column.valid.is_none()),
        "no nulls, no validity"
    );
    Decoder::new(&[field("a", Type::Json)]).decode("default", (0..).zip(&second), &mut decoded);
    assert_eq!(decoded.columns.len(), 1, "another decoder finds its own columns");
    assert_eq!(cell(&decoded.columns[0], 69), "\"x\"");
}

#[test]
fn payloads_as_bytes_reuse_their_memory() {
    let mut decoder = Decoder::new(&[origin(Origin::Payload, Type::Bytes)]);
    let mut decoded = Decoded::default();
    let batch: Vec<_> = ["\u{0}one", "two", ""].iter().map(message).collect();
    decoder.decode("default", (0..).zip(&batch), &mut decoded);
    let before = memory(&decoded);
    decoder.decode("default", (0..).zip(&batch[1..]), &mut decoded);
    assert_eq!(memory(&decoded), before);
    let cells: Vec<String> = (0..2).map(|row| cell(&decoded.columns[0], row)).collect();
    assert_eq!(
        (decoded.rows, &cells[..]),
        (2, &["[74, 77, 6f]".to_owned(), "[]".to_owned()][..])
    );
}

/// Where the bytes of the first column are.
fn memory(decoded: &Decoded) -> *const u8 {
    let Cells::Bytes(blobs) = &decoded.columns[0].cells else {
        panic!("a column of bytes")
    };
    blobs.data().as_ptr()
}

#[test]
fn no_fields_give_rows_without_columns() {
    let decoded = decode(&[], &[b"not json", b"{}"]);
    assert_eq!((decoded.rows, decoded.columns.len(), decoded.bad.len()), (2, 0, 0));
}
