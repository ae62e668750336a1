//! How one value is read: each type says what it expects, for messages and for the reference page.

use super::node::{Node, Origin, Value};
use super::problems::Spot;
use super::reload::{OnChange, OnRemove};
use super::types::{Durability, OnFull, OnStop, SinkFormat, SinkQueue};
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A value that was given, and where.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// A type that values are read into.
pub(super) trait FromNode: Sized {
    /// What is right, as it follows "must be".
    const EXPECTED: &'static str;

    /// `None` when the value is something else.
    fn from_node(node: &Node) -> Option<Self>;

    /// How a text of the environment would be written in the file; `None` where it is a text there too.
    fn in_file(_node: &Node) -> Option<Value> {
        None
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A number of events, or `"none"` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountOrNone(pub(super) Option<u64>);

/// A size in bytes, or `"none"` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeOrNone(pub(super) Option<u64>);

/// The kinds of sinks, as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SinkType {
    Log,
    Mqtt,
    File,
    Http,
}

impl SinkType {
    pub(super) const ALL: [SinkType; 4] = [SinkType::Log, SinkType::Mqtt, SinkType::File, SinkType::Http];

    pub(super) fn name(self) -> &'static str {
        match self {
            SinkType::Log => "log",
            SinkType::Mqtt => "mqtt",
            SinkType::File => "file",
            SinkType::Http => "http",
        }
    }
}

impl FromNode for String {
    const EXPECTED: &'static str = "a text in quotes";

    fn from_node(node: &Node) -> Option<Self> {
        text(node).map(str::to_owned)
    }
}

impl FromNode for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_node(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            _ => variable(node)?.parse().ok(),
        }
    }

    fn in_file(node: &Node) -> Option<Value> {
        variable(node)?.parse().ok().map(Value::Bool)
    }
}

impl FromNode for u64 {
    const EXPECTED: &'static str = "a whole number, 0 or more";

    fn from_node(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => variable(node)?.parse().ok(),
        }
    }

    fn in_file(node: &Node) -> Option<Value> {
        variable(node)?.parse().ok().map(Value::Int)
    }
}

impl FromNode for Duration {
    const EXPECTED: &'static str = "a duration such as \"10s\", \"500ms\" or \"1h 30m\"";

    fn from_node(node: &Node) -> Option<Self> {
        humantime::parse_duration(text(node)?).ok()
    }
}

impl FromNode for Size {
    const EXPECTED: &'static str = "a size such as \"64MiB\" or \"128KB\", or a number of bytes";

    fn from_node(node: &Node) -> Option<Self> {
        u64::from_node(node).or_else(|| parse_size(text(node)?)).map(Size)
    }
}

impl FromNode for CountOrNone {
    const EXPECTED: &'static str = "a whole number, or \"none\" for no bound";

    fn from_node(node: &Node) -> Option<Self> {
        or_none(node, u64::from_node).map(CountOrNone)
    }

    fn in_file(node: &Node) -> Option<Value> {
        u64::in_file(node)
    }
}

impl FromNode for SizeOrNone {
    const EXPECTED: &'static str = "a size such as \"512KiB\", or \"none\" for no bound";

    fn from_node(node: &Node) -> Option<Self> {
        or_none(node, |node| Size::from_node(node).map(|size| size.0)).map(SizeOrNone)
    }
}

impl FromNode for SocketAddr {
    const EXPECTED: &'static str = "an address with a port such as \"127.0.0.1:1883\"";

    fn from_node(node: &Node) -> Option<Self> {
        let text = text(node)?;
        match text.strip_prefix("localhost:") {
            Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
            None => text.parse().ok(),
        }
    }
}

impl FromNode for Vec<String> {
    const EXPECTED: &'static str = "a list of texts such as [\"a\", \"b\"]";

    fn from_node(node: &Node) -> Option<Self> {
        match &node.value {
            Value::List(list) => list.iter().map(String::from_node).collect(),
            _ => {
                let items = variable(node)?.split(',').map(str::trim);
                Some(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
        }
    }

    fn in_file(node: &Node) -> Option<Value> {
        variable(node)?;
        let items = Self::from_node(node)?;
        let items = items.into_iter().map(|item| Node::text(item, node.origin.clone()));
        Some(Value::List(items.collect()))
    }
}

impl FromNode for BTreeMap<String, String> {
    const EXPECTED: &'static str = "a table of texts such as { name = \"value\" }";

    fn from_node(node: &Node) -> Option<Self> {
        let entries = node.table()?.iter();
        entries
            .map(|(key, value)| Some((key.clone(), String::from_node(value)?)))
            .collect()
    }
}

impl FromNode for BTreeMap<String, Literal> {
    const EXPECTED: &'static str = "a table of texts, numbers and booleans";

    fn from_node(node: &Node) -> Option<Self> {
        let entries = node.table()?.iter();
        entries
            .map(|(key, value)| Some((key.clone(), literal(value)?)))
            .collect()
    }
}

impl FromNode for SinkType {
    const EXPECTED: &'static str = "\"log\", \"mqtt\", \"file\" or \"http\"";

    fn from_node(node: &Node) -> Option<Self> {
        let name = text(node)?;
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl FromNode for SinkFormat {
    const EXPECTED: &'static str = "\"array\" (one JSON array an emission) or \"single\" (one object a row)";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "array" => Some(SinkFormat::Array),
            "single" => Some(SinkFormat::Single),
            _ => None,
        }
    }
}

impl FromNode for OnFull {
    const EXPECTED: &'static str = "\"block\", \"drop-oldest\" or \"drop-newest\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "block" => Some(OnFull::Block),
            "drop-oldest" => Some(OnFull::DropOldest),
            "drop-newest" => Some(OnFull::DropNewest),
            _ => None,
        }
    }
}

impl FromNode for Durability {
    const EXPECTED: &'static str = "\"power-loss\", \"process-crash\" or \"none\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "power-loss" => Some(Durability::PowerLoss),
            "process-crash" => Some(Durability::ProcessCrash),
            "none" => Some(Durability::None),
            _ => None,
        }
    }
}

impl FromNode for OnStop {
    const EXPECTED: &'static str = "\"keep\" or \"emit\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "keep" => Some(OnStop::Keep),
            "emit" => Some(OnStop::Emit),
            _ => None,
        }
    }
}

impl FromNode for SinkQueue {
    const EXPECTED: &'static str = "\"disk\" or \"memory\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "disk" => Some(SinkQueue::Disk),
            "memory" => Some(SinkQueue::Memory),
            _ => None,
        }
    }
}

impl FromNode for OnChange {
    const EXPECTED: &'static str = "\"boundary\" or \"now\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "boundary" => Some(OnChange::Boundary),
            "now" => Some(OnChange::Now),
            _ => None,
        }
    }
}

impl FromNode for OnRemove {
    const EXPECTED: &'static str = "\"drain\" or \"discard\"";

    fn from_node(node: &Node) -> Option<Self> {
        match text(node)? {
            "drain" => Some(OnRemove::Drain),
            "discard" => Some(OnRemove::Discard),
            _ => None,
        }
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) | Value::Table(_) => None,
    }
}

/// The text of an environment variable: only there do numbers, booleans and lists come as text.
fn variable(node: &Node) -> Option<&str> {
    match node.origin {
        Origin::Variable(_) => text(node),
        Origin::Default | Origin::Line(_) => None,
    }
}

fn or_none(node: &Node, read: impl Fn(&Node) -> Option<u64>) -> Option<Option<u64>> {
    if text(node) == Some("none") {
        Some(None)
    } else {
        read(node).map(Some)
    }
}

fn literal(node: &Node) -> Option<Literal> {
    match &node.value {
        Value::Text(text) => Some(Literal::Text(text.clone())),
        Value::Int(number) => Some(Literal::Int(*number)),
        Value::Float(number) => Some(Literal::Float(*number)),
        Value::Bool(value) => Some(Literal::Bool(*value)),
        Value::Time(_) | Value::List(_) | Value::Table(_) => None,
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("128KB", 128_000),
            ("128KiB", 131_072),
            ("64 MiB", 64 << 20),
            ("2GB", 2_000_000_000),
            ("1GiB", 1 << 30),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_make_no_sense_or_overflow_are_refused() {
        for text in [
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "64mib",
            "5 apples",
            "99999999999GiB",
            "18446744073709551616",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_environment_may_give_numbers_as_text() {
        let in_file = Node::text("5", Origin::Line(1));
        let in_environment = Node::text("5", Origin::Variable("RULEMILL__X".into()));
        assert_eq!(u64::from_node(&in_file), None);
        assert_eq!(u64::from_node(&in_environment), Some(5));
    }
}
