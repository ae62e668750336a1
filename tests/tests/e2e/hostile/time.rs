//! Guests that never end.

use super::company::POISON;
use super::{Company, PLAN, calling, plan, reasons};
use rulemill_tests::guests::{ENDLESS_LOOP, LibraryGuest, RuleGuest, on_int, on_rows, plan_guest};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop() {
    let guest = RuleGuest::new(&plan(PLAN)).attack(&on_rows(ENDLESS_LOOP));
    let mut company = with_little_time(&guest.build()).await;
    company.send(3).await;
    company.wait_for_limit("hostile", "call_timeout").await;
    let aftermath = company.leave().await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    assert_eq!((count, aftermath.counted), (90, 0));
    assert!(
        reasons.iter().all(|reason| reason.contains("(limits.call_timeout)")),
        "{reasons:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_on_the_nth_row() {
    // Much time, as the machine may be busy: what is asserted is that each of these rows is found alone.
    let mut company = Company::start("call_timeout = \"1s\"").await;
    let guest = RuleGuest::new(&plan(PLAN)).attack(&on_int(POISON, ENDLESS_LOOP));
    company.join("hostile", &guest.build());
    company.wait_for("hostile", "running").await;
    company.send(1).await;
    let aftermath = company.leave().await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    assert_eq!((count, aftermath.counted), (3, 27), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_in_a_function() {
    let library = library().attack(&on_rows(ENDLESS_LOOP)).build();
    let aftermath = with_library(&library, &calling("same", "sum")).await;
    assert_eq!((reasons(&aftermath, "hostile").0, aftermath.counted), (60, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_in_an_aggregate() {
    let library = library().accumulate(&format!("{ENDLESS_LOOP} (i32.const 0)")).build();
    let aftermath = with_library(&library, &calling("same", "total")).await;
    assert_eq!((reasons(&aftermath, "hostile").0, aftermath.counted), (60, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_at_the_end_of_a_window() {
    let library = library().finish(&format!("{ENDLESS_LOOP} (i32.const 0)")).build();
    let aftermath = with_library(&library, &calling("same", "total")).await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    // A group of each window.
    assert!(count >= 1 && aftermath.counted == 0, "{count}: {reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_while_the_host_hands_over() {
    // What is small, as the settings are, gets its place.
    let realloc = format!(
        "(if (i32.gt_u (local.get $size) (i32.const 4)) (then {ENDLESS_LOOP}))
         (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
         (global.set $top (i32.add (local.get $at) (local.get $size)))
         (local.get $at)"
    );
    let guest = RuleGuest::new(&plan(PLAN)).realloc(&realloc);
    let mut company = with_little_time(&guest.build()).await;
    company.send(2).await;
    company.wait_for_limit("hostile", "call_timeout").await;
    company.leave().await;
}

/// A library `calc` whose function gives back an int and whose aggregate adds ints.
fn library() -> LibraryGuest {
    let value = json!([{"name": "value", "type": "int"}]);
    LibraryGuest::new(&json!({
        "name": "calc",
        "scalars": [{"name": "same", "parameters": value, "returns": "int", "volatility": "volatile"}],
        "aggregates": [{"name": "total", "parameters": value, "returns": "int", "state_words": 1,
                        "fingerprint": "0000000000000001"}],
    }))
}

async fn with_little_time(wasm: &[u8]) -> Company {
    let company = Company::start("").await;
    company.join("hostile", wasm);
    company.wait_for("hostile", "running").await;
    company
}

/// What comes of a rule that calls a hostile library.
async fn with_library(library: &[u8], plan: &Value) -> super::company::Aftermath {
    let mut company = Company::start("").await;
    company.join("calc", library);
    company.wait_for("calc", "running").await;
    company.join("hostile", &plan_guest(plan));
    company.wait_for("hostile", "running").await;
    company.send(2).await;
    company.wait_for_limit("calc", "call_timeout").await;
    company.leave().await
}
