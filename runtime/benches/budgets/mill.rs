//! The whole of a mill thread's work on a batch (topics, matching, decoding, the library's `split_value`, the window,
//! metrics, and its share of closing and encoding the window), against the rule written by hand.

use super::messages::{Messages, SOURCE, WINDOW_MS};
use super::native::Native;
use super::ratio::{Comparison, compare, timed};
use super::table::Row;
use anyhow::{Context as _, anyhow};
use rulemill::config::{self, Config, Environment, LimitsConfig};
use rulemill::emit::DeadLetters;
use rulemill::message::Delivery;
use rulemill::pipeline::Workbench;
use rulemill::rule::{GuestEngine, Loaded, load};
use rulemill::telemetry::dead_letter::DeadLetterMetrics;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Measures rules in batches of several sizes.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for rule in ["device_temperature", "comfort", "high_temperature"] {
        for batch in [1, 16, 256, 1024] {
            rows.push(row(rule, batch)?);
        }
    }
    Ok(rows)
}

/// A mill with the library and one rule.
pub(crate) fn workbench(rule: &str, limits: LimitsConfig, window_ms: Option<u64>) -> anyhow::Result<Workbench> {
    workbench_of(rule, limits, [window_ms])
}

/// A mill with the library and a copy of the rule for each window.
pub(crate) fn workbench_of(
    rule: &str,
    limits: LimitsConfig,
    windows_ms: impl IntoIterator<Item = Option<u64>>,
) -> anyhow::Result<Workbench> {
    let engine = GuestEngine::new().map_err(|error| anyhow!("{error:#}"))?;
    let folder = tempfile::tempdir()?;
    let dead_letters = DeadLetters::start(
        &configuration("", folder.path())?.dead_letter,
        DeadLetterMetrics::default(),
    )?;
    let mut workbench = Workbench::new(&engine, dead_letters, SOURCE, limits);
    let library = guest(&engine, "text")?.library.context("text is a library")?;
    workbench.put_library(library);
    let loaded = guest(&engine, rule)?.rule.context("a rule")?;
    for (number, window_ms) in windows_ms.into_iter().enumerate() {
        workbench
            .put_rule(&format!("{rule}_{number:03}"), Arc::clone(&loaded), window_ms)
            .map_err(|error| anyhow!(error))?;
    }
    Ok(workbench)
}

/// A configuration whose files are in `folder`.
pub(crate) fn configuration(text: &str, folder: &Path) -> anyhow::Result<Config> {
    let text = if text.is_empty() { "[listener]" } else { text };
    Ok(config::parse(
        text,
        &folder.join("rulemill.toml"),
        &Environment::default(),
    )?)
}

/// Where `make rules` puts the guests.
pub(crate) fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/rules")
}

fn guest(engine: &GuestEngine, name: &str) -> anyhow::Result<Loaded> {
    let path = guests().join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path).with_context(|| format!("{}; run `make rules` first", path.display()))?;
    Ok(load(engine, &bytes, &LimitsConfig::default())?)
}

fn row(rule: &str, batch: usize) -> anyhow::Result<Row> {
    let messages = Messages::new();
    let window = (rule != "high_temperature").then_some(WINDOW_MS);
    let mut workbench = workbench(rule, LimitsConfig::default(), window)?;
    let mut native = Native::new(WINDOW_MS);
    let mut ours = |round| {
        let deliveries = messages.round(round, batch);
        timed(|| process(&mut workbench, deliveries))
    };
    let reference = |round| {
        let deliveries = messages.round(round, batch);
        timed(|| by_hand(&mut native, deliveries))
    };
    for round in 0..WARM_UP {
        ours(round);
    }
    let found = compare(ROUNDS, |round| ours(round + WARM_UP), reference);
    Ok(describe(rule, batch, found, workbench.guest_calls()))
}

fn process(workbench: &mut Workbench, deliveries: Vec<Delivery>) {
    for delivery in deliveries {
        workbench.process([delivery]);
    }
}

/// Like the mill it lets go of its messages, which is a part of the work.
fn by_hand(native: &mut Native, deliveries: Vec<Delivery>) {
    for delivery in deliveries {
        for message in delivery.messages.iter() {
            black_box(native.process(message));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a round are far below 2^52")]
fn describe(rule: &str, batch: usize, found: Comparison, (functions, kernels): (u64, u64)) -> Row {
    let per_message = |took: std::time::Duration| took.as_nanos() as f64 / super::messages::ROUND as f64;
    let (ours, reference) = (per_message(found.ours), per_message(found.reference));
    let what = format!("{rule}, batch of {batch}, per message");
    let measured = format!("{ours:.0} ns; {:.2}x native ({reference:.0} ns)", found.ratio);
    match (rule, batch) {
        ("device_temperature", 1) => Row::judged(what, measured, "5 us (final: 3 us)", ours <= 5000.0),
        ("device_temperature", 1024) => Row::judged(what, measured, "2.5x (final: 1.0x)", found.ratio <= 2.5),
        ("device_temperature", _) => Row::information(what, measured),
        _ => {
            let rounds = ROUNDS + WARM_UP;
            let calls = format!("{measured}; {functions} function calls, {kernels} kernel calls in {rounds} rounds");
            Row::information(what, calls)
        }
    }
}

const ROUNDS: usize = 41;

/// Rounds before the comparison, in which topics are seen for the first time.
const WARM_UP: usize = 1;
