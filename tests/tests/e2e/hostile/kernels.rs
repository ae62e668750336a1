//! Guests that want too much, or give up.

use super::company::POISON;
use super::{Company, PLAN, plan, reasons};
use rulemill_tests::guests::{MEMORY_BOMB, RuleGuest, TABLE_BOMB, on_int, on_rows, row_errors};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb() {
    meets(on_poison(MEMORY_BOMB), "memory_bytes_max").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_bomb() {
    let guest = on_poison(TABLE_BOMB).items("(table $bomb 1 funcref)");
    meets(guest, "table_elements_max").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_recursion() {
    let guest = on_poison("(drop (call $deeper (i64.const 0)))").items(DEEPER);
    meets(guest, "stack_bytes_max").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recursion_while_the_host_hands_over() {
    let realloc = "
        (if (i32.gt_u (local.get $size) (i32.const 4)) (then (drop (call $deeper (i64.const 0)))))
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get $size)))
        (local.get $at)";
    let guest = RuleGuest::new(&plan(PLAN)).items(DEEPER).realloc(realloc);
    let mut company = Company::with(&guest.build()).await;
    company.send(1).await;
    company.wait_for_limit("hostile", "stack_bytes_max").await;
    company.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_outside_of_memory_for_what_the_host_hands_over() {
    for place in ["0xfffffff8", "0x7fffffff"] {
        let realloc = format!(
            "(if (i32.gt_u (local.get $size) (i32.const 4)) (then (return (i32.const {place}))))
             (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
             (global.set $top (i32.add (local.get $at) (local.get $size)))
             (local.get $at)"
        );
        let guest = RuleGuest::new(&plan(PLAN)).realloc(&realloc);
        let mut company = Company::with(&guest.build()).await;
        company.send(1).await;
        let aftermath = company.leave().await;
        assert!(reasons(&aftermath, "hostile").0 > 0, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_place_for_all_that_the_host_hands_over() {
    // Everything lies over everything else. The host reads none of it back.
    let guest = RuleGuest::new(&plan(PLAN)).realloc("(i32.const 0x20000)");
    let mut company = Company::with(&guest.build()).await;
    company.send(2).await;
    company.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_on_the_nth_row() {
    let mut company = Company::with(&on_poison("(unreachable)").build()).await;
    company.send(4).await;
    let aftermath = company.leave().await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    assert_eq!((count, aftermath.counted), (12, 108), "{reasons:?}");
    assert!(reasons[0].contains("unreachable"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_notes() {
    let attack = "
        (local.set $i (i32.const 0))
        (loop $more
          (call $note (i32.const 512) (i32.const 5))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $i) (i32.const 1000))))";
    let guest = RuleGuest::new(&plan(PLAN))
        .attack(&on_rows(attack))
        .imports("(import \"rulemill:guest/diagnostics@1.0.0\" \"note\" (func $note (param i32 i32)))")
        .items("(data (i32.const 512) \"hello\")");
    let mut company = Company::with(&guest.build()).await;
    company.send(5).await;
    company.wait_for_limit("hostile", "notes_per_second_max").await;
    let notes = company.rulemill.log().text().matches("a guest notes").count();
    assert!(notes < 500, "{notes} notes of 5000 are logged");
    let aftermath = company.leave().await;
    assert_eq!((reasons(&aftermath, "hostile").0, aftermath.counted), (0, 150));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_list_of_row_errors() {
    let mut company = Company::start("row_errors_max = 2").await;
    let guest = RuleGuest::new(&plan(PLAN)).run(&row_errors("(local.get $rows)", "(local.get $i)"));
    company.join("hostile", &guest.build());
    company.wait_for("hostile", "running").await;
    company.send(2).await;
    company.wait_for_limit("hostile", "row_errors_max").await;
    let aftermath = company.leave().await;
    assert_eq!((reasons(&aftermath, "hostile").0, aftermath.counted), (60, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_no_number() {
    // Every row has a key that is not equal to itself, with other bits in each row.
    let attack = "
        (local.set $i (i32.const 0))
        (loop $next
          (if (i32.lt_u (local.get $i) (local.get $rows))
            (then
              (i64.store
                (i32.add (i32.load offset=12 (local.get $columns)) (i32.mul (local.get $i) (i32.const 8)))
                (i64.or (i64.const 0x7ff8000000000000) (i64.extend_i32_u (local.get $i))))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $next))))
        (if (local.get $count) (then (i32.store offset=8 (local.get $columns) (i32.const 2))))";
    let mut plan = plan("float");
    plan["keys"] = json!([1]);
    plan["emits"] = json!([{"name": "hostile", "column": 3}, {"name": "key", "column": 0}]);
    let mut company = Company::with(&RuleGuest::new(&plan).attack(attack).build()).await;
    company.send(3).await;
    let aftermath = company.leave().await;
    assert_eq!(
        (reasons(&aftermath, "hostile").0, aftermath.counted),
        (0, 90),
        "all of them are one group of their window"
    );
    assert!(aftermath.hostile_rows < 20, "{} groups", aftermath.hostile_rows);
}

/// Calls itself until the stack ends.
const DEEPER: &str = "
    (func $deeper (param i64) (result i64)
      (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (local.get 0)))";

fn on_poison(attack: &str) -> RuleGuest {
    RuleGuest::new(&plan(PLAN)).attack(&on_int(POISON, attack))
}

/// The poison rows meet the limit, and cost only themselves.
async fn meets(guest: RuleGuest, limit: &str) {
    let mut company = Company::with(&guest.build()).await;
    company.send(2).await;
    company.wait_for_limit("hostile", limit).await;
    let aftermath = company.leave().await;
    let (count, reasons) = reasons(&aftermath, "hostile");
    assert_eq!((count, aftermath.counted), (6, 54), "{reasons:?}");
    assert!(reasons[0].contains(&format!("(limits.{limit})")), "{reasons:?}");
}
