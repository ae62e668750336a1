//! `[limits]` of the configuration and of one guest, and the rest of the file beside a guest.

use super::own_sinks::own_sink;
use super::{Checker, Section};
use crate::config::node::{Node, Origin};
use crate::config::problems::Spot;
use crate::config::raw::{RawLimits, RawRuleLimits, RawSidecar};
use crate::config::read::Given;
use crate::config::reload::GuestDefaults;
use crate::config::section::{names, refuse_unknown};
use crate::config::sidecar::{BadSidecar, Sidecar};
use crate::config::types::LimitsConfig;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Checks the text of the file beside a rule.
pub(in crate::config) fn check_sidecar(
    text: &str,
    file: &str,
    defaults: &GuestDefaults,
) -> Result<Sidecar, Box<BadSidecar>> {
    let mut checker = Checker::of(file);
    defaults.folder.as_ref().clone_into(&mut checker.folder);
    let table = Node::parse(text, &mut checker.problems);
    if !checker.problems.is_empty() {
        return checker.problems.or(None).map_err(|problems| {
            Box::new(BadSidecar {
                problems,
                readable: None,
            })
        });
    }
    let raw = RawSidecar::read(&table, "", &mut checker.problems);
    let known: Vec<&str> = names(RawSidecar::KEYS).chain(["limits", "sink"]).collect();
    refuse_unknown(&table, "", &known, &mut checker.problems);
    let section = checker.section_at(&table, &Spot::new("", &Origin::Default), "limits");
    let limits = section.map_or(defaults.limits, |section| {
        checker.rule_limits(&section, &defaults.limits)
    });
    let reload = checker.sidecar_reload(
        (raw.on_change, raw.on_remove),
        (raw.probation, raw.probation_batches),
        &defaults.reload,
    );
    let guest = file.strip_suffix(".toml").unwrap_or(file);
    let own_sinks = checker.own_sinks(&table, guest);
    let sinks = match raw.sinks {
        Some(given) => {
            let full = |name: String| {
                let own = own_sink(guest, &name);
                if own_sinks.contains_key(&own) { own } else { name }
            };
            Some(given.value.into_iter().map(full).collect())
        }
        None if own_sinks.is_empty() => None,
        None => Some(own_sinks.keys().cloned().collect()),
    };
    let sidecar = Sidecar {
        topics: raw.topics.map(|given| checker.topics(given)),
        source: raw.source.map(|given| given.value),
        sinks,
        own_sinks,
        stopped: raw.stopped.is_some_and(|given| given.value),
        window: raw.window.map(|given| checker.window(&given)),
        settings: raw.settings.map(|given| given.value).unwrap_or_default(),
        shadow: raw.shadow.is_some_and(|given| given.value),
        reload,
        limits,
    };
    match checker.problems.or(Some(())) {
        Ok(()) => Ok(sidecar),
        Err(problems) => Err(Box::new(BadSidecar {
            problems,
            readable: Some(sidecar),
        })),
    }
}

const CALL_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const MEMORY_BYTES: RangeInclusive<u64> = 65_536..=1 << 32;
const TABLE_ELEMENTS: RangeInclusive<u64> = 1..=10_000_000;
/// Threads have 2 MiB, and the host needs some of it.
const STACK_BYTES: RangeInclusive<u64> = 65_536..=1 << 20;
const OUTPUT_BYTES: RangeInclusive<u64> = 1024..=1 << 32;
const ROW_ERRORS: RangeInclusive<u64> = 0..=1 << 20;
const NOTES: RangeInclusive<u64> = 0..=1_000_000;
const CORE_INSTANCES: RangeInclusive<u64> = 1..=1000;
const SUSPEND_AFTER: RangeInclusive<u64> = 1..=1_000_000;
const SUSPEND_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const FILE_BYTES: RangeInclusive<u64> = 1024..=1 << 30;
const GROUPS: RangeInclusive<u64> = 1..=100_000_000;
const WINDOWS: RangeInclusive<u64> = 1..=1_000_000;
const WINDOW_MAX: Duration = Duration::from_secs(366 * 86_400);

impl Checker {
    pub(super) fn limits(&mut self, section: &Section<'_>) -> Option<LimitsConfig> {
        let raw = RawLimits::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawLimits::KEYS);
        let call_timeout = self.duration(raw.call_timeout, CALL_TIMEOUT);
        let memory_bytes_max = self.size(raw.memory_bytes_max, MEMORY_BYTES);
        let table_elements_max = self.number(raw.table_elements_max, TABLE_ELEMENTS);
        let stack_bytes_max = self.size(raw.stack_bytes_max, STACK_BYTES);
        let output_bytes_max = self.size(raw.output_bytes_max, OUTPUT_BYTES);
        let row_errors_max = self.number(raw.row_errors_max, ROW_ERRORS);
        let notes_per_second_max = self.number(raw.notes_per_second_max, NOTES);
        let core_instances_max = self.number(raw.core_instances_max, CORE_INSTANCES);
        let suspend_after_batches = self.number(raw.suspend_after_batches, SUSPEND_AFTER);
        let suspend_max = self.duration(raw.suspend_max, SUSPEND_TIME);
        let file_bytes_max = self.size(raw.file_bytes_max, FILE_BYTES);
        let groups_max = self.number(raw.groups_max, GROUPS);
        let windows_max = self.number(raw.windows_max, WINDOWS);
        Some(LimitsConfig {
            call_timeout: call_timeout?,
            memory_bytes_max: memory_bytes_max?,
            table_elements_max: table_elements_max?,
            stack_bytes_max: stack_bytes_max?,
            output_bytes_max: output_bytes_max?,
            row_errors_max: row_errors_max?,
            notes_per_second_max: notes_per_second_max?,
            core_instances_max: core_instances_max?,
            suspend_after_batches: suspend_after_batches?,
            suspend_max: suspend_max?,
            file_bytes_max: file_bytes_max?,
            groups_max: groups_max?,
            windows_max: windows_max?,
        })
    }

    /// What is wrong is reported, so that its place may be taken by the default.
    fn rule_limits(&mut self, section: &Section<'_>, defaults: &LimitsConfig) -> LimitsConfig {
        let raw = RawRuleLimits::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawRuleLimits::KEYS);
        let call_timeout = self.duration(raw.call_timeout, CALL_TIMEOUT);
        let memory_bytes_max = self.size(raw.memory_bytes_max, MEMORY_BYTES);
        let table_elements_max = self.number(raw.table_elements_max, TABLE_ELEMENTS);
        let output_bytes_max = self.size(raw.output_bytes_max, OUTPUT_BYTES);
        let row_errors_max = self.number(raw.row_errors_max, ROW_ERRORS);
        let notes_per_second_max = self.number(raw.notes_per_second_max, NOTES);
        let core_instances_max = self.number(raw.core_instances_max, CORE_INSTANCES);
        let suspend_after_batches = self.number(raw.suspend_after_batches, SUSPEND_AFTER);
        let suspend_max = self.duration(raw.suspend_max, SUSPEND_TIME);
        let groups_max = self.number(raw.groups_max, GROUPS);
        let windows_max = self.number(raw.windows_max, WINDOWS);
        LimitsConfig {
            call_timeout: call_timeout.unwrap_or(defaults.call_timeout),
            memory_bytes_max: memory_bytes_max.unwrap_or(defaults.memory_bytes_max),
            table_elements_max: table_elements_max.unwrap_or(defaults.table_elements_max),
            stack_bytes_max: defaults.stack_bytes_max,
            output_bytes_max: output_bytes_max.unwrap_or(defaults.output_bytes_max),
            row_errors_max: row_errors_max.unwrap_or(defaults.row_errors_max),
            notes_per_second_max: notes_per_second_max.unwrap_or(defaults.notes_per_second_max),
            core_instances_max: core_instances_max.unwrap_or(defaults.core_instances_max),
            suspend_after_batches: suspend_after_batches.unwrap_or(defaults.suspend_after_batches),
            suspend_max: suspend_max.unwrap_or(defaults.suspend_max),
            file_bytes_max: defaults.file_bytes_max,
            groups_max: groups_max.unwrap_or(defaults.groups_max),
            windows_max: windows_max.unwrap_or(defaults.windows_max),
        }
    }

    fn topics(&mut self, given: Given<Vec<String>>) -> Vec<String> {
        if given.value.is_empty() || given.value.iter().any(String::is_empty) {
            self.problems
                .add(&given.spot, "must name at least one topic, and no empty one");
        }
        given.value
    }

    fn window(&mut self, given: &Given<Duration>) -> Duration {
        let size = given.value;
        if size.is_zero() || size > WINDOW_MAX || !size.subsec_nanos().is_multiple_of(1_000_000) {
            let shown = humantime::format_duration(size);
            let message = format!("must be 1ms to 366days in whole milliseconds, got {shown}");
            self.problems.add(&given.spot, message);
        }
        size
    }
}
