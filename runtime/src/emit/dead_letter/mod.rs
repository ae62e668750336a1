//! Messages and rows that could not be processed, kept with their reason as JSON lines.
//!
//! Mill threads and sinks hand them over without ever waiting: what does not fit into the queue is counted as lost and
//! named in the log. A thread of its own writes them. Lines look like this:
//!
//! ```text
//! {"time":MS,"kind":"...","reason":"...","rule":"...","source":"...","topic":"...","qos":0,"arrival":MS,"payload":"..."}
//! {"time":MS,"kind":"...","reason":"...","rule":"...","window":[MS,MS],"group":{...}}
//! ```
//!
//! `kind` is one of the words of [`DeadLetterKind::label`]. `rule` is missing when the message belongs to none. A payload that is not UTF-8 is `payload_base64`; one that was
//! cut to the configured size comes with `"truncated":true`.

mod line;
mod writer;

pub(crate) use self::line::message_line;

use self::line::{MessageLine, RowLine};
use self::writer::Job;
use super::EncodedRow;
use crate::clock;
use crate::config::DeadLetterConfig;
use crate::message::Message;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use crate::telemetry::rate_limit::{RateLimited, Verdict};
use rulemill_core::Micros;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tracing::{error, warn};

/// What kind of thing went wrong; the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadLetterKind {
    /// The payload could not be decoded.
    Decode,
    /// A field that the rule needs is null, missing or of another type.
    Rejected,
    /// A function or kernel reported an error for the row, or an aggregate has no result for the group.
    Row,
    /// A guest trapped, ran too long, failed or was not there.
    Guest,
    /// A guest was not called, because it is suspended.
    Suspended,
    /// The row came after its window had closed.
    Late,
    /// A bound was reached: of groups, windows, bytes, distinct values, or how far ahead an event time may be.
    Bound,
    /// The message is larger than its source takes.
    Oversize,
    /// The row has no valid topic at its sink.
    Topic,
    /// The row is larger than its sink allows.
    TooLarge,
    /// The sink's server refused it.
    Refused,
}

/// A handle to the dead-letter output, for any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    jobs: SyncSender<Job>,
    payload_bytes_max: usize,
    metrics: DeadLetterMetrics,
    repeats: RateLimited<Repeat>,
    /// How many lines were handed over.
    lines: AtomicU64,
}

/// What may come in floods, and is logged only so many times a second.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repeat {
    Rejected(String),
    Lost,
}

impl DeadLetters {
    /// Starts the thread that writes to the file of `config`. It ends when the last handle is gone.
    pub fn start(config: &DeadLetterConfig, metrics: DeadLetterMetrics) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE_LINES_MAX);
        // An alert on an increase needs a value from before it.
        for reason in ["queue_full", "write_failed"] {
            metrics.lost(reason);
        }
        writer::spawn(config.file.clone(), queue, metrics.clone())?;
        Ok(DeadLetters {
            shared: Arc::new(Shared {
                jobs,
                payload_bytes_max: config.payload_bytes_max,
                metrics,
                repeats: RateLimited::new(LOG_LINES_PER_SECOND_MAX),
                lines: AtomicU64::new(0),
            }),
        })
    }

    /// Keeps a message of `source` that `rule` could not process; no rule: nobody could decode it.
    pub fn message(&self, rule: Option<&str>, source: &str, message: &Message, kind: DeadLetterKind, reason: &str) {
        let line = MessageLine {
            time: clock::wall(),
            rule,
            source,
            message,
            kind,
            reason,
        };
        self.count_and_log(rule.unwrap_or_default(), kind, reason, Some((source, &message.topic)));
        self.send(line.write(self.shared.payload_bytes_max));
    }

    /// Keeps a row of a result of `rule`: its JSON object, or that of its group's keys (see [`super::encode_row`]).
    pub fn row(
        &self,
        rule: &str,
        window: Option<(Micros, Micros)>,
        row: EncodedRow<'_>,
        kind: DeadLetterKind,
        reason: &str,
    ) {
        let line = RowLine {
            time: clock::wall(),
            rule,
            window,
            row: row.json,
            kind,
            reason,
        };
        self.count_and_log(rule, kind, reason, None);
        self.send(line.write(self.shared.payload_bytes_max));
    }

    /// Waits until everything handed over so far has been written, at most `timeout`: whether it was.
    pub fn flush(&self, timeout: Duration) -> bool {
        let (written, answer) = sync_channel(1);
        let deadline = clock::monotonic() + timeout;
        let left = || deadline.saturating_duration_since(clock::monotonic());
        let mut job = Job::Flush(written);
        loop {
            match self.shared.jobs.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if left() > Duration::ZERO => {
                    job = back;
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err(_) => return false,
            }
        }
        answer.recv_timeout(left()).is_ok()
    }

    /// How many there were so far.
    pub fn count(&self) -> u64 {
        self.shared.lines.load(Ordering::Relaxed)
    }

    fn send(&self, line: Vec<u8>) {
        self.shared.lines.fetch_add(1, Ordering::Relaxed);
        if self.shared.jobs.try_send(Job::Line(line)).is_ok() {
            return;
        }
        self.shared.metrics.lost("queue_full").inc();
        if let Some(suppressed) = self.may_log(Repeat::Lost) {
            error!(
                suppressed,
                "dead letters are lost: they come faster than their file can be written"
            );
        }
    }

    fn count_and_log(&self, rule: &str, kind: DeadLetterKind, reason: &str, message: Option<(&str, &str)>) {
        self.shared.metrics.kept(rule, kind.label()).inc();
        if let Some(suppressed) = self.may_log(Repeat::Rejected(rule.to_owned())) {
            match message {
                Some((source, topic)) => warn!(
                    rule,
                    source,
                    topic,
                    kind = kind.label(),
                    suppressed,
                    "message rejected: {reason}"
                ),
                None => warn!(rule, kind = kind.label(), suppressed, "row rejected: {reason}"),
            }
        }
    }

    /// The number of suppressed lines when this one may be logged.
    fn may_log(&self, repeat: Repeat) -> Option<u64> {
        match self.shared.repeats.check(repeat, clock::monotonic()) {
            Verdict::Log { suppressed } => Some(suppressed),
            Verdict::Suppress => None,
        }
    }
}

impl DeadLetterKind {
    /// All of them.
    pub const ALL: [DeadLetterKind; 11] = [
        DeadLetterKind::Decode,
        DeadLetterKind::Rejected,
        DeadLetterKind::Row,
        DeadLetterKind::Guest,
        DeadLetterKind::Suspended,
        DeadLetterKind::Late,
        DeadLetterKind::Bound,
        DeadLetterKind::Oversize,
        DeadLetterKind::Topic,
        DeadLetterKind::TooLarge,
        DeadLetterKind::Refused,
    ];

    /// The word for it in metrics and in the file.
    pub fn label(self) -> &'static str {
        match self {
            DeadLetterKind::Decode => "decode",
            DeadLetterKind::Rejected => "rejected",
            DeadLetterKind::Row => "row",
            DeadLetterKind::Guest => "guest",
            DeadLetterKind::Suspended => "suspended",
            DeadLetterKind::Late => "late",
            DeadLetterKind::Bound => "bound",
            DeadLetterKind::Oversize => "oversize",
            DeadLetterKind::Topic => "topic",
            DeadLetterKind::TooLarge => "too_large",
            DeadLetterKind::Refused => "refused",
        }
    }
}

/// The most lines that wait to be written. Further ones are counted as lost.
const QUEUE_LINES_MAX: usize = 1024;

/// The most log lines a second for one rule; the next one says how many were left out.
const LOG_LINES_PER_SECOND_MAX: u32 = 5;

#[cfg(test)]
mod tests;
