//! What the self-test finds when a guest is loaded, and what it lets pass.

use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, KernelOutcome, LoadError, Loaded, SelfTestError, load, load_with};
use rulemill_plan::Literal;
use rulemill_test_guests::{LibraryGuest, RuleGuest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn limits() -> LimitsConfig {
    LimitsConfig {
        call_timeout: Duration::from_millis(20),
        ..LimitsConfig::default()
    }
}

fn loaded(bytes: &[u8]) -> Result<Loaded, LoadError> {
    load(&GuestEngine::new().unwrap(), bytes, &limits())
}

fn passed(bytes: &[u8]) -> Loaded {
    loaded(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(bytes: &[u8]) -> LoadError {
    match loaded(bytes) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    }
}

fn not_pure(bytes: &[u8]) -> String {
    let error = refused(bytes);
    assert!(
        matches!(error, LoadError::SelfTest(SelfTestError::NotPure { .. })),
        "{error}"
    );
    error.to_string()
}

/// A library with the function `answer()`, whose example says 42, and the aggregate `total(int)`.
fn library() -> Value {
    json!({
        "name": "calc",
        "scalars": [{"name": "answer", "returns": "int", "volatility": "volatile",
                     "examples": [{"rows": [[]], "expected": {"value": 42}}]}],
        "aggregates": [{"name": "total", "parameters": [{"name": "value", "type": "int"}], "returns": "int",
                        "state_words": 1, "fingerprint": "0000000000000001",
                        "examples": [{"rows": [[1], [2], [4]], "expected": {"value": 7}},
                                     {"rows": [], "expected": {"value": 0}}]}],
    })
}

/// Gives one int: what `expression` leaves.
fn giving(expression: &str) -> String {
    format!(
        "(i64.store (i32.const 256) {expression})
         (i32.store (i32.const 32) (i32.const 0))
         (i32.store (i32.const 36) (i32.const 0))
         (i32.store (i32.const 40) (i32.const 0))
         (i32.store (i32.const 44) (i32.const 1))
         (i32.store (i32.const 48) (i32.const 256))
         (i32.store (i32.const 52) (i32.const 1))
         (i32.store (i32.const 64) (i32.const 0))
         (i32.store (i32.const 68) (i32.const 0))
         (i32.const 32)"
    )
}

/// A number that is one more with each use.
const COUNTER: &str = "
    (global $calls (mut i64) (i64.const 0))
    (func $count (result i64)
      (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
      (global.get $calls))";

fn calc() -> LibraryGuest {
    LibraryGuest::new(&library()).evaluate(&giving("(i64.const 42)"))
}

#[test]
fn examples_that_hold_are_counted() {
    let loaded = passed(&calc().build());
    assert_eq!(loaded.tested.examples, 3);
    assert!(loaded.tested.memory_bytes_peak >= 16 * 65536);
}

#[test]
fn an_example_that_does_not_hold_refuses_the_library_with_what_it_gives() {
    let error = refused(&calc().evaluate(&giving("(i64.const 43)")).build()).to_string();
    assert_eq!(
        error,
        "an example of it does not hold: answer() must give 42, and gives 43"
    );
}

#[test]
fn an_example_of_an_aggregate_that_does_not_hold_refuses_the_library() {
    let mut description = library();
    description["aggregates"][0]["examples"][0]["expected"] = json!("error");
    let guest = LibraryGuest::new(&description).evaluate(&giving("(i64.const 42)"));
    let error = refused(&guest.build()).to_string();
    assert!(
        error.contains("total(1), (2), (4) must give an error, and gives 7"),
        "{error}"
    );
}

#[test]
fn a_function_that_traps_on_its_example_refuses_the_library() {
    let error = refused(&calc().evaluate("(unreachable)").build()).to_string();
    assert!(
        error.contains("answer() must give 42, and gives no result (trapped: "),
        "{error}"
    );
}

#[test]
fn a_function_that_is_bound_to_another_type_than_described_refuses_the_library() {
    let mut description = library();
    description["scalars"][0]["returns"] = json!("text");
    description["scalars"][0]["examples"] = json!([{"rows": [[]], "expected": {"value": "42"}}]);
    let error = refused(&LibraryGuest::new(&description).build()).to_string();
    assert!(
        error.contains("bind says that it returns int, the description says text"),
        "{error}"
    );
}

#[test]
fn a_function_that_counts_its_calls_is_not_pure() {
    let offset = giving("(i64.add (i64.const 41) (call $count))");
    let error = not_pure(&calc().items(COUNTER).evaluate(&offset).build());
    assert!(error.contains("it is not pure: answer()"), "{error}");
    assert!(
        error.contains("gives 42 in a fresh instance and 43 in a used one"),
        "{error}"
    );
}

#[test]
fn a_function_that_another_one_disturbs_is_not_pure() {
    // The aggregate leaves something behind, and the function finds it.
    let guest = calc()
        .items("(global $left (mut i64) (i64.const 42))")
        .accumulate("(global.set $left (i64.const 5)) (unreachable)")
        .evaluate(&giving("(global.get $left)"));
    let mut description = library();
    description["aggregates"][0]["examples"] = json!([]);
    passed(
        &LibraryGuest::new(&description)
            .evaluate(&giving("(i64.const 42)"))
            .build(),
    );
    // A trap drops the instance, so it must leave without one.
    let guest = guest.accumulate(
        "(global.set $left (i64.const 5))
         (i32.store (i32.const 192) (i32.const 0))
         (i32.store (i32.const 196) (local.get $states))
         (i32.store (i32.const 200) (local.get $states_count))
         (i32.store (i32.const 204) (i32.const 0))
         (i32.store (i32.const 208) (i32.const 0))
         (i32.const 192)",
    );
    let mut description = library();
    description["aggregates"][0]["examples"] = json!([{"rows": [[1]], "expected": {"value": 0}}]);
    let error = not_pure(&guest.describing_as(&description).build());
    assert!(
        error.contains("answer()") && error.contains("and 5 in a used one"),
        "{error}"
    );
}

#[test]
fn a_description_that_changes_is_not_pure() {
    let guest = LibraryGuest::new(&json!({"name": "calc", "version": "0"})).items(
        "(start $begin)
         (func $begin)",
    );
    passed(&guest.build());
    // The last digit of the version grows.
    let text = "{\"version\":\"0\",\"name\":\"calc\"}";
    let guest = RuleGuest::describing(text).describe(
        "(i32.store8 (i32.const 1036) (i32.add (i32.load8_u (i32.const 1036)) (i32.const 1)))
         (i32.store (i32.const 0) (i32.const 1024))
         (i32.store (i32.const 4) (i32.const $LENGTH))
         (i32.const 0)",
    );
    let error = not_pure(&guest.build());
    assert!(error.contains("describe gives"), "{error}");
    assert!(
        error.contains("version\\\":\\\"1") && error.contains("version\\\":\\\"2"),
        "{error}"
    );
}

/// A rule whose kernel 0 takes an int and a text, and gives the same.
fn plan() -> Value {
    json!({
        "name": "kernels",
        "topics": ["a"],
        "needs": [{"name": "value", "type": "int", "origin": {"field": ["value"]}},
                  {"name": "topic", "type": "text", "origin": "topic"}],
        "before": [{"kernel": {"kernel": 0, "inputs": [0, 1],
                    "outputs": [{"name": "a", "type": "int"}, {"name": "b", "type": "text"}]}}],
        "emits": [{"name": "a", "column": 2}],
    })
}

/// Does `attack` when there are rows, and gives back its inputs.
fn kernel(attack: &str) -> RuleGuest {
    RuleGuest::new(&plan()).run(&format!(
        "(if (i32.gt_u (local.get $rows) (i32.const 0)) (then {attack}))
         (i32.store (i32.const 32) (i32.const 0))
         (i32.store (i32.const 36) (local.get $rows))
         (i32.store (i32.const 40) (local.get $columns))
         (i32.store (i32.const 44) (local.get $count))
         (i32.store (i32.const 48) (i32.const 0))
         (i32.store (i32.const 52) (i32.const 0))
         (i32.const 32)"
    ))
}

fn outcome(loaded: &Loaded) -> &KernelOutcome {
    assert_eq!(loaded.tested.kernels.len(), 1);
    assert_eq!(loaded.tested.kernels[0].at, "before[0]");
    &loaded.tested.kernels[0].outcome
}

#[test]
fn a_kernel_that_depends_on_its_inputs_alone_is_pure() {
    let loaded = passed(&kernel("").build());
    let pure = KernelOutcome::Pure {
        rows: 130,
        row_errors: 0,
    };
    assert_eq!(*outcome(&loaded), pure);
}

#[test]
fn a_kernel_that_counts_its_calls_is_not_pure() {
    let attack = "(i64.store (i32.load offset=12 (local.get $columns)) (call $count))";
    let error = not_pure(&kernel(attack).items(COUNTER).build());
    assert!(error.contains("kernel 0 (before[0]) of (0, \"/\")"), "{error}");
    assert!(
        error.contains("gives 1, \"/\" in a fresh instance and 4, \"/\" in a used one"),
        "{error}"
    );
}

#[test]
fn a_kernel_that_traps_at_its_second_call_is_not_pure() {
    let attack = "(if (i64.gt_s (call $count) (i64.const 1)) (then (unreachable)))";
    let error = not_pure(&kernel(attack).items(COUNTER).build());
    assert!(
        error.contains("gives a result in a fresh instance and no result (trapped"),
        "{error}"
    );
}

#[test]
fn a_kernel_that_traps_on_invented_rows_is_no_reason_to_refuse_it() {
    let loaded = passed(&kernel("(unreachable)").build());
    assert!(matches!(outcome(&loaded), KernelOutcome::Failed(reason) if reason.contains("gave up")));
}

#[test]
fn a_kernel_that_overruns_on_invented_rows_is_no_reason_to_refuse_it() {
    let loaded = passed(&kernel("(loop $for_ever (br $for_ever))").build());
    assert!(matches!(outcome(&loaded), KernelOutcome::Failed(reason) if reason.contains("limits.call_timeout")));
}

#[test]
fn a_kernel_whose_input_only_a_library_knows_is_not_tried() {
    let mut plan = plan();
    plan["before"] = json!([
        {"call": {"name": "x", "function": "f", "arguments": [{"column": 0}]}},
        {"kernel": {"kernel": 0, "inputs": [2], "outputs": [{"name": "a", "type": "int"}]}},
    ]);
    let loaded = passed(&RuleGuest::new(&plan).build());
    let [test] = &loaded.tested.kernels[..] else {
        panic!("{:?}", loaded.tested)
    };
    assert_eq!(test.at, "before[1]");
    assert!(matches!(&test.outcome, KernelOutcome::Untested(reason) if reason.contains("column 2")));
}

#[test]
fn a_rule_is_tested_with_the_settings_of_its_deployment() {
    let mut plan = plan();
    plan["settings"] = json!([{"name": "bound", "type": "float"}]);
    // Prepares only with `{"bound":7.0}`.
    let wanted = "{\"bound\":7.0}";
    let guest = RuleGuest::new(&plan).prepare(&format!(
        "(if (i32.or (i32.ne (local.get $length) (i32.const {}))
                     (i32.ne (i32.load8_u offset=9 (local.get $settings)) (i32.const 55)))
           (then (unreachable)))
         (i32.store (i32.const 16) (i32.const 0))
         (i32.store (i32.const 20) (call $new (i32.const 0)))
         (i32.const 16)",
        wanted.len()
    ));
    let loaded = passed(&guest.build());
    assert!(
        matches!(outcome(&loaded), KernelOutcome::Untested(reason) if reason.contains("its setting bound (float)"))
    );

    let engine = GuestEngine::new().unwrap();
    let with = |value| {
        let settings = BTreeMap::from([("bound".to_owned(), Literal::Int(value))]);
        load_with(&engine, &guest.build(), &limits(), &settings)
    };
    let loaded = with(7).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(outcome(&loaded), KernelOutcome::Pure { .. }));
    let error = with(8).map(drop).unwrap_err();
    assert!(
        matches!(error, LoadError::SelfTest(SelfTestError::Prepare(_))),
        "{error}"
    );
}

#[test]
fn a_description_that_does_not_hold_together_is_refused_with_its_problems() {
    let mut description = library();
    description["name"] = json!("No Name");
    let error = refused(&LibraryGuest::new(&description).build());
    assert!(matches!(error, LoadError::Description(_)));
    assert!(error.to_string().contains("lower-case letters"), "{error}");

    let mut plan = plan();
    plan["emits"] = json!([]);
    let error = refused(&RuleGuest::new(&plan).build());
    assert!(matches!(error, LoadError::Description(_)), "{error}");
}

#[test]
fn a_flood_of_problems_is_told_in_part() {
    let functions: Vec<Value> = (0..2000).map(|_| json!({"name": "f", "returns": "int"})).collect();
    let description = json!({"name": "many", "scalars": functions});
    let error = refused(&LibraryGuest::new(&description).build()).to_string();
    assert!(error.contains("a library may have 1024 functions, got 2000"), "{error}");
    assert!(error.contains("more problems") && error.len() < 2000, "{error}");
}
