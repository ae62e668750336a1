//! A mill thread: it turns deliveries into emissions, and carries out commands between two batches.
//!
//! It does no I/O. Time comes from the arrival stamps of messages, and from the clock only when no message waits, so that
//! a window is never closed over the head of a message that has already arrived.

use super::account::Accounts;
use super::command::{Command, Refusal, RuleSpec, StreamKey};
use super::outlet::Outlet;
use super::streams::{SourceBatch, StreamEntry};
use super::unmatched::Unmatched;
use crate::clock;
use crate::config::LimitsConfig;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Delivery, Message};
use crate::rule::{GuestEngine, MillGuests};
use crate::telemetry::mill::{MillMetrics, SourceMetrics};
use crate::telemetry::rule::RuleMetrics;
use rulemill_core::{
    Bounds, HashSeed, KernelsId, Micros, Output, Removal, RuleVersion, Stream, Swap, TopicId, TopicTable,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What flows into a mill thread.
pub(super) struct MillInputs {
    /// Messages. When every sender is gone the mill finishes.
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    /// Commands.
    pub(super) commands: mpsc::Receiver<Command>,
}

/// A mill thread's state.
pub(super) struct Mill {
    seed: HashSeed,
    guests: MillGuests,
    topics: TopicTable,
    streams: Vec<StreamEntry>,
    /// Where each rule runs.
    rules: HashMap<Arc<str>, Placed>,
    output: Output,
    outlet: Outlet,
    accounts: Accounts,
    metrics: MillMetrics,
    source_metrics: HashMap<Arc<str>, SourceMetrics>,
    /// On one of the mills, which thereby counts messages for all.
    unmatched: Option<Unmatched>,
    topic_ids: Vec<TopicId>,
    deliveries: Vec<Delivery>,
}

struct Placed {
    stream: StreamKey,
    metrics: RuleMetrics,
}

impl Mill {
    /// A mill without rules.
    pub(super) fn new(
        engine: GuestEngine,
        seed: HashSeed,
        outlet: Outlet,
        accounts: Accounts,
        metrics: MillMetrics,
        unmatched: Option<Unmatched>,
    ) -> Self {
        Mill {
            guests: MillGuests::new(engine),
            topics: TopicTable::new(seed.clone()),
            seed,
            streams: Vec::new(),
            rules: HashMap::new(),
            output: Output::default(),
            outlet,
            accounts,
            metrics,
            source_metrics: HashMap::new(),
            unmatched,
            topic_ids: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// Works until it is told to finish, or every source is gone; then closes what is open, so that nothing taken in stays behind.
    pub(super) async fn run(mut self, mut inputs: MillInputs) {
        let mut commands_open = true;
        loop {
            let wait = self.time_to_wait();
            tokio::select! {
                biased;
                command = inputs.commands.recv(), if commands_open => match command {
                    Some(Command::Finish) | None => {
                        commands_open = false;
                        inputs.deliveries.close();
                    }
                    Some(command) => self.obey(command),
                },
                taken = inputs.deliveries.recv_many(&mut self.deliveries, DELIVERIES_AT_ONCE) => {
                    if taken == 0 {
                        break;
                    }
                    self.process_deliveries();
                }
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => self.advance(clock::wall()),
            }
        }
        self.close_all();
    }

    /// What a turn of the thread does with these deliveries, for who has no thread.
    pub(super) fn turn(&mut self, deliveries: impl IntoIterator<Item = Delivery>) -> Option<Duration> {
        self.deliveries.extend(deliveries);
        self.process_deliveries();
        self.time_to_wait()
    }

    /// The guests that it calls.
    pub(super) fn guests(&self) -> &MillGuests {
        &self.guests
    }

    fn process_deliveries(&mut self) {
        let deliveries = std::mem::take(&mut self.deliveries);
        let waiting: usize = deliveries.iter().map(|delivery| delivery.messages.len()).sum();
        let mut batch: Vec<&Message> = Vec::with_capacity(waiting.min(BATCH_ROWS_MAX));
        let mut bytes = 0;
        let mut last: Option<&Delivery> = None;
        for delivery in &deliveries {
            if let Some(last) = last
                && !(last.source == delivery.source && last.audience.is(&delivery.audience))
            {
                self.process(last, &batch);
                batch.clear();
                bytes = 0;
            }
            last = Some(delivery);
            for message in delivery.messages.iter() {
                let full = batch.len() >= BATCH_ROWS_MAX || bytes + message.payload.len() > BATCH_BYTES_MAX;
                if !batch.is_empty() && full {
                    self.process(delivery, &batch);
                    batch.clear();
                    bytes = 0;
                }
                bytes += message.payload.len();
                batch.push(message);
            }
        }
        if let Some(last) = last {
            self.process(last, &batch);
        }
        drop(batch);
        self.deliveries = deliveries;
        self.deliveries.clear();
    }

    /// One batch of the source and for the audience of `delivery`, through every stream of that source.
    fn process(&mut self, delivery: &Delivery, messages: &[&Message]) {
        let source = &delivery.source;
        self.topic_ids.clear();
        self.topics.make_room();
        for message in messages {
            self.topic_ids.push(self.topics.intern(&message.topic));
        }
        for position in 0..self.streams.len() {
            let entry = &mut self.streams[position];
            if !entry.key().takes_from(source) {
                continue;
            }
            let batch = SourceBatch {
                source,
                audience: &delivery.audience,
                messages,
                topics: &self.topic_ids,
                table: &self.topics,
            };
            let decoding = entry.process(&batch, &mut self.guests, &mut self.output);
            self.metrics.decoded(decoding);
            let entry = &self.streams[position];
            for bad in entry.bad() {
                self.metrics.bad(source, bad.reason.name(), 1);
            }
            self.outlet.bad_messages(entry.bad(), messages, source);
            self.outlet
                .flush(&mut self.output, |row| messages[entry.message_of(row)], source);
        }
        if let Some(last) = messages.last() {
            self.advance_to(last.arrival);
        }
        self.count(source, messages.len());
        self.accounts.touch();
        self.after_work();
    }

    /// Nothing waits: windows that ended by now are closed.
    pub(super) fn advance(&mut self, now: Micros) {
        self.advance_to(now);
        self.after_work();
    }

    fn advance_to(&mut self, now: Micros) {
        for entry in &mut self.streams {
            if entry.stream.next_deadline().is_some_and(|deadline| deadline <= now) {
                entry.stream.advance(now, &mut self.guests, &mut self.output);
                self.outlet.flush_results(&mut self.output);
            }
        }
    }

    fn count(&mut self, source: &Arc<str>, messages: usize) {
        let Some(unmatched) = &mut self.unmatched else {
            return;
        };
        let metrics = self
            .source_metrics
            .entry(Arc::clone(source))
            .or_insert_with(|| self.metrics.source(source));
        metrics.batches.inc();
        metrics.messages.inc_by(messages as u64);
        metrics
            .unmatched
            .inc_by(unmatched.count(source, &self.topic_ids, &self.topics));
    }

    fn close_all(&mut self) {
        for entry in &mut self.streams {
            entry.stream.close_all(&mut self.guests, &mut self.output);
            self.outlet.flush_results(&mut self.output);
        }
        self.after_work();
    }

    /// Bookkeeping that costs nothing a row.
    fn after_work(&mut self) {
        let rules = self.rules.iter().map(|(id, placed)| (id, &placed.metrics));
        self.accounts.settle(&mut self.guests, &self.streams, rules);
    }

    fn time_to_wait(&self) -> Option<Duration> {
        let deadline = self
            .streams
            .iter()
            .filter_map(|entry| entry.stream.next_deadline())
            .min();
        let wait = deadline.map(|deadline| {
            let wait = deadline.0.saturating_sub(clock::wall().0).max(0);
            Duration::from_micros(wait.unsigned_abs())
        });
        [wait, self.accounts.wait()].into_iter().flatten().min()
    }

    pub(super) fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away meanwhile; the command is carried out all the same.
        match command {
            Command::PutRule(spec, reply) => drop(reply.send(self.put_rule(*spec))),
            Command::RemoveRule(id, how, reply) => {
                self.remove_rule(&id, how);
                let _ = reply.send(());
            }
            Command::CheckLibrary(loaded, reply) => drop(reply.send(self.guests.check_library(&loaded))),
            Command::PutLibrary(loaded, reply) => {
                let sites = self.guests.put_library(loaded);
                self.forget(&sites);
                let _ = reply.send(());
            }
            Command::RemoveLibrary(name, reply) => {
                let sites = self.guests.remove_library(&name);
                self.forget(&sites);
                let _ = reply.send(());
            }
            Command::Finish => {}
        }
    }

    fn forget(&mut self, sites: &[rulemill_core::SiteId]) {
        for entry in &mut self.streams {
            entry.stream.forget(sites);
        }
    }

    fn put_rule(&mut self, spec: RuleSpec) -> Result<Swap, Refusal> {
        let needs_kernels = spec.loaded.has_kernels();
        let kernels = if needs_kernels {
            let prepared = self
                .guests
                .put_kernels(&spec.id, Arc::clone(&spec.loaded), &spec.settings);
            Some(prepared.map_err(|error| Refusal::Refused(format!("prepare: {error}")))?)
        } else {
            None
        };
        let version = RuleVersion {
            id: Arc::clone(&spec.id),
            plan: Arc::clone(&spec.loaded.plan),
            kernels,
            settings: spec.settings,
            window_override_ms: spec.window_override_ms,
            bounds: bounds_of(&spec.limits),
        };
        let position = self.stream_position(&spec.stream);
        // The clock stands still for a rule that comes in: it starts with the time that its stream has reached.
        self.advance_to(clock::wall());
        let entry = &mut self.streams[position];
        let put = entry.stream.put(&version, &mut self.guests, &mut self.output);
        self.outlet.flush_results(&mut self.output);
        match put {
            Ok(swap) => {
                self.outlet.add(&spec.id, spec.sinks, spec.metrics.clone());
                let placed = Placed {
                    stream: spec.stream,
                    metrics: spec.metrics,
                };
                self.place(&spec.id, placed);
                self.drop_unused();
                Ok(swap)
            }
            Err(error) => {
                self.drop_unused();
                Err(error.into())
            }
        }
    }

    /// Books where a rule runs now. A rule that moved from another stream finishes its windows there.
    fn place(&mut self, id: &Arc<str>, placed: Placed) {
        let stream = placed.stream.clone();
        let before = self.rules.insert(Arc::clone(id), placed);
        if let Some(before) = before.filter(|before| before.stream != stream)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == before.stream)
        {
            entry.stream.remove(id, Removal::Retire);
        }
    }

    fn remove_rule(&mut self, id: &Arc<str>, how: Removal) {
        if let Some(placed) = self.rules.remove(id)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == placed.stream)
        {
            entry.stream.remove(id, how);
        }
        self.drop_unused();
    }

    /// Streams whose last rule has finished go, and with them their decoding; so do kernels that no version needs.
    fn drop_unused(&mut self) {
        self.streams.retain(|entry| entry.stream.rules().next().is_some());
        let used: HashSet<KernelsId> = self.streams.iter().flat_map(|entry| entry.stream.kernels()).collect();
        self.guests.retain_kernels(&used);
        let streams = || self.streams.iter().map(|entry| &entry.stream);
        let (sites, accumulators) = (
            streams().flat_map(Stream::sites),
            streams().flat_map(Stream::accumulators),
        );
        self.guests.retain_sites(&sites.collect(), &accumulators.collect());
    }

    fn stream_position(&mut self, key: &StreamKey) -> usize {
        let known = self.streams.iter().position(|entry| entry.key() == key);
        known.unwrap_or_else(|| {
            self.streams
                .push(StreamEntry::new(key.clone(), Bounds::default(), self.seed.clone()));
            self.streams.len() - 1
        })
    }
}

fn bounds_of(limits: &LimitsConfig) -> Bounds {
    Bounds {
        groups_max: limits.groups_max,
        windows_max: limits.windows_max,
        ..Bounds::default()
    }
}

/// Deliveries taken from the queue at once.
const DELIVERIES_AT_ONCE: usize = 64;
