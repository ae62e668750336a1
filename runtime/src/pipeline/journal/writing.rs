//! The log as the recorder writes it.

use super::Folders;
use super::state::{AudienceRecord, FORMAT, Position};
use crate::message::{Audience, Delivery, Served};
use crate::telemetry::journal::JournalMetrics;
use crate::topic::TopicFilter;
use rulemill_core::Micros;
use rulemill_journal::log::{Durability, Log, LogError, LogOptions, OpenError, Sequence, SyncJob, Synced};
use rulemill_journal::{Entry, Message, Qos, Switch};
use std::sync::Arc;

/// The journal, open for writing.
#[derive(Debug)]
pub(in super::super) struct Journal {
    log: Log,
    folders: Folders,
    options: LogOptions,
    /// What messages may fill of it.
    bytes_max: u64,
    /// Audiences that messages have named, from old to new.
    audiences: Vec<Known>,
    /// Counts checkpoints, to know which audiences are named no more.
    generation: u64,
    metrics: JournalMetrics,
}

/// That the oldest messages became a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct BatchRecord {
    /// How many.
    pub(in super::super) messages: usize,
    /// When.
    pub(in super::super) now: Micros,
    /// The record of the last of them.
    pub(in super::super) last: Sequence,
}

/// Where messages are in the log: the records of the first and the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Numbers {
    pub(in super::super) first: Sequence,
    pub(in super::super) last: Sequence,
}

impl Numbers {
    /// Those of messages that were appended together.
    pub(in super::super) fn of(first: Sequence, delivery: &Delivery) -> Self {
        Numbers {
            first,
            last: Sequence(first.0 + delivery.messages.len() as u64 - 1),
        }
    }
}

#[derive(Debug)]
struct Known {
    number: u32,
    served: Arc<Served>,
    generation: u64,
    /// Its record.
    record: Sequence,
}

impl Journal {
    /// Takes over a log that was opened, with the audiences that its messages may name.
    pub(in super::super) fn new(
        log: Log,
        folders: Folders,
        options: LogOptions,
        bytes_max: u64,
        audiences: Vec<(u32, Arc<Served>)>,
        metrics: JournalMetrics,
    ) -> Self {
        let audiences = audiences.into_iter().map(|(number, served)| Known {
            number,
            served,
            generation: 0,
            record: Sequence::START,
        });
        let journal = Journal {
            log,
            folders,
            options,
            bytes_max,
            audiences: audiences.collect(),
            generation: 0,
            metrics,
        };
        journal.metrics.written(journal.log.bytes());
        journal
    }

    /// Appends the messages of a delivery; all or none. Gives the number of the first.
    pub(in super::super) fn deliver(&mut self, delivery: &Delivery) -> Result<Sequence, LogError> {
        let audience = self.audience(&delivery.audience)?;
        let source = &*delivery.source;
        let messages = delivery.messages.iter().map(|message| {
            Entry::Message(Message {
                source,
                audience,
                arrival_us: message.arrival.0,
                qos: if message.qos == 0 {
                    Qos::AtMostOnce
                } else {
                    Qos::AtLeastOnce
                },
                retain: message.retain,
                duplicate: false,
                topic: &message.topic,
                payload: &message.payload,
            })
        });
        let appended = self.log.append(messages)?;
        self.metrics.messages.inc_by(delivery.messages.len() as u64);
        Ok(appended.start)
    }

    /// Appends that the oldest messages became a batch.
    pub(in super::super) fn batch(&mut self, batch: BatchRecord) -> Result<Sequence, LogError> {
        self.entry(&Entry::Batch {
            messages: u32::try_from(batch.messages).unwrap_or(u32::MAX),
            now_us: batch.now.0,
            last: Some(batch.last.0),
        })
    }

    /// Appends that a mill is told the time.
    pub(in super::super) fn tick(&mut self, mill: usize, now: Micros) -> Result<Sequence, LogError> {
        self.entry(&Entry::Tick {
            mill: number(mill),
            at_us: now.0,
        })
    }

    /// Appends that code changes on a mill.
    pub(in super::super) fn switch(&mut self, mill: usize, position: u64, change: &[u8]) -> Result<Sequence, LogError> {
        self.entry(&Entry::Switch(Switch {
            mill: number(mill),
            position,
            change,
        }))
    }

    /// Writes what was appended: it survives the end of the process.
    pub(in super::super) fn write(&mut self) -> Result<(), LogError> {
        self.log.commit(Durability::ProcessCrash)?;
        self.metrics.written(self.log.bytes());
        Ok(())
    }

    /// What there is to sync elsewhere.
    pub(in super::super) fn begin_sync(&mut self) -> Result<Option<SyncJob>, LogError> {
        self.log.begin_sync()
    }

    /// It was synced. Gives up to where.
    pub(in super::super) fn finish_sync(&mut self, done: Synced) -> Result<Sequence, LogError> {
        self.log.finish_sync(done)?;
        self.metrics.syncs.inc();
        Ok(self.log.synced())
    }

    /// Whether so much is written and not synced that the next segment would wait for it.
    pub(in super::super) fn is_behind(&self) -> bool {
        self.log.unsynced_bytes() > UNSYNCED_BYTES_MAX
    }

    /// Whether there is room for messages.
    pub(in super::super) fn has_room(&self) -> bool {
        self.log.bytes() < self.bytes_max
    }

    /// All bytes of the log.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// The last record.
    pub(in super::super) fn last(&self) -> u64 {
        self.log.next().0.saturating_sub(1)
    }

    /// Where a checkpoint is that is taken now. What no message has named since the checkpoint before last is forgotten.
    pub(in super::super) fn position(&mut self, done: u64, next_message: Option<Sequence>, mills: usize) -> Position {
        self.generation += 1;
        let oldest = self.generation.saturating_sub(3);
        self.audiences.retain(|known| known.generation >= oldest);
        let audiences = self.audiences.iter().map(|known| AudienceRecord {
            number: known.number,
            here: known.served.here.iter().map(ToString::to_string).collect(),
            nowhere: known.served.nowhere.iter().map(ToString::to_string).collect(),
        });
        Position {
            format: FORMAT,
            done,
            next_message: next_message.unwrap_or(self.log.next()).0,
            mills,
            audiences: audiences.collect(),
        }
    }

    /// Removes what no checkpoint needs.
    pub(in super::super) fn trim(&mut self, below: u64) -> Result<(), LogError> {
        self.log.trim(Sequence(below))?;
        self.metrics.written(self.log.bytes());
        Ok(())
    }

    /// Whether the disk has failed.
    pub(in super::super) fn is_broken(&self) -> bool {
        self.log.is_broken()
    }

    /// Opens the log again after the disk has failed. What was appended and not written is gone.
    pub(in super::super) fn reopen(&mut self, covered: u64) -> Result<(), OpenError> {
        self.options.salt = fastrand::u32(..);
        let (log, found) = Log::open(Arc::clone(&self.folders.log), self.options, Sequence(covered))?;
        super::recovery::tell(&found);
        self.log = log;
        // They are put down again when a message names them.
        let next = self.log.next();
        self.audiences.retain(|known| known.record < next);
        Ok(())
    }

    /// Puts everything on disk.
    pub(in super::super) fn close(self) -> Result<(), LogError> {
        self.log.close()
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<Sequence, LogError> {
        Ok(self.log.append([entry])?.start)
    }

    /// The number of an audience, which is put down before it is named first.
    fn audience(&mut self, audience: &Audience) -> Result<u32, LogError> {
        let Audience::Some(served) = audience else {
            return Ok(Message::FOR_ALL);
        };
        let mut known = self.audiences.iter_mut().rev();
        if let Some(known) = known.find(|known| Arc::ptr_eq(&known.served, served) || known.served == *served) {
            known.generation = self.generation;
            return Ok(known.number);
        }
        let number = self.audiences.iter().map(|known| known.number).max().unwrap_or(0) + 1;
        let here: Vec<&str> = served.here.iter().map(TopicFilter::as_str).collect();
        let nowhere: Vec<&str> = served.nowhere.iter().map(TopicFilter::as_str).collect();
        let record = self.entry(&Entry::Audience(rulemill_journal::Audience { number, here, nowhere }))?;
        self.audiences.push(Known {
            number,
            served: Arc::clone(served),
            generation: self.generation,
            record,
        });
        Ok(number)
    }
}

fn number(mill: usize) -> u16 {
    u16::try_from(mill).expect("there are few mills")
}

/// A sync begins when so much is not synced.
const UNSYNCED_BYTES_MAX: u64 = 4 << 20;
