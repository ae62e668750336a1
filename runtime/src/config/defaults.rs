//! The defaults, from `default.toml`.

use super::node::{Node, Origin, Table, Value, fill_in};
use super::problems::Problems;
use super::types::ServerAddress;

/// The text of `default.toml`.
const DEFAULT_TOML: &str = include_str!("default.toml");

/// The sections that are there without being in the file.
const ALWAYS: [&str; 5] = ["rules", "data", "dead_letter", "reload", "limits"];

/// The defaults as a tree.
pub(super) struct Defaults {
    top: Table,
    templates: Table,
}

impl Defaults {
    pub(super) fn read() -> Self {
        let mut problems = Problems::none("default.toml");
        let table = Node::parse(DEFAULT_TOML, &mut problems);
        debug_assert!(problems.is_empty(), "default.toml is TOML: {problems}");
        let mut top: Table = table
            .into_iter()
            .map(|(key, node)| (key, node.into_default()))
            .collect();
        let templates = match top.remove("template") {
            Some(Node {
                value: Value::Table(templates),
                ..
            }) => templates,
            _ => Table::new(),
        };
        Self { top, templates }
    }

    /// The defaults of a section that is always there.
    pub(super) fn section(&self, name: &str) -> Option<&Table> {
        self.top.get(name)?.table()
    }

    /// The defaults of one kind of section.
    pub(super) fn template(&self, name: &str) -> Option<&Table> {
        self.templates.get(name)?.table()
    }

    /// The keys outside any section.
    pub(super) fn top(&self) -> &Table {
        &self.top
    }

    /// Adds to the file's tree everything that has a default and that the file leaves out.
    pub(super) fn complete(&self, file: &mut Table) {
        for name in ALWAYS {
            file.entry(name.to_owned()).or_insert_with(empty_section);
        }
        fill_in(file, &self.top);
        for name in ["listener", "http"] {
            if let Some(section) = section_mut(file.get_mut(name)) {
                self.fill_from(section, name);
            }
        }
        for source in sections_mut(file, "source") {
            self.fill_from(source, "source");
        }
        let sinks = file.entry("sink".to_owned()).or_insert_with(empty_section);
        if let Value::Table(sinks) = &mut sinks.value {
            sinks.entry("log".to_owned()).or_insert_with(|| {
                let kind = ("type".to_owned(), Node::text("log", Origin::Default));
                Node {
                    value: Value::Table(Table::from([kind])),
                    origin: Origin::Default,
                }
            });
        }
        self.complete_sinks(file);
    }

    /// The same for the sinks of a tree alone.
    pub(super) fn complete_sinks(&self, file: &mut Table) {
        for sink in sections_mut(file, "sink") {
            self.complete_sink(sink);
        }
    }

    fn complete_sink(&self, sink: &mut Table) {
        if let Some(Value::Text(kind)) = sink.get("type").map(|node| node.value.clone()) {
            if kind == "mqtt" && is_aws(sink) {
                self.fill_from(sink, "sink_mqtt_aws");
            }
            self.fill_from(sink, &format!("sink_{kind}"));
        }
        self.fill_from(sink, "sink");
    }

    fn fill_from(&self, section: &mut Table, template: &str) {
        if let Some(template) = self.template(template) {
            fill_in(section, template);
        }
    }
}

fn is_aws(sink: &Table) -> bool {
    match sink.get("server").map(|node| &node.value) {
        Some(Value::Text(server)) => ServerAddress::parse(server).is_ok_and(|server| server.is_aws()),
        _ => false,
    }
}

fn empty_section() -> Node {
    Node {
        value: Value::Table(Table::new()),
        origin: Origin::Default,
    }
}

fn section_mut(node: Option<&mut Node>) -> Option<&mut Table> {
    match &mut node?.value {
        Value::Table(table) => Some(table),
        Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) => None,
    }
}

fn sections_mut<'t>(file: &'t mut Table, kind: &str) -> impl Iterator<Item = &'t mut Table> {
    let sections = section_mut(file.get_mut(kind)).into_iter();
    sections.flat_map(|sections| sections.values_mut().filter_map(|node| section_mut(Some(node))))
}
