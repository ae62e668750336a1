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
    /// Where to, for the log.
    output: String,
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
    pub(crate) fn new(delivery: Delivery, format: SinkFormat, writer: WriterThread, output: String) -> Self {
        LineSink {
            delivery,
            format,
            writer,
            output,
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
            let emission = self.delivery.addressed(emission);
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
            error!(%sink, output = self.output, error = %cause, retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "the output cannot be written");
            tokio::select! {
                () = clock::pass(delay) => {}
                () = stop.requested() => return Written::Stopped,
            }
        }
    }
}

/// About how much is written at once, in bytes.
const WRITE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::context::Stopper;
    use crate::sink::test::{delivery, emission, rows};
    use crate::writer::Output;
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// An output that fails as told, one error a write, and then keeps what it is given.
    #[derive(Clone, Default)]
    struct Memory {
        errors: Arc<Mutex<VecDeque<io::ErrorKind>>>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Output for Memory {
        fn write(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
            if let Some(kind) = self.errors.lock().unwrap().pop_front() {
                return Err(kind.into());
            }
            self.text.lock().unwrap().append(lines);
            Ok(())
        }
    }

    impl Memory {
        fn failing(errors: &[io::ErrorKind]) -> Self {
            let memory = Memory::default();
            memory.errors.lock().unwrap().extend(errors);
            memory
        }

        fn text(&self) -> String {
            String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
        }
    }

    /// Runs a sink until its queue is empty.
    async fn deliver(memory: &Memory, format: SinkFormat, emissions: Vec<EncodedEmission>) -> Delivery {
        let folder = tempfile::tempdir().unwrap();
        let delivery = delivery(folder.path());
        let writer = WriterThread::spawn("test", memory.clone()).unwrap();
        let mut sink = LineSink::new(delivery.clone(), format, writer, "memory".to_owned());
        sink.retry = (Duration::from_millis(1), Duration::from_millis(2));
        let (stopper, stop) = Stopper::new();
        for emission in emissions {
            delivery.outbox.push(emission, clock::monotonic());
        }
        let task = tokio::spawn(sink.run(stop));
        timeout(PATIENCE, delivery.outbox.emptied()).await.unwrap();
        stopper.stop();
        timeout(PATIENCE, task).await.unwrap().unwrap();
        delivery
    }

    fn two() -> Vec<EncodedEmission> {
        vec![rows(&[r#"{"a":1}"#, r#"{"a":2}"#]), emission("b")]
    }

    #[tokio::test]
    async fn a_line_is_an_emission_or_a_row() {
        for (format, expect) in [
            (SinkFormat::Array, "[{\"a\":1},{\"a\":2}]\n[{\"name\":\"b\"}]\n"),
            (SinkFormat::Single, "{\"a\":1}\n{\"a\":2}\n{\"name\":\"b\"}\n"),
        ] {
            let memory = Memory::default();
            let delivery = deliver(&memory, format, two()).await;
            assert_eq!(memory.text(), expect);
            assert_eq!(
                (delivery.counters.emissions.get(), delivery.counters.rows.get()),
                (2, 3)
            );
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_full_for_a_while_costs_nothing() {
        let memory = Memory::failing(&[io::ErrorKind::StorageFull, io::ErrorKind::StorageFull]);
        let delivery = deliver(&memory, SinkFormat::Array, vec![emission("a")]).await;
        assert_eq!(memory.text(), "[{\"name\":\"a\"}]\n");
        assert_eq!(delivery.counters.retries.get(), 2);
    }

    #[tokio::test]
    async fn an_output_that_nobody_reads_drops_and_counts_and_the_sink_goes_on() {
        let memory = Memory::failing(&[io::ErrorKind::BrokenPipe]);
        let delivery = deliver(&memory, SinkFormat::Array, two()).await;
        assert_eq!(memory.text(), "");
        assert_eq!(delivery.counters.dropped("output_closed").get(), 2);
        assert_eq!(delivery.counters.emissions.get(), 0);
    }
}
