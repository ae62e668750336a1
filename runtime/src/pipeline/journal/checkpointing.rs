//! Checkpoints: collected from the mills, written on a thread that may wait for the disk, and then the journal may shrink.

use super::code::CodeStore;
use super::state::{MillState, Position, State, StateError};
use crate::clock;
use crate::sink::Sinks;
use crate::telemetry::journal::JournalMetrics;
use rulemill_journal::checkpoint::Checkpoints;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{RwLock, mpsc};

/// A checkpoint that begins.
#[derive(Debug)]
pub(in super::super) struct Begin {
    pub(in super::super) position: Position,
    /// So many mills say what their state is.
    pub(in super::super) expected: usize,
    pub(in super::super) states: mpsc::Receiver<MillState>,
    pub(in super::super) begun: Instant,
}

/// A checkpoint is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Trim {
    /// Records below this are needed no more; `None`: it was not taken, or is the first.
    pub(in super::super) below: Option<u64>,
    /// Its size; 0 when it was not taken.
    pub(in super::super) bytes: u64,
}

/// Takes checkpoints.
pub(in super::super) struct Checkpointer {
    checkpoints: Option<Checkpoints>,
    code: CodeStore,
    sinks: Arc<RwLock<Sinks>>,
    /// What each of those that are kept needs: the first record, and code.
    kept: VecDeque<Needs>,
    metrics: JournalMetrics,
}

/// What a checkpoint needs.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Needs {
    pub(in super::super) first: u64,
    pub(in super::super) code: BTreeSet<String>,
}

impl Checkpointer {
    /// `newest` is what the newest checkpoint needs, if there is one.
    pub(in super::super) fn new(
        checkpoints: Checkpoints,
        code: CodeStore,
        sinks: Arc<RwLock<Sinks>>,
        newest: Option<Needs>,
        metrics: JournalMetrics,
    ) -> Self {
        Checkpointer {
            checkpoints: Some(checkpoints),
            code,
            sinks,
            kept: newest.into_iter().collect(),
            metrics,
        }
    }

    /// Takes one after the other, until nobody asks for any more.
    pub(in super::super) async fn run(mut self, mut begins: mpsc::Receiver<Begin>, trims: mpsc::Sender<Trim>) {
        while let Some(begin) = begins.recv().await {
            let trim = match self.take(begin).await {
                Ok(trim) => trim,
                Err(reason) => {
                    self.metrics.checkpoint_failures.inc();
                    tracing::error!(%reason, "a checkpoint could not be taken; the journal grows until one can");
                    Trim { below: None, bytes: 0 }
                }
            };
            if trims.send(trim).await.is_err() {
                return;
            }
        }
    }

    async fn take(&mut self, mut begin: Begin) -> Result<Trim, String> {
        let mut state = State {
            position: begin.position,
            mills: Vec::new(),
        };
        while state.mills.len() < begin.expected {
            match begin.states.recv().await {
                Some(mill) => state.mills.push(mill),
                None => return Err("a mill thread has ended".to_owned()),
            }
        }
        state.mills.sort_by_key(|mill| mill.mill);
        // What the mills have pushed by now cannot be made again once this checkpoint is there.
        let marks = self.sinks.read().await.marks();
        let marks = marks.ok_or("the sinks have ended")?;
        if !marks.settled(SINK_PATIENCE).await {
            return Err("a sink has ended before its queue was on disk".to_owned());
        }
        self.write(state, begin.begun).await
    }

    async fn write(&mut self, state: State, begun: Instant) -> Result<Trim, String> {
        let Some(mut checkpoints) = self.checkpoints.take() else {
            return Err("an earlier one has ended with a panic".to_owned());
        };
        let needs = Needs {
            first: state.position.first_needed(),
            code: state.code(),
        };
        let writing = tokio::task::spawn_blocking(move || {
            let written = write(&mut checkpoints, &state);
            (checkpoints, written)
        });
        let (checkpoints, written) = writing.await.map_err(|error| error.to_string())?;
        self.checkpoints = Some(checkpoints);
        let bytes = written.map_err(|error| error.to_string())?;
        self.metrics.checkpoint(bytes, clock::monotonic().duration_since(begun));
        self.kept.push_back(needs);
        if self.kept.len() < KEPT {
            return Ok(Trim { below: None, bytes });
        }
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.retain_code(begun).await;
        let below = self.kept.front().map(|oldest| oldest.first);
        Ok(Trim { below, bytes })
    }

    /// Code that came after the checkpoint was begun is named by the journal behind it.
    async fn retain_code(&self, begun: Instant) {
        let needed: BTreeSet<String> = self.kept.iter().flat_map(|kept| kept.code.iter().cloned()).collect();
        let code = self.code.clone();
        let took = clock::monotonic().duration_since(begun);
        let retained = tokio::task::spawn_blocking(move || code.retain(&needed, took));
        if let Ok(Err(error)) = retained.await {
            tracing::warn!(%error, "code that nobody needs cannot be removed");
        }
    }
}

fn write(checkpoints: &mut Checkpoints, state: &State) -> Result<u64, StateError> {
    let mut writer = checkpoints.begin()?;
    state.write(&mut writer)?;
    let (_, bytes) = writer.finish()?;
    // Without a reserve it works too, as long as the disk is not full.
    let _ = checkpoints.restore_reserve();
    Ok(bytes)
}

/// So many checkpoints are kept.
const KEPT: usize = 2;

/// How long a checkpoint waits for a sink that may lose what it has in memory.
const SINK_PATIENCE: Duration = Duration::from_secs(60);
