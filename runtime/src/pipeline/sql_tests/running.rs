//! A query that runs on a mill of its own.

use super::super::workbench::Workbench;
use crate::config::{Config, LimitsConfig};
use crate::emit::DeadLetters;
use crate::message::{Audience, Delivery, Message};
use crate::rule::{GuestEngine, load};
use crate::sink::Collector;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use rulemill_core::Micros;
use rulemill_sql::{Catalog, Stream, compile, script, summary};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// A query, and where its rows go.
pub(super) struct Running {
    bench: Workbench,
    rows: Collector,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// These rows came out; none, when it was filtered or went into a window.
    Rows(Vec<Value>),
    /// It could not be computed, for this reason.
    Failed(String),
}

impl Running {
    /// Compiles a query over these streams, and puts it to work. The error is what is wrong with it.
    pub(super) fn start(query: &str, streams: Vec<Stream>) -> Result<Self, String> {
        let script = script(query).map_err(|problems| summary(&problems, query))?;
        let catalog = Catalog {
            streams: streams
                .into_iter()
                .chain(script.streams)
                .map(|stream| (stream.name.clone(), stream))
                .collect(),
            libraries: Vec::new(),
        };
        let select = script.query.ok_or("there is no query")?;
        let compiled = compile(query, &select, RULE, &catalog).map_err(|problems| summary(&problems, query))?;
        let loaded = load(&ENGINE, &compiled.wasm, &LimitsConfig::default()).map_err(|error| error.to_string())?;
        let mut config = Config::default();
        config.dead_letter.file.path = "/dev/null".into();
        let dead_letters =
            DeadLetters::start(&config.dead_letter, DeadLetterMetrics::default()).expect("a thread can be started");
        let mut bench = Workbench::new(&ENGINE, dead_letters, SOURCE, LimitsConfig::default());
        let rows = bench.put_rule_collecting(RULE, loaded.rule.ok_or("it is no rule")?)?;
        Ok(Running { bench, rows })
    }

    /// Lets messages arrive together, and says what came out.
    pub(super) fn messages(&mut self, topic: &str, payloads: &[&str], arrival_ms: i64) -> Vec<Value> {
        let message = |payload: &&str| Message {
            topic: topic.into(),
            payload: (*payload).to_owned().into(),
            qos: 0,
            retain: false,
            arrival: Micros(arrival_ms * 1000),
        };
        self.bench.process([Delivery {
            source: SOURCE.into(),
            messages: payloads.iter().map(message).collect(),
            audience: Audience::All,
        }]);
        self.take()
    }

    /// Lets one message arrive.
    pub(super) fn message(&mut self, topic: &str, payload: &str, arrival_ms: i64) -> Outcome {
        let failed = self.failures();
        let rows = self.messages(topic, &[payload], arrival_ms);
        match self.bench.last_exception(RULE).filter(|_| self.failures() > failed) {
            Some(reason) => Outcome::Failed(reason),
            None => Outcome::Rows(rows),
        }
    }

    /// Lets time pass; the arrays that came out.
    pub(super) fn advance(&mut self, now_ms: i64) -> Vec<Value> {
        self.bench.advance(Micros(now_ms * 1000));
        self.take()
    }

    fn failures(&self) -> u64 {
        self.bench.dead_rows(RULE)
    }

    fn take(&self) -> Vec<Value> {
        let emissions = self.rows.take();
        let parse = |json: &[u8]| serde_json::from_slice::<Value>(json).expect("an emission is JSON");
        emissions
            .iter()
            .flat_map(|emission| match parse(&emission.json) {
                Value::Array(rows) => vec![Value::Array(rows)],
                other => vec![other],
            })
            .collect()
    }
}

const RULE: &str = "query";
const SOURCE: &str = "source";
static ENGINE: LazyLock<Arc<GuestEngine>> =
    LazyLock::new(|| Arc::new(GuestEngine::new().expect("the engine can be made")));
