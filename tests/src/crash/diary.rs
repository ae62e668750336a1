//! What was done to a run, and when: what a failure has to tell, however it comes about.

use crate::{Output, wall_millis};
use std::fmt;

/// The story of a run. When it goes away in a panic, it tells itself.
#[derive(Debug)]
pub(super) struct Diary {
    seed: u64,
    started: u64,
    entries: Vec<(u64, String)>,
    /// The logs of the last processes of rulemill, the last one last.
    logs: Vec<Output>,
}

impl Diary {
    pub(super) fn new(seed: u64) -> Self {
        Diary {
            seed,
            started: wall_millis(),
            entries: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Something happens now.
    pub(super) fn note(&mut self, text: impl fmt::Display) {
        let at = wall_millis().saturating_sub(self.started);
        self.entries.push((at, text.to_string()));
    }

    /// A process of rulemill has ended, or the run has.
    pub(super) fn keep(&mut self, log: &Output) {
        self.logs.push(log.clone());
        if self.logs.len() > LOGS_MAX {
            self.logs.remove(0);
        }
    }
}

impl fmt::Display for Diary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "seed {}; what happened, in milliseconds:", self.seed)?;
        for (at, text) in &self.entries {
            writeln!(formatter, "{at:>8}  {text}")?;
        }
        for log in &self.logs {
            let lines = log.lines();
            writeln!(formatter, "--- the end of a log of rulemill's")?;
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                writeln!(formatter, "{line}")?;
            }
        }
        Ok(())
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the crash run: {self}");
        }
    }
}

/// How many processes' logs are kept, and how much of each is shown.
const LOGS_MAX: usize = 3;
const LINES_SHOWN: usize = 40;
