//! `[reload]` of the configuration, and the same keys beside a guest.

use super::{Checker, Section};
use crate::config::raw::RawReload;
use crate::config::read::Given;
use crate::config::reload::{OnChange, OnRemove, ReloadConfig};
use std::ops::RangeInclusive;
use std::time::Duration;

const PROBATION: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(7 * 86_400);
const BATCHES: RangeInclusive<u64> = 1..=1_000_000_000;

impl Checker {
    pub(super) fn reload(&mut self, section: &Section<'_>) -> Option<ReloadConfig> {
        let raw = RawReload::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawReload::KEYS);
        let probation = self.duration(raw.probation, PROBATION);
        let probation_batches = self.number(raw.probation_batches, BATCHES);
        Some(ReloadConfig {
            on_change: raw.on_change?.value,
            on_remove: raw.on_remove?.value,
            probation: probation?,
            probation_batches: probation_batches?,
        })
    }

    /// What is wrong is reported, so that its place may be taken by the default.
    pub(super) fn sidecar_reload(
        &mut self,
        (on_change, on_remove): (Option<Given<OnChange>>, Option<Given<OnRemove>>),
        (probation, batches): (Option<Given<Duration>>, Option<Given<u64>>),
        defaults: &ReloadConfig,
    ) -> ReloadConfig {
        ReloadConfig {
            on_change: on_change.map_or(defaults.on_change, |given| given.value),
            on_remove: on_remove.map_or(defaults.on_remove, |given| given.value),
            probation: self.duration(probation, PROBATION).unwrap_or(defaults.probation),
            probation_batches: self.number(batches, BATCHES).unwrap_or(defaults.probation_batches),
        }
    }
}
