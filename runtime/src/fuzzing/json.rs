//! Any bytes as a payload, compared with a plain reading of the same JSON.

use crate::decode::{Decoded, Decoder};
use crate::message::Message;
use bytes::Bytes;
use rulemill_core::{Cells, Column, Field, Micros};
use rulemill_plan::{Origin, PathSegment, Type};
use serde_json::Value;

/// Decodes the bytes, alone and between two payloads that are fine. What is JSON gives the cells that a plain reading
/// gives, what is not is bad, and the neighbours are what they are.
///
/// # Panics
/// If that does not hold.
pub fn json(data: &[u8]) {
    let fields = fields();
    let payloads = [FINE.as_bytes(), data, FINE.as_bytes()];
    let messages = payloads.map(|payload| Message {
        topic: "t".into(),
        payload: Bytes::copy_from_slice(payload),
        qos: 1,
        retain: false,
        arrival: Micros(0),
    });
    let mut decoder = Decoder::new(&fields);
    let mut decoded = Decoded::default();
    decoder.decode("default", (0..).zip(&messages), &mut decoded);
    let mut alone = Decoded::default();
    decoder.decode("default", std::iter::once((1, &messages[1])), &mut alone);

    let good = decoded.good.contains(&1);
    assert_eq!(decoded.rows, 2 + usize::from(good));
    assert_eq!((alone.rows, alone.bad.len()), (usize::from(good), usize::from(!good)));
    assert_eq!(decoded.bad, alone.bad);
    for (row, payload) in decoded.good.iter().map(|&at| payloads[at as usize]).enumerate() {
        let value: Value = match serde_json::from_slice(payload) {
            Ok(value) => value,
            // Deeper than a plain reading goes, where no field lies that is wanted; or a number beyond a double, which is mistyped.
            Err(error) if BEYOND.iter().any(|beyond| error.to_string().contains(beyond)) => continue,
            Err(error) => panic!("{error}, and it was decoded"),
        };
        for (at, field) in (0..).zip(&fields) {
            let mistyped = decoded
                .mistyped
                .iter()
                .any(|cell| cell.row as usize == row && cell.field == at);
            compare(&value, field, &decoded.columns[at as usize], row, mistyped);
        }
    }
    if let (false, Ok(value)) = (good, serde_json::from_slice::<Value>(data)) {
        assert!(!value.is_object(), "{value} was not decoded: {:?}", decoded.bad);
    }
}

fn fields() -> Vec<Field> {
    let field = |path: &[&str], kind| Field {
        origin: Origin::Field(path.iter().map(|&part| part.into()).collect()),
        kind,
    };
    let item = Field {
        origin: Origin::Field(vec!["l".into(), PathSegment::Index(1)]),
        kind: Type::Float,
    };
    vec![
        field(&["i"], Type::Int),
        field(&["i"], Type::Float),
        field(&["t"], Type::Text),
        field(&["b"], Type::Bool),
        field(&["n", "i"], Type::Int),
        field(&["n", "t"], Type::Text),
        field(&["n"], Type::Json),
        item,
    ]
}

fn compare(value: &Value, field: &Field, column: &Column, row: usize, mistyped: bool) {
    let Origin::Field(path) = &field.origin else { return };
    let found = path.iter().try_fold(value, |value, segment| match segment {
        PathSegment::Name(name) => value.as_object()?.get(name),
        PathSegment::Index(at) => value.as_array()?.get(usize::try_from(*at).ok()?),
    });
    let found = found.filter(|found| !found.is_null());
    if column.is_null(row) {
        // A number that does not fit, or a value of another type, is told from one that is not there.
        assert_eq!(found.is_some(), mistyped, "{field:?} of {value}");
        return;
    }
    let found = found.unwrap_or_else(|| panic!("{field:?} of {value} was found"));
    match &column.cells {
        Cells::Bools(bits) => assert_eq!(Some(bits.get(row)), found.as_bool()),
        Cells::Ints(values) => match found.as_i64() {
            Some(int) => assert_eq!(values[row], int),
            // With a point or an exponent.
            None => assert_eq!(Some(values[row] as f64), found.as_f64()),
        },
        Cells::Floats(values) => assert_eq!(Some(values[row].to_bits()), found.as_f64().map(f64::to_bits)),
        Cells::Texts(texts) => assert_eq!(Some(texts.get(row)), found.as_str()),
        Cells::Json(texts) => assert_eq!(serde_json::from_str::<Value>(texts.get(row)).ok().as_ref(), Some(found)),
        Cells::Times(_) | Cells::Bytes(_) => {}
    }
}

/// What a plain reading says of JSON that it does not take, and a decoder need not mind.
const BEYOND: [&str; 2] = ["recursion limit", "number out of range"];

const FINE: &str = r#"{"i": 7, "t": "a\u00e9", "b": true, "n": {"i": -1, "t": ""}, "l": [0, 2.5]}"#;
