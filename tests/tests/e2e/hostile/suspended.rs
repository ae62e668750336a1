//! Guests that fail again and again are not called any more for a while.

use super::company::POISON;
use super::{Company, PLAN, calling, plan, reasons};
use crate::common::wait_for_log;
use rulemill_tests::guests::{LibraryGuest, RuleGuest, on_int, on_rows, plan_guest};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_on_every_batch() {
    let mut company = Company::start("suspend_after_batches = 3\nsuspend_max = \"1h\"").await;
    let rule = RuleGuest::new(&plan(PLAN));
    company.join("hostile", &rule.clone().attack(&on_rows("(unreachable)")).build());
    company.wait_for("hostile", "running").await;
    company.send(5).await;
    let found = company.wait_for("hostile", "suspended").await;
    let message = found["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("kernel 0 is suspended until 2"), "{message}");
    assert!(message.contains(" failing batches: trapped: "), "{message}");
    assert!(found["suspended"][0]["failed_batches"].as_u64() >= Some(3), "{found}");
    let gauge = company.rulemill.metric("rulemill_guest_suspended", &["hostile"]).await;
    assert!((gauge - 1.0).abs() < f64::EPSILON, "{gauge}");
    wait_for_log(&company.rulemill, "a guest is suspended").await;

    // A version that works ends it at once.
    company.join("hostile", &rule.build());
    wait_for_log(&company.rulemill, "a guest is suspended no longer").await;
    company.wait_for("hostile", "running").await;
    company.send(1).await;
    let aftermath = company.leave().await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    assert_eq!((count, aftermath.counted), (150, 30), "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("suspended until")),
        "{reasons:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_traps_on_every_batch() {
    let parameters = json!([{"name": "value", "type": "int"}]);
    let library = LibraryGuest::new(&json!({
        "name": "calc",
        "scalars": [{"name": "same", "parameters": parameters, "returns": "int", "volatility": "volatile"}],
    }));
    let mut company = Company::start("suspend_after_batches = 3").await;
    company.join("calc", &library.attack(&on_rows("(unreachable)")).build());
    company.wait_for("calc", "running").await;
    company.join("hostile", &plan_guest(&calling("same", "sum")));
    company.wait_for("hostile", "running").await;
    company.send(5).await;
    let found = company.wait_for("calc", "suspended").await;
    assert_eq!(found["suspended"][0]["what"], "function same", "{found}");
    company.wait_for("hostile", "running").await;
    let aftermath = company.leave().await;
    let suspended = aftermath.dead.iter().filter(|dead| dead["kind"] == "suspended");
    assert!(suspended.count() > 0);
    assert_eq!(reasons(&aftermath, "hostile").0, 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_works_again() {
    let mut company = Company::start("suspend_after_batches = 3").await;
    let guest = RuleGuest::new(&plan(PLAN)).attack(&on_int(POISON, "(unreachable)"));
    company.join("hostile", &guest.build());
    company.wait_for("hostile", "running").await;
    while !company.is_suspended("hostile").await {
        company.send_one(POISON).await;
    }
    // It is tried a second later, with what comes then.
    while company.is_suspended("hostile").await {
        company.send_one(30).await;
    }
    company.send(1).await;
    let aftermath = company.leave().await;
    assert!(aftermath.counted >= 28, "{} messages", aftermath.counted);
}
