//! `[source.NAME]` and `[listener]`.

use super::connection::{Clients, RawConnection, RawFiles};
use super::{Checker, Section};
use crate::config::node::Table;
use crate::config::raw::{RawListener, RawSource};
use crate::config::read::Given;
use crate::config::types::{ListenerConfig, SourceConfig};
use crate::topic::is_unsafe;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The name under which messages of the built-in listener go.
pub(super) const LISTENER: &str = "listener";

/// What AWS IoT Core accepts, and sensible anywhere.
pub(super) const KEEP_ALIVE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(1200);

/// From the smallest useful packet to the largest that fits into one record of the journal.
const PACKET_BYTES: RangeInclusive<u64> = 1024..=15 << 20;

impl Checker {
    /// The sources by name; `None` for one that is wrong.
    pub(super) fn sources(&mut self, table: &Table) -> BTreeMap<String, Option<SourceConfig>> {
        let sections = self.named_sections(table, "source");
        sections
            .into_iter()
            .map(|(name, section)| {
                let source = self.source(&section, &name);
                (name, source)
            })
            .collect()
    }

    pub(super) fn listener(&mut self, section: &Section<'_>) -> Option<ListenerConfig> {
        let raw = RawListener::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawListener::KEYS);
        let clients_max = self.number(raw.clients_max, 1..=65_536);
        let packet_bytes_max = self.size(raw.packet_bytes_max, PACKET_BYTES);
        let inflight_max = self.number(raw.inflight_max, 1..=65_535);
        Some(ListenerConfig {
            mqtt: raw.mqtt?.value,
            clients_max: clients_max?,
            packet_bytes_max: packet_bytes_max?,
            inflight_max: inflight_max?,
            durability: raw.durability?.value,
        })
    }

    fn source(&mut self, section: &Section<'_>, name: &str) -> Option<SourceConfig> {
        let raw = RawSource::read(section.table, &section.spot.path, &mut self.problems);
        self.refuse_unknown(section, RawSource::KEYS);
        if name == LISTENER {
            let message = "must have another name: listener means the built-in one";
            self.problems.add(&section.spot, message);
        }
        let connection = RawConnection {
            server: raw.server,
            client_id: raw.client_id,
            clients: Clients::Several,
            username: raw.username,
            password: raw.password,
            files: RawFiles {
                ca: raw.ca,
                cert: raw.cert,
                key: raw.key,
            },
        };
        let connection = self.connection(section, connection);
        let qos = self.qos(raw.qos);
        let keep_alive = self.duration(raw.keep_alive, KEEP_ALIVE);
        let packet_bytes_max = self.size(raw.packet_bytes_max, PACKET_BYTES);
        let share_group = match raw.share_group {
            None => Some(None),
            Some(given) => self.share_group(given).map(Some),
        };
        let connection = connection?;
        Some(SourceConfig {
            server: connection.server,
            qos: qos?,
            client_id: connection.client_id,
            credentials: connection.credentials,
            tls: connection.tls,
            clean_session: raw.clean_session?.value,
            keep_alive: keep_alive?,
            packet_bytes_max: packet_bytes_max?,
            share_group: share_group?,
            durability: raw.durability?.value,
        })
    }

    fn share_group(&mut self, given: Given<String>) -> Option<String> {
        let given = self.filled(Some(given))?;
        if given.value.contains(|c| matches!(c, '/' | '+' | '#') || is_unsafe(c)) {
            let message = format!(
                "must be a name without /, +, # and control characters, got \"{}\"",
                given.value.escape_debug()
            );
            self.problems.add(&given.spot, message);
            return None;
        }
        Some(given.value)
    }
}
