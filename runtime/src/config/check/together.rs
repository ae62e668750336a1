//! What sections that are fine alone do wrong together.

use super::Checker;
use crate::config::node::{Origin, Table};
use crate::config::problems::Spot;
use crate::config::types::{DeadLetterConfig, ServerAddress, SinkConfig, SinkKind, SourceConfig};
use std::collections::BTreeMap;
use std::path::Path;

impl Checker {
    pub(super) fn check_together(
        &mut self,
        file: &Table,
        sources: &BTreeMap<String, Option<SourceConfig>>,
        sinks: &BTreeMap<String, Option<SinkConfig>>,
        dead_letter: Option<&DeadLetterConfig>,
    ) {
        if sources.is_empty() && !file.contains_key("listener") {
            let message = "there is nothing to read from; add [source.default] with a server, or [listener]";
            self.problems.add(&Spot::new("", &Origin::Default), message);
        }
        self.check_client_ids(file, sources, sinks);
        self.check_files(file, sinks, dead_letter);
    }

    /// Two connections with one client id at one broker disconnect each other for ever.
    fn check_client_ids(
        &mut self,
        file: &Table,
        sources: &BTreeMap<String, Option<SourceConfig>>,
        sinks: &BTreeMap<String, Option<SinkConfig>>,
    ) {
        let mut seen: BTreeMap<(&str, u16, &str), String> = BTreeMap::new();
        let sources = sources.iter().filter_map(|(name, source)| {
            let source = source.as_ref()?;
            Some((format!("source.{name}"), &source.server, &source.client_id))
        });
        let sinks = sinks.iter().filter_map(|(name, sink)| match &sink.as_ref()?.kind {
            SinkKind::Mqtt(sink) => Some((format!("sink.{name}"), &sink.server, &sink.client_id)),
            SinkKind::Log | SinkKind::File(_) | SinkKind::Http(_) => None,
        });
        for (section, server, client_id) in sources.chain(sinks) {
            let ServerAddress { host, port, tls: _ } = server;
            if let Some(first) = seen.get(&(host.as_str(), *port, client_id.as_str())) {
                let message = format!(
                    "must differ from that of {first}: two clients called \"{client_id}\" at {server} would disconnect each other"
                );
                self.problems.add(&spot_of(file, &section, "client_id"), message);
            } else {
                seen.insert((host, *port, client_id), section);
            }
        }
    }

    /// Two writers of one file would rotate it under each other.
    fn check_files(
        &mut self,
        file: &Table,
        sinks: &BTreeMap<String, Option<SinkConfig>>,
        dead_letter: Option<&DeadLetterConfig>,
    ) {
        let mut seen: BTreeMap<&Path, String> = BTreeMap::new();
        if let Some(dead_letter) = dead_letter {
            seen.insert(&dead_letter.file.path, "dead_letter.file".to_owned());
        }
        for (name, sink) in sinks {
            let Some(SinkConfig {
                kind: SinkKind::File(sink),
                ..
            }) = sink
            else {
                continue;
            };
            let section = format!("sink.{name}");
            if let Some(first) = seen.get(sink.path.as_path()) {
                let message = format!("must differ from {first}: both would write to {}", sink.path.display());
                self.problems.add(&spot_of(file, &section, "path"), message);
            } else {
                seen.insert(&sink.path, format!("{section}.path"));
            }
        }
    }
}

/// The place of `key` in `section`, such as `sink.aws`.
fn spot_of(file: &Table, section: &str, key: &str) -> Spot {
    let mut table = Some(file);
    let mut origin = Origin::Default;
    for part in section.split('.').chain([key]) {
        let node = table.and_then(|table| table.get(part));
        if let Some(node) = node
            && node.origin != Origin::Default
        {
            origin = node.origin.clone();
        }
        table = node.and_then(|node| node.table());
    }
    Spot::new(format!("{section}.{key}"), &origin)
}
