//! Queries that somebody looks on: they run like rules, keep nothing, and end when nobody fetches their results any more.

use super::super::command::{Command, Refusal, Role, RuleSpec, StreamKey};
use super::super::mills::MillGone;
use super::Catalogue;
use super::queries::compile_alone;
use super::scan::Found;
use crate::clock;
use crate::emit::EncodedEmission;
use crate::http::{Answered, Reply, RequestRefused};
use crate::sink::{Collector, SinkHandle};
use crate::telemetry::sink::SinkMetrics;
use rulemill_core::Removal;
use rulemill_sql::{Timing, render};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The queries that run for somebody.
#[derive(Default)]
pub(super) struct Watched {
    queries: BTreeMap<String, Live>,
    /// The number of the last one.
    last: u64,
}

/// One of them.
struct Live {
    collector: Arc<Collector>,
    stream: StreamKey,
    mill: usize,
    /// When somebody last fetched.
    fetched: Instant,
}

impl Watched {
    /// Where they listen.
    pub(super) fn streams(&self) -> impl Iterator<Item = &StreamKey> {
        self.queries.values().map(|live| &live.stream)
    }

    /// Answers with what a query has by now; when that is nothing, as soon as there is something, or after a moment.
    pub(super) fn fetch(&mut self, id: &str, reply: oneshot::Sender<Answered>) {
        let Some(live) = self.queries.get_mut(id) else {
            // Whoever asked may have gone away.
            let _ = reply.send(Err(unknown(id)));
            return;
        };
        live.fetched = clock::monotonic();
        let collector = Arc::clone(&live.collector);
        tokio::spawn(async move {
            let emissions = collector.wait(FETCH_PATIENCE).await;
            let _ = reply.send(Ok(Reply::Json(results(&emissions))));
        });
    }

    /// Ready when nobody has fetched from one of them for too long.
    pub(super) async fn unattended(&self) {
        match self.queries.values().map(|live| live.fetched).min() {
            None => std::future::pending().await,
            Some(oldest) => {
                let silence = clock::monotonic().duration_since(oldest);
                clock::pass(ATTENTION.saturating_sub(silence)).await;
            }
        }
    }
}

impl Catalogue {
    /// Starts a query, and says under which id its results can be fetched.
    pub(super) async fn start_watching(&mut self, sql: &str) -> Result<Answered, MillGone> {
        if self.watched.queries.len() >= QUERIES_MAX {
            let message = format!("{QUERIES_MAX} queries run already; end one of them first");
            return Ok(Err(RequestRefused::Conflict(message)));
        }
        let id = format!("query-{}", self.watched.last + 1);
        let compiled = match compile_alone(sql, &id, Timing::AsDefined, self.queries.known()) {
            Ok(compiled) => compiled,
            Err(problems) => return Ok(Err(RequestRefused::Invalid(render(&problems, sql)))),
        };
        let candidate = match self.load(Found::new(id.clone(), compiled.wasm, None)).await {
            Ok(candidate) => candidate,
            Err(reason) => return Ok(Err(RequestRefused::Invalid(reason))),
        };
        self.provide(&candidate).await?;
        let Some(loaded) = candidate.loaded.rule.clone() else {
            return Ok(Err(RequestRefused::Invalid("it is no rule".to_owned())));
        };
        let (collector, handle) = Collector::bounded(&id, &SinkMetrics::default(), RESULT_BYTES_MAX);
        let specified = self.specify(&mill_id(&id), &candidate, loaded).await;
        let put = match specified {
            Ok(spec) => self.put_watched(spec, handle).await?,
            Err(reason) => Err(Refusal::Refused(reason)),
        };
        let (stream, mill) = match put {
            Ok(placed) => placed,
            Err(refusal) => {
                self.forget_watched(&id);
                return Ok(Err(RequestRefused::Invalid(refusal.to_string())));
            }
        };
        self.watched.last += 1;
        self.watched.queries.insert(
            id.clone(),
            Live {
                collector: Arc::new(collector),
                stream,
                mill,
                fetched: clock::monotonic(),
            },
        );
        tracing::info!(query = id, "query started");
        self.publish();
        Ok(Ok(Reply::CreatedJson(format!("{{\"id\":\"{id}\"}}"))))
    }

    async fn put_watched(
        &self,
        spec: RuleSpec,
        sink: SinkHandle,
    ) -> Result<Result<(StreamKey, usize), Refusal>, MillGone> {
        let stream = StreamKey {
            role: Role::Watched,
            ..spec.stream
        };
        let spec = RuleSpec {
            role: Role::Watched,
            stream: stream.clone(),
            sinks: vec![sink],
            sink_names: Vec::new(),
            ..spec
        };
        let mills = &self.parts.mills;
        let mill = mills.of_stream(&stream);
        mills.wake(mill);
        let put = mills
            .ask(mill, |reply| Command::PutWatched(Box::new(spec), reply))
            .await?;
        Ok(put.map(|()| (stream, mill)))
    }

    /// Ends a query that somebody does not want any more.
    pub(super) async fn stop_watching(&mut self, id: &str) -> Result<Answered, MillGone> {
        if !self.watched.queries.contains_key(id) {
            return Ok(Err(unknown(id)));
        }
        self.end_watched(id).await?;
        tracing::info!(query = id, "query ended");
        Ok(Ok(Reply::Text(format!("Query {id} is stopped."))))
    }

    /// Ends the queries from which nobody fetches.
    pub(super) async fn end_unattended(&mut self) -> Result<(), MillGone> {
        let now = clock::monotonic();
        let queries = self.watched.queries.iter();
        let left = queries.filter(|(_, live)| now.duration_since(live.fetched) >= ATTENTION);
        let left: Vec<String> = left.map(|(id, _)| id.clone()).collect();
        for id in left {
            self.end_watched(&id).await?;
            tracing::info!(
                query = id,
                "The client seems no longer fetch the query result, stop the query now."
            );
        }
        Ok(())
    }

    async fn end_watched(&mut self, id: &str) -> Result<(), MillGone> {
        let Some(live) = self.watched.queries.remove(id) else {
            return Ok(());
        };
        let rule: Arc<str> = mill_id(id).into();
        let removed = self
            .parts
            .mills
            .ask(live.mill, |reply| Command::RemoveRule(rule, Removal::Discard, reply));
        removed.await?;
        self.forget_watched(id);
        self.publish();
        Ok(())
    }

    fn forget_watched(&mut self, id: &str) {
        let id = mill_id(id);
        self.metrics.remove(&id);
        self.parts.families.remove_rule(&id.into());
    }
}

/// The id under which the mills and the metrics know a query. No file can have that name.
fn mill_id(id: &str) -> String {
    format!("{id}/watched")
}

fn unknown(id: &str) -> RequestRefused {
    RequestRefused::Unknown(format!(
        "there is no query {id}; it ends when nobody has fetched from it for {} s",
        ATTENTION.as_secs()
    ))
}

/// `{"results":[[{"a":1}],...]}`
fn results(emissions: &[EncodedEmission]) -> String {
    let mut json = String::from("{\"results\":[");
    for (position, emission) in emissions.iter().enumerate() {
        if position > 0 {
            json.push(',');
        }
        json.push_str(&String::from_utf8_lossy(&emission.json));
    }
    json.push_str("]}");
    json
}

/// How long a fetch waits for a result.
const FETCH_PATIENCE: Duration = Duration::from_secs(2);
/// After this long without a fetch, a query ends.
const ATTENTION: Duration = Duration::from_secs(10);
/// The most queries at once.
const QUERIES_MAX: usize = 16;
/// The most bytes of results that wait to be fetched; then the oldest are dropped.
const RESULT_BYTES_MAX: usize = 4 << 20;
