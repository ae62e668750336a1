//! A mill thread: it turns deliveries into emissions, and carries out commands between two batches.
//!
//! It does no I/O. Time comes from the arrival stamps of messages, and from the clock only when no message waits, so that
//! a window is never closed over the head of a message that has already arrived.

mod probation;

pub(super) use probation::{Incident, OffendingBatch};

use probation::{Probations, Verdict, lost_groups};

use super::account::Accounts;
use super::command::{Command, PutLibrary, PutRule, Refusal, RuleSpec, StreamKey, Watch};
use super::outlet::Outlet;
use super::streams::{SourceBatch, StreamEntry};
use super::unmatched::Unmatched;
use crate::clock;
use crate::config;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Delivery, Message};
use crate::rule::{GuestEngine, MillGuests};
use crate::telemetry::mill::{MillMetrics, SourceMetrics};
use rulemill_core::{Bounds, HashSeed, KernelsId, Micros, Output, Removal, Stream, Swap, TopicId, TopicTable};
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

/// What a mill thread tells the catalogue.
pub(super) type Incidents = mpsc::Sender<Incident>;

/// What a mill works with.
pub(super) struct MillParts {
    pub(super) engine: GuestEngine,
    pub(super) seed: HashSeed,
    pub(super) outlet: Outlet,
    pub(super) accounts: Accounts,
    pub(super) metrics: MillMetrics,
    /// On one of the mills, which thereby counts messages for all.
    pub(super) unmatched: Option<Unmatched>,
    /// Where it tells what happens to versions on probation.
    pub(super) incidents: Incidents,
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
    probations: Probations,
    incidents: Incidents,
    metrics: MillMetrics,
    source_metrics: HashMap<Arc<str>, SourceMetrics>,
    /// On one of the mills, which thereby counts messages for all.
    unmatched: Option<Unmatched>,
    topic_ids: Vec<TopicId>,
    deliveries: Vec<Delivery>,
}

/// The version of a rule that runs.
struct Placed {
    spec: RuleSpec,
    kernels: Option<KernelsId>,
    /// Whether this version has lost groups of closed windows.
    lost_groups: bool,
}

impl Mill {
    /// A mill without rules.
    pub(super) fn new(parts: MillParts) -> Self {
        let MillParts {
            engine,
            seed,
            outlet,
            accounts,
            metrics,
            unmatched,
            incidents,
        } = parts;
        Mill {
            guests: MillGuests::new(engine),
            topics: TopicTable::new(seed.clone()),
            seed,
            streams: Vec::new(),
            rules: HashMap::new(),
            output: Output::default(),
            outlet,
            accounts,
            probations: Probations::default(),
            incidents,
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
                () = pause(wait.unwrap_or_default()), if wait.is_some() => self.advance(clock::wall()),
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
        self.topic_ids.clear();
        self.topics.make_room();
        for message in messages {
            self.topic_ids.push(self.topics.intern(&message.topic));
        }
        let now = messages.last().map(|message| message.arrival);
        let mut verdicts = Vec::new();
        for position in 0..self.streams.len() {
            match (self.process_stream(position, source, messages), now) {
                (Some(found), _) => verdicts.extend(found),
                // Time passes for the other streams too.
                (None, Some(now)) => self.advance_stream(position, now),
                (None, None) => {}
            }
        }
        if !verdicts.is_empty() {
            self.with_batch(source, messages, |mill, batch| mill.take_back(verdicts, batch));
        }
        self.count(source, messages.len());
        self.accounts.touch();
        self.after_work();
    }

    /// Does something with the batch at hand that may change the mill.
    fn with_batch(&mut self, source: &str, messages: &[&Message], work: impl FnOnce(&mut Self, &SourceBatch<'_>)) {
        let topics = std::mem::take(&mut self.topic_ids);
        let table = std::mem::replace(&mut self.topics, TopicTable::new(self.seed.clone()));
        let batch = SourceBatch {
            source,
            messages,
            topics: &topics,
            table: &table,
        };
        work(self, &batch);
        self.topic_ids = topics;
        self.topics = table;
    }

    /// Gives what is to become of versions that are watched; `None`: none of the messages is for the stream.
    fn process_stream(&mut self, position: usize, source: &Arc<str>, messages: &[&Message]) -> Option<Vec<Verdict>> {
        let watching = !self.probations.is_idle();
        if watching {
            // What is counted after this is of this batch.
            self.book_counts();
        }
        let entry = &mut self.streams[position];
        if !entry.key().takes_from(source) {
            return None;
        }
        let batch = SourceBatch {
            source,
            messages,
            topics: &self.topic_ids,
            table: &self.topics,
        };
        let decoding = entry.process(&batch, &mut self.guests, &mut self.output)?;
        self.metrics.decoded(decoding);
        let mut verdicts = Vec::new();
        if watching {
            entry.stream.settle(&mut self.output);
            self.with_batch(source, messages, |mill, batch| verdicts = mill.judge(position, batch));
        }
        lost_groups(&self.output, &mut self.rules, &mut self.probations);
        let entry = &mut self.streams[position];
        for bad in entry.bad() {
            self.metrics.bad(source, bad.reason.name(), 1);
        }
        self.outlet.bad_messages(entry.bad(), messages, source);
        let mut pieces = std::mem::take(&mut entry.pieces);
        let message_of = |row| messages[entry.message_of(row)];
        self.outlet.flush(&mut self.output, &mut pieces, message_of, source);
        entry.pieces = pieces;
        Some(verdicts)
    }

    /// Nothing waits: windows that ended by now are closed.
    pub(super) fn advance(&mut self, now: Micros) {
        self.advance_to(now);
        self.after_work();
    }

    fn advance_to(&mut self, now: Micros) {
        for position in 0..self.streams.len() {
            self.advance_stream(position, now);
        }
    }

    fn advance_stream(&mut self, position: usize, now: Micros) {
        let entry = &mut self.streams[position];
        if entry.stream.next_deadline().is_some_and(|deadline| deadline <= now) {
            entry.stream.advance(now, &mut self.guests, &mut self.output);
            lost_groups(&self.output, &mut self.rules, &mut self.probations);
            self.outlet.flush_results(&mut self.output, &mut entry.pieces);
            self.accounts.touch();
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
            self.outlet.flush_results(&mut self.output, &mut entry.pieces);
        }
        self.settle();
    }

    /// Bookkeeping, now and then.
    fn after_work(&mut self) {
        if !self.probations.is_idle() {
            self.judge_groups();
        }
        self.tell_incidents();
        if self.accounts.is_due() {
            self.settle();
        }
    }

    /// Books all that has happened.
    fn settle(&mut self) {
        self.book_counts();
        let rules = self.rules.iter().map(|(id, placed)| (id, &placed.spec.metrics));
        self.accounts.settle(&mut self.guests, &self.streams, rules);
    }

    fn book_counts(&mut self) {
        for entry in &mut self.streams {
            entry.stream.settle(&mut self.output);
        }
        self.outlet.book(&mut self.output.counts);
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
            Command::PutRule(put, reply) => drop(reply.send(self.put_rule(*put))),
            Command::RemoveRule(id, how, reply) => {
                self.remove_rule(&id, how);
                let _ = reply.send(());
            }
            Command::CheckLibrary(loaded, reply) => drop(reply.send(self.guests.check_library(&loaded))),
            Command::PutLibrary(put, reply) => {
                self.put_library(put);
                let _ = reply.send(());
            }
            Command::RemoveLibrary(name, reply) => {
                self.probations.forget_library(&name);
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

    fn put_library(&mut self, put: PutLibrary) {
        let PutLibrary {
            loaded,
            last_good,
            watch,
        } = put;
        let name = loaded.description.name.clone();
        let running = self.guests.library(&name);
        if running.is_some_and(|running| Arc::ptr_eq(running, &loaded)) {
            return;
        }
        let sites = self.guests.put_library(loaded);
        self.forget(&sites);
        let stats = self.guests.library_stats(&name);
        self.probations.watch_library(&name, last_good, watch, &stats);
    }

    fn put_rule(&mut self, put: PutRule) -> Result<Swap, Refusal> {
        // The clock stands still for a rule that comes in: it starts with the time that its stream has reached.
        self.advance_to(clock::wall());
        let PutRule { spec, mut last_good } = put;
        if let Some(good) = &mut last_good
            && let Some(placed) = self.rules.get(&spec.id)
        {
            good.lost_groups = placed.spec.identity == good.spec.identity && placed.lost_groups;
        }
        let (id, identity) = (Arc::clone(&spec.id), spec.identity);
        let watch = Watch::from(&spec.reload);
        let same = self
            .rules
            .get(&id)
            .is_some_and(|placed| placed.spec.identity == identity);
        let on_change = spec.reload.on_change;
        let swap = self.install(spec, on_change)?;
        if same {
            self.probations.refresh(&id, last_good);
        } else {
            self.probations.watch_rule(&id, last_good, watch);
        }
        self.drop_unused();
        Ok(swap)
    }

    /// Puts a version in place, between two batches.
    fn install(&mut self, spec: RuleSpec, on_change: config::OnChange) -> Result<Swap, Refusal> {
        let kernels = match spec.loaded.has_kernels() {
            true => {
                let prepared = self
                    .guests
                    .put_kernels(&spec.id, Arc::clone(&spec.loaded), &spec.settings);
                Some(prepared.map_err(|error| Refusal::Refused(format!("prepare: {error}")))?)
            }
            false => None,
        };
        let position = self.stream_position(&spec.stream);
        let entry = &mut self.streams[position];
        let version = spec.version(kernels, on_change);
        let put = entry.stream.put(&version, &mut self.guests, &mut self.output);
        self.outlet.flush_results(&mut self.output, &mut entry.pieces);
        match put {
            Ok(swap) => {
                self.outlet.add(&spec.id, spec.sinks.clone(), spec.metrics.clone());
                self.place(spec, kernels);
                Ok(swap)
            }
            Err(error) => {
                self.drop_unused();
                Err(error.into())
            }
        }
    }

    /// Books where a rule runs now. A rule that moved from another stream finishes its windows there.
    fn place(&mut self, spec: RuleSpec, kernels: Option<KernelsId>) {
        let (id, stream) = (Arc::clone(&spec.id), spec.stream.clone());
        let placed = Placed {
            lost_groups: false,
            spec,
            kernels,
        };
        let before = self.rules.insert(Arc::clone(&id), placed);
        if let Some(before) = before
            .map(|before| before.spec.stream)
            .filter(|before| *before != stream)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == before)
        {
            entry.stream.remove(&id, Removal::Retire);
        }
    }

    fn remove_rule(&mut self, id: &Arc<str>, how: Removal) {
        self.probations.forget_rule(id);
        if let Some(placed) = self.rules.remove(id)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == placed.spec.stream)
        {
            entry.stream.remove(id, how);
        }
        self.drop_unused();
    }

    /// Streams whose last rule has finished go, and with them their decoding; so do kernels that no version needs.
    fn drop_unused(&mut self) {
        if self.streams.iter().any(|entry| entry.stream.is_idle()) {
            // What the last rules of a stream counted goes with the stream.
            self.book_counts();
            self.streams.retain(|entry| !entry.stream.is_idle());
        }
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

/// Waits. Where there is nothing to wait for it only lets the runtime look around once: the shortest sleep of a timer
/// would be a millisecond, and a closed window of many groups comes out in many pieces.
async fn pause(wait: Duration) {
    if wait.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(wait).await;
    }
}

/// Deliveries taken from the queue at once.
const DELIVERIES_AT_ONCE: usize = 64;
