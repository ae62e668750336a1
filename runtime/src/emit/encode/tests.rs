use super::*;
use proptest::prelude::*;
use rulemill_core::{Bits, Blobs, Texts};
use serde_json::{Value, json};

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| Arc::from(name)).collect()
}

fn encode(keys: &[&str], columns: &[Column], rows: usize) -> Option<EncodedEmission> {
    Encoder::new().encode(&Arc::from("mean"), None, &names(keys), columns, &mut (0..rows))
}

fn text_of(emission: &EncodedEmission) -> &str {
    std::str::from_utf8(&emission.json).unwrap()
}

#[test]
fn the_tutorials_window_is_written_to_the_byte() {
    let columns = [
        Column::new(Cells::Texts(["1", "2"].into_iter().collect())),
        Column::new(Cells::Floats(vec![45.0, 25.5])),
        Column::new(Cells::Ints(vec![3, 2])),
        Column::new(Cells::Floats(vec![80.0, 31.0])),
        Column::new(Cells::Floats(vec![20.0, 20.0])),
    ];
    let emission = encode(&["device_id", "t_av", "t_count", "t_max", "t_min"], &columns, 2).unwrap();
    assert_eq!(
        text_of(&emission),
        r#"[{"device_id":"1","t_av":45,"t_count":3,"t_max":80,"t_min":20},{"device_id":"2","t_av":25.5,"t_count":2,"t_max":31,"t_min":20}]"#
    );
    let rows: Vec<_> = emission
        .rows()
        .map(|row| std::str::from_utf8(row.json).unwrap())
        .collect();
    assert_eq!(
        rows[1],
        r#"{"device_id":"2","t_av":25.5,"t_count":2,"t_max":31,"t_min":20}"#
    );
    assert_eq!(rows.len(), 2);
}

#[test]
fn of_columns_of_one_name_the_first_that_is_not_null_counts() {
    let nulls = |values: &[bool]| values.iter().copied().collect::<Bits>();
    let ints = Column {
        valid: Some(nulls(&[true, false, false, true])),
        cells: Cells::Ints(vec![1, 0, 0, 4]),
    };
    let texts = Column {
        valid: Some(nulls(&[false, true, false, true])),
        cells: Cells::Texts(["", "b", "", "d"].into_iter().collect()),
    };
    let last = Column::new(Cells::Ints(vec![7; 4]));
    let emission = encode(&["x", "x", "z"], &[ints, texts, last], 4).unwrap();
    assert_eq!(
        text_of(&emission),
        r#"[{"x":1,"z":7},{"x":"b","z":7},{"z":7},{"x":4,"z":7}]"#
    );
}

#[test]
fn members_of_an_object_come_out_between_the_others_and_give_way_to_them() {
    let payloads = [
        r#"{"b":1.0,"c":null,"a":{"z":1,"y":2},"d":"x","\u00e9":1}"#,
        "[1]",
        "{\"d\":5}",
    ];
    let members = Column::new(Cells::Json(payloads.into_iter().collect::<Texts>()));
    let b = Column {
        valid: Some([true, true, false].into_iter().collect()),
        cells: Cells::Ints(vec![2, 3, 0]),
    };
    let c = Column::new(Cells::Ints(vec![5; 3]));
    let emission = encode(&["", "b", "c"], &[members, b, c], 3).unwrap();
    assert_eq!(
        text_of(&emission),
        "[{\"a\":{\"y\":2,\"z\":1},\"b\":2,\"c\":5,\"d\":\"x\",\"é\":1},{\"b\":3,\"c\":5},{\"c\":5,\"d\":5}]"
    );
}

#[test]
fn every_type_has_its_form() {
    let columns = [
        Column::new(Cells::Bools(Bits::ones(1))),
        Column::new(Cells::Bytes([&b"fo"[..]].into_iter().collect::<Blobs>())),
        Column::new(Cells::Ints(vec![i64::MIN])),
        Column::new(Cells::Json(
            [r#"{"b":1.0,"a":{"d":2,"c":[]}}"#].into_iter().collect::<Texts>(),
        )),
        Column::new(Cells::Texts(["a\"\n\u{1}\u{e9}"].into_iter().collect::<Texts>())),
        Column::new(Cells::Times(vec![-1])),
    ];
    let emission = encode(&["b", "by", "i", "j", "s", "t"], &columns, 1).unwrap();
    assert_eq!(
        text_of(&emission),
        r#"[{"b":true,"by":"Zm8=","i":-9223372036854775808,"j":{"a":{"c":[],"d":2},"b":1},"s":"a\"\n\u0001é","t":-1}]"#
    );
}

#[test]
fn nulls_and_what_json_cannot_say_leave_their_key_out() {
    let mut nulls = Column::new(Cells::Ints(vec![7]));
    nulls.push_null();
    let columns = [
        Column::new(Cells::Floats(vec![f64::NAN, f64::INFINITY])),
        nulls,
        Column::new(Cells::Json(["null", "1"].into_iter().collect::<Texts>())),
    ];
    let emission = encode(&["f", "i", "j"], &columns, 2).unwrap();
    assert_eq!(text_of(&emission), r#"[{"i":7},{"j":1}]"#);
}

#[test]
fn a_guests_json_cell_that_is_not_json_cannot_break_the_array() {
    let deep = "[".repeat(200_000);
    let cells = ["}]", deep.as_str(), ""].into_iter().collect::<Texts>();
    let emission = encode(&["j"], &[Column::new(Cells::Json(cells))], 3).unwrap();
    let rows: Value = serde_json::from_slice(&emission.json).unwrap();
    assert_eq!(rows, json!([{"j": "}]"}, {"j": deep}, {"j": ""}]));
}

#[test]
fn no_rows_are_no_emission() {
    assert!(encode(&["i"], &[Column::new(Cells::Ints(vec![]))], 0).is_none());
}

#[test]
fn rows_come_in_the_order_they_are_asked_for_and_keys_may_change() {
    let mut encoder = Encoder::new();
    let rule = Arc::from("r");
    let column = [Column::new(Cells::Ints(vec![1, 2, 3]))];
    let first = encoder.encode(&rule, None, &names(&["a"]), &column, &mut [2, 0].into_iter());
    let second = encoder.encode(&rule, None, &names(&["b\""]), &column, &mut [1].into_iter());
    assert_eq!(text_of(&first.unwrap()), r#"[{"a":3},{"a":1}]"#);
    assert_eq!(text_of(&second.unwrap()), r#"[{"b\"":2}]"#);
}

#[test]
fn an_emission_that_grows_too_large_goes_on_in_another() {
    let big = "x".repeat(EMISSION_BYTES_MAX / 2);
    let column = [Column::new(Cells::Texts((0..3).map(|_| big.as_str()).collect()))];
    let mut encoder = Encoder::new();
    let (rule, keys) = (Arc::from("r"), names(&["a"]));
    let mut rows = 0..3;
    let lens: Vec<_> = std::iter::from_fn(|| encoder.encode(&rule, None, &keys, &column, &mut rows))
        .map(|emission| emission.ends.len())
        .collect();
    assert_eq!(lens, [2, 1]);
    assert_eq!(encoder.rows_too_large(), 0);
}

#[test]
fn a_row_that_is_too_large_is_left_out_and_counted() {
    let big = "x".repeat(ROW_BYTES_MAX);
    let column = [Column::new(Cells::Texts(
        ["a", big.as_str(), "b"].into_iter().collect(),
    ))];
    let mut encoder = Encoder::new();
    let emission = encoder.encode(&Arc::from("r"), None, &names(&["a"]), &column, &mut (0..3));
    assert_eq!(text_of(&emission.unwrap()), r#"[{"a":"a"},{"a":"b"}]"#);
    assert_eq!(encoder.rows_too_large(), 1);
}

#[test]
fn a_single_row_can_be_written_alone() {
    let columns = [Column::new(Cells::Ints(vec![1, 2]))];
    assert_eq!(encode_row(&names(&["a"]), &columns, 1), r#"{"a":2}"#);
}

proptest! {
    #[test]
    fn any_columns_read_back_through_serde(
        rows in prop::collection::vec(
            (any::<Option<i64>>(), any::<Option<f64>>(), any::<Option<String>>(), any::<Option<bool>>()),
            1..20,
        ),
    ) {
        let mut columns = [
            Column::empty(rulemill_plan::Type::Int),
            Column::empty(rulemill_plan::Type::Float),
            Column::empty(rulemill_plan::Type::Text),
            Column::empty(rulemill_plan::Type::Bool),
        ];
        for (int, float, text, truth) in &rows {
            push(&mut columns[0], int.map(|value| Cells::Ints(vec![value])));
            push(&mut columns[1], float.map(|value| Cells::Floats(vec![value])));
            push(&mut columns[2], text.as_deref().map(|value| Cells::Texts([value].into_iter().collect())));
            push(&mut columns[3], truth.map(|value| Cells::Bools([value].into_iter().collect())));
        }
        let emission = encode(&["a", "b", "c", "d"], &columns, rows.len()).unwrap();
        let read: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&emission.json).unwrap();
        prop_assert_eq!(read.len(), rows.len());
        for ((read, encoded), (int, float, text, truth)) in read.iter().zip(emission.rows()).zip(&rows) {
            prop_assert_eq!(read.get("a").and_then(Value::as_i64), *int);
            let (got, want) = (read.get("b").and_then(Value::as_f64), float.filter(|value| value.is_finite()));
            prop_assert_eq!(got.is_some(), want.is_some());
            // The reader in this test may be one unit in the last place off; the exact round trip is tested in `json`.
            prop_assert!(got.zip(want).is_none_or(|(got, want)| (got - want).abs() <= want.abs() * 4e-16 || got == want));
            prop_assert_eq!(read.get("c").and_then(Value::as_str), text.as_deref());
            prop_assert_eq!(read.get("d").and_then(Value::as_bool), *truth);
            prop_assert_eq!(&serde_json::from_slice::<serde_json::Map<String, Value>>(encoded.json).unwrap(), read);
        }
    }
}

fn push(column: &mut Column, cell: Option<Cells>) {
    match cell {
        Some(cells) => column.push_from(&Column::new(cells), 0),
        None => column.push_null(),
    }
}

#[test]
fn rows_that_come_in_pieces_are_one_array() {
    let column = |values: &[i64]| [Column::new(Cells::Ints(values.to_vec()))];
    let (keys, rule) = (names(&["a"]), Arc::from("r"));
    let (mut encoder, mut array) = (Encoder::new(), Array::default());
    for values in [&[1, 2][..], &[], &[3]] {
        let full = encoder.append(&mut array, &keys, &column(values), &mut (0..values.len()));
        assert!(!full);
    }
    let emission = encoder.finish(&mut array, &rule, None).unwrap();
    assert_eq!(text_of(&emission), r#"[{"a":1},{"a":2},{"a":3}]"#);
    assert_eq!(emission.rows().count(), 3);
    assert!(encoder.finish(&mut array, &rule, None).is_none());
}
