//! The built-in aggregates, one value at a time.

use super::driver::{Driver, Message, Value, aggregate, column, emits, empty_plan, field, message, tumbling};
use rulemill_plan::{BUILT_IN_AGGREGATES, Plan, Type};

/// Each built-in aggregate of the field `v`.
fn results(kind: Type, functions: &[&str], values: &[Option<Value>]) -> String {
    let names = functions.iter().copied();
    let plan = Plan {
        needs: vec![field("v", kind)],
        window: tumbling(1000),
        aggregates: names
            .clone()
            .map(|name| aggregate(name, name, vec![column(0)]))
            .collect(),
        emits: emits(&names.zip(2..).collect::<Vec<_>>()),
        ..empty_plan()
    };
    let mut driver = Driver::with(plan);
    let messages: Vec<Message> = values
        .iter()
        .map(|value| {
            let fields: Vec<(&str, Value)> = value.iter().map(|value| ("v", value.clone())).collect();
            message(0, "t", &fields)
        })
        .collect();
    driver.send(&messages);
    driver.close_all();
    assert!(driver.dead.is_empty());
    driver.taken("rule").concat().replace("[0, 1000) ", "")
}

fn floats(values: &[f64]) -> Vec<Option<Value>> {
    values.iter().map(|&value| Some(Value::Float(value))).collect()
}

fn ints(values: &[i64]) -> Vec<Option<Value>> {
    values.iter().map(|&value| Some(Value::Int(value))).collect()
}

fn texts(values: &[&str]) -> Vec<Option<Value>> {
    values
        .iter()
        .map(|&value| Some(Value::Text(value.to_owned())))
        .collect()
}

#[test]
fn nulls_alone_give_nulls_and_zero_counts() {
    for kind in [Type::Int, Type::Float] {
        assert_eq!(
            results(kind, BUILT_IN_AGGREGATES, &[None, None]),
            "count=0 count_distinct=0"
        );
    }
}

#[test]
fn nulls_are_passed_over() {
    let values = [None, Some(Value::Int(4)), None, Some(Value::Int(2)), None];
    let expected = "avg=3 count=2 count_distinct=2 first=4 last=2 max=4 min=2 stddev=1 \
                    stddevs=1.4142135623730951 sum=6 var=1 vars=2";
    assert_eq!(results(Type::Int, BUILT_IN_AGGREGATES, &values), expected);
}

#[test]
fn a_sample_of_one_has_no_spread() {
    let expected = "avg=7 count=1 count_distinct=1 first=7 last=7 max=7 min=7 stddev=0 sum=7 var=0";
    assert_eq!(results(Type::Float, BUILT_IN_AGGREGATES, &floats(&[7.0])), expected);
}

#[test]
fn averages_of_ints_are_exact_beyond_64_bits() {
    let values = ints(&[i64::MAX, i64::MAX, i64::MAX, 0]);
    assert_eq!(
        results(Type::Int, &["avg"], &values),
        format!("avg={}", i64::MAX as f64 * 0.75)
    );
}

#[test]
fn sums_of_floats_keep_what_additions_round_away() {
    assert_eq!(results(Type::Float, &["sum"], &floats(&[1e100, 1.0, -1e100])), "sum=1");
    assert_eq!(results(Type::Float, &["avg"], &floats(&[0.1; 10])), "avg=0.1");
}

#[test]
fn infinities_stay_infinities() {
    assert_eq!(
        results(Type::Float, &["avg", "sum"], &floats(&[1.0, f64::INFINITY, 2.0])),
        "avg=inf sum=inf"
    );
    assert_eq!(
        results(Type::Float, &["sum"], &floats(&[f64::MAX, f64::MAX])),
        "sum=inf"
    );
    assert_eq!(
        results(Type::Float, &["sum"], &floats(&[f64::INFINITY, f64::NEG_INFINITY])),
        "sum=NaN"
    );
}

#[test]
fn a_spread_far_from_zero_is_not_lost() {
    let values = floats(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
    assert_eq!(results(Type::Float, &["var", "vars"], &values), "var=22.5 vars=30");
}

#[test]
fn extremes_prefer_numbers_to_nan() {
    assert_eq!(
        results(Type::Float, &["max", "min"], &floats(&[f64::NAN, 2.0, f64::NAN, 1.0])),
        "max=2 min=1"
    );
    assert_eq!(results(Type::Float, &["max"], &floats(&[f64::NAN])), "max=NaN");
}

#[test]
fn texts_and_times_have_extremes_edges_and_distinct_values() {
    let functions = ["count", "count_distinct", "first", "last", "max", "min"];
    let values = texts(&["pear", "apple", "zoo", "apple", "fig"]);
    let expected = "count=5 count_distinct=4 first=pear last=fig max=zoo min=apple";
    assert_eq!(results(Type::Text, &functions, &values), expected);
    let expected = "count=3 count_distinct=2 first=3000us last=3000us max=3000us min=-1000us";
    assert_eq!(results(Type::Time, &functions, &ints(&[3, -1, 3])), expected);
}

#[test]
fn distinct_floats_have_one_zero_and_one_nan() {
    let values = floats(&[0.0, -0.0, f64::NAN, -f64::NAN, 1.0]);
    assert_eq!(results(Type::Float, &["count_distinct"], &values), "count_distinct=3");
}
