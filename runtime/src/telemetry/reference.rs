//! The reference page of the metrics, `docs/metrics.md`, from what the stages register.

use super::Telemetry;
use super::code_cache::CodeCacheMetrics;
use super::dead_letter::DeadLetterMetrics;
use super::journal::JournalMetrics;
use super::listener::{CloseReason, ListenerMetrics};
use super::mill::MillMetrics;
use super::rule::RuleFamilies;
use super::sink::SinkMetrics;
use super::source::{DisconnectReason, SourcesMetrics};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// The page as Markdown.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (name, metric) in metrics_of(&with_every_metric().encode()) {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} | {} |",
            metric.kind,
            labels.join(", "),
            metric.help
        );
    }
    page
}

/// Every stage's metrics, each with one series, so that all of them and their labels are in the text.
fn with_every_metric() -> Telemetry {
    let mut telemetry = Telemetry::start();
    let name: Arc<str> = Arc::from("x");
    let mill = MillMetrics::register(&mut telemetry.registry);
    mill.source(&name);
    mill.bad(&name, "x", 1);
    let rules = RuleFamilies::register(&mut telemetry.registry);
    rules.rule(&name).dead_rows("x", 1);
    rules.function(&name, &name);
    rules.guests.guest(&name).limit_hits("x", 1);
    rules.shadows.start(&name);
    CodeCacheMetrics::register(&mut telemetry.registry);
    JournalMetrics::register(&mut telemetry.registry);
    let sources = SourcesMetrics::default();
    sources.register(&mut telemetry.registry);
    sources.source(&name).disconnects(DisconnectReason::Network);
    let listener = ListenerMetrics::default();
    listener.register(&mut telemetry.registry);
    listener.closed(CloseReason::Closed);
    let sinks = SinkMetrics::default();
    sinks.register(&mut telemetry.registry);
    let sink = sinks.of(&name);
    sink.dropped("x");
    sink.reconnects("x");
    let dead_letters = DeadLetterMetrics::default();
    dead_letters.register(&mut telemetry.registry);
    dead_letters.kept("x", "x");
    dead_letters.lost("x");
    telemetry
}

/// One metric of the page.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// The metrics of a text, by the names that a query uses.
fn metrics_of(text: &str) -> BTreeMap<String, Metric> {
    let mut helps = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kinds.insert(name, kind);
        } else if !line.starts_with('#') {
            let (series, labels) = series_of(line);
            let suffixes = ["", "_total", "_info", "_bucket", "_sum", "_count"];
            let family = suffixes
                .iter()
                .filter_map(|suffix| series.strip_suffix(suffix))
                .find(|family| kinds.contains_key(family));
            let Some(family) = family else { continue };
            let is_histogram = kinds[family] == "histogram";
            let name = if is_histogram { family } else { series };
            let metric = metrics.entry(name.to_owned()).or_default();
            kinds[family].clone_into(&mut metric.kind);
            metric.help = helps
                .get(family)
                .copied()
                .unwrap_or_default()
                .trim_end_matches('.')
                .replace('|', "\\|");
            metric.labels.extend(labels.into_iter().filter(|label| label != "le"));
        }
    }
    metrics
}

/// The name and the names of the labels of a line such as `name{a="x",b="y"} 5`.
fn series_of(line: &str) -> (&str, Vec<String>) {
    let Some((name, rest)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap_or_default(), Vec::new());
    };
    let before_values = rest
        .split("=\"")
        .map(|part| part.rsplit([',', '"']).next().unwrap_or_default());
    let mut labels: Vec<String> = before_values.map(str::to_owned).collect();
    // What follows the last value is no label.
    labels.pop();
    (name, labels)
}

const INTRODUCTION: &str = r"# Metrics

<!-- Made from what the stages register: BLESS=1 cargo test -p rulemill reference -->

`GET /metrics` gives them as OpenMetrics text. Counters only grow while the process lives. Labels take their values from
the configuration, from the names of files in the rules directory, and from a fixed list of reasons, never from
messages, so that their number is bounded. The series of a rule or function that is removed end.

| name | kind | labels | meaning |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::{metrics_of, reference, series_of, with_every_metric};
    use crate::config::tests::blessing;

    #[test]
    fn the_metrics_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        if blessing() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == reference(),
            "docs/metrics.md is stale: run this test with BLESS=1"
        );
    }

    #[test]
    fn every_metric_has_our_prefix_and_a_help() {
        let metrics = metrics_of(&with_every_metric().encode());
        assert!(metrics.len() > 20, "{metrics:?}");
        for (name, metric) in metrics {
            assert!(
                name.starts_with("rulemill_") && name.matches("rulemill").count() == 1,
                "{name}"
            );
            assert!(metric.help.len() > 10 && !metric.kind.is_empty(), "{name}: {metric:?}");
        }
    }

    #[test]
    fn labels_are_read_from_series() {
        assert_eq!(series_of("a 5"), ("a", vec![]));
        assert_eq!(
            series_of("a{b=\"x\",c=\"y z\"} 5"),
            ("a", vec!["b".to_owned(), "c".to_owned()])
        );
    }
}
