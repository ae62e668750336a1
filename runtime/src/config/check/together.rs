//! What sections that are fine alone do wrong together.

use super::Checker;
use crate::config::node::{Origin, Table};
use crate::config::problems::Spot;
use crate::config::types::{DeadLetterConfig, ServerAddress, SinkConfig, SinkKind, SourceConfig};
use crate::limits::SOURCE_LANES_MAX;
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

    /// Two connections with one client id at one broker disconnect each other for ever. A source may have several
    /// connections, each with a client id of its own.
    fn check_client_ids(
        &mut self,
        file: &Table,
        sources: &BTreeMap<String, Option<SourceConfig>>,
        sinks: &BTreeMap<String, Option<SinkConfig>>,
    ) {
        let mut seen: BTreeMap<(String, u16, String), (String, usize)> = BTreeMap::new();
        let sources = sources.iter().filter_map(|(name, source)| {
            let source = source.as_ref()?;
            let ids = (0..SOURCE_LANES_MAX).map(|lane| source.lane_client_id(lane)).collect();
            Some((format!("source.{name}"), &source.server, ids))
        });
        let sinks = sinks.iter().filter_map(|(name, sink)| match &sink.as_ref()?.kind {
            SinkKind::Mqtt(sink) => Some((format!("sink.{name}"), &sink.server, vec![sink.client_id.clone()])),
            SinkKind::Log | SinkKind::File(_) | SinkKind::Http(_) => None,
        });
        for (section, server, ids) in sources.chain(sinks) {
            let ids: Vec<String> = ids;
            let ServerAddress { host, port, tls: _ } = server;
            let key = |id: &String| (host.clone(), *port, id.clone());
            let known = |lane: usize| Some((lane, seen.get(&key(&ids[lane]))?));
            if let Some((lane, (first, first_lane))) = (0..ids.len()).find_map(known) {
                let id = &ids[lane];
                let further = if lane + first_lane == 0 {
                    ""
                } else {
                    "; further connections of a source append -2 to -8"
                };
                let message = format!(
                    "must differ from that of {first}: two clients called \"{id}\" at {server} would disconnect each other{further}"
                );
                self.problems.add(&spot_of(file, &section, "client_id"), message);
            } else {
                let lanes = ids.iter().enumerate();
                seen.extend(lanes.map(|(lane, id)| (key(id), (section.clone(), lane))));
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
