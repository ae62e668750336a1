//! `[sink.NAME]`

use super::aws::{INFLIGHT_MAX, PAYLOAD_BYTES_MAX};
use super::connection::{Clients, RawConnection, RawFiles};
use super::source::KEEP_ALIVE;
use super::{Checker, Section};
use crate::config::node::Table;
use crate::config::problems::{Spot, join};
use crate::config::raw::{RawFileSink, RawHttpSink, RawMqttSink, RawSink};
use crate::config::read::{Given, SinkType};
use crate::config::section::{Key, names, refuse_unknown, suggestion};
use crate::config::types::{
    FileSinkConfig, HttpSinkConfig, MqttSinkConfig, ServerAddress, SinkConfig, SinkKind, SinkQueue,
};
use crate::topic::unsafe_character;
use axum::http::{HeaderName, HeaderValue};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl Checker {
    /// The sinks by name; `None` for one that is wrong.
    pub(super) fn sinks(&mut self, table: &Table) -> BTreeMap<String, Option<SinkConfig>> {
        let sections = self.named_sections(table, "sink");
        sections
            .into_iter()
            .map(|(name, section)| {
                let sink = self.sink(&section);
                (name, sink)
            })
            .collect()
    }

    pub(super) fn sink(&mut self, section: &Section<'_>) -> Option<SinkConfig> {
        let raw = RawSink::read(section.table, &section.spot.path, &mut self.problems);
        let queue_bytes_max = self.size(raw.queue_bytes_max, 65_536..=1 << 32);
        let Some(kind) = self.required(section, "type", raw.kind, "\"mqtt\"") else {
            self.refuse_unknown_of_all(section);
            return None;
        };
        self.refuse_unknown_of(section, kind.value);
        let queue = raw.queue.map_or_else(|| usual_queue(kind.value), |given| given.value);
        let id_field = match raw.id_field {
            Some(given) => Some(self.filled(Some(given))?.value),
            None => None,
        };
        let kind = match kind.value {
            SinkType::Log => Some(SinkKind::Log),
            SinkType::Mqtt => self.mqtt_sink(section).map(SinkKind::Mqtt),
            SinkType::File => self.file_sink(section).map(SinkKind::File),
            SinkType::Http => self.http_sink(section).map(SinkKind::Http),
        };
        Some(SinkConfig {
            kind: kind?,
            format: raw.format?.value,
            queue_bytes_max: queue_bytes_max?,
            on_full: raw.on_full?.value,
            queue,
            id_field,
        })
    }

    /// Keys that no type of sink has, when the type is not known.
    fn refuse_unknown_of_all(&mut self, section: &Section<'_>) {
        let of_types = SinkType::ALL.into_iter().flat_map(|kind| names(keys_of(kind)));
        let known: BTreeSet<&str> = names(RawSink::KEYS).chain(of_types).collect();
        let known: Vec<&str> = known.into_iter().collect();
        refuse_unknown(section.table, &section.spot.path, &known, &mut self.problems);
    }

    /// Unknown keys; one of another type of sink is told from one of none.
    fn refuse_unknown_of(&mut self, section: &Section<'_>, kind: SinkType) {
        let own = |key: &str| has(RawSink::KEYS, key) || has(keys_of(kind), key);
        for (key, node) in section.table.iter().filter(|(key, _)| !own(key)) {
            let others = SinkType::ALL.into_iter().filter(|other| has(keys_of(*other), key));
            let others: Vec<&str> = others.map(SinkType::name).collect();
            let message = if others.is_empty() {
                let known: Vec<&str> = names(RawSink::KEYS).chain(names(keys_of(kind))).collect();
                format!("is not a known key; {}", suggestion(key, &known))
            } else {
                format!(
                    "is not a key of a sink of type {}, but of type {}",
                    kind.name(),
                    others.join(" and ")
                )
            };
            let spot = Spot::new(join(&section.spot.path, key), &node.origin);
            self.problems.add(&spot, message);
        }
    }

    fn mqtt_sink(&mut self, section: &Section<'_>) -> Option<MqttSinkConfig> {
        let raw = RawMqttSink::read(section.table, &section.spot.path, &mut self.problems);
        let aws = raw
            .server
            .as_ref()
            .is_some_and(|given| ServerAddress::parse(&given.value).is_ok_and(|server| server.is_aws()));
        let connection = RawConnection {
            server: raw.server,
            client_id: raw.client_id,
            clients: Clients::One,
            username: raw.username,
            password: raw.password,
            files: RawFiles {
                ca: raw.ca,
                cert: raw.cert,
                key: raw.key,
            },
        };
        let connection = self.connection(section, connection);
        let topic = self.required(section, "topic", raw.topic, "\"devices/result\"");
        let topic = self.topic(topic, aws);
        let qos = self.qos(raw.qos);
        let keep_alive = self.duration(raw.keep_alive, KEEP_ALIVE);
        let (inflight_most, payload_most) = if aws {
            (INFLIGHT_MAX, PAYLOAD_BYTES_MAX)
        } else {
            (u64::from(u16::MAX), 268_000_000)
        };
        let inflight_max = self.number(raw.inflight_max, 1..=inflight_most);
        let payload_bytes_max = self.size(raw.payload_bytes_max, 128..=payload_most);
        let publishes_per_second_max = self.number_or_none(raw.publishes_per_second_max);
        let bytes_per_second_max = self.size_or_none(raw.bytes_per_second_max, 1024..=u64::from(u32::MAX));
        let connection = connection?;
        Some(MqttSinkConfig {
            server: connection.server,
            topic: topic?,
            qos: qos?,
            retain: raw.retain?.value,
            client_id: connection.client_id,
            credentials: connection.credentials,
            tls: connection.tls,
            keep_alive: keep_alive?,
            inflight_max: inflight_max?,
            payload_bytes_max: payload_bytes_max?,
            publishes_per_second_max: publishes_per_second_max?,
            bytes_per_second_max: bytes_per_second_max?,
        })
    }

    /// A topic to publish to, with `{name}` for emitted members.
    fn topic(&mut self, given: Option<Given<String>>, aws: bool) -> Option<String> {
        let given = self.filled(given)?;
        if let Some(reason) = wrong_topic(&given.value) {
            let message = format!(
                "must be a topic to publish to: {reason}, got \"{}\"",
                given.value.escape_debug()
            );
            self.problems.add(&given.spot, message);
            return None;
        }
        if aws {
            self.check_aws_topic(&given.spot, &given.value)?;
        }
        Some(given.value)
    }

    fn file_sink(&mut self, section: &Section<'_>) -> Option<FileSinkConfig> {
        let raw = RawFileSink::read(section.table, &section.spot.path, &mut self.problems);
        let path = self.required(section, "path", raw.path, "\"results.jsonl\"");
        let path = self.path(path);
        let rotate_bytes = self.size(raw.rotate_bytes, ROTATE_BYTES);
        let keep = self.number(raw.keep, KEEP);
        Some(FileSinkConfig {
            path: path?,
            rotate_bytes: rotate_bytes?,
            keep: keep?,
        })
    }

    fn http_sink(&mut self, section: &Section<'_>) -> Option<HttpSinkConfig> {
        let raw = RawHttpSink::read(section.table, &section.spot.path, &mut self.problems);
        let files = RawFiles {
            ca: raw.ca,
            cert: raw.cert,
            key: raw.key,
        };
        let url = self.required(section, "url", raw.url, "\"https://example.org/results\"");
        let url = url.and_then(|given| self.url(&given));
        let tls = match &url {
            Some(url) if url.starts_with("https:") => self.tls(section, &files, None).map(Some),
            Some(_) => self.refuse_files(&files, "needs https:// in url, which now says http://"),
            None => self.tls_for_nobody(section, &files),
        };
        let headers = raw.headers.and_then(|given| self.headers(given));
        let timeout = self.duration(raw.timeout, Duration::from_millis(10)..=Duration::from_secs(600));
        let retries_max = raw.retries_max;
        Some(HttpSinkConfig {
            url: url?,
            headers: headers?,
            timeout: timeout?,
            retries_max: retries_max?
                .value
                .0
                .map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
            tls: tls?,
        })
    }

    fn url(&mut self, given: &Given<String>) -> Option<String> {
        let fine = match reqwest::Url::parse(&given.value) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => Err("the scheme may be http or https".to_owned()),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("a user name and password belong in headers".to_owned())
            }
            Ok(url) => Ok(url.to_string()),
            Err(error) => Err(error.to_string()),
        };
        fine.map_err(|reason| {
            let message = format!("must be a URL such as \"https://example.org/results\": {reason}");
            self.problems.add(&given.spot, message);
        })
        .ok()
    }

    /// The value of a header may be a secret and is not repeated.
    fn headers(&mut self, given: Given<BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
        let mut fine = true;
        for (name, value) in &given.value {
            let header = HeaderName::from_bytes(name.as_bytes());
            if header.is_err() || HeaderValue::from_str(value).is_err() {
                let message = "must be an HTTP header: a name of letters, digits and -, a value of visible characters";
                self.problems.add(&given.spot.missing(name), message);
                fine = false;
            }
        }
        fine.then_some(given.value)
    }
}

/// When a file is renamed and a new one is begun.
pub(super) const ROTATE_BYTES: std::ops::RangeInclusive<u64> = 4096..=1 << 40;

/// How many renamed files may be kept.
pub(super) const KEEP: std::ops::RangeInclusive<u64> = 0..=1000;

/// Where emissions wait when nothing is said: what goes to this machine is never away.
fn usual_queue(kind: SinkType) -> SinkQueue {
    match kind {
        SinkType::Log | SinkType::File => SinkQueue::Memory,
        SinkType::Mqtt | SinkType::Http => SinkQueue::Disk,
    }
}

fn keys_of(kind: SinkType) -> &'static [Key] {
    match kind {
        SinkType::Log => &[],
        SinkType::Mqtt => RawMqttSink::KEYS,
        SinkType::File => RawFileSink::KEYS,
        SinkType::Http => RawHttpSink::KEYS,
    }
}

fn has(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// Why nobody could publish to `topic`.
fn wrong_topic(topic: &str) -> Option<&'static str> {
    if topic.len() > 65_535 {
        return Some("at most 65535 bytes");
    }
    if topic.contains(['+', '#']) {
        return Some("+ and # are for subscriptions");
    }
    if unsafe_character(topic).is_some() {
        return Some(
            "no control characters, and nothing that is no character of Unicode: brokers close the connection",
        );
    }
    let mut rest = topic;
    while let Some(at) = rest.find(['{', '}']) {
        let Some(after) = rest[at..].strip_prefix('{') else {
            return Some("a } needs a { before it");
        };
        match after.find(['{', '}', '/']) {
            Some(end) if end > 0 && after[end..].starts_with('}') => rest = &after[end + 1..],
            _ => return Some("a member's name stands between { and }"),
        }
    }
    None
}
