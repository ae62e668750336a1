//! A mill without a thread: what it does between batches, with times set by hand.

mod overruns;
mod suspended;

use super::super::command::{PutLibrary, PutRule, Refusal, Role, StreamKey, Watch};
use super::super::identity::Identity;
use super::*;
use crate::config::{DeadLetterConfig, FileSinkConfig, LimitsConfig, ReloadConfig};
use crate::emit::{DeadLetters, EncodedEmission};
use crate::message::Audience;
use crate::rule::{ContentDigest, LimitedLibrary, LoadedRule, load};
use crate::telemetry::Telemetry;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use crate::telemetry::rule::RuleFamilies;
use crate::topic::TopicFilter;
use bytes::Bytes;
use futures_util::FutureExt as _;
use rulemill_core::{Removal, Swap};
use rulemill_plan::Plan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use tokio::sync::oneshot;

/// A mill with what comes out of it.
struct Bench {
    mill: Mill,
    families: RuleFamilies,
    emissions: Receiver<EncodedEmission>,
    version_gone: Arc<Notify>,
    telemetry: Telemetry,
    engine: GuestEngine,
    limits: LimitsConfig,
    dead_letters: DeadLetters,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = DeadLetterConfig {
            file: FileSinkConfig {
                path: folder.path().join("dead.jsonl"),
                rotate_bytes: 1 << 20,
                keep: 1,
            },
            payload_bytes_max: 1000,
        };
        let dead_letters = DeadLetters::start(&config, DeadLetterMetrics::default()).unwrap();
        let mut telemetry = Telemetry::start();
        let families = RuleFamilies::register(&mut telemetry.registry);
        let (tap, emissions) = sync_channel(100);
        let version_gone = Arc::default();
        let (incidents, _) = mpsc::channel(1);
        let engine = GuestEngine::new().unwrap();
        let mill = Mill::new(MillParts {
            number: 0,
            engine: engine.clone(),
            seed: HashSeed::new(1),
            outlet: Outlet::new(dead_letters.clone(), Some(tap)),
            accounts: Accounts::new(families.clone()),
            metrics: MillMetrics::register(&mut telemetry.registry),
            unmatched: None,
            to_catalogue: ToCatalogue {
                incidents,
                version_gone: Arc::clone(&version_gone),
            },
        });
        Bench {
            mill,
            families,
            emissions,
            version_gone,
            telemetry,
            engine,
            limits: LimitsConfig::default(),
            dead_letters,
            folder,
        }
    }

    /// Puts a rule that counts messages in windows of ten seconds.
    fn put(&mut self, id: &str, filter: &str) {
        let plan = r#"{"name": "count", "window": {"kind": "tumbling", "size_ms": 10000},
            "aggregates": [{"name": "n", "function": "count"}], "emits": [{"name": "n", "column": 2}]}"#;
        self.try_put(id, filter, plan).unwrap();
    }

    fn try_put(&mut self, id: &str, filter: &str, plan: &str) -> Result<Swap, Refusal> {
        let loaded = LoadedRule::without_kernels(Plan::from_json(plan).unwrap());
        self.put_loaded(id, filter, Arc::new(loaded), ContentDigest::of(plan.as_bytes()))
    }

    /// Puts a guest, which is a rule that listens to `a`, a library, or both.
    fn put_guest(&mut self, id: &str, wasm: &[u8]) {
        let loaded = load(&self.engine, wasm, &self.limits).unwrap();
        if let Some(loaded) = loaded.library {
            let (reply, _) = oneshot::channel();
            let put = PutLibrary {
                library: LimitedLibrary {
                    loaded,
                    limits: self.limits,
                },
                last_good: None,
                watch: Watch::from(&ReloadConfig::default()),
            };
            self.mill.obey(Command::PutLibrary(put, reply));
        }
        if let Some(rule) = loaded.rule {
            self.put_loaded(id, "a", rule, loaded.digest).unwrap();
        }
    }

    fn put_loaded(
        &mut self,
        id: &str,
        filter: &str,
        loaded: Arc<LoadedRule>,
        wasm: ContentDigest,
    ) -> Result<Swap, Refusal> {
        let id: Arc<str> = id.into();
        let spec = RuleSpec {
            role: Role::Runs,
            identity: Identity { wasm, sidecar: None },
            stream: StreamKey {
                role: Role::Runs,
                source: None,
                filters: vec![TopicFilter::parse(filter).unwrap()],
            },
            loaded,
            settings: BTreeMap::new(),
            window_override_ms: None,
            reload: ReloadConfig::default(),
            limits: self.limits,
            sinks: Vec::new(),
            sink_names: Vec::new(),
            metrics: self.families.rule(&id),
            id,
        };
        let (reply, mut answer) = oneshot::channel();
        let put = PutRule { spec, last_good: None };
        self.mill.obey(Command::PutRule(Box::new(put), reply));
        answer.try_recv().unwrap()
    }

    fn remove(&mut self, id: &str) {
        let (reply, mut answer) = oneshot::channel();
        self.mill.obey(Command::RemoveRule(id.into(), Removal::Drain, reply));
        answer.try_recv().unwrap();
    }

    fn held(&mut self, id: &str) -> bool {
        let (reply, mut answer) = oneshot::channel();
        self.mill.obey(Command::Held(vec![id.into()], reply));
        !answer.try_recv().unwrap().is_empty()
    }

    /// A message with the topic `a` that was stamped with one time, in seconds, and is processed at another.
    fn send(&mut self, stamp: i64, now: i64) {
        self.send_all(["{}".to_owned()], stamp, now);
    }

    /// The same with a batch of messages that have these payloads.
    fn send_all(&mut self, payloads: impl IntoIterator<Item = String>, stamp: i64, now: i64) {
        let messages = payloads.into_iter().map(|payload| Message {
            topic: "a".into(),
            payload: Bytes::from(payload),
            qos: 1,
            retain: false,
            arrival: Micros::from_millis(stamp * 1000),
        });
        let mut gathering = Gathering::default();
        gathering.add(Delivery {
            source: "default".into(),
            audience: Audience::All,
            messages: messages.collect(),
        });
        let batch = gathering.finish(Micros::from_millis(now * 1000)).unwrap();
        self.mill.process_batch(&batch);
    }

    /// The dead letters so far.
    fn dead(&self) -> Vec<Value> {
        assert!(self.dead_letters.flush(Duration::from_secs(30)));
        let text = std::fs::read_to_string(self.folder.path().join("dead.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn tick(&mut self, now: i64) {
        self.mill.advance(Micros::from_millis(now * 1000));
    }

    /// What was emitted since the last call: rule, start of the window in seconds, rows.
    fn emitted(&self) -> Vec<String> {
        let show = |emission: EncodedEmission| {
            let start = emission.window.unwrap().0.0 / 1_000_000;
            let json = std::str::from_utf8(&emission.json).unwrap();
            format!("{} {start} {json}", emission.rule)
        };
        self.emissions.try_iter().map(show).collect()
    }

    /// Lets the mill read what is open, which it does now and then.
    fn settle(&mut self) {
        self.mill.accounts.touch();
        while self.mill.accounts.wait().is_some() {
            self.mill.after_work();
            std::thread::yield_now();
        }
    }

    /// Whether the metrics have this line, when all that has happened is booked.
    fn exposes(&mut self, line: &str) -> bool {
        self.mill.settle();
        self.telemetry.encode().lines().any(|other| other == line)
    }
}

const HOUR: i64 = 3600;

#[test]
fn a_rule_that_comes_in_closes_no_window_over_messages_that_wait() {
    let mut bench = Bench::new();
    bench.put("first", "a");
    bench.send(1000, 1000);
    bench.put("second", "b");
    bench.send(1002, 2000);
    assert_eq!(bench.emitted(), [""; 0]);
    bench.tick(2000);
    assert_eq!(bench.emitted(), [r#"first 1000 [{"n":2}]"#]);
}

#[test]
fn windows_go_on_when_the_clock_was_set_back() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(HOUR, HOUR);
    bench.send(5, 6);
    assert_eq!(bench.emitted(), [r#"rule 3600 [{"n":1}]"#]);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"rule 0 [{"n":1}]"#]);
}

#[test]
fn a_set_back_is_noticed_without_a_message() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(HOUR, HOUR);
    bench.tick(6);
    assert_eq!(bench.emitted(), [r#"rule 3600 [{"n":1}]"#]);
}

#[test]
fn a_stamp_from_before_the_clock_was_set_back_counts_as_now() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(HOUR, HOUR);
    // This one waited in the queue of another source while the clock was set back.
    bench.send(HOUR + 1, 6);
    bench.send(7, 8);
    assert_eq!(bench.emitted(), [r#"rule 3600 [{"n":1}]"#]);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"rule 0 [{"n":2}]"#]);
}

#[test]
fn a_removed_rule_is_counted_until_its_last_window_and_then_leaves_nothing() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(1, 1);
    bench.remove("rule");
    bench.send(2, 2);
    bench.settle();
    assert!(bench.held("rule"));
    assert!(bench.exposes("rulemill_rule_windows_open{rule=\"rule\"} 1"));
    assert!(bench.version_gone.notified().now_or_never().is_none());

    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"rule 0 [{"n":2}]"#]);
    assert!(!bench.held("rule"));
    assert!(bench.version_gone.notified().now_or_never().is_some());
    assert!(bench.exposes("rulemill_rule_emissions_total{rule=\"rule\"} 1"));
    assert!(bench.exposes("rulemill_rule_windows_open{rule=\"rule\"} 0"));
    assert!(bench.mill.streams.is_empty(), "its stream is decoded no more");
    assert!(!bench.mill.outlet.knows("rule"));
}

#[test]
fn gauges_fall_when_windows_close_by_the_time_alone() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(1, 1);
    bench.settle();
    assert!(bench.exposes("rulemill_rule_groups_open{rule=\"rule\"} 1"));
    bench.tick(10);
    while bench.mill.accounts.wait().is_some() {
        bench.mill.after_work();
        std::thread::yield_now();
    }
    assert!(bench.exposes("rulemill_rule_groups_open{rule=\"rule\"} 0"));
}

#[test]
fn a_rule_that_comes_back_goes_on_with_its_window() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(1, 1);
    bench.remove("rule");
    bench.put("rule", "a");
    bench.send(2, 2);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"rule 0 [{"n":2}]"#]);
    assert!(bench.exposes("rulemill_rule_rows_in_total{rule=\"rule\"} 2"));
    assert!(bench.held("rule"));
}

#[test]
fn a_rule_that_comes_back_with_other_topics_counts_each_message_once() {
    let mut bench = Bench::new();
    bench.put("rule", "a");
    bench.send(1, 1);
    bench.remove("rule");
    bench.put("rule", "#");
    bench.send(2, 2);
    bench.tick(10);
    assert_eq!(bench.emitted(), [r#"rule 0 [{"n":1}]"#, r#"rule 0 [{"n":1}]"#]);
}

#[test]
fn a_refused_rule_leaves_no_stream_behind() {
    let mut bench = Bench::new();
    let plan = r#"{"name": "wrong", "keys": [7], "emits": [{"name": "n", "column": 2}]}"#;
    assert!(bench.try_put("wrong", "a", plan).is_err());
    assert!(bench.mill.streams.is_empty());
}
