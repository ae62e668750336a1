//! `[sink.NAME]` in the file beside a rule: sinks that only this rule sends to.

use super::{Checker, is_name};
use crate::config::defaults::Defaults;
use crate::config::environment::Environment;
use crate::config::node::{Node, Origin, Table, Value};
use crate::config::placeholders;
use crate::config::problems::{Spot, join};
use crate::config::types::SinkConfig;
use std::collections::BTreeMap;

impl Checker {
    /// The sinks that a guest brings along, by the names under which they run: `GUEST.NAME`.
    pub(super) fn own_sinks(&mut self, table: &Table, guest: &str) -> BTreeMap<String, SinkConfig> {
        let spot = Spot::new("", &Origin::Default);
        let Some(section) = self.section_at(table, &spot, "sink") else {
            return BTreeMap::new();
        };
        let mut named = Table::new();
        for (name, node) in section.table {
            if !is_name(name) {
                let spot = Spot::new(join(&section.spot.path, name), &node.origin);
                let message = "must be named with at most 64 lower-case letters, digits, _ and -";
                self.problems.add(&spot, message);
                continue;
            }
            named.insert(own_sink(guest, name), node.clone());
        }
        let environment = Environment::of_process();
        let mut file = Table::from([(
            "sink".to_owned(),
            Node {
                value: Value::Table(named),
                origin: section.spot.origin.clone(),
            },
        )]);
        environment.expand(&mut file, "", &mut self.problems);
        Defaults::read().complete_sinks(&mut file);
        placeholders::replace(&mut file, &environment.hostname);
        let Some(section) = self.section_at(&file, &spot, "sink") else {
            return BTreeMap::new();
        };
        let mut sinks = BTreeMap::new();
        for name in section.table.keys() {
            let Some(sink) = self.section_at(section.table, &section.spot, name) else {
                continue;
            };
            if let Some(sink) = self.sink(&sink) {
                sinks.insert(name.clone(), sink);
            }
        }
        sinks
    }
}

/// The name under which a sink of a guest runs. No section of the configuration has a dot in its name.
pub(super) fn own_sink(guest: &str, name: &str) -> String {
    format!("{guest}.{name}")
}
