//! Guests that are not loaded: each is refused with a reason, and nothing else notices.

use super::{Company, PLAN, plan};
use rulemill_tests::guests::{
    ENDLESS_LOOP, LibraryGuest, MEMORY_BOMB, RuleGuest, describe_repeating, plan_guest, text,
};
use serde_json::{Value, json};

/// One attack: its name, the file, and words of the reason.
type Attack = (&'static str, Vec<u8>, &'static str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_guests() {
    let rule = plan_guest(&plan(PLAN));
    let broken_type = text("(module (@custom \"component-type:junk\" \"junk\"))");
    check(vec![
        (
            "garbage_bytes",
            b"\xff\xfe garbage \x00\x01".repeat(1000),
            "not a WebAssembly file",
        ),
        ("an_empty_file", Vec::new(), "not a WebAssembly file"),
        ("half_a_file", rule[..rule.len() / 2].to_vec(), ""),
        ("zeros_after_the_start", [&rule[..8], &[0; 4096]].concat(), ""),
        ("broken_type_information", broken_type, ""),
        (
            "packages_in_a_circle",
            include_bytes!("../../../fuzz/seeds/loader/packages_in_a_circle").to_vec(),
            "packages that depend on each other",
        ),
        ("nothing_exported", text("(component)"), "it exports: nothing"),
        ("ten_thousand_functions", ten_thousand_functions(), ""),
        ("many_instances", many_instances(), ""),
        (
            "another_contract",
            RuleGuest::new(&plan(PLAN)).contract("9.0.0").build(),
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_imports() {
    let import = |module: &str, name: &str| {
        RuleGuest::new(&plan(PLAN))
            .imports(&format!("(import \"{module}\" \"{name}\" (func $forbidden))"))
            .build()
    };
    check(vec![
        (
            "wasi_preview_1",
            import("wasi_snapshot_preview1", "fd_write"),
            "wasi_snapshot_preview1",
        ),
        ("the_environment", import("env", "abort"), "env"),
        (
            "wasi",
            text("(component (import \"wasi:cli/environment@0.2.0\" (instance)))"),
            "wasi:cli/environment@0.2.0",
        ),
        ("a_function", text("(component (import \"run\" (func)))"), "run"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_do_not_start() {
    let started = |body: &str| {
        RuleGuest::new(&plan(PLAN))
            .items(&format!("(func $begin {body}) (start $begin)"))
            .build()
    };
    let prepared = |body: &str| RuleGuest::new(&plan(PLAN)).prepare(body).build();
    check(vec![
        (
            "a_start_function_that_loops",
            started(ENDLESS_LOOP),
            "(limits.call_timeout)",
        ),
        ("a_trap_on_load", started("(unreachable)"), "unreachable"),
        (
            "a_memory_bomb_on_load",
            started(MEMORY_BOMB),
            "(limits.memory_bytes_max)",
        ),
        (
            "four_gigabytes_of_memory",
            RuleGuest::new(&plan(PLAN)).items("(memory $more 65536)").build(),
            "",
        ),
        (
            "ten_memories",
            RuleGuest::new(&plan(PLAN)).items(&"(memory 0)".repeat(10)).build(),
            "",
        ),
        (
            "a_huge_table",
            RuleGuest::new(&plan(PLAN)).items("(table 100000000 funcref)").build(),
            "",
        ),
        (
            "an_endless_preparation",
            prepared(ENDLESS_LOOP_AND_RETURN),
            "(limits.call_timeout)",
        ),
        ("a_trap_on_preparation", prepared("(unreachable)"), "unreachable"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_describe_themselves_badly() {
    let described = |body: &str| RuleGuest::new(&plan(PLAN)).describe(body).build();
    let says = |length: u32| {
        described(&format!(
            "(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const {length})) (i32.const 0)"
        ))
    };
    check(vec![
        ("a_trap_on_describe", described("(unreachable)"), "unreachable"),
        (
            "an_endless_description",
            described(ENDLESS_LOOP_AND_RETURN),
            "(limits.call_timeout)",
        ),
        (
            "a_memory_bomb_on_describe",
            described(&format!("{MEMORY_BOMB} (i32.const 0)")),
            "(limits.memory_bytes_max)",
        ),
        ("a_description_beyond_memory", says(u32::MAX), ""),
        ("an_empty_description", says(0), ""),
        (
            "a_description_that_is_no_text",
            RuleGuest::describing(b"\xff\xfe".to_vec()).build(),
            "",
        ),
        (
            "a_description_that_is_no_json",
            RuleGuest::describing("SELECT 1").build(),
            "",
        ),
        ("nulls", RuleGuest::describing("null").build(), ""),
        ("another_description_each_time", another_description_each_time(), ""),
        (
            "sixty_megabytes_of_json",
            repeated("{\"name\": \"", "many words ", 5_000_000, "\"}"),
            "",
        ),
        ("deeply_nested_json", repeated("{\"name\": ", "[", 1_000_000, ""), ""),
        ("a_million_steps", repeated(STEPS.0, STEPS.1, 1_000_000, STEPS.2), ""),
        (
            "a_million_topics",
            repeated("{\"name\": \"a\", \"topics\": [\"a\"", ",\"a\"", 1_000_000, "]}"),
            "",
        ),
        ("a_kernel_of_a_huge_number", plan_guest(&huge_kernel()), ""),
        (
            "a_name_with_control_characters",
            plan_guest(&json!({"name": "a\u{1b}[2J\nb", "topics": ["a"]})),
            "",
        ),
        (
            "ten_thousand_described_functions",
            LibraryGuest::new(&described_functions()).build(),
            "",
        ),
    ])
    .await;
}

/// All are refused, with these words in the reason; the shipped rule is not disturbed while that happens.
async fn check(attacks: Vec<Attack>) {
    let mut company = Company::start("call_timeout = \"20ms\"").await;
    company.send(1).await;
    for (name, wasm, _) in &attacks {
        company.join(name, wasm);
    }
    company.send(3).await;
    let mut wrong = Vec::new();
    for (name, _, words) in &attacks {
        let status = company
            .wait_until(name, "to be looked at", |found| found["status"].is_string())
            .await;
        let reason = status["refused"]["reason"].as_str().unwrap_or_default();
        if status["status"] != "stopped" || reason.is_empty() || !reason.contains(words) || reason.len() > 5000 {
            wrong.push(format!("{name}: {}: {reason:?} has not {words:?}", status["status"]));
        }
    }
    company.send(1).await;
    company.leave().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ENDLESS_LOOP_AND_RETURN: &str = "(loop $for_ever (br $for_ever)) (i32.const 0)";

/// A plan with any number of steps.
const STEPS: (&str, &str, &str) = (
    "{\"name\": \"hostile\", \"topics\": [\"a\"], \"before\": [",
    "{\"kernel\":{\"kernel\":0}},",
    "{\"kernel\":{\"kernel\":0}}]}",
);

/// A rule that says `start`, then `piece` so many times, then `end`.
fn repeated(start: &str, piece: &str, times: usize, end: &str) -> Vec<u8> {
    RuleGuest::describing([start, piece, end].concat())
        .describe(&describe_repeating(start.len(), piece.len(), times, end.len()))
        .build()
}

fn another_description_each_time() -> Vec<u8> {
    // A digit of the name counts the calls.
    let plan = json!({"name": "a0", "topics": ["a"]}).to_string();
    let digit = 1024 + plan.find("a0").expect("the name is there") + 1;
    RuleGuest::describing(plan.clone())
        .describe(&format!(
            "(i32.store8 (i32.const {digit}) (i32.add (i32.load8_u (i32.const {digit})) (i32.const 1)))
             (i32.store (i32.const 0) (i32.const 1024))
             (i32.store (i32.const 4) (i32.const {}))
             (i32.const 0)",
            plan.len()
        ))
        .build()
}

fn ten_thousand_functions() -> Vec<u8> {
    let functions = 0..10_000;
    let core: String = functions.clone().map(|n| format!("(func (export \"f{n}\"))")).collect();
    let lifted: String = functions
        .map(|n| format!("(func (export \"f{n}\") (canon lift (core func $i \"f{n}\")))"))
        .collect();
    text(&format!(
        "(component (core module $m {core}) (core instance $i (instantiate $m)) {lifted})"
    ))
}

fn many_instances() -> Vec<u8> {
    let instances = "(core instance (instantiate $m))".repeat(5000);
    text(&format!("(component (core module $m (memory 1)) {instances})"))
}

fn huge_kernel() -> Value {
    let mut plan = plan(PLAN);
    plan["before"][0]["kernel"]["inputs"] = json!([u32::MAX]);
    plan
}

fn described_functions() -> Value {
    let functions = (0..10_000).map(|n| json!({"name": format!("f{n}"), "parameters": [], "returns": "int"}));
    json!({"name": "many", "scalars": functions.collect::<Vec<Value>>()})
}
