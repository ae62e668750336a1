//! The thread that writes dead letters.

use crate::clock;
use crate::config::FileSinkConfig;
use crate::telemetry::dead_letter::DeadLetterMetrics;
use crate::writer::{Output, RotatingFile};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};
use tracing::error;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Write a line.
    Line(Vec<u8>),
    /// Answer when everything before it has been written.
    Flush(SyncSender<()>),
}

/// Starts the thread. It ends when all senders are gone.
pub(super) fn spawn(file: FileSinkConfig, queue: Receiver<Job>, metrics: DeadLetterMetrics) -> io::Result<()> {
    let mut writer = Writer {
        path: file.path.display().to_string(),
        file: RotatingFile::new(file),
        metrics,
        logged: None,
    };
    thread::Builder::new().name("dead-letters".to_owned()).spawn(move || {
        let mut lines = Vec::new();
        while let Ok(job) = queue.recv() {
            let mut next = Some(job);
            let mut answers = Vec::new();
            while let Some(job) = next {
                match job {
                    Job::Line(line) => lines.extend_from_slice(&line),
                    Job::Flush(answer) => answers.push(answer),
                }
                next = if lines.len() < WRITE_BYTES {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            writer.write(&mut lines);
            for answer in answers {
                let _ = answer.send(());
            }
        }
    })?;
    Ok(())
}

struct Writer {
    path: String,
    file: RotatingFile,
    metrics: DeadLetterMetrics,
    logged: Option<Instant>,
}

impl Writer {
    /// What cannot be written is counted as lost: the queue must go on, or newer letters would be lost instead.
    fn write(&mut self, lines: &mut Vec<u8>) {
        let Err(error) = self.file.write(lines) else {
            return;
        };
        let lost = lines.iter().filter(|&&byte| byte == b'\n').count() as u64;
        lines.clear();
        self.metrics.lost("write_failed").inc_by(lost);
        let now = clock::monotonic();
        if self
            .logged
            .is_none_or(|logged| now.saturating_duration_since(logged) >= LOG_EVERY)
        {
            self.logged = Some(now);
            error!(path = self.path, %error, lost, "dead letters are lost: their file cannot be written");
        }
    }
}

/// About how much is written at once, in bytes.
const WRITE_BYTES: usize = 256 * 1024;

/// How often a failing file is named in the log.
const LOG_EVERY: Duration = Duration::from_secs(10);
