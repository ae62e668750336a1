//! A mill thread: it turns batches into emissions, and carries out commands between two batches.
//!
//! It does no I/O. Time comes with the batches, and from the recorder when it asks for it because nothing has arrived, so that
//! a window is never closed over the head of a message that has already arrived. When the clock was set back, streams
//! are told before they see a message of the new time.

mod clockwork;
mod commands;
mod keeping;
mod probation;

pub(super) use clockwork::Clockwork;
pub(super) use keeping::{Lost, Recording};
pub(super) use probation::{Incident, OffendingBatch};

use keeping::Keeping;
use probation::{Probations, Verdict, lost_groups};

use super::account::Accounts;
use super::command::{Command, Role, RuleSpec};
use super::flow::{Batch, Flow, Gathering};
use super::outlet::Outlet;
use super::streams::{SourceBatch, StreamEntry};
use super::unmatched::Unmatched;
use crate::clock;
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
    /// Messages and the time. When this is closed the mill finishes.
    pub(super) flow: mpsc::Receiver<Flow>,
    /// Commands.
    pub(super) commands: mpsc::Receiver<Command>,
    /// To ask for the time.
    pub(super) clockwork: Clockwork,
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
    /// Which mill it is.
    pub(super) number: usize,
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
    keeping: Keeping,
}

/// The version of a rule that runs.
struct Placed {
    spec: RuleSpec,
    kernels: Option<KernelsId>,
    /// The core's name of this version.
    tag: u64,
    /// Whether this version has lost groups of closed windows.
    lost_groups: bool,
}

impl Mill {
    /// A mill without rules.
    pub(super) fn new(parts: MillParts) -> Self {
        let MillParts {
            number,
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
            keeping: Keeping::of(number),
        }
    }

    /// Whether it has rules, be it only to finish their windows.
    pub(super) fn has_rules(&self) -> bool {
        !self.streams.is_empty()
    }

    /// From here on, changes of code are written down before they are made, and open windows are kept at the end.
    pub(super) fn record_to(&mut self, recording: Recording) {
        self.keeping.record_to(recording);
    }

    /// Works until nothing can come any more; then closes what is open, so that nothing taken in stays behind.
    pub(super) async fn run(mut self, inputs: MillInputs) {
        let MillInputs {
            mut flow,
            mut commands,
            mut clockwork,
        } = inputs;
        let mut commands_open = true;
        loop {
            let wait = self.time_to_wait(&clockwork);
            tokio::select! {
                biased;
                command = commands.recv(), if commands_open => match command {
                    Some(command) => self.obey(command),
                    None => commands_open = false,
                },
                next = flow.recv() => match next {
                    Some(Flow::Batch(batch)) => {
                        clockwork.heard();
                        self.process_batch(&batch);
                    }
                    Some(Flow::Tick(now, position)) => {
                        clockwork.heard();
                        self.tick(now, position);
                    }
                    Some(Flow::Checkpoint(barrier)) => self.tell_state(&barrier),
                    None => break,
                },
                () = pause(wait.unwrap_or_default()), if wait.is_some() => self.pass(&mut clockwork),
            }
        }
        // What is kept was in the last checkpoint.
        if !self.keeping.is_on() {
            self.close_all();
        }
        self.settle();
    }

    /// What a thread does with these deliveries, for who has none. Their stamps are all the time there is.
    pub(super) fn turn(&mut self, deliveries: impl IntoIterator<Item = Delivery>) -> Option<Duration> {
        let mut gathering = Gathering::default();
        for delivery in deliveries {
            if !gathering.takes(&delivery) {
                self.process_gathered(std::mem::take(&mut gathering));
            }
            gathering.add(delivery);
        }
        self.process_gathered(gathering);
        self.deadline().map(until)
    }

    fn process_gathered(&mut self, gathering: Gathering) {
        let batch = gathering.finish(self.now);
        if let Some(mut batch) = batch {
            let last = batch.messages().last().map(|message| message.arrival);
            batch.now = last.map_or(self.now, |last| last.max(self.now));
            self.process_batch(&batch);
        }
    }

    /// The guests that it calls.
    pub(super) fn guests(&self) -> &MillGuests {
        &self.guests
    }

    /// A batch, through every stream of its source.
    pub(super) fn process_batch(&mut self, batch: &Batch) {
        self.keeping.position = batch.position;
        self.outlet.begin_batch(batch.place);
        self.tell_time(batch.now);
        let messages: Vec<&Message> = batch.messages().collect();
        self.process(batch, &messages);
    }

    fn process(&mut self, batch: &Batch, messages: &[&Message]) {
        let source = batch.source();
        self.topic_ids.clear();
        self.topics.make_room();
        for message in messages {
            self.topic_ids.push(self.topics.intern(&message.topic));
        }
        let now = messages.last().map(|message| message.arrival.min(self.now));
        let mut verdicts = Vec::new();
        for position in 0..self.streams.len() {
            match (self.process_stream(position, batch, messages), now) {
                (Some(found), _) => verdicts.extend(found),
                // Time passes for the other streams too.
                (None, Some(now)) => self.advance_stream(position, now),
                (None, None) => {}
            }
        }
        self.outlet.end_batch();
        if !verdicts.is_empty() {
            self.with_batch(batch, messages, |mill, batch| mill.take_back(verdicts, batch));
        }
        self.count(source, messages.len());
        self.accounts.touch();
        self.after_work();
    }

    /// Does something with the batch at hand that may change the mill.
    fn with_batch(&mut self, batch: &Batch, messages: &[&Message], work: impl FnOnce(&mut Self, &SourceBatch<'_>)) {
        let topics = std::mem::take(&mut self.topic_ids);
        let table = std::mem::replace(&mut self.topics, TopicTable::new(self.seed.clone()));
        let batch = SourceBatch {
            source: batch.source(),
            audience: batch.audience(),
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
    fn process_stream(&mut self, position: usize, batch: &Batch, messages: &[&Message]) -> Option<Vec<Verdict>> {
        let source = batch.source();
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
        let taken = SourceBatch {
            source,
            audience: batch.audience(),
            messages,
            topics: &self.topic_ids,
            table: &self.topics,
            now: self.now,
        };
        let decoding = entry.process(&taken, &mut self.guests, &mut self.output)?;
        self.metrics.decoded(decoding);
        let mut verdicts = Vec::new();
        if watching {
            entry.stream.settle(&mut self.output);
            self.with_batch(batch, messages, |mill, batch| verdicts = mill.judge(position, batch));
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

    /// It is this time, at that place in the order.
    pub(super) fn tick(&mut self, now: Micros, position: u64) {
        self.keeping.position = position;
        self.outlet.begin_batch(position);
        self.advance(now);
    }

    /// Gives a rule messages of the batch that was processed last once more.
    pub(super) fn again(&mut self, rule: &str, messages: &[usize], batch: &Batch) {
        let all: Vec<&Message> = batch.messages().collect();
        if messages.iter().any(|&at| at >= all.len()) || self.topic_ids.len() != all.len() {
            return;
        }
        self.with_batch(batch, &all, |mill, given| {
            mill.process_again(&rule.into(), messages, given);
        });
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

    /// Nothing has come for as long as there was to wait.
    fn pass(&mut self, clockwork: &mut Clockwork) {
        let Some(deadline) = self.deadline() else {
            self.after_work();
            return;
        };
        let now = clock::arrival();
        if deadline <= self.now {
            // What did not fit into the calls before; no time needs to pass for that.
            self.advance_to(self.now);
        } else if deadline <= now || now < self.now {
            clockwork.ask();
        }
        self.outlet.tell_time(now);
        self.after_work();
    }

    fn deadline(&self) -> Option<Micros> {
        let deadlines = self.streams.iter().filter_map(|entry| entry.stream.next_deadline());
        deadlines.min()
    }

    fn time_to_wait(&self, clockwork: &Clockwork) -> Option<Duration> {
        let wait = match self.deadline() {
            Some(deadline) if deadline <= self.now => Some(Duration::ZERO),
            // The wall clock may go forward while nothing happens here.
            Some(deadline) if !clockwork.has_asked() => Some(until(deadline).min(CLOCK_INTERVAL)),
            Some(_) | None => None,
        };
        [wait, self.accounts.wait()].into_iter().flatten().min()
    }
}

/// How long it is until a time of arrival.
fn until(time: Micros) -> Duration {
    let wait = time.0.saturating_sub(clock::arrival().0).max(0);
    Duration::from_micros(wait.unsigned_abs())
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

#[cfg(test)]
mod tests;
