//! A trial of some messages with another version: in a stream and guests of their own, whose results nobody sees.

use super::super::super::command::RuleSpec;
use super::super::super::streams::{SourceBatch, StreamEntry};
use super::{Mill, Part, failed_messages};
use crate::config::OnChange;
use crate::rule::MillGuests;
use rulemill_core::{Bounds, Output};
use std::sync::Arc;

/// What a trial showed.
pub(super) struct Outcome {
    /// The positions of the messages that were processed, ascending.
    pub(super) survivors: Vec<usize>,
    /// Calls of kernels that trapped or overran.
    pub(super) traps: u64,
}

impl Mill {
    /// Tries the messages at `positions`. `None`: the version cannot be started any more, so that nothing can be said.
    pub(super) fn try_with(
        &self,
        spec: &RuleSpec,
        mut guests: MillGuests,
        given: &SourceBatch<'_>,
        positions: &[usize],
    ) -> Option<Outcome> {
        let kernels = match spec.loaded.has_kernels() {
            true => {
                let loaded = Arc::clone(&spec.loaded);
                Some(guests.put_kernels(&spec.id, loaded, &spec.settings, spec.limits).ok()?)
            }
            false => None,
        };
        let mut output = Output::default();
        let mut entry = StreamEntry::new(spec.stream.clone(), Bounds::default(), self.seed.clone());
        entry
            .stream
            .put(&spec.version(kernels, OnChange::Now, 0), &mut guests, &mut output)
            .ok()?;
        let part = Part::of(positions, given);
        entry.process(&part.batch(given), &mut guests, &mut output);
        let failed = failed_messages(&output, |row| entry.message_of(row));
        let failed = failed.get(&spec.id).map_or(&[][..], Vec::as_slice);
        let rows = entry.rows().iter().map(|&at| at as usize);
        Some(Outcome {
            survivors: rows
                .filter(|at| failed.binary_search(at).is_err())
                .map(|at| positions[at])
                .collect(),
            traps: kernels.map_or(0, |kernels| guests.stats_of(kernels).traps),
        })
    }
}
