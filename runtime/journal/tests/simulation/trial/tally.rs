//! What happened in simulations, so that one can see that they were about something.

use std::fmt;

/// Counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// From a start to an end.
    pub(crate) lives: u64,
    /// Whether the first life ended by itself.
    pub(crate) first_life_ended: bool,
    /// Ends in the midst of an operation.
    pub(crate) crashes: u64,
    /// Ends at which the power was lost.
    pub(crate) power_losses: u64,
    /// Bits that flipped, and files that could not be read any more.
    pub(crate) damaged: u64,
    /// Things that were done.
    pub(crate) operations: u64,
    /// Attempts to open something that failed.
    pub(crate) failed_opens: u64,
    /// Logs and outboxes that were opened again because the disk had failed.
    pub(crate) reopened: u64,
    /// Disks that were full.
    pub(crate) full: u64,
    /// Checkpoints that were finished.
    pub(crate) checkpoints: u64,
    /// Checkpoints that were rejected.
    pub(crate) rejected: u64,
    /// Records that were found after a start.
    pub(crate) records: u64,
    /// Torn ends that were cut off.
    pub(crate) cuts: u64,
    /// Records that were copied at a start.
    pub(crate) secured: u64,
    /// Segments that were put aside.
    pub(crate) quarantined: u64,
    /// Promised records that were lost to damage, and told.
    pub(crate) told_lost: u64,
    /// Emissions that came again after a start.
    pub(crate) emissions: u64,
    /// Emissions that were dropped because the queue was full.
    pub(crate) dropped: u64,
}

impl Tally {
    /// The counts with their names.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 17] {
        [
            ("lives", self.lives),
            ("crashes", self.crashes),
            ("losses of power", self.power_losses),
            ("damaged files", self.damaged),
            ("operations", self.operations),
            ("failed opens", self.failed_opens),
            ("opened again", self.reopened),
            ("full disks", self.full),
            ("checkpoints", self.checkpoints),
            ("rejected checkpoints", self.rejected),
            ("records found", self.records),
            ("torn ends", self.cuts),
            ("records copied", self.secured),
            ("segments put aside", self.quarantined),
            ("records lost to damage, and told", self.told_lost),
            ("emissions found", self.emissions),
            ("emissions dropped", self.dropped),
        ]
    }

    /// Adds what happened in another simulation.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.lives += other.lives;
        self.crashes += other.crashes;
        self.power_losses += other.power_losses;
        self.damaged += other.damaged;
        self.operations += other.operations;
        self.failed_opens += other.failed_opens;
        self.reopened += other.reopened;
        self.full += other.full;
        self.checkpoints += other.checkpoints;
        self.rejected += other.rejected;
        self.records += other.records;
        self.cuts += other.cuts;
        self.secured += other.secured;
        self.quarantined += other.quarantined;
        self.told_lost += other.told_lost;
        self.emissions += other.emissions;
        self.dropped += other.dropped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts()
            .iter()
            .try_for_each(|(name, count)| writeln!(out, "{count:>12} {name}"))
    }
}
