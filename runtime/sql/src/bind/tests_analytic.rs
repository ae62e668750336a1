//! Queries with functions of the messages before.

use super::tests::{plan, refused};
use rulemill_plan::{Accumulation, Argument, ColumnIndex, Literal, Plan, Recall, Remember, Step};

fn remembers(plan: &Plan) -> Vec<&Remember> {
    let steps = plan.before.iter().filter_map(|step| match step {
        Step::Remember(remember) => Some(remember),
        Step::Call(_) | Step::Kernel(_) => None,
    });
    steps.collect()
}

#[test]
fn a_lag_is_a_step_of_the_host_and_needs_no_kernel() {
    let plan = plan("SELECT lag(temperature, 2, 0) OVER (PARTITION BY name) AS before FROM demo");
    let [step] = remembers(&plan)[..] else {
        panic!("{plan:?}")
    };
    let lag = Recall::Lag {
        rows: 2,
        ignore_null: false,
    };
    assert_eq!((plan.before.len(), step.recall), (1, lag));
    assert_eq!(step.columns, [ColumnIndex(0)]);
    assert_eq!(step.partition, [ColumnIndex(1)]);
    assert_eq!(step.defaults, [Argument::Literal(Literal::Int(0))]);
    assert_eq!(plan.emits[0].column, ColumnIndex(2));
}

#[test]
fn what_looks_back_sees_what_where_leaves_out() {
    let plan = plan("SELECT lag(temperature) AS before FROM demo WHERE temperature > 20");
    let keep = plan.keep.expect("there is a condition");
    let emitted = plan.emits[0].column;
    assert!(emitted < keep, "{emitted:?} is there before {keep:?}");
    assert!(matches!(plan.before[0], Step::Remember(_)));
}

#[test]
fn the_same_call_is_made_once() {
    let plan = plan("SELECT lag(humidity) AS a, lag(humidity) + 1 AS b FROM demo WHERE lag(humidity) > 3");
    assert_eq!(remembers(&plan).len(), 1);
}

#[test]
fn an_analytic_function_may_be_of_another_one() {
    let plan = plan("SELECT lag(humidity, 1, 0) + 1 AS b, lag(b, 1, 0) FROM demo");
    assert_eq!(remembers(&plan).len(), 2);
}

#[test]
fn after_a_window_it_is_that_of_the_first_message_or_of_each_in_an_aggregate() {
    let one = plan("SELECT lag(humidity) AS a, name FROM demo GROUP BY name, TUMBLINGWINDOW(ss, 10)");
    assert_eq!(one.aggregates[0].function, "first");
    let all = plan("SELECT sum(lag(humidity)) AS a FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)");
    assert_eq!(all.aggregates[0].function, "sum");
}

#[test]
fn conditions_begin_and_reset_an_aggregate() {
    let plan = plan("SELECT acc_sum(humidity, active, humidity > 5) OVER (WHEN active) AS a FROM demo");
    let [step] = remembers(&plan)[..] else {
        panic!("{plan:?}")
    };
    let Recall::Accumulate {
        function: Accumulation::Sum,
        begin: Some(begin),
        reset: Some(_),
    } = step.recall
    else {
        panic!("{step:?}")
    };
    assert_eq!(step.when, Some(begin));
}

#[test]
fn each_value_of_had_changed_has_a_memory() {
    assert_eq!(
        remembers(&plan("SELECT had_changed(true, humidity, name) AS a FROM demo")).len(),
        2
    );
    assert_eq!(
        remembers(&plan(
            "SELECT had_changed(true, * EXCEPT(at, tags, place)) AS a FROM demo"
        ))
        .len(),
        4
    );
    assert_eq!(remembers(&plan("SELECT had_changed(false, *) AS a FROM free")).len(), 1);
}

#[test]
fn a_value_of_any_type_is_remembered_as_one() {
    let plan = plan("SELECT lag(a, 1, 0) AS b FROM free WHERE lag(a) OVER (PARTITION BY d) > 3");
    let [first, second] = remembers(&plan)[..] else {
        panic!("{plan:?}")
    };
    assert_eq!((first.columns.len(), second.columns.len()), (5, 5));
    assert_eq!((first.partition.len(), second.partition.len()), (0, 1));
}

#[test]
fn changed_columns_have_a_prefix_and_messages_without_change_do_not_come_out() {
    let only = plan("SELECT changed_cols(\"c_\", true, humidity, name) FROM demo");
    let names: Vec<&str> = only.emits.iter().map(|emit| emit.name.as_str()).collect();
    assert_eq!(names, ["c_humidity", "c_name"]);
    assert!(only.having.is_some());
    assert_eq!(
        plan("SELECT changed_cols(\"c_\", true, humidity), name FROM demo").having,
        None
    );
}

#[test]
fn what_cannot_be_looked_back_to_is_refused_with_what_would_be_right() {
    for (query, words) in [
        ("SELECT lag(humidity, name) FROM demo", "this must be a number"),
        ("SELECT lag(humidity, 0) FROM demo", "1 to 1024 messages, and not 0"),
        (
            "SELECT lag(humidity, 1, name) FROM demo",
            "the default must be of the type of `humidity`",
        ),
        ("SELECT lag() FROM demo", "lag(value[, rows[, default[, ignore_null]]])"),
        ("SELECT lag(*) FROM demo", "and not `*`"),
        (
            "SELECT had_changed(humidity, name) FROM demo",
            "needs true or false here",
        ),
        ("SELECT acc_sum(name) FROM demo", "acc_sum needs"),
        ("SELECT acc_smu(humidity) FROM demo", "did you mean \"acc_sum\"?"),
        (
            "SELECT avg(humidity) OVER (WHEN active) FROM demo",
            "avg is no analytic function",
        ),
        (
            "SELECT name FROM demo WHERE changed_cols(\"\", true, name) > 3",
            "only stand in SELECT",
        ),
        (
            "SELECT changed_cols(\"\", true, *) FROM free",
            "name those that are meant",
        ),
        (
            "SELECT lag(avg(humidity)) FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)",
            "in an analytic function",
        ),
    ] {
        let messages = refused(query);
        assert!(
            messages.iter().any(|message| message.contains(words)),
            "{query}: {messages:?}"
        );
    }
}
