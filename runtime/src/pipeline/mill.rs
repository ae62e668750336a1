//! A mill thread: it turns deliveries into emissions, and carries out commands between two batches.
//!
//! It does no I/O. Time comes from the arrival stamps of messages, and from the clock only when no message waits, so that
//! a window is never closed over the head of a message that has already arrived.

use super::command::{Command, Refusal, RuleSpec, StreamKey};
use super::outlet::Outlet;
use super::streams::StreamEntry;
use crate::clock;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Delivery, Message};
use crate::rule::{GuestEngine, MillGuests};
use crate::telemetry::mill::MillMetrics;
use rulemill_core::{Bounds, KernelsId, Micros, Output, Removal, RuleVersion, Swap, TopicId, TopicTable};
use std::collections::HashMap;
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
    guests: MillGuests,
    topics: TopicTable,
    streams: Vec<StreamEntry>,
    /// The stream on which each rule runs, and its kernels.
    rules: HashMap<Arc<str>, Placed>,
    output: Output,
    outlet: Outlet,
    metrics: Arc<MillMetrics>,
    topic_ids: Vec<TopicId>,
    deliveries: Vec<Delivery>,
}

struct Placed {
    stream: StreamKey,
    kernels: Option<KernelsId>,
}

impl Mill {
    /// A mill without rules.
    pub(super) fn new(engine: GuestEngine, outlet: Outlet, metrics: Arc<MillMetrics>) -> Self {
        Mill {
            guests: MillGuests::new(engine),
            topics: TopicTable::new(),
            streams: Vec::new(),
            rules: HashMap::new(),
            output: Output::default(),
            outlet,
            metrics,
            topic_ids: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// Works until every source is gone; then closes what is open, so that nothing taken in stays behind.
    pub(super) async fn run(mut self, mut inputs: MillInputs) {
        let mut commands_open = true;
        loop {
            let wait = self.time_to_deadline();
            tokio::select! {
                biased;
                command = inputs.commands.recv(), if commands_open => match command {
                    Some(command) => self.obey(command),
                    None => commands_open = false,
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

    fn process_deliveries(&mut self) {
        let deliveries = std::mem::take(&mut self.deliveries);
        let mut batch: Vec<&Message> = Vec::with_capacity(BATCH_ROWS_MAX);
        let mut bytes = 0;
        let mut source: Option<&Arc<str>> = None;
        for delivery in &deliveries {
            for message in delivery.messages.iter() {
                let other_source = source.is_some_and(|source| *source != delivery.source);
                let full = batch.len() >= BATCH_ROWS_MAX || bytes + message.payload.len() > BATCH_BYTES_MAX;
                if !batch.is_empty() && (other_source || full) {
                    self.process(source.unwrap_or(&delivery.source), &batch);
                    batch.clear();
                    bytes = 0;
                }
                source = Some(&delivery.source);
                bytes += message.payload.len();
                batch.push(message);
            }
        }
        if let Some(source) = source
            && !batch.is_empty()
        {
            self.process(source, &batch);
        }
        drop(batch);
        self.deliveries = deliveries;
        self.deliveries.clear();
    }

    /// One batch of one source, through every stream of that source.
    fn process(&mut self, source: &Arc<str>, messages: &[&Message]) {
        let started = clock::monotonic();
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
            entry.process(source, messages, &self.topic_ids, &self.topics, &mut self.guests, &mut self.output);
            let entry = &self.streams[position];
            self.outlet.bad_messages(entry.bad(), messages, source);
            self.metrics.matched(entry.matched());
            self.outlet.flush(&mut self.output, |row| messages[entry.message_of(row)], source);
        }
        if let Some(last) = messages.last() {
            self.advance_to(last.arrival);
        }
        self.metrics.batch(messages.len(), clock::monotonic().duration_since(started));
        self.after_work();
    }

    /// Nothing waits: windows that ended by now are closed.
    fn advance(&mut self, now: Micros) {
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

    fn close_all(&mut self) {
        for entry in &mut self.streams {
            entry.stream.close_all(&mut self.guests, &mut self.output);
            self.outlet.flush_results(&mut self.output);
        }
        self.after_work();
    }

    /// Bookkeeping that costs nothing a row.
    fn after_work(&mut self) {
        self.outlet.account(&mut self.guests);
    }

    fn time_to_deadline(&self) -> Option<Duration> {
        let deadline = self.streams.iter().filter_map(|entry| entry.stream.next_deadline()).min()?;
        let wait = deadline.0.saturating_sub(clock::wall().0).max(0);
        Some(Duration::from_micros(wait.unsigned_abs()))
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away meanwhile; the command is carried out all the same.
        match command {
            Command::PutRule(spec, reply) => drop(reply.send(self.put_rule(*spec))),
            Command::RemoveRule(id, reply) => drop(reply.send(self.remove_rule(&id))),
            Command::CheckLibrary(loaded, reply) => drop(reply.send(self.guests.check_library(&loaded))),
            Command::PutLibrary(loaded, reply) => {
                let sites = self.guests.put_library(loaded);
                self.forget(&sites);
                drop(reply.send(()));
            }
            Command::RemoveLibrary(name, reply) => {
                let sites = self.guests.remove_library(&name);
                self.forget(&sites);
                drop(reply.send(()));
            }
            Command::Route(id, sinks, reply) => {
                self.outlet.route(&id, sinks);
                drop(reply.send(()));
            }
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
            let prepared = self.guests.put_kernels(&spec.id, Arc::clone(&spec.loaded), &spec.settings);
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
        self.outlet.add(&spec.id, spec.sinks, spec.account);
        let position = self.stream_position(&spec.stream);
        // The clock stands still for a rule that comes in: it starts with the time that its stream has reached.
        self.advance_to(clock::wall());
        let entry = &mut self.streams[position];
        let put = entry.stream.put(version, &mut self.guests, &mut self.output);
        self.outlet.flush_results(&mut self.output);
        match put {
            Ok(swap) => {
                self.place(spec.id, spec.stream, kernels);
                Ok(swap)
            }
            Err(error) => {
                if let Some(kernels) = kernels {
                    self.guests.remove_kernels(kernels);
                }
                self.streams.retain(|entry| !entry.stream.is_empty());
                Err(error.into())
            }
        }
    }

    /// Books where a rule runs now. A rule that moved from another stream finishes its windows there.
    fn place(&mut self, id: Arc<str>, stream: StreamKey, kernels: Option<KernelsId>) {
        let before = self.rules.insert(Arc::clone(&id), Placed { stream, kernels });
        let Some(before) = before else { return };
        if self.rules.get(&id).is_some_and(|now| now.stream != before.stream)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == before.stream)
        {
            entry.stream.remove(&id, Removal::Drain);
        }
    }

    fn remove_rule(&mut self, id: &Arc<str>) {
        if let Some(placed) = self.rules.remove(id)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == placed.stream)
        {
            entry.stream.remove(id, Removal::Drain);
        }
    }

    fn stream_position(&mut self, key: &StreamKey) -> usize {
        let known = self.streams.iter().position(|entry| entry.key() == key);
        known.unwrap_or_else(|| {
            self.streams.push(StreamEntry::new(key.clone(), Bounds::default()));
            self.streams.len() - 1
        })
    }
}

/// Deliveries taken from the queue at once.
const DELIVERIES_AT_ONCE: usize = 64;
