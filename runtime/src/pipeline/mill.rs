//! A mill thread: it turns deliveries into emissions, and carries out commands between two batches.
//!
//! It does no I/O. Time comes from the arrival stamps of messages, and from the clock only when no message waits, so that
//! a window is never closed over the head of a message that has already arrived. When that clock was set back, streams
//! are told before they see a message of the new time.

mod commands;
mod probation;

pub(super) use probation::{Incident, OffendingBatch};

use probation::{Probations, Verdict, lost_groups};

use super::account::Accounts;
use super::command::{Command, Role, RuleSpec};
use super::outlet::Outlet;
use super::streams::{SourceBatch, StreamEntry};
use super::unmatched::Unmatched;
use crate::clock;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX};
use crate::message::{Delivery, Message};
use crate::rule::{GuestEngine, MillGuests};
use crate::telemetry::mill::{MillMetrics, SourceMetrics};
use rulemill_core::{HashSeed, KernelsId, Micros, Output, TopicId, TopicTable};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// What flows into a mill thread.
pub(super) struct MillInputs {
    /// Messages. When every sender is gone the mill finishes.
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    /// Commands.
    pub(super) commands: mpsc::Receiver<Command>,
}

/// The way from a mill thread to the catalogue.
#[derive(Clone)]
pub(super) struct ToCatalogue {
    /// What happens to versions on probation.
    pub(super) incidents: mpsc::Sender<Incident>,
    /// Told when a version of a rule has gone; whoever waits for the end of one looks then.
    pub(super) version_gone: Arc<Notify>,
}

/// What a mill works with.
pub(super) struct MillParts {
    pub(super) engine: GuestEngine,
    pub(super) seed: HashSeed,
    pub(super) outlet: Outlet,
    pub(super) accounts: Accounts,
    pub(super) metrics: MillMetrics,
    /// On one of the mills, which thereby counts messages for all.
    pub(super) unmatched: Option<Unmatched>,
    /// Whom it tells what happens.
    pub(super) to_catalogue: ToCatalogue,
}

/// A mill thread's state.
pub(super) struct Mill {
    seed: HashSeed,
    /// The latest reading of the clock of arrivals.
    now: Micros,
    guests: MillGuests,
    topics: TopicTable,
    streams: Vec<StreamEntry>,
    /// Where each rule runs.
    rules: HashMap<Arc<str>, Placed>,
    output: Output,
    outlet: Outlet,
    accounts: Accounts,
    /// Whether kernels, call sites or ways out may be needed no more.
    unused: bool,
    probations: Probations,
    to_catalogue: ToCatalogue,
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
            to_catalogue,
        } = parts;
        Mill {
            now: Micros(i64::MIN),
            guests: MillGuests::new(engine),
            topics: TopicTable::new(seed.clone()),
            seed,
            streams: Vec::new(),
            rules: HashMap::new(),
            output: Output::default(),
            outlet,
            accounts,
            unused: false,
            probations: Probations::default(),
            to_catalogue,
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
                    self.process_deliveries(clock::arrival());
                }
                () = pause(wait.unwrap_or_default()), if wait.is_some() => self.advance(clock::arrival()),
            }
        }
        self.close_all();
    }

    /// What a turn of the thread does with these deliveries, for who has no thread. Their stamps are all the time there is.
    pub(super) fn turn(&mut self, deliveries: impl IntoIterator<Item = Delivery>) -> Option<Duration> {
        self.deliveries.extend(deliveries);
        let last = self.deliveries.last().and_then(|delivery| delivery.messages.last());
        let now = last.map_or(self.now, |message| message.arrival.max(self.now));
        self.process_deliveries(now);
        self.time_to_wait()
    }

    /// The guests that it calls.
    pub(super) fn guests(&self) -> &MillGuests {
        &self.guests
    }

    fn process_deliveries(&mut self, now: Micros) {
        self.tell_time(now);
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
        let now = messages.last().map(|message| message.arrival.min(self.now));
        let mut verdicts = Vec::new();
        for position in 0..self.streams.len() {
            match (self.process_stream(position, delivery, messages), now) {
                (Some(found), _) => verdicts.extend(found),
                // Time passes for the other streams too.
                (None, Some(now)) => self.advance_stream(position, now),
                (None, None) => {}
            }
        }
        self.outlet.end_batch();
        if !verdicts.is_empty() {
            self.with_batch(delivery, messages, |mill, batch| mill.take_back(verdicts, batch));
        }
        self.count(source, messages.len());
        self.accounts.touch();
        self.after_work();
    }

    /// Does something with the batch at hand that may change the mill.
    fn with_batch(
        &mut self,
        delivery: &Delivery,
        messages: &[&Message],
        work: impl FnOnce(&mut Self, &SourceBatch<'_>),
    ) {
        let topics = std::mem::take(&mut self.topic_ids);
        let table = std::mem::replace(&mut self.topics, TopicTable::new(self.seed.clone()));
        let batch = SourceBatch {
            source: &delivery.source,
            audience: &delivery.audience,
            messages,
            topics: &topics,
            table: &table,
            now: self.now,
        };
        work(self, &batch);
        self.topic_ids = topics;
        self.topics = table;
    }

    /// Gives what is to become of versions that are watched; `None`: none of the messages is for the stream.
    fn process_stream(&mut self, position: usize, delivery: &Delivery, messages: &[&Message]) -> Option<Vec<Verdict>> {
        let source = &delivery.source;
        let role = self.streams[position].key().role;
        let watching = role == Role::Runs && !self.probations.is_idle();
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
            audience: &delivery.audience,
            messages,
            topics: &self.topic_ids,
            table: &self.topics,
            now: self.now,
        };
        let decoding = entry.process(&batch, &mut self.guests, &mut self.output)?;
        self.metrics.decoded(decoding);
        let mut verdicts = Vec::new();
        if watching {
            entry.stream.settle(&mut self.output);
            self.with_batch(delivery, messages, |mill, batch| verdicts = mill.judge(position, batch));
        }
        lost_groups(&self.output, &mut self.rules, &mut self.probations);
        let entry = &mut self.streams[position];
        if role == Role::Runs {
            for bad in entry.bad() {
                self.metrics.bad(source, bad.reason.name(), 1);
            }
            self.outlet.bad_messages(entry.bad(), messages, source);
        }
        let mut pieces = std::mem::take(&mut entry.pieces);
        let message_of = |row| messages[entry.message_of(row)];
        self.outlet.flush(&mut self.output, &mut pieces, message_of, source);
        entry.pieces = pieces;
        Some(verdicts)
    }

    /// Nothing waits: windows that ended by now are closed.
    pub(super) fn advance(&mut self, now: Micros) {
        self.tell_time(now);
        self.advance_to(now);
        self.after_work();
    }

    /// Takes over a reading of the clock of arrivals. One before the last reading means that it was set back.
    fn tell_time(&mut self, now: Micros) {
        if now < self.now {
            for entry in &mut self.streams {
                entry.stream.set_back(now, &mut self.guests, &mut self.output);
                lost_groups(&self.output, &mut self.rules, &mut self.probations);
                self.outlet.flush_results(&mut self.output, &mut entry.pieces);
            }
        }
        self.now = now;
        self.outlet.tell_time(now);
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
        self.guests.end_batch();
        if !self.probations.is_idle() {
            self.judge_groups();
        }
        let mut gone = false;
        for entry in &mut self.streams {
            gone |= entry.stream.take_version_gone();
        }
        if gone || self.unused {
            self.drop_unused();
        }
        if gone {
            self.to_catalogue.version_gone.notify_one();
        }
        self.tell_incidents();
        self.outlet.pass_time();
        if self.accounts.is_due() {
            self.settle();
        }
    }

    /// Books all that has happened.
    fn settle(&mut self) {
        self.book_counts();
        self.accounts.settle(&mut self.guests, &self.streams, &self.outlet);
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
            let wait = deadline.0.saturating_sub(clock::arrival().0).max(0);
            // The wall clock may go forward while nothing happens here.
            Duration::from_micros(wait.unsigned_abs()).min(CLOCK_INTERVAL)
        });
        [wait, self.accounts.wait()].into_iter().flatten().min()
    }
}

/// How long the thread sleeps at most while windows are open.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Waits. Where there is nothing to wait for it only lets the runtime look around once: the shortest sleep of a timer
/// would be a millisecond, and a closed window of many groups comes out in many pieces.
async fn pause(wait: Duration) {
    if wait.is_zero() {
        tokio::task::yield_now().await;
    } else {
        clock::pass(wait).await;
    }
}

/// Deliveries taken from the queue at once.
const DELIVERIES_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests;
