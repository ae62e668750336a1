//! Bad messages, bad functions, bad guests: each hurts only itself.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, reading, topic,
    tumbling, tutorial_plan, version,
};
use crate::{Bounds, Fault};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, Fallback, Plan, Type};

/// Emits `n` after a step on it.
fn step_plan(function: &str, argument: Option<i64>) -> Plan {
    let arguments = [column(0)].into_iter().chain(argument.map(literal)).collect();
    Plan {
        needs: vec![field("n", Type::Int)],
        before: vec![call(function, arguments)],
        emits: emits(&[("n", 1)]),
        ..empty_plan()
    }
}

/// Counts and sums `n` per second.
fn total_plan(function: &str) -> Plan {
    Plan {
        needs: vec![field("n", Type::Int), topic()],
        keys: vec![ColumnIndex(1)],
        window: tumbling(1000),
        aggregates: vec![
            aggregate("count", "count", vec![]),
            aggregate("total", function, vec![column(0)]),
            aggregate("sum", "sum", vec![column(0)]),
        ],
        emits: emits(&[("topic", 0), ("count", 3), ("total", 4), ("sum", 5)]),
        ..empty_plan()
    }
}

fn number(n: i64) -> Message {
    message(0, "t", &[("n", Value::Int(n))])
}

fn numbers(values: impl IntoIterator<Item = i64>) -> Vec<Message> {
    values.into_iter().map(number).collect()
}

#[test]
fn missing_and_mistyped_fields_are_nulls_unless_the_rule_rejects_them() {
    let messages = [
        message(0, "t", &[]),
        message(0, "t", &[("n", Value::Wrong)]),
        message(0, "t", &[("n", Value::Text("5".to_owned()))]),
        number(5),
    ];
    let missing = ["0: field n: is missing or null"];
    let mistyped = ["1", "2"].map(|row| format!("{row}: field n: must be of type int, got a text"));
    let mistyped = mistyped.each_ref().map(String::as_str);
    let check = |missing_policy, mistyped_policy, expected: Vec<&str>| {
        let mut plan = step_plan("plus", Some(1));
        plan.needs[0].missing = missing_policy;
        plan.needs[0].mistyped = mistyped_policy;
        let mut driver = Driver::with(plan);
        driver.put("lenient", step_plan("plus", Some(1)));
        driver.send(&messages);
        assert!(driver.faults().iter().all(|&fault| fault == Fault::Rejected));
        assert_eq!(driver.reasons(), expected);
        assert_eq!(driver.counts("rule").rows_out, 4 - expected.len() as u64);
        assert_eq!(
            driver.counts("lenient").rows_out,
            4,
            "another rule may take what this one rejects"
        );
    };
    check(Fallback::Null, Fallback::Null, vec![]);
    check(Fallback::Reject, Fallback::Null, missing.to_vec());
    check(Fallback::Null, Fallback::Reject, mistyped.to_vec());
    check(Fallback::Reject, Fallback::Reject, [&missing[..], &mistyped].concat());
}

#[test]
fn a_row_error_costs_that_row_in_every_rule_that_uses_the_call() {
    let mut driver = Driver::with(step_plan("refuse", Some(3)));
    driver.put("same", step_plan("refuse", Some(3)));
    driver.put("other", step_plan("plus", Some(0)));
    driver.send(&numbers([1, 2, 3, 4]));
    assert_eq!(driver.taken("rule"), ["n=1; n=2; n=4"]);
    assert_eq!(driver.taken("same"), ["n=1; n=2; n=4"]);
    assert_eq!(driver.taken("other"), ["n=1; n=2; n=3; n=4"]);
    assert_eq!(driver.faults(), [Fault::Row, Fault::Row]);
    assert_eq!(driver.reasons(), ["2: refuse: refused", "2: refuse: refused"]);
    assert_eq!(driver.library.calls_of("refuse").count(), 1);
}

#[test]
fn a_trap_costs_only_the_rows_that_cause_it() {
    let mut driver = Driver::with(step_plan("trap_on", Some(3)));
    driver.send(&numbers([3, 1, 2, 3, 4, 5, 3]));
    assert_eq!(driver.taken("rule"), ["n=1; n=2; n=4; n=5"]);
    let reason = "trap_on: trapped: unreachable";
    assert_eq!(driver.faults(), [Fault::Guest; 3]);
    assert_eq!(
        driver.reasons(),
        [format!("0: {reason}"), format!("3: {reason}"), format!("6: {reason}")]
    );
}

#[test]
fn a_lone_poison_message_is_dead_after_one_call() {
    let mut driver = Driver::with(step_plan("trap_on", Some(3)));
    driver.send(&numbers([3]));
    assert_eq!((driver.dead.len(), driver.library.calls_of("trap_on").count()), (1, 1));
}

#[test]
fn a_batch_full_of_poison_stops_the_search_at_the_bound() {
    let bounds = Bounds {
        trapped_calls_max: 16,
        ..Bounds::default()
    };
    let mut driver = Driver::bounded(bounds, 1);
    driver.put("rule", step_plan("trap_on", Some(3)));
    driver.send(&numbers((0..1024).map(|n| if n % 2 == 0 { 3 } else { n })));
    let counts = driver.counts("rule");
    assert_eq!(counts.rows_in, counts.rows_dead + counts.rows_out);
    assert!(counts.rows_dead >= 512);
    let calls = driver.library.calls_of("trap_on").count();
    assert!(calls < 64, "{calls} calls");
}

#[test]
fn guests_that_break_the_agreement_do_not_break_the_host() {
    for function in ["short", "wild"] {
        let mut driver = Driver::with(step_plan(function, None));
        driver.send(&numbers([1, 2, 3]));
        assert_eq!(driver.faults(), [Fault::Guest; 3], "{function}");
        assert!(driver.reasons()[0].contains("bad result"), "{function}");
    }
}

#[test]
fn a_failing_call_is_not_tried_on_fewer_rows() {
    let mut driver = Driver::with(step_plan("broken", None));
    driver.send(&numbers([1, 2]));
    assert_eq!(driver.faults(), [Fault::Guest; 2]);
    assert_eq!(
        driver.reasons(),
        ["0: broken: a bad setting", "1: broken: a bad setting"]
    );
    assert_eq!(driver.library.calls_of("broken").count(), 1);
}

#[test]
fn a_library_that_is_gone_costs_rows_until_it_is_back() {
    let mut driver = Driver::with(tutorial_plan());
    driver.library.unavailable = true;
    driver.send(&[reading(0, "1", 1.0)]);
    assert_eq!(driver.faults(), [Fault::Guest]);
    assert_eq!(driver.reasons(), ["0: split_value: not available: the library is gone"]);
    driver.library.unavailable = false;
    driver.send(&[reading(0, "1", 3.0), reading(0, "2", 2.0)]);
    driver.close_all();
    let expected = "[0, 10000) device_id=1 t_av=3 t_count=1 t_max=3 t_min=3; \
                    device_id=2 t_av=2 t_count=1 t_max=2 t_min=2";
    assert_eq!(driver.taken("rule"), [expected]);
}

#[test]
fn a_topic_that_the_function_refuses_costs_its_messages_only() {
    let mut driver = Driver::with(tutorial_plan());
    for _ in 0..3 {
        driver.send(&[
            message(0, "short", &[("temperature", Value::Float(1.0))]),
            reading(0, "1", 1.0),
        ]);
    }
    assert_eq!(driver.faults(), [Fault::Row; 3]);
    assert_eq!(driver.reasons(), vec!["0: split_value: there is no such part"; 3]);
    assert_eq!(
        driver.library.rows_of("split_value"),
        2,
        "the refusal is remembered too"
    );
}

#[test]
fn a_topic_that_traps_is_tried_again_after_a_while() {
    let mut plan = tutorial_plan();
    plan.before = vec![call("trap_topic", vec![column(0)])];
    let mut driver = Driver::with(plan);
    let send = |driver: &mut Driver, at| {
        driver.send(&[reading(at, "poison", 1.0), reading(at, "good", 1.0)]);
        driver.library.calls_of("trap_topic").count()
    };
    let calls = send(&mut driver, 0);
    assert_eq!(send(&mut driver, 9000), calls);
    assert_eq!(send(&mut driver, 10_000), calls + 1);
    assert_eq!(driver.faults(), [Fault::Guest; 3], "what is remembered keeps its kind");
}

#[test]
fn rows_that_a_library_aggregate_refuses_are_in_no_aggregate() {
    for (function, fault) in [("refusing_total", Fault::Row), ("trapping_total", Fault::Guest)] {
        let mut driver = Driver::with(total_plan(function));
        let topics = ["a", "b", "a", "c", "a"];
        let values = [1, 13, 13, 2, 4];
        let messages = topics.iter().zip(values);
        let messages: Vec<Message> = messages
            .map(|(topic, n)| message(0, topic, &[("n", Value::Int(n))]))
            .collect();
        driver.send(&messages);
        driver.close_all();
        let expected = "[0, 1000) count=2 sum=5 topic=a total=5; count=1 sum=2 topic=c total=2";
        assert_eq!(driver.taken("rule"), [expected], "{function}");
        assert_eq!(driver.faults(), [fault; 2], "{function}");
        let mut reasons = driver.reasons();
        reasons.sort();
        assert!(
            reasons[0].starts_with("1: ") && reasons[1].starts_with("2: "),
            "{reasons:?}"
        );
        assert_eq!(driver.counts("rule").rows_windowed, 3);
    }
}

#[test]
fn states_of_a_library_that_is_gone_are_dead_groups_at_the_close() {
    let mut driver = Driver::with(total_plan("total"));
    driver.send(&numbers([1, 2]));
    driver.library.unavailable = true;
    driver.tick(1000);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.faults(), [Fault::Guest]);
    assert_eq!(driver.reasons(), ["group: total: not available: the library is gone"]);
    assert_eq!(driver.counts("rule").groups_dead, 1);
}

#[test]
fn a_sum_beyond_64_bits_is_a_dead_group() {
    let mut driver = Driver::with(total_plan("total"));
    let huge = |topic, n| message(0, topic, &[("n", Value::Int(n))]);
    driver.send(&[
        huge("a", i64::MAX),
        huge("a", 1),
        huge("b", i64::MAX),
        huge("b", 1),
        huge("b", -1),
    ]);
    driver.tick(1000);
    let expected = format!("[0, 1000) count=3 sum={max} topic=b total={max}", max = i64::MAX);
    assert_eq!(driver.taken("rule"), [expected]);
    assert_eq!(driver.faults(), [Fault::Row]);
    let reason = "group: sum: the sum 9223372036854775808 does not fit an int of 64 bits";
    assert_eq!(driver.reasons(), [reason]);
}

#[test]
fn texts_and_distinct_values_beyond_the_bound_are_dead_groups() {
    let mut plan = total_plan("count_distinct");
    plan.needs.push(field("text", Type::Text));
    plan.aggregates.push(aggregate("last", "last", vec![column(2)]));
    let mut version = version("rule", plan);
    version.bounds = Bounds {
        distinct_max: 2,
        window_bytes_max: 6,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    let row = |topic, n, text: &str| {
        message(
            0,
            topic,
            &[("n", Value::Int(n)), ("text", Value::Text(text.to_owned()))],
        )
    };
    driver.send(&[
        row("a", 1, "x"),
        row("a", 1, "four"),
        row("b", 2, "xy"),
        row("c", 3, ""),
        row("d", 1, "abc"),
    ]);
    driver.tick(1000);
    assert_eq!(driver.taken("rule").len(), 1);
    assert_eq!(driver.faults(), [Fault::Bound; 2]);
    let mut reasons = driver.reasons();
    reasons.sort();
    let distinct = "group: count_distinct: it has more distinct values than a window may remember";
    assert_eq!(reasons, [distinct, distinct]);
    driver.send(&[row("a", 1, "seven77")]);
    driver.close_all();
    assert_eq!(driver.faults(), [Fault::Bound]);
    let text = "group: last: its texts need more memory than a window may have";
    assert_eq!(driver.reasons(), [text]);
}

#[test]
fn aggregates_of_libraries_keep_several_words() {
    let mut driver = Driver::with(total_plan("mean_of"));
    driver.send(&numbers([1, 2]));
    driver.send(&numbers([6]));
    driver.close_all();
    assert_eq!(driver.taken("rule"), ["[0, 1000) count=3 sum=9 topic=t total=3"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_search_for_poison_loses_nothing_else(values in proptest::collection::vec(0..12_i64, 0..300)) {
        let mut driver = Driver::bounded(Bounds { trapped_calls_max: 10_000, ..Bounds::default() }, 1);
        driver.put("rule", step_plan("trap_on", Some(3)));
        driver.send(&numbers(values.iter().copied()));
        let good: Vec<String> = values.iter().filter(|&&n| n != 3).map(|n| format!("n={n}")).collect();
        let expected: Vec<String> = if good.is_empty() { vec![] } else { vec![good.join("; ")] };
        prop_assert_eq!(driver.taken("rule"), expected);
        let poison = (0..).zip(&values).filter(|&(_, &n)| n == 3);
        let expected: Vec<String> = poison.map(|(row, _)| format!("{row}: trap_on: trapped: unreachable")).collect();
        prop_assert_eq!(driver.reasons(), expected);
    }

    #[test]
    fn aggregates_of_traps_and_batches_agree(
        values in proptest::collection::vec((0..3_u8, 10..16_i64), 1..60),
        cut in 0..60_usize,
    ) {
        let messages: Vec<Message> =
            values.iter().map(|(topic, n)| message(0, &topic.to_string(), &[("n", Value::Int(*n))])).collect();
        let run = |cut: usize| {
            let mut driver = Driver::with(total_plan("trapping_total"));
            let (head, tail) = messages.split_at(cut.min(messages.len()));
            driver.send(head);
            driver.send(tail);
            driver.close_all();
            (driver.taken("rule"), driver.dead.len())
        };
        let poison = values.iter().filter(|(_, n)| *n == 13).count();
        let (taken, dead) = run(cut);
        prop_assert_eq!(dead, poison);
        prop_assert_eq!(taken, run(0).0);
    }
}

/// Emits what `inflate` makes of the topic.
fn inflating_plan() -> Plan {
    Plan {
        needs: vec![topic()],
        before: vec![call("inflate", vec![column(0)])],
        emits: emits(&[("large", 1)]),
        ..empty_plan()
    }
}

#[test]
fn a_large_result_of_a_topic_costs_the_messages_of_that_topic() {
    let mut driver = Driver::with(inflating_plan());
    let messages = ["3", "70000", "3", "70000"].map(|topic| message(0, topic, &[]));
    driver.send(&messages);
    assert_eq!(driver.taken("rule"), ["large=xxx; large=xxx"]);
    assert_eq!(driver.faults(), [Fault::Row, Fault::Row]);
    assert!(driver.reasons()[0].contains("may have 65536 bytes, this has 70000"));
}

#[test]
fn what_is_remembered_of_topics_does_not_grow_without_end() {
    let mut driver = Driver::with(inflating_plan());
    // Each batch brings topics of its own, and one that is known.
    for batch in 0..40 {
        let mut topics: Vec<String> = (0..16).map(|number| format!("60000/{batch}/{number}")).collect();
        topics.push("1".to_owned());
        let messages: Vec<Message> = topics.iter().map(|topic| message(0, topic, &[])).collect();
        driver.send(&messages);
    }
    // 38 MB in all, of which 16 are remembered: the known one was forgotten and asked for again.
    let rows: Vec<usize> = driver.library.calls_of("inflate").collect();
    assert_eq!(rows.iter().sum::<usize>(), 40 * 16 + 3, "{rows:?}");
}

#[test]
fn a_column_cannot_be_emitted_any_number_of_times() {
    let names: Vec<String> = (0..17).map(|number| format!("name{number}")).collect();
    let names: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let plan = |count: usize| Plan {
        needs: vec![field("n", Type::Int)],
        emits: emits(&names[..count]),
        ..empty_plan()
    };
    let mut driver = Driver::new();
    driver.try_put(&version("rule", plan(16))).unwrap();
    let error = driver.try_put(&version("rule", plan(17))).unwrap_err().to_string();
    assert!(error.contains("may be emitted 16 times"), "{error}");
}
