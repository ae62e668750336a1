//! What mill threads and the sink hand over to the thread that keeps a queue on disk.

use super::Sequence;
use crate::emit::EncodedEmission;
use std::collections::VecDeque;

/// What was handed over, and how far the thread has come.
#[derive(Debug, Default)]
pub(super) struct Handed {
    incoming: VecDeque<EncodedEmission>,
    incoming_bytes: usize,
    incoming_bytes_max: usize,
    /// What the sink is done with.
    pub(super) done: Vec<Sequence>,
    /// Counts, since the process began: what was handed over, what is on disk for good, and what somebody waits for to be.
    pushed: u64,
    kept: u64,
    wanted: u64,
    /// What the thread has taken and what is on disk, without what is done.
    stored: u64,
    stored_bytes: u64,
    /// The queue on disk is full, and those that come wait for some to be done.
    pub(super) is_blocked: bool,
    /// What comes from here on does not come from a replay.
    pub(super) replay_is_over: bool,
    /// The thread knows nothing more of what was there at the start.
    pub(super) has_forgotten: bool,
    /// More waits on disk than the sink can see.
    pub(super) has_more: bool,
}

impl Handed {
    /// For a queue that may have so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Handed {
            incoming_bytes_max: (bytes_max / 4).min(INCOMING_BYTES_MAX),
            ..Handed::default()
        }
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.incoming.is_empty() || self.incoming_bytes + bytes <= self.incoming_bytes_max
    }

    pub(super) fn push(&mut self, emission: EncodedEmission, bytes: usize) {
        self.incoming.push_back(emission);
        self.incoming_bytes += bytes;
        self.pushed += 1;
    }

    /// Gives everything to the thread.
    pub(super) fn take(&mut self) -> VecDeque<EncodedEmission> {
        self.stored += self.incoming.len() as u64;
        self.stored_bytes += self.incoming_bytes as u64;
        self.incoming_bytes = 0;
        std::mem::take(&mut self.incoming)
    }

    /// Gives what the sink is done with to the thread.
    pub(super) fn take_done(&mut self) -> Vec<Sequence> {
        self.stored = self.stored.saturating_sub(self.done.len() as u64);
        std::mem::take(&mut self.done)
    }

    /// The thread has come so far: so many are not done, and so many of those that were handed over are kept for good.
    pub(super) fn store(&mut self, stored: (u64, u64), kept: u64) {
        (self.stored, self.stored_bytes) = stored;
        self.kept = kept;
    }

    /// Somebody waits for everything up to here to be on disk.
    pub(super) fn want(&mut self, pushed: u64) {
        self.wanted = self.wanted.max(pushed);
    }

    /// Whether somebody waits for more than is kept.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted > self.kept
    }

    pub(super) fn has_incoming(&self) -> bool {
        !self.incoming.is_empty()
    }

    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// How many emissions are not done.
    pub(super) fn len(&self) -> u64 {
        self.incoming.len() as u64 + self.stored.saturating_sub(self.done.len() as u64)
    }

    /// Their bytes, about.
    pub(super) fn bytes(&self) -> u64 {
        self.incoming_bytes as u64 + self.stored_bytes
    }
}

/// What may wait for the thread, or a quarter of the queue if that is less; then mill threads wait.
const INCOMING_BYTES_MAX: usize = 8 << 20;
