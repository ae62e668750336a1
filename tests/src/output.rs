//! The lines that a process prints, as they come.

use crate::{LIMIT, wait_for};
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines of one output of a process; clones see the same lines.
#[derive(Clone, Debug, Default)]
pub struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl Output {
    /// Collects lines from `pipe` in the background until it ends.
    pub(crate) fn follow(pipe: impl Read + Send + 'static) -> Self {
        let output = Output::default();
        let Output { lines, ended } = output.clone();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                line.clear();
            }
            ended.store(true, Ordering::Release);
        });
        output
    }

    /// Waits until the process has closed this output, so that nothing is missing.
    pub async fn wait_for_end(&self) {
        let ended = || self.ended.load(Ordering::Acquire).then_some(());
        wait_for("the end of an output", LIMIT, ended).await;
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines from number `start` on.
    pub fn lines_from(&self, start: usize) -> Vec<String> {
        self.lines().split_off(start.min(self.len()))
    }

    /// How many lines there are so far.
    pub fn len(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing was printed so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All lines so far as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }
}
