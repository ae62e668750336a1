//! Emissions as lines of JSON, to standard output or to a file: the sinks `log` and `file`.

use super::context::{Delivery, Stop};
use super::outbox::Sequence;
use crate::backoff::Backoff;
use crate::clock;
use crate::config::SinkFormat;
use crate::emit::EncodedEmission;
use crate::writer::WriterThread;
use std::io;
use std::time::Duration;
use tracing::error;

/// A sink that writes lines.
pub(crate) struct LineSink {
    delivery: Delivery,
    format: SinkFormat,
    writer: WriterThread,
    retry: (Duration, Duration),
}

/// Emissions that are written together.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    sequences: Vec<Sequence>,
    rows: usize,
    bytes: usize,
}

enum Written {
    Yes,
    /// The reader of standard output is gone, and will not come back.
    Nowhere,
    Stopped,
}

impl LineSink {
    /// A sink that writes what `delivery` holds through `writer`.
    pub(crate) fn new(delivery: Delivery, format: SinkFormat, writer: WriterThread) -> Self {
        LineSink {
            delivery,
            format,
            writer,
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
        }
    }

    /// Writes until it is told to stop. A write that fails is tried again for ever, while the queue fills; a standard
    /// output that nobody reads any more takes everything, and that is counted as dropped.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut cursor = Sequence::START;
        let mut batch = Batch::default();
        self.delivery.counters.connected.set(1);
        loop {
            let first = tokio::select! {
                next = self.delivery.outbox.wait_next(cursor) => next,
                () = stop.requested() => break,
            };
            self.collect(first, &mut cursor, &mut batch);
            match self.write(&mut batch, &mut stop).await {
                Written::Yes => {
                    self.delivery
                        .delivered(batch.sequences.len() as u64, batch.rows, batch.bytes);
                }
                Written::Nowhere => {
                    let dropped = self.delivery.counters.dropped("output_closed");
                    dropped.inc_by(batch.sequences.len() as u64);
                }
                Written::Stopped => break,
            }
            for sequence in batch.sequences.drain(..) {
                self.delivery.outbox.done(sequence);
            }
            batch.rows = 0;
            batch.bytes = 0;
        }
        self.delivery.counters.connected.set(0);
    }

    fn collect(&self, first: (Sequence, EncodedEmission), cursor: &mut Sequence, batch: &mut Batch) {
        let mut next = Some(first);
        while let Some((sequence, emission)) = next {
            *cursor = sequence;
            match self.format {
                SinkFormat::Array => {
                    batch.lines.extend_from_slice(&emission.json);
                    batch.lines.push(b'\n');
                }
                SinkFormat::Single => {
                    for row in emission.rows() {
                        batch.lines.extend_from_slice(row.json);
                        batch.lines.push(b'\n');
                    }
                }
            }
            batch.sequences.push(sequence);
            batch.rows += emission.ends.len();
            batch.bytes += emission.json.len();
            if batch.lines.len() >= WRITE_BYTES {
                return;
            }
            next = self.delivery.outbox.next(*cursor);
        }
    }

    async fn write(&self, batch: &mut Batch, stop: &mut Stop) -> Written {
        let mut backoff = Backoff::new(self.retry.0, self.retry.1, Duration::ZERO);
        loop {
            let (left, result) = tokio::select! {
                answer = self.writer.write(std::mem::take(&mut batch.lines)) => answer,
                () = stop.requested() => return Written::Stopped,
            };
            batch.lines = left;
            let Err(cause) = result else {
                self.delivery.counters.connected.set(1);
                return Written::Yes;
            };
            let sink = &self.delivery.counters.sink;
            if cause.kind() == io::ErrorKind::BrokenPipe {
                if self.delivery.counters.connected.set(0) == 1 {
                    error!(%sink, "nobody reads the output any more, further emissions are dropped");
                }
                batch.lines.clear();
                return Written::Nowhere;
            }
            self.delivery.counters.connected.set(0);
            self.delivery.counters.retries.inc();
            let delay = backoff.next_delay(clock::monotonic());
            error!(%sink, error = %cause, retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "the output cannot be written");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stop.requested() => return Written::Stopped,
            }
        }
    }
}

/// About how much is written at once, in bytes.
const WRITE_BYTES: usize = 256 * 1024;
