//! What fails batch after batch is not called for a while, and all else goes on.

use super::Bench;
use super::overruns::{calling_plan, counting_plan, values};
use crate::config::LimitsConfig;
use rulemill_test_guests::{LibraryGuest, RuleGuest, on_int, plan_guest};
use serde_json::json;

const POISON: i64 = 7;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.limits = LimitsConfig {
        suspend_after_batches: 3,
        ..LimitsConfig::default()
    };
    bench
}

/// How many dead letters there are of each kind: `guest`, `suspended`.
fn dead(bench: &Bench) -> (usize, usize) {
    let dead = bench.dead();
    let count = |kind: &str| dead.iter().filter(|dead| dead["kind"] == kind).count();
    (count("guest"), count("suspended"))
}

#[test]
fn a_kernel_that_traps_on_every_batch_is_suspended_until_one_works() {
    let mut bench = bench();
    let guest = RuleGuest::new(&counting_plan()).attack(&on_int(POISON, "(unreachable)"));
    bench.put_guest("trapping", &guest.build());
    for _ in 0..5 {
        bench.send_all(values([POISON, POISON]), 1, 1);
    }
    assert_eq!(dead(&bench), (6, 4));
    let reason = bench.dead()[9]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("suspended until 2"), "{reason}");
    assert!(reason.contains("after 3 failing batches: trapped: "), "{reason}");
    assert!(bench.exposes("rulemill_guest_suspended{guest=\"trapping\"} 1"));
    assert!(bench.exposes("rulemill_guest_suspensions_total{guest=\"trapping\"} 1"));
    assert!(bench.exposes("rulemill_rule_dead_rows_total{rule=\"trapping\",reason=\"suspended\"} 4"));
    let shown = bench.families.guests.guest(&"trapping".into()).suspended();
    assert_eq!((&*shown[0].what, shown[0].batches), ("kernel 0", 3));

    // A second passes.
    let mut sent = 0;
    while bench.mill.guests.suspended().len() == 1 {
        bench.send_all(values([1]), 2, 2);
        sent += 1;
        std::thread::yield_now();
    }
    bench.send_all(values([1]), 3, 3);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"trapping 0 [{"n":2}]"#]);
    let again = dead(&bench).1 - 4;
    assert!(again >= 1 && again < sent, "{again} of {sent} were refused");
    assert!(bench.exposes("rulemill_guest_suspended{guest=\"trapping\"} 0"));
}

#[test]
fn a_batch_that_works_in_part_suspends_nothing() {
    let mut bench = bench();
    let guest = RuleGuest::new(&counting_plan()).attack(&on_int(POISON, "(unreachable)"));
    bench.put_guest("trapping", &guest.build());
    for _ in 0..20 {
        bench.send_all(values([POISON, 1, POISON]), 1, 1);
    }
    assert_eq!(dead(&bench), (40, 0));
}

#[test]
fn another_version_is_called_at_once() {
    let mut bench = bench();
    let guest = RuleGuest::new(&counting_plan()).attack("(unreachable)");
    bench.put_guest("trapping", &guest.build());
    for _ in 0..5 {
        bench.send_all(values([1]), 1, 1);
    }
    assert_eq!(dead(&bench), (3, 2));
    bench.put_guest("trapping", &RuleGuest::new(&counting_plan()).build());
    bench.send_all(values([1]), 1, 1);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"trapping 0 [{"n":1}]"#]);
    assert!(bench.exposes("rulemill_guest_suspended{guest=\"trapping\"} 0"));
}

#[test]
fn a_function_is_suspended_for_the_call_that_fails_and_its_library_says_so() {
    let mut bench = bench();
    let parameters = json!([{"name": "value", "type": "int"}, {"name": "other", "type": "int"}]);
    let library = LibraryGuest::new(&json!({
        "name": "calc",
        "scalars": [{"name": "same", "parameters": parameters, "returns": "int", "volatility": "volatile"}],
    }));
    let trapping = library.clone().attack(&on_int(POISON, "(unreachable)")).build();
    bench.put_guest("calc", &trapping);
    let call = |column: u32| plan_guest(&calling_plan("same", &json!([{"column": column}, {"literal": column}])));
    bench.put_guest("fails", &call(0));
    bench.put_guest("works", &call(1));
    for _ in 0..5 {
        bench.send_all(values([POISON]), 1, 1);
    }
    assert_eq!(dead(&bench), (3, 2));
    let shown = bench.families.guests.guest(&"calc".into());
    bench.mill.settle();
    let what: Vec<String> = shown.suspended().into_iter().map(|shown| shown.what).collect();
    assert_eq!(what, ["function same"]);

    bench.put_guest("calc", &library.build());
    bench.send_all(values([POISON]), 1, 1);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"fails 0 [{"n":1}]"#, r#"works 0 [{"n":6}]"#]);
    bench.mill.settle();
    assert_eq!(shown.suspended(), []);
}
