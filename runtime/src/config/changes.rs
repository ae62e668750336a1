//! What differs between two configurations, so that a reload touches nothing else.

use super::types::{Config, SinkConfig, SinkKind, SourceConfig, TlsConfig};
use std::collections::{BTreeMap, BTreeSet};

/// The differences of two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The sources.
    pub sources: NameChanges,
    /// The sinks.
    pub sinks: NameChanges,
    /// Whether `[rules]`, `[reload]` or `[limits]` differ.
    pub rules: bool,
    /// Sections that differ and take effect only at the next start.
    pub at_next_start: Vec<&'static str>,
}

/// The differences of named sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameChanges {
    /// Only in the new configuration.
    pub added: BTreeSet<String>,
    /// Only in the old one.
    pub removed: BTreeSet<String>,
    /// In both, and different, also by what their TLS files hold.
    pub changed: BTreeSet<String>,
}

impl NameChanges {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.sinks.is_empty() && !self.rules && self.at_next_start.is_empty()
    }
}

impl Config {
    /// What is different here from `old`.
    pub fn changes_since(&self, old: &Config) -> Changes {
        let fixed = [
            (
                "data",
                self.data_dir != old.data_dir
                    || self.cache_bytes_max != old.cache_bytes_max
                    || self.journal != old.journal,
            ),
            ("listener", self.listener != old.listener),
            ("dead_letter", self.dead_letter != old.dead_letter),
            ("http", self.http != old.http),
            (
                "limits.stack_bytes_max",
                self.limits.stack_bytes_max != old.limits.stack_bytes_max,
            ),
            ("stop_timeout", self.stop_timeout != old.stop_timeout),
        ];
        Changes {
            sources: names(&self.sources, &old.sources, |new, before| {
                new == before && self.same_files(old, source_tls(new))
            }),
            sinks: names(&self.sinks, &old.sinks, |new, before| {
                new == before && self.same_files(old, sink_tls(new))
            }),
            rules: self.rules != old.rules || self.limits != old.limits || self.reload != old.reload,
            at_next_start: fixed
                .into_iter()
                .filter(|(_, differs)| *differs)
                .map(|(name, _)| name)
                .collect(),
        }
    }

    fn same_files(&self, old: &Config, tls: Option<&TlsConfig>) -> bool {
        let files = tls
            .into_iter()
            .flat_map(|tls| [&tls.files.ca, &tls.files.cert, &tls.files.key]);
        files
            .flatten()
            .all(|path| self.digests.get(path) == old.digests.get(path))
    }
}

fn source_tls(source: &SourceConfig) -> Option<&TlsConfig> {
    source.tls.as_ref()
}

fn sink_tls(sink: &SinkConfig) -> Option<&TlsConfig> {
    match &sink.kind {
        SinkKind::Mqtt(sink) => sink.tls.as_ref(),
        SinkKind::Http(sink) => sink.tls.as_ref(),
        SinkKind::Log | SinkKind::File(_) => None,
    }
}

fn names<T>(new: &BTreeMap<String, T>, old: &BTreeMap<String, T>, same: impl Fn(&T, &T) -> bool) -> NameChanges {
    let only_in = |these: &BTreeMap<String, T>, others: &BTreeMap<String, T>| {
        let names = these.keys().filter(|name| !others.contains_key(*name));
        names.cloned().collect()
    };
    let changed = new
        .iter()
        .filter(|(name, new)| old.get(*name).is_some_and(|old| !same(new, old)));
    NameChanges {
        added: only_in(new, old),
        removed: only_in(old, new),
        changed: changed.map(|(name, _)| name.clone()).collect(),
    }
}
