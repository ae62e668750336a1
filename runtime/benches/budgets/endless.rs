//! A rule in an endless loop beside a good one on the same stream: what it costs the good one.

use super::device::Device;
use super::process::Rulemill;
use super::reload::millis;
use super::table::Row;
use rulemill::clock;
use rulemill_test_guests::{GIVE_BACK, RuleGuest};
use std::time::Duration;

pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let alone = run(false)?;
    let beside = run(true)?;
    let emission = beside.emission.saturating_sub(alone.emission);
    let acknowledgement = beside.acknowledgement.saturating_sub(alone.acknowledgement);
    Ok(vec![
        Row::judged(
            "a rule in an endless loop delays another one's emission by",
            format!(
                "{} at most ({}, alone {})",
                millis(emission),
                millis(beside.emission),
                millis(alone.emission)
            ),
            "100 ms",
            emission <= Duration::from_millis(100),
        ),
        Row::judged(
            "and acknowledgements by (longest of each)",
            format!(
                "{} ({}, alone {})",
                millis(acknowledgement),
                millis(beside.acknowledgement),
                millis(alone.acknowledgement)
            ),
            "10 ms",
            acknowledgement <= Duration::from_millis(10),
        ),
    ])
}

/// The longest of each.
struct Delays {
    emission: Duration,
    acknowledgement: Duration,
}

/// Ten windows of a second at a thousand messages a second.
fn run(with_loop: bool) -> anyhow::Result<Delays> {
    let rulemill = Rulemill::start("[listener]\nmqtt = \"127.0.0.1:LISTENER\"\n", &["text", RULE])?;
    std::fs::write(rulemill.rules().join(format!("{RULE}.toml")), "window = \"1s\"\n")?;
    rulemill.wait_for("both guests run", |rulemill| Ok(rulemill.running_guests()? == 2))?;
    rulemill.wait_for("windows have a second", |rulemill| {
        Ok(rulemill.get(&format!("/rules/{RULE}"))?.contains(r#""window_ms":1000"#))
    })?;
    let device = Device::start(rulemill.listener, PER_SECOND)?;
    rulemill.wait_for("the first emission", |rulemill| Ok(rulemill.emitted_lines()? > 0))?;
    if with_loop {
        std::fs::write(rulemill.rules().join("endless.wasm"), endless())?;
    }
    let mut longest = Duration::ZERO;
    // By whole seconds of the wall clock, so that a window that comes late is not taken for the next one.
    let first = clock::wall().0.div_euclid(SECOND) + 1;
    for (before, window) in (rulemill.emitted_lines()?..).zip(0..WINDOWS) {
        rulemill.wait_briefly("an emission", |rulemill| Ok(rulemill.emitted_lines()? > before))?;
        let late = clock::wall().0 - (first + window) * SECOND;
        longest = longest.max(Duration::from_micros(late.max(0).unsigned_abs()));
    }
    if with_loop {
        let traps = rulemill.metric("rulemill_rule_traps_total{rule=\"endless\"}")?;
        anyhow::ensure!(traps > 0, "the endless rule did not run");
    }
    let (_, acknowledged) = device.stop()?;
    Ok(Delays {
        emission: longest,
        acknowledgement: acknowledged.longest,
    })
}

/// A rule that loops on whatever devices send, and on nothing that a self-test invents.
fn endless() -> Vec<u8> {
    let plan = serde_json::json!({
        "format": 1,
        "name": "endless",
        "topics": ["devices/+/messages"],
        "needs": [{"name": "humidity", "type": "int", "origin": {"field": ["humidity"]}, "missing": "reject"}],
        "before": [{"kernel": {"kernel": 0, "inputs": [0], "outputs": [{"name": "same", "type": "int"}]}}],
        "emits": [{"name": "same", "column": 1}],
    });
    let body = format!(
        "(if (i32.gt_u (local.get $rows) (i32.const 0)) (then
           (local.set $i (i32.wrap_i64 (i64.load (i32.load offset=12 (local.get $columns)))))
           (if (i32.and (i32.gt_s (local.get $i) (i32.const 2)) (i32.lt_s (local.get $i) (i32.const 100)))
             (then (loop $for_ever (br $for_ever))))))
         {GIVE_BACK}"
    );
    RuleGuest::new(&plan).run(&body).build()
}

const RULE: &str = "device_temperature";
const PER_SECOND: u32 = 1000;
const WINDOWS: i64 = 10;
/// In microseconds.
const SECOND: i64 = 1_000_000;
