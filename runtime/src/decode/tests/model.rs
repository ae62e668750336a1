//! The decoder against a naive one that builds every value and looks the fields up.

use super::{cell, decode, field};
use proptest::prelude::*;
use rulemill_core::Field;
use rulemill_plan::{Origin, PathSegment, Type};
use serde_json::Value;

/// JSON texts with few names, so that paths hit, names repeat and types clash.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| serde_json::to_string(&value).unwrap()),
        (-100..100).prop_map(|value| format!("{value}.0")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("\"2023-11-14T22:13:20Z\"".to_owned()),
    ];
    scalar.prop_recursive(4, 32, 5, |inner| {
        let member =
            (prop_oneof!["a", "b", "c"], inner.clone()).prop_map(|(name, value)| format!("\"{name}\" :{value}"));
        prop_oneof![
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{ {} }}", members.join(","))),
            prop::collection::vec(inner, 0..5).prop_map(|elements| format!("[{}]", elements.join(" , "))),
        ]
    })
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let path = prop::collection::vec(prop_oneof!["a", "b", "c", "0", "1", "3"], 0..4).prop_map(|parts| parts.join("."));
    let kind = prop::sample::select(vec![
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::Time,
        Type::Text,
        Type::Json,
    ]);
    prop::collection::vec((path, kind).prop_map(|(path, kind)| field(&path, kind)), 1..12)
}

/// The cell and whether it is mistyped; the JSON column is compared as a value.
fn naive(payload: &Value, spec: &Field) -> (Option<Value>, bool) {
    let Origin::Field(path) = &spec.origin else {
        unreachable!("the strategy makes paths only")
    };
    let found = path.iter().try_fold(payload, |at, segment| match segment {
        PathSegment::Name(name) => at.as_object()?.get(name),
        PathSegment::Index(index) => at.as_array()?.get(*index as usize),
    });
    let Some(value) = found.filter(|value| !value.is_null()) else {
        return (None, false);
    };
    let whole = |number: f64| {
        let fits = number.fract() == 0.0 && number.abs() <= 2f64.powi(53);
        fits.then(|| format!("{number:.0}").parse::<i64>().unwrap())
    };
    let integer = value.as_i64().or_else(|| {
        let float = value.as_f64().filter(|_| value.is_f64())?;
        whole(float)
    });
    let cell = match spec.kind {
        Type::Bool => value.as_bool().map(Value::from),
        Type::Int => integer.map(Value::from),
        Type::Float => value.as_f64().map(Value::from),
        Type::Time if value.is_i64() => value
            .as_i64()
            .and_then(|millis| millis.checked_mul(1000))
            .map(Value::from),
        Type::Time if value.is_f64() => whole((value.as_f64().unwrap() * 1000.0).round()).map(Value::from),
        Type::Time => (value == "2023-11-14T22:13:20Z").then(|| Value::from(1_700_000_000_000_000_i64)),
        Type::Text => value.as_str().map(Value::from),
        Type::Json => Some(value.clone()),
        Type::Bytes => None,
    };
    let mistyped = cell.is_none();
    (cell, mistyped)
}

fn as_text(cell: &Option<Value>) -> String {
    match cell {
        None => "null".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_f64() => number.as_f64().unwrap().to_string(),
        Some(value) => value.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_decoder(payloads in prop::collection::vec(json(), 1..8), fields in fields()) {
        let bytes: Vec<&[u8]> = payloads.iter().map(String::as_bytes).collect();
        let decoded = decode(&fields, &bytes);
        prop_assert_eq!(decoded.rows + decoded.bad.len(), payloads.len());
        let mut mistyped = Vec::new();
        for (row, &position) in decoded.good.iter().enumerate() {
            let value: Value = serde_json::from_str(&payloads[position as usize]).unwrap();
            for (at, spec) in fields.iter().enumerate() {
                let (expect, wrong) = naive(&value, spec);
                let got = cell(&decoded.columns[at], row);
                if spec.kind == Type::Json {
                    let got: Value = serde_json::from_str(&got).unwrap();
                    prop_assert_eq!(expect.unwrap_or(Value::Null), got);
                } else {
                    prop_assert_eq!(as_text(&expect), got, "{} as {} in {}", spec.origin, spec.kind, value);
                }
                if wrong {
                    mistyped.push((u32::try_from(row).unwrap(), u32::try_from(at).unwrap()));
                }
            }
        }
        prop_assert_eq!(super::mistyped(&decoded), mistyped);
        let starts = |wanted: fn(&PathSegment) -> bool| {
            fields.iter().any(|spec| matches!(&spec.origin, Origin::Field(path) if path.first().is_some_and(wanted)))
        };
        let names = starts(|segment| matches!(segment, PathSegment::Name(_)));
        let positions = starts(|segment| matches!(segment, PathSegment::Index(_)));
        let top = fields.iter().any(|spec| spec.origin == Origin::Field(Vec::new()));
        for (position, payload) in payloads.iter().enumerate() {
            let value: Value = serde_json::from_str(payload).unwrap();
            let fits = top || names && value.is_object() || positions && value.is_array();
            prop_assert_eq!(fits, decoded.bad.iter().all(|bad| bad.position as usize != position), "{}", value);
        }
    }

    #[test]
    fn any_bytes_are_either_a_row_or_explained(payload in prop::collection::vec(any::<u8>(), 0..200), fields in fields()) {
        let decoded = decode(&fields, &[&payload]);
        prop_assert_eq!(decoded.rows + decoded.bad.len(), 1);
        prop_assert_eq!(decoded.rows == 1, decoded.columns.iter().all(|column| column.len() == 1));
    }

    #[test]
    fn a_damaged_payload_never_disturbs_its_neighbours(
        text in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), fields in fields()
    ) {
        let good = br#"{"a":1,"b":[1,2]}"#;
        let mut damaged = text.into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        let among = decode(&fields, &[good, &damaged, good]);
        let alone = decode(&fields, &[good]);
        if alone.rows == 1 {
            for (among, alone) in among.columns.iter().zip(&alone.columns) {
                prop_assert_eq!(cell(among, 0), cell(alone, 0));
                prop_assert_eq!(cell(among, among.len() - 1), cell(alone, 0));
            }
        }
        let parses = serde_json::from_slice::<serde::de::IgnoredAny>(&damaged).is_ok();
        let strict = serde_json::from_slice::<Value>(&damaged).is_ok();
        let refused = among.bad.iter().any(|bad| bad.position == 1 && bad.reason != crate::decode::BadReason::WrongShape);
        prop_assert!(!(strict && refused), "refused though it is JSON");
        prop_assert!(parses || among.bad.iter().any(|bad| bad.position == 1), "taken though it is not JSON");
    }
}
