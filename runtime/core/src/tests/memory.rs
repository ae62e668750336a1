//! Steps that remember: what comes of rows, and what becomes of it in reloads and snapshots.

use super::driver::{
    Driver, Message, Value, aggregate, column, emits, empty_plan, field, literal, message, topic, tumbling, version,
};
use crate::{Bounds, Fault, Swap};
use rulemill_plan::{Accumulation, Argument, ColumnIndex, Need, Plan, Recall, Remember, Step, Type};

/// The needs of all plans here: the topic, an int and a text.
pub(super) fn needs() -> Vec<Need> {
    vec![topic(), field("n", Type::Int), field("t", Type::Text)]
}

pub(super) fn remember(recall: Recall, columns: &[u32]) -> Remember {
    Remember {
        name: "before".to_owned(),
        recall,
        columns: columns.iter().map(|&index| ColumnIndex(index)).collect(),
        defaults: Vec::new(),
        partition: Vec::new(),
        when: None,
    }
}

const LAG: Recall = Recall::Lag {
    rows: 1,
    ignore_null: false,
};

/// A plan without a window that gives the number and the first output of a step.
fn plan(step: Remember) -> Plan {
    Plan {
        needs: needs(),
        before: vec![Step::Remember(step)],
        emits: emits(&[("n", 1), ("was", 3)]),
        ..empty_plan()
    }
}

fn accumulate(function: Accumulation) -> Recall {
    Recall::Accumulate {
        function,
        begin: None,
        reset: None,
    }
}

fn number(device: &str, n: i64) -> Message {
    message(0, device, &[("n", Value::Int(n))])
}

fn nothing(device: &str) -> Message {
    message(0, device, &[])
}

#[track_caller]
fn check(step: Remember, messages: &[Message], expected: &[&str]) {
    let mut driver = Driver::with(plan(step));
    for message in messages {
        driver.send(std::slice::from_ref(message));
    }
    assert_eq!(driver.taken("rule"), expected);
    assert_eq!(driver.reasons(), [""; 0]);
}

#[test]
fn a_lag_gives_the_value_before_and_a_default_at_first() {
    let defaults = vec![literal(-1)];
    let rows = [number("a", 1), nothing("a"), number("a", 3), number("a", 4)];
    let step = Remember {
        defaults: defaults.clone(),
        ..remember(LAG, &[1])
    };
    check(step, &rows, &["n=1 was=-1", "was=1", "n=3", "n=4 was=3"]);
    let skip = Recall::Lag {
        rows: 2,
        ignore_null: true,
    };
    let step = Remember {
        defaults,
        ..remember(skip, &[1])
    };
    check(step, &rows, &["n=1 was=-1", "was=-1", "n=3 was=-1", "n=4 was=1"]);
}

#[test]
fn the_latest_value_is_that_of_the_row_unless_it_is_null() {
    let rows = [nothing("a"), number("a", 1), nothing("a"), number("a", 2)];
    let step = Remember {
        defaults: vec![column(1)],
        ..remember(Recall::Latest, &[1])
    };
    check(step, &rows, &["", "n=1 was=1", "was=1", "n=2 was=2"]);
}

#[test]
fn a_change_is_another_value_than_that_before() {
    let rows = [
        nothing("a"),
        number("a", 1),
        number("a", 1),
        nothing("a"),
        number("a", 1),
    ];
    let step = remember(Recall::Changed { ignore_null: false }, &[1]);
    check(
        step,
        &rows,
        &["was=false", "n=1 was=true", "n=1 was=false", "was=true", "n=1 was=true"],
    );
    let step = remember(Recall::Changed { ignore_null: true }, &[1]);
    check(
        step,
        &rows,
        &[
            "was=false",
            "n=1 was=true",
            "n=1 was=false",
            "was=false",
            "n=1 was=false",
        ],
    );
}

#[test]
fn each_partition_has_a_memory_of_its_own() {
    let step = Remember {
        partition: vec![ColumnIndex(0)],
        ..remember(LAG, &[1])
    };
    let rows = [number("a", 1), number("b", 2), number("a", 3), number("b", 4)];
    check(step, &rows, &["n=1", "n=2", "n=3 was=1", "n=4 was=2"]);
}

#[test]
fn aggregates_go_on_from_row_to_row() {
    let rows = [number("a", 4), nothing("a"), number("a", 2), number("a", 9)];
    for (function, expected) in [
        (Accumulation::Count, ["n=4 was=1", "was=1", "n=2 was=2", "n=9 was=3"]),
        (Accumulation::Sum, ["n=4 was=4", "was=4", "n=2 was=6", "n=9 was=15"]),
        (Accumulation::Avg, ["n=4 was=4", "was=4", "n=2 was=3", "n=9 was=5"]),
        (Accumulation::Min, ["n=4 was=4", "was=4", "n=2 was=2", "n=9 was=2"]),
        (Accumulation::Max, ["n=4 was=4", "was=4", "n=2 was=4", "n=9 was=9"]),
    ] {
        check(remember(accumulate(function), &[1]), &rows, &expected);
    }
}

#[test]
fn a_sum_beyond_64_bits_costs_the_row_and_leaves_the_sum() {
    let mut driver = Driver::with(plan(remember(accumulate(Accumulation::Sum), &[1])));
    driver.send(&[number("a", i64::MAX), number("a", 1), number("a", -1)]);
    let last = i64::MAX - 1;
    let expected = format!("n={0} was={0}; n=-1 was={last}", i64::MAX);
    assert_eq!(driver.taken("rule"), [expected]);
    assert_eq!(driver.faults(), [Fault::Row]);
}

#[test]
fn what_comes_after_a_window_may_be_of_earlier_rows() {
    let mut plan = plan(remember(LAG, &[1]));
    plan.window = tumbling(1000);
    plan.aggregates = vec![aggregate("sum", "sum", vec![column(3)])];
    plan.emits = emits(&[("sum", 2)]);
    let mut driver = Driver::with(plan);
    let at = |at: i64, n: i64| message(at, "a", &[("n", Value::Int(n))]);
    driver.send(&[at(0, 1), at(10, 2), at(20, 3), at(1000, 4), at(1010, 5)]);
    driver.tick(2000);
    assert_eq!(driver.taken("rule"), ["[0, 1000) sum=3", "[1000, 2000) sum=7"]);
}

#[test]
fn a_row_that_begins_a_partition_too_many_is_dead_and_the_others_go_on() {
    let step = Remember {
        partition: vec![ColumnIndex(0)],
        ..remember(LAG, &[1])
    };
    let mut version = version("rule", plan(step));
    version.bounds = Bounds {
        groups_max: 2,
        ..Bounds::default()
    };
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    driver.send(&[number("a", 1), number("b", 2), number("c", 3), number("a", 4)]);
    assert_eq!(driver.taken("rule"), ["n=1; n=2; n=4 was=1"]);
    assert_eq!(driver.faults(), [Fault::Bound]);
    let reasons = driver.reasons();
    assert!(
        reasons[0].starts_with("2: lag: there is no room for another partition: 2 are the most"),
        "{reasons:?}"
    );
}

#[test]
fn texts_beyond_the_bound_cost_their_row_alone() {
    let mut plan = plan(remember(LAG, &[2]));
    plan.emits = emits(&[("was", 3)]);
    let mut version = version("rule", plan);
    version.bounds.window_bytes_max = 4;
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    let text = |text: &str| message(0, "a", &[("t", Value::Text(text.to_owned()))]);
    driver.send(&[text("abc"), text("abcde"), text("ab"), text("c")]);
    assert_eq!(driver.taken("rule"), ["; was=abc; was=ab"]);
    assert_eq!(driver.faults(), [Fault::Bound]);
}

#[test]
fn a_new_version_goes_on_with_what_was_remembered_if_it_remembers_the_same() {
    let mut driver = Driver::with(plan(remember(LAG, &[1])));
    driver.send(&[number("a", 1)]);
    let mut other = plan(remember(LAG, &[1]));
    other.emits = emits(&[("before", 3)]);
    assert_eq!(driver.put("rule", other), Swap::StateKept);
    driver.send(&[number("a", 2)]);
    let two = Recall::Lag {
        rows: 2,
        ignore_null: false,
    };
    assert_eq!(driver.put("rule", plan(remember(two, &[1]))), Swap::Forgotten);
    driver.send(&[number("a", 3), number("a", 4), number("a", 5)]);
    assert_eq!(driver.taken("rule"), ["n=1", "before=1", "n=3; n=4; n=5 was=3"]);
}

#[test]
fn what_filters_rows_after_a_step_is_no_part_of_what_it_remembers() {
    let changed = remember(Recall::Changed { ignore_null: false }, &[1]);
    let mut first = plan(remember(LAG, &[1]));
    first.before.push(Step::Remember(changed));
    let mut second = first.clone();
    second.keep = Some(ColumnIndex(4));
    let mut driver = Driver::with(first);
    driver.send(&[number("a", 1)]);
    assert_eq!(driver.put("rule", second), Swap::StateKept);
    driver.send(&[number("a", 1), number("a", 2)]);
    assert_eq!(driver.taken("rule"), ["n=1", "n=2 was=1"]);
}

#[test]
fn rules_that_remember_do_not_come_together() {
    let windowed = || {
        let mut plan = plan(remember(LAG, &[1]));
        plan.window = tumbling(1000);
        plan.aggregates = vec![aggregate("sum", "sum", vec![column(3)])];
        plan.emits = emits(&[("sum", 2)]);
        plan
    };
    let at = |at: i64, n: i64| message(at, "a", &[("n", Value::Int(n))]);
    let mut driver = Driver::new();
    driver.put("a", windowed());
    driver.send(&[at(0, 1)]);
    driver.tick(1000);
    driver.put("b", windowed());
    driver.send(&[at(2000, 5), at(2010, 7)]);
    driver.tick(3000);
    driver.taken("a").clear();
    driver.send(&[at(3000, 1)]);
    driver.tick(4000);
    assert_eq!(driver.taken("a"), ["[3000, 4000) sum=7"]);
    assert_eq!(driver.taken("b"), ["[2000, 3000) sum=5", "[3000, 4000) sum=7"]);
}

#[test]
fn a_memory_of_something_else_is_not_taken_over_from_a_snapshot() {
    let mut driver = Driver::with(plan(remember(LAG, &[1])));
    driver.send(&[number("a", 1)]);
    let other = version("rule", plan(remember(Recall::Latest, &[1])));
    let lost = driver.restart(&[other], 2);
    assert_eq!(lost.len(), 1);
    assert!(lost[0].reason.contains("another shape"), "{}", lost[0].reason);
}

#[test]
fn damaged_memories_are_refused_and_never_panic() {
    let step = Remember {
        partition: vec![ColumnIndex(0)],
        ..remember(LAG, &[1, 2])
    };
    let mut driver = Driver::with(plan(step.clone()));
    driver.send(&[number("a", 1), number("b", 2)]);
    let bytes = driver.stream.snapshot();
    let versions = [version("rule", plan(step))];
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        if let Ok((mut driver, lost)) = Driver::restored(&damaged, &versions) {
            driver.send(&[number("a", 3)]);
            assert!(lost.len() <= 1, "byte {place}");
        }
        assert!(Driver::restored(&bytes[..place], &versions).is_err(), "cut at {place}");
    }
}

#[test]
fn steps_that_cannot_be_are_refused_with_their_place() {
    let refused = |plan: Plan| Driver::new().try_put(&version("rule", plan)).unwrap_err().to_string();
    let long = Recall::Lag {
        rows: 5000,
        ignore_null: false,
    };
    assert!(refused(plan(remember(long, &[1]))).contains("rows must be 1 to 1024"));
    let sum = remember(accumulate(Accumulation::Sum), &[2]);
    assert!(refused(plan(sum)).contains("there is no acc_sum of text"));
    let when = Remember {
        when: Some(ColumnIndex(1)),
        ..remember(LAG, &[1])
    };
    assert!(refused(plan(when)).contains("a condition must be a bool"));
    let default = Remember {
        defaults: vec![Argument::Literal("x".into())],
        ..remember(LAG, &[1])
    };
    assert!(refused(plan(default)).contains("the default must be int"));
    let mut late = plan(remember(LAG, &[1]));
    late.after = std::mem::take(&mut late.before);
    assert!(refused(late).contains("only a step of `before`"));
}
