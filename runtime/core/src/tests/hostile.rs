//! Plans from guests that mean harm: they are refused, or do what they say; none stalls its thread.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, kernel, literal, message, reading,
    tumbling, tutorial_plan, version,
};
use super::sharing::doubling;
use crate::Fault;
use rulemill_plan::{Argument, ColumnIndex, Origin, PathSegment, Plan, Setting, Type};

fn problems(plan: Plan) -> Vec<String> {
    match Driver::new().try_put(&version("rule", plan)) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_plan_of_ten_thousand_nested_steps_is_refused_at_once() {
    let calls = doubling(10_000, "shout", vec![field("text", Type::Text)]);
    let expected = "a plan has at most 1024 before, got 10000 (before)";
    assert_eq!(problems(calls), [expected]);
    let kernels = Plan {
        before: (0..10_000)
            .map(|input| kernel(0, &[input], &[("x", Type::Float)]))
            .collect(),
        ..doubling(0, "", vec![field("x", Type::Float)])
    };
    assert_eq!(problems(kernels), [expected]);
}

#[test]
fn every_part_of_a_plan_has_a_bound() {
    let base = || doubling(0, "", vec![field("x", Type::Float)]);
    let check = |change: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = base();
        change(&mut plan);
        assert_eq!(problems(plan), [expected]);
    };
    let many = |count: usize| vec![literal(1); count];
    check(
        &|plan| plan.before = vec![call("plus", many(16_385))],
        "all before together have at most 16384 inputs, got 16385 (before)",
    );
    check(
        &|plan| plan.after = vec![kernel(0, &[0; 16_385], &[("y", Type::Float)])],
        "all after together have at most 16384 inputs, got 16385 (after)",
    );
    check(
        &|plan| {
            plan.window = tumbling(1000);
            plan.aggregates = vec![aggregate("a", "total", many(16_385))];
        },
        "all aggregates together have at most 16384 inputs, got 16385 (aggregates)",
    );
    check(
        &|plan| {
            plan.window = tumbling(1000);
            plan.before = vec![kernel(0, &[0], &[("y", Type::Float); 2000])];
        },
        "the before file has at most 1024 columns, got 2001 (before)",
    );
    check(
        &|plan| {
            plan.window = tumbling(1000);
            plan.aggregates = vec![aggregate("a", "count", vec![]); 1023];
        },
        "the after file has at most 1024 columns, got 1025 (after)",
    );
    check(
        &|plan| {
            let setting = Setting {
                name: "s".to_owned(),
                kind: Type::Int,
                default: None,
                doc: String::new(),
            };
            plan.settings = vec![setting; 100_000];
        },
        "a plan has at most 1024 settings, got 100000 (settings)",
    );
    check(
        &|plan| plan.needs[0].origin = Origin::Field(vec![PathSegment::Index(0); 1_000_000]),
        "a path has at most 127 parts, got 1000000 (needs[0].origin)",
    );
}

#[test]
fn an_error_with_very_many_problems_names_some() {
    let mut plan = doubling(0, "", vec![field("x", Type::Float)]);
    plan.keys = vec![ColumnIndex(7); 1000];
    plan.window = tumbling(1000);
    let error = Driver::new().try_put(&version("rule", plan)).unwrap_err();
    assert_eq!(error.problems().len(), 1000);
    let text = error.to_string();
    assert!(text.ends_with("(keys[19]); and 980 more"), "{text}");
}

#[test]
fn a_thousand_aggregates_are_computed() {
    let mut plan = tutorial_plan();
    plan.aggregates = (0..1000)
        .map(|n| aggregate(&format!("a{n}"), "max", vec![column(1)]))
        .collect();
    plan.emits = emits(&[("first", 3), ("last", 1002)]);
    let mut driver = Driver::with(plan);
    driver.send(&[reading(0, "1", 4.0)]);
    driver.tick(10_000);
    assert_eq!(driver.taken("rule"), ["[0, 10000) first=4 last=4"]);
}

#[test]
fn groups_that_take_much_memory_count_as_several() {
    let mut plan = tutorial_plan();
    plan.aggregates = (0..1000)
        .map(|n| aggregate(&format!("a{n}"), "max", vec![column(1)]))
        .collect();
    let mut version = version("rule", plan);
    version.bounds.groups_max = 100;
    let mut driver = Driver::new();
    driver.try_put(&version).unwrap();
    let rows: Vec<Message> = (0..10).map(|n| reading(0, &n.to_string(), 4.0)).collect();
    driver.send(&rows);
    // A state has 24 bytes, so a group has 24 KiB, and there is memory for 100 of 1 KiB each.
    assert_eq!(driver.stream.rule_state("rule").unwrap().groups, 4);
    assert_eq!(driver.faults(), [Fault::Bound; 6]);
    assert_eq!(driver.reasons()[0], "4: the window has the most groups it may have, 4");
}

#[test]
fn a_limit_of_zero_emits_nothing_and_says_so() {
    let mut plan = tutorial_plan();
    plan.limit = Some(0);
    let mut driver = Driver::with(plan);
    driver.send(&[reading(0, "1", 4.0)]);
    driver.tick(10_000);
    assert!(driver.emissions.is_empty());
    let counts = driver.counts("rule");
    assert_eq!(
        (counts.windows_closed, counts.groups_filtered, counts.emissions),
        (1, 1, 0)
    );

    let mut driver = Driver::with(Plan {
        limit: Some(0),
        ..doubling(0, "", vec![field("x", Type::Float)])
    });
    driver.send(&[message(0, "t", &[("x", Value::Float(1.0))])]);
    assert!(driver.emissions.is_empty());
    assert_eq!(driver.counts("rule").rows_filtered, 1);
}

#[test]
fn a_column_named_twice_in_every_part_is_computed() {
    let plan = Plan {
        needs: vec![field("x", Type::Float)],
        keys: vec![ColumnIndex(0); 100],
        window: tumbling(1000),
        emits: (0..1000)
            .map(|n| emits(&[(&format!("e{n}"), n % 100)]).remove(0))
            .collect(),
        ..empty_plan()
    };
    let mut driver = Driver::with(plan);
    driver.send(&[message(0, "t", &[("x", Value::Float(1.5))])]);
    driver.tick(1000);
    assert_eq!(driver.emissions[0].columns.len(), 1000);
}

#[test]
fn steps_that_read_themselves_or_later_ones_are_refused() {
    let mut plan = doubling(0, "", vec![field("x", Type::Float)]);
    plan.before = vec![
        call("plus", vec![column(1), literal(1)]),
        kernel(0, &[u32::MAX], &[("y", Type::Float)]),
    ];
    plan.after = vec![call("plus", vec![Argument::Column(ColumnIndex(3)), literal(1)])];
    let found = problems(plan);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|problem| problem.starts_with("there is no column")),
        "{found:?}"
    );
}
