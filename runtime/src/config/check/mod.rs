//! From the sections as written to the configuration that the code uses. Every check adds its problem and goes on, so
//! that all are reported at once.

mod aws;
mod connection;
mod limits;
mod own_sinks;
mod reload;
mod sections;
mod sink;
mod source;
mod together;
mod values;

pub(super) use limits::check_sidecar;

use super::defaults::Defaults;
use super::effective;
use super::environment::Environment;
use super::node::{Node, Origin, Table};
use super::placeholders;
use super::problems::{Problems, Spot, join};
use super::raw::RawTop;
use super::section::{Key, names, refuse_unknown};
use super::types::{Config, Digest, HttpConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Checks `text`, the contents of `file`.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn check(text: &str, file: &Path, environment: &Environment) -> Result<Config, Problems> {
    let mut checker = Checker::of(&file.display().to_string());
    file.parent().unwrap_or(Path::new("")).clone_into(&mut checker.folder);
    let table = Node::parse(text, &mut checker.problems);
    if !checker.problems.is_empty() {
        // What is not TOML has been misread in part; more would only confuse.
        return checker.problems.or(None);
    }
    let table = checker.completed(table, environment);
    let config = checker.config(&table);
    checker.problems.or(config)
}

/// The same for `[http]` alone; what stands in other sections is not looked at.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check_http(text: &str, file: &Path, environment: &Environment) -> Result<Option<HttpConfig>, Problems> {
    let mut checker = Checker::of(&file.display().to_string());
    let mut table = Node::parse(text, &mut checker.problems);
    if !checker.problems.is_empty() {
        return checker.problems.or(None);
    }
    table.retain(|name, _| name == "http");
    let table = checker.completed(table, environment);
    let http = checker.section(&table, "http").map(|section| checker.http(&section));
    let http = transpose(http);
    checker.problems.or(http)
}

/// The state of one check.
struct Checker {
    /// What relative paths are relative to.
    folder: PathBuf,
    problems: Problems,
    digests: BTreeMap<PathBuf, Digest>,
}

/// A table of the file and its place.
struct Section<'t> {
    table: &'t Table,
    spot: Spot,
}

/// The names at the top of the file.
const SECTIONS: [&str; 9] = [
    "rules",
    "data",
    "source",
    "listener",
    "sink",
    "dead_letter",
    "http",
    "reload",
    "limits",
];

impl Checker {
    /// For the file that messages call `file`.
    fn of(file: &str) -> Self {
        Self {
            folder: PathBuf::new(),
            problems: Problems::none(file),
            digests: BTreeMap::new(),
        }
    }

    /// What is in force: the file with the environment, the defaults, and what stands for something else.
    fn completed(&mut self, mut table: Table, environment: &Environment) -> Table {
        environment.expand(&mut table, "", &mut self.problems);
        environment.override_keys(&mut table, &mut self.problems);
        Defaults::read().complete(&mut table);
        placeholders::replace(&mut table, &environment.hostname);
        table
    }

    fn config(&mut self, table: &Table) -> Option<Config> {
        let top = RawTop::read(table, "", &mut self.problems);
        let known: Vec<&str> = names(RawTop::KEYS).chain(SECTIONS).collect();
        refuse_unknown(table, "", &known, &mut self.problems);

        let sources = self.sources(table);
        let listener = self.section(table, "listener").map(|section| self.listener(&section));
        let sinks = self.sinks(table);
        let rules = self
            .section(table, "rules")
            .and_then(|section| self.rules(&section, table));
        let data = self.section(table, "data").and_then(|section| self.data(&section));
        let dead_letter = self
            .section(table, "dead_letter")
            .and_then(|section| self.dead_letter(&section));
        let http = self.section(table, "http").map(|section| self.http(&section));
        let reload = self.section(table, "reload").and_then(|section| self.reload(&section));
        let limits = self.section(table, "limits").and_then(|section| self.limits(&section));

        self.check_together(table, &sources, &sinks, dead_letter.as_ref());
        let (data_dir, cache_bytes_max, journal) = data?;
        Some(Config {
            folder: self.folder.clone(),
            rules: rules?,
            data_dir,
            cache_bytes_max,
            journal,
            sources: sources
                .into_iter()
                .map(|(name, source)| Some((name, source?)))
                .collect::<Option<_>>()?,
            listener: transpose(listener)?,
            sinks: sinks
                .into_iter()
                .map(|(name, sink)| Some((name, sink?)))
                .collect::<Option<_>>()?,
            dead_letter: dead_letter?,
            http: transpose(http)?,
            reload: reload?,
            limits: limits?,
            stop_timeout: top.stop_timeout?.value,
            digests: std::mem::take(&mut self.digests),
            effective: effective::toml(table),
        })
    }

    /// The section `name`, when there is one; something else under its name is reported.
    fn section<'t>(&mut self, table: &'t Table, name: &str) -> Option<Section<'t>> {
        self.section_at(table, &Spot::new("", &Origin::Default), name)
    }

    fn section_at<'t>(&mut self, table: &'t Table, parent: &Spot, name: &str) -> Option<Section<'t>> {
        let node = table.get(name)?;
        let spot = Spot::new(join(&parent.path, name), &node.origin);
        match node.table() {
            Some(table) => Some(Section { table, spot }),
            None => {
                let message = format!("must be a section such as [{}], got {}", spot.path, node.value);
                self.problems.add(&spot, message);
                None
            }
        }
    }

    /// The sections under `kind`, such as `[source.NAME]`, by name.
    fn named_sections<'t>(&mut self, table: &'t Table, kind: &str) -> Vec<(String, Section<'t>)> {
        let Some(all) = self.section(table, kind) else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        for name in all.table.keys() {
            let Some(section) = self.section_at(all.table, &all.spot, name) else {
                continue;
            };
            if !is_name(name) {
                let message = "must be named with at most 64 lower-case letters, digits, _ and -";
                self.problems.add(&section.spot, message);
            }
            sections.push((name.clone(), section));
        }
        sections
    }

    /// Reports the keys that a section does not have.
    fn refuse_unknown(&mut self, section: &Section<'_>, keys: &[Key]) {
        let known: Vec<&str> = names(keys).collect();
        refuse_unknown(section.table, &section.spot.path, &known, &mut self.problems);
    }
}

/// Names become parts of metrics, paths and environment variables.
fn is_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(is_fine)
}

/// `None` when there is a section and it is wrong.
#[expect(clippy::option_option, reason = "a section may be absent, or there and wrong")]
fn transpose<T>(section: Option<Option<T>>) -> Option<Option<T>> {
    match section {
        None => Some(None),
        Some(checked) => checked.map(Some),
    }
}
