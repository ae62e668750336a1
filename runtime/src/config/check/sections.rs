//! The sections that are there once: `[rules]`, `[data]`, `[dead_letter]` and `[http]`.

use super::sink::{KEEP, ROTATE_BYTES};
use super::source::LISTENER;
use super::{Checker, Section};
use crate::config::node::Table;
use crate::config::raw::{RawData, RawDeadLetter, RawHttp, RawRules};
use crate::config::read::Given;
use crate::config::section::suggestion;
use crate::config::types::{DeadLetterConfig, FileSinkConfig, HttpConfig, JournalConfig, RulesConfig};
use std::path::PathBuf;
use std::time::Duration;

impl Checker {
    pub(super) fn rules(&mut self, section: &Section<'_>, file: &Table) -> Option<RulesConfig> {
        let raw = RawRules::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawRules::KEYS);
        let given = raw.dir.clone();
        let dir = self.path(raw.dir);
        if let (Some(dir), Some(given)) = (&dir, given)
            && dir.exists()
            && !dir.is_dir()
        {
            let message = format!("must be a directory; {} is not", dir.display());
            self.problems.add(&given.spot, message);
        }
        let poll_interval = self.duration(raw.poll_interval, Duration::from_millis(10)..=Duration::from_secs(3600));
        let default_sinks = raw.default_sinks.map(|given| self.existing_sinks(given, file));
        let default_source = match raw.default_source {
            None => Some(None),
            Some(given) => self.existing_source(given, file).map(Some),
        };
        Some(RulesConfig {
            dir: dir?,
            default_sinks: default_sinks?,
            default_source: default_source?,
            poll_interval: poll_interval?,
        })
    }

    /// The directory, the bound of the code cache in it, and the journal.
    pub(super) fn data(&mut self, section: &Section<'_>) -> Option<(PathBuf, u64, JournalConfig)> {
        let raw = RawData::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawData::KEYS);
        let dir = self.path(raw.dir);
        let cache_bytes_max = self.size(raw.cache_bytes_max, 0..=1 << 40);
        let bytes_max = self.size(raw.journal_bytes_max, 16 << 20..=1 << 44);
        let checkpoint_interval = self.duration(
            raw.checkpoint_interval,
            Duration::from_millis(100)..=Duration::from_secs(600),
        );
        let journal = JournalConfig {
            bytes_max: bytes_max?,
            checkpoint_interval: checkpoint_interval?,
            on_stop: raw.on_stop?.value,
        };
        Some((dir?, cache_bytes_max?, journal))
    }

    pub(super) fn dead_letter(&mut self, section: &Section<'_>) -> Option<DeadLetterConfig> {
        let raw = RawDeadLetter::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawDeadLetter::KEYS);
        let path = self.path(raw.file);
        let rotate_bytes = self.size(raw.rotate_bytes, ROTATE_BYTES);
        let keep = self.number(raw.keep, KEEP);
        let payload_bytes_max = self.size(raw.payload_bytes_max, 0..=1 << 20);
        Some(DeadLetterConfig {
            file: FileSinkConfig {
                path: path?,
                rotate_bytes: rotate_bytes?,
                keep: keep?,
            },
            payload_bytes_max: payload_bytes_max?,
        })
    }

    pub(super) fn http(&mut self, section: &Section<'_>) -> Option<HttpConfig> {
        let raw = RawHttp::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawHttp::KEYS);
        let token_given = section.table.contains_key("token");
        let token = match raw.token {
            None => Some(None),
            Some(given) => self.token(given).map(Some),
        };
        let listen = raw.listen?;
        if !listen.value.ip().is_loopback() && !token_given {
            let message = format!(
                "must be a loopback address such as 127.0.0.1:9081 unless there is a token, got {}",
                listen.value
            );
            self.problems.add(&listen.spot, message);
        }
        Some(HttpConfig {
            listen: listen.value,
            token: token?,
        })
    }

    fn existing_sinks(&mut self, given: Given<Vec<String>>, file: &Table) -> Vec<String> {
        let sinks = file.get("sink").and_then(|node| node.table());
        let known: Vec<&str> = sinks
            .into_iter()
            .flat_map(|all| all.keys().map(String::as_str))
            .collect();
        for name in &given.value {
            if !known.contains(&name.as_str()) {
                let hint = suggestion(name, &known);
                self.problems.add(
                    &given.spot,
                    format!("names \"{name}\", but there is no [sink.{name}]; {hint}"),
                );
            }
        }
        given.value
    }

    fn existing_source(&mut self, given: Given<String>, file: &Table) -> Option<String> {
        let sources = file.get("source").and_then(|node| node.table());
        let mut known: Vec<&str> = sources
            .into_iter()
            .flat_map(|all| all.keys().map(String::as_str))
            .collect();
        if file.contains_key("listener") {
            known.push(LISTENER);
        }
        if known.contains(&given.value.as_str()) {
            return Some(given.value);
        }
        let hint = suggestion(&given.value, &known);
        let message = format!("is \"{0}\", but there is no [source.{0}]; {hint}", given.value);
        self.problems.add(&given.spot, message);
        None
    }

    /// The token is a secret and not repeated.
    fn token(&mut self, given: Given<String>) -> Option<String> {
        let visible = given.value.bytes().all(|byte| byte.is_ascii_graphic());
        if given.value.len() < 16 || given.value.len() > 1024 || !visible {
            let message = "must have 16 to 1024 visible ASCII characters without spaces";
            self.problems.add(&given.spot, message);
            return None;
        }
        Some(given.value)
    }
}
