//! Work that is done once: calls shared by rules, and immutable calls remembered for each topic.

use super::driver::{
    Driver, Message, Value, aggregate, call, column, emits, empty_plan, field, literal, message, reading, topic,
    tumbling, tutorial_plan, version,
};
use crate::topics::TOPICS_MAX;
use crate::{Bounds, Removal, Swap};
use proptest::prelude::*;
use rulemill_plan::{ColumnIndex, Need, Plan, Type};

const ONE: &str = "[0, 10000) device_id=1 t_av=1 t_count=1 t_max=1 t_min=1";

#[test]
fn an_immutable_call_of_the_topic_is_made_once_a_topic() {
    let mut driver = Driver::with(tutorial_plan());
    driver.put("second", tutorial_plan());
    for batch in 0..20 {
        let messages: Vec<Message> = (0..100)
            .map(|n| reading(batch * 3000, &format!("{}", n % 7), 1.0))
            .collect();
        driver.send(&messages);
    }
    assert_eq!(driver.library.rows_of("split_value"), 7);
    assert_eq!(driver.library.calls_of("split_value").count(), 1);
    // A rule that comes later uses what is known.
    driver.put("third", tutorial_plan());
    driver.send(&[reading(60_000, "3", 1.0), reading(60_000, "new", 1.0)]);
    assert_eq!(driver.library.rows_of("split_value"), 8);
}

#[test]
fn other_calls_are_made_once_a_batch_for_all_rules() {
    let plan = Plan {
        needs: vec![topic(), field("n", Type::Int)],
        before: vec![
            call("shout", vec![column(0)]),
            call("plus", vec![column(1), literal(1)]),
        ],
        emits: emits(&[("loud", 2), ("n", 3)]),
        ..empty_plan()
    };
    let mut driver = Driver::new();
    for id in ["a", "b", "c"] {
        driver.put(id, plan.clone());
    }
    for _ in 0..2 {
        driver.send(&[
            message(0, "x", &[("n", Value::Int(1))]),
            message(0, "y", &[("n", Value::Int(2))]),
        ]);
    }
    assert_eq!(driver.taken("b"), vec!["loud=X n=2; loud=Y n=3"; 2]);
    assert_eq!(driver.library.calls_of("shout").collect::<Vec<_>>(), [2, 2]);
    assert_eq!(driver.library.calls_of("plus").collect::<Vec<_>>(), [2, 2]);
}

/// Each of `depth` calls takes the one before it twice.
pub(super) fn doubling(depth: u32, function: &str, input: Vec<Need>) -> Plan {
    let first = u32::try_from(input.len()).unwrap() - 1;
    Plan {
        needs: input,
        before: (first..first + depth)
            .map(|input| call(function, vec![column(input), column(input)]))
            .collect(),
        emits: emits(&[("last", first + depth)]),
        ..empty_plan()
    }
}

#[test]
fn calls_that_nest_and_fan_out_are_compared_in_little_time() {
    // Written out as a tree that is 2^1000 calls. The second rule and the second version are made of calls of their own
    // that are equal to those of the first.
    for plan in [
        doubling(1000, "shout", vec![field("text", Type::Text)]),
        doubling(1000, "trap_topic", vec![topic()]),
    ] {
        let mut driver = Driver::with(plan.clone());
        driver.put("other", plan.clone());
        assert_eq!(driver.put("rule", plan.clone()), Swap::StateKept);
        assert_eq!(driver.stream.sites().count(), 2 * 1000);
        driver.send(&[message(0, "a", &[("text", Value::Text("A".to_owned()))])]);
        assert_eq!(
            driver.library.calls.len(),
            1000,
            "each call is made once for both rules"
        );
        assert_eq!(driver.taken("rule").len(), 1);
        driver.remove("rule", Removal::Discard);
        driver.remove("other", Removal::Discard);
        assert!(driver.stream.fields().is_empty());
    }
}

#[test]
fn one_input_of_a_call_makes_the_difference() {
    let plan = |second: u32| Plan {
        needs: vec![field("one", Type::Text), field("two", Type::Text)],
        before: vec![
            call("shout", vec![column(0), column(1)]),
            call("shout", vec![column(0), column(second)]),
        ],
        emits: emits(&[("last", 3)]),
        ..empty_plan()
    };
    for (second, calls) in [(1, 1), (0, 2)] {
        let mut driver = Driver::with(plan(second));
        let fields = [
            ("one", Value::Text("a".to_owned())),
            ("two", Value::Text("b".to_owned())),
        ];
        driver.send(&[message(0, "t", &fields)]);
        assert_eq!(driver.library.calls.len(), calls);
    }
}

#[test]
fn calls_after_a_filter_see_kept_rows_only_unless_the_topic_alone_decides() {
    let plan = Plan {
        needs: vec![field("temperature", Type::Float), topic(), field("n", Type::Int)],
        before: vec![
            call("above", vec![column(0), literal(0.0)]),
            call("plus", vec![column(2), literal(1)]),
            call("split_value", vec![column(1), literal("/"), literal(1)]),
        ],
        keep: Some(ColumnIndex(3)),
        emits: emits(&[("device", 5)]),
        ..empty_plan()
    };
    let mut driver = Driver::with(plan);
    driver.send(&[reading(0, "1", 1.0), reading(0, "2", -1.0), reading(0, "1", 3.0)]);
    assert_eq!(driver.taken("rule"), ["device=1; device=1"]);
    assert_eq!(driver.library.calls_of("plus").collect::<Vec<_>>(), [2]);
    assert_eq!(driver.library.calls_of("split_value").collect::<Vec<_>>(), [2]);
}

#[test]
fn calls_of_calls_of_the_topic_are_remembered_too() {
    let mut plan = tutorial_plan();
    plan.before
        .push(call("split_value", vec![column(2), literal("-"), literal(1)]));
    plan.keys = vec![ColumnIndex(3)];
    let mut driver = Driver::with(plan);
    for _ in 0..3 {
        driver.send(&[
            reading(0, "floor-1", 1.0),
            reading(0, "hall-1", 3.0),
            reading(0, "hall", 3.0),
        ]);
    }
    driver.close_all();
    assert_eq!(
        driver.taken("rule"),
        ["[0, 10000) device_id=1 t_av=2 t_count=6 t_max=3 t_min=1"]
    );
    assert_eq!(driver.library.rows_of("split_value"), 6);
    assert_eq!(driver.reasons(), vec!["2: split_value: there is no such part"; 3]);
}

#[test]
fn results_are_forgotten_when_the_library_is_replaced() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(0, "1", 1.0)]);
    driver.library.prefix = "v2-";
    driver.send(&[reading(0, "1", 1.0)]);
    let sites = driver.library.sites_of("split_value");
    driver.stream.forget(&sites);
    driver.send(&[reading(0, "1", 5.0)]);
    driver.close_all();
    let expected = "[0, 10000) device_id=1 t_av=1 t_count=2 t_max=1 t_min=1; \
                    device_id=v2-1 t_av=5 t_count=1 t_max=5 t_min=5";
    assert_eq!(driver.taken("rule"), [expected]);
}

#[test]
fn a_new_generation_of_topics_changes_no_result() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(0, "other", 9.0), reading(0, "1", 1.0)]);
    for n in 0..TOPICS_MAX {
        driver.topics.intern(&format!("filler/{n}"));
    }
    // The numbers of the topics change places.
    driver.send(&[reading(0, "1", 3.0), reading(0, "other", 9.0)]);
    assert_eq!(driver.topics.generation(), 1);
    driver.close_all();
    let expected = "[0, 10000) device_id=other t_av=9 t_count=2 t_max=9 t_min=9; \
                    device_id=1 t_av=2 t_count=2 t_max=3 t_min=1";
    assert_eq!(driver.taken("rule"), [expected]);
    assert_eq!(driver.library.rows_of("split_value"), 4);
}

#[test]
fn another_key_function_counts_into_windows_of_its_own() {
    let mut driver = Driver::with(tutorial_plan());
    driver.send(&[reading(0, "1", 1.0)]);
    let mut plan = tutorial_plan();
    plan.before = vec![call("split_value", vec![column(0), literal("/"), literal(0)])];
    driver.put("rule", plan);
    driver.send(&[reading(10_000, "1", 1.0)]);
    driver.close_all();
    let expected = [
        ONE.to_owned(),
        "[10000, 20000) device_id=devices t_av=1 t_count=1 t_max=1 t_min=1".to_owned(),
    ];
    assert_eq!(driver.taken("rule"), expected);
}

#[test]
fn topics_can_be_keys_themselves_next_to_fields() {
    let plan = Plan {
        needs: vec![topic(), field("f", Type::Float)],
        keys: vec![ColumnIndex(0), ColumnIndex(1)],
        window: tumbling(1000),
        aggregates: vec![aggregate("n", "count", vec![])],
        emits: emits(&[("t", 0), ("f", 1), ("n", 4)]),
        ..empty_plan()
    };
    let mut driver = Driver::with(plan);
    let row = |topic: &str, f: f64| message(0, topic, &[("f", Value::Float(f))]);
    driver.send(&[
        row("a", 0.0),
        row("b", 0.0),
        row("a", -0.0),
        row("a", f64::NAN),
        row("a", -f64::NAN),
    ]);
    driver.send(&[message(0, "a", &[]), message(0, "a", &[])]);
    driver.close_all();
    assert_eq!(
        driver.taken("rule"),
        ["[0, 1000) f=0 n=2 t=a; f=0 n=1 t=b; f=NaN n=2 t=a; n=2 t=a"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_seed_of_the_hashes_shows_in_no_result(
        seed in any::<u64>(),
        rows in proptest::collection::vec((0..9_i64, 0..6_u8, 0..5_i64, "[ab]{0,3}"), 1..120),
        cut in 0..120_usize,
    ) {
        let plan = Plan {
            needs: vec![topic(), field("n", Type::Int), field("text", Type::Text)],
            keys: vec![ColumnIndex(0), ColumnIndex(2)],
            window: tumbling(3),
            aggregates: vec![
                aggregate("numbers", "count_distinct", vec![column(1)]),
                aggregate("topics", "count_distinct", vec![column(0)]),
                aggregate("last", "last", vec![column(1)]),
            ],
            emits: emits(&[("t", 0), ("text", 1), ("numbers", 4), ("topics", 5), ("last", 6)]),
            ..empty_plan()
        };
        let mut messages: Vec<Message> = rows
            .iter()
            .map(|(at, topic, n, text)| {
                let fields = [("n", Value::Int(*n)), ("text", Value::Text(text.clone()))];
                message(*at, &format!("t/{topic}"), &fields)
            })
            .collect();
        messages.sort_by_key(|message| message.at);
        let run = |seed| {
            let mut driver = Driver::bounded(Bounds::default(), seed);
            let mut version = version("rule", plan.clone());
            // Low enough that it matters which groups and values come first.
            version.bounds = Bounds { groups_max: 12, distinct_max: 8, ..Bounds::default() };
            driver.try_put(&version).unwrap();
            let (head, tail) = messages.split_at(cut.min(messages.len()));
            driver.send(head);
            driver.send(tail);
            driver.close_all();
            (driver.emissions, driver.dead, driver.counts)
        };
        prop_assert_eq!(run(seed), run(1));
    }
}
