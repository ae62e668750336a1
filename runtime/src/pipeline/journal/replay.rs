//! Doing again what the journal has behind a checkpoint.
//!
//! A change of code stands in the log behind the place where its mill made it, because the mill is behind the recorder. So the log is read
//! twice: first for the changes, then for the messages, batches and ticks, between which the changes are made.

use super::super::flow::{Batch, Gathering};
use super::super::mill::Mill;
use super::change::Change;
use super::recovery::{Rebuild, RecoveryError, audiences};
use super::state::Position;
use super::writing::Numbers;
use crate::emit::DeadLetterKind;
use crate::limits::BATCH_ROWS_MAX;
use crate::message::{Audience, Delivery, Message, Served};
use bytes::Bytes;
use rulemill_core::Micros;
use rulemill_journal::log::{Log, Reader, Sequence};
use rulemill_journal::{Entry, Qos};
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What was done again, and what is left.
pub(super) struct Replayed {
    pub(super) messages: u64,
    pub(super) batches: u64,
    /// The last batch or tick.
    pub(super) position: u64,
    pub(super) waiting: Vec<(Delivery, Numbers)>,
    pub(super) audiences: Vec<(u32, Arc<Served>)>,
}

/// Messages that are in no batch yet.
struct Pending {
    first: Sequence,
    source: Arc<str>,
    audience: Audience,
    message: Message,
}

struct Replay<'a, 'r> {
    mills: &'a mut [Mill],
    rebuild: &'a mut Rebuild<'r>,
    /// For each mill: the changes that are still to be made, each after its batch or tick.
    changes: Vec<VecDeque<(u64, Change)>>,
    pending: VecDeque<Pending>,
    audiences: Vec<(u32, Arc<Served>)>,
    texts: HashSet<Arc<str>>,
    /// The batch that was done last, for mills that go back within it.
    last: Option<Batch>,
    /// How many dead letters there were.
    dead_letters: u64,
    replayed: Replayed,
}

/// Does again what comes after `position`. `last_switches` are the changes that each mill's state has, by their records.
pub(super) fn replay(
    log: &Log,
    position: &Position,
    last_switches: &[u64],
    mills: &mut [Mill],
    rebuild: &mut Rebuild<'_>,
) -> Result<Replayed, RecoveryError> {
    let first = Sequence(position.first_needed().max(1));
    let mut replay = Replay {
        changes: changes(log, first, last_switches)?,
        mills,
        rebuild,
        pending: VecDeque::new(),
        audiences: audiences(&position.audiences),
        texts: HashSet::new(),
        last: None,
        dead_letters: 0,
        replayed: Replayed {
            messages: 0,
            batches: 0,
            position: position.done,
            waiting: Vec::new(),
            audiences: Vec::new(),
        },
    };
    let mut reader = Reader::new(first);
    while let Some(record) = reader.next(log)? {
        let sequence = record.sequence;
        match Entry::decode(record.kind, record.payload) {
            Ok(Entry::Message(message)) if sequence.0 >= position.next_message => replay.message(sequence, &message),
            Ok(Entry::Audience(audience)) => replay.audience(&audience),
            Ok(Entry::Batch { messages, now_us, last }) if sequence.0 > position.done => {
                let messages = replay.taken(messages as usize, last);
                replay.batch(sequence.0, messages, Micros(now_us));
            }
            Ok(Entry::Tick { mill, at_us }) if sequence.0 > position.done => {
                replay.tick(sequence.0, usize::from(mill), Micros(at_us));
            }
            Ok(Entry::Message(_) | Entry::Batch { .. } | Entry::Tick { .. } | Entry::Switch(_)) => {}
            Err(error) => {
                tracing::error!(record = sequence.0, %error, "a record of the journal says nothing that can be done; it is passed over");
            }
        }
    }
    Ok(replay.finish())
}

/// The changes that each mill has not made yet.
fn changes(log: &Log, first: Sequence, last_switches: &[u64]) -> Result<Vec<VecDeque<(u64, Change)>>, RecoveryError> {
    let mut changes = vec![VecDeque::new(); last_switches.len()];
    let mut reader = Reader::new(first);
    while let Some(record) = reader.next(log)? {
        let Ok(Entry::Switch(switch)) = Entry::decode(record.kind, record.payload) else {
            continue;
        };
        let mill = usize::from(switch.mill);
        let is_new = last_switches.get(mill).is_some_and(|last| record.sequence.0 > *last);
        if !is_new {
            continue;
        }
        match serde_json::from_slice(switch.change) {
            Ok(change) => changes[mill].push_back((switch.position, change)),
            // Without it other code would run in the replay, and windows would come out otherwise.
            Err(error) => {
                return Err(RecoveryError::State(format!(
                    "record {} of the journal has a change of code that this version of rulemill does not understand: {error}",
                    record.sequence.0
                )));
            }
        }
    }
    Ok(changes)
}

impl Replay<'_, '_> {
    fn message(&mut self, first: Sequence, message: &rulemill_journal::Message<'_>) {
        let source = self.text(message.source);
        let topic = self.text(message.topic);
        let audience = match message.audience {
            rulemill_journal::Message::FOR_ALL => Audience::All,
            number => {
                let known = self.audiences.iter().rev().find(|(known, _)| *known == number);
                known.map_or(Audience::All, |(_, served)| Audience::Some(Arc::clone(served)))
            }
        };
        self.pending.push_back(Pending {
            first,
            source,
            audience,
            message: Message {
                topic,
                payload: Bytes::copy_from_slice(message.payload),
                qos: match message.qos {
                    Qos::AtMostOnce => 0,
                    Qos::AtLeastOnce | Qos::ExactlyOnce => 1,
                },
                retain: message.retain,
                arrival: Micros(message.arrival_us),
            },
        });
    }

    fn audience(&mut self, audience: &rulemill_journal::Audience<'_>) {
        let texts = |filters: &[&str]| filters.iter().map(|&filter| filter.to_owned()).collect();
        let record = super::state::AudienceRecord {
            number: audience.number,
            here: texts(&audience.here),
            nowhere: texts(&audience.nowhere),
        };
        self.audiences.extend(audiences(&[record]));
    }

    /// How many messages a batch has. The disk may have lost some, or the records of batches before this one, whose messages then
    /// come with this one.
    fn taken(&self, messages: usize, last: Option<u64>) -> usize {
        match last {
            Some(last) => self
                .pending
                .iter()
                .take_while(|pending| pending.first.0 <= last)
                .count(),
            None => messages.min(self.pending.len()),
        }
    }

    fn batch(&mut self, position: u64, messages: usize, now: Micros) {
        let taken: Vec<Pending> = self.pending.drain(..messages).collect();
        self.replayed.messages += messages as u64;
        self.replayed.batches += 1;
        self.replayed.position = position;
        for mill in 0..self.mills.len() {
            self.change_until(mill, position);
        }
        let mut gathering = Gathering::default();
        for (delivery, _) in deliveries(taken) {
            if !gathering.takes(&delivery) {
                self.process(std::mem::take(&mut gathering), position, now);
            }
            gathering.add(delivery);
        }
        self.process(gathering, position, now);
        // Nothing holds up a replay as messages do, and dead letters beyond the queue of their file are lost.
        let dead_letters = self.rebuild.dead_letters.count();
        if dead_letters > self.dead_letters {
            self.dead_letters = dead_letters;
            self.rebuild.dead_letters.flush(DEAD_LETTERS_TIMEOUT);
        }
    }

    fn process(&mut self, gathering: Gathering, position: u64, now: Micros) {
        let Some(mut batch) = gathering.finish(now) else { return };
        batch.position = position;
        batch.place = position;
        for number in 0..self.mills.len() {
            let mill = &mut self.mills[number];
            // It may be what ended the process, and would end every start.
            let processed = catch_unwind(AssertUnwindSafe(|| mill.process_batch(&batch)));
            if processed.is_err() {
                self.pass_over(number, &batch);
            }
        }
        self.last = Some(batch);
    }

    /// A batch that a mill cannot process goes to dead letter. What it had done of it stays.
    fn pass_over(&self, mill: usize, batch: &Batch) {
        let reason = "a batch of the journal could not be processed: the mill thread panicked";
        tracing::error!(
            mill,
            position = batch.position,
            messages = batch.messages().count(),
            "{reason}; it is passed over"
        );
        for message in batch.messages() {
            let dead_letters = &self.rebuild.dead_letters;
            dead_letters.message(None, batch.source(), message, DeadLetterKind::Guest, reason);
        }
    }

    fn tick(&mut self, position: u64, mill: usize, now: Micros) {
        self.replayed.position = position;
        if mill < self.mills.len() {
            self.change_until(mill, position);
            self.mills[mill].tick(now, position);
        }
    }

    /// Makes the changes of a mill that come before a batch or tick.
    fn change_until(&mut self, mill: usize, position: u64) {
        while let Some((_, change)) = self.changes[mill].pop_front_if(|(after, _)| *after < position) {
            self.make(mill, &change);
        }
    }

    fn make(&mut self, mill: usize, change: &Change) {
        if let (Change::ProcessAgain { rule, messages }, Some(batch)) = (change, &self.last) {
            self.mills[mill].again(rule, messages, batch);
            return;
        }
        if let Err(reason) = self.mills[mill].redo(change, self.rebuild) {
            tracing::error!(%reason, ?change, "a change of code cannot be made again");
        }
    }

    fn finish(mut self) -> Replayed {
        for mill in 0..self.mills.len() {
            self.change_until(mill, u64::MAX);
        }
        let mut replayed = self.replayed;
        replayed.waiting = deliveries(self.pending.into_iter().collect());
        // Of a number, the last counts.
        let latest: HashMap<u32, Arc<Served>> = self.audiences.into_iter().collect();
        replayed.audiences = latest.into_iter().collect();
        replayed.audiences.sort_unstable_by_key(|(number, _)| *number);
        replayed
    }

    /// The same text, in memory once.
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        if self.texts.len() >= TEXTS_MAX {
            self.texts.clear();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}

/// Messages of the same source and audience together, each with its numbers.
fn deliveries(pending: Vec<Pending>) -> Vec<(Delivery, Numbers)> {
    let mut deliveries: Vec<(Delivery, Numbers)> = Vec::new();
    let mut rest = pending.into_iter().peekable();
    while let Some(first) = rest.next() {
        let (source, audience) = (first.source, first.audience);
        let mut numbers = Numbers {
            first: first.first,
            last: first.first,
        };
        let mut messages = vec![first.message];
        while messages.len() < BATCH_ROWS_MAX
            && let Some(next) = rest.next_if(|next| next.source == source && next.audience.is(&audience))
        {
            numbers.last = next.first;
            messages.push(next.message);
        }
        let delivery = Delivery {
            source,
            audience,
            messages: messages.into(),
        };
        deliveries.push((delivery, numbers));
    }
    deliveries
}

/// How long the dead letters of a batch may take.
const DEAD_LETTERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Topics that are remembered while it reads.
const TEXTS_MAX: usize = 100_000;
