//! Sections: which keys a table of the file has, what they mean, and how all of them are read at once.

use super::node::{Node, Table, Value};
use super::problems::{Problems, Spot, join};
use super::read::{FromNode, Given};

/// One key of a section.
#[derive(Debug)]
pub(super) struct Key {
    /// As written in the file.
    pub(super) name: &'static str,
    /// What it means, line by line.
    pub(super) doc: &'static [&'static str],
    /// What its value must be.
    pub(super) expected: &'static str,
    /// How a text of the environment would be written in the file; `None` where it is a text there too.
    pub(super) in_file: fn(&Node) -> Option<Value>,
}

/// Declares a struct with one optional field for each key of a section, its list of keys, and its `read`.
/// A field is `name: Type`, or `name as "key": Type` where the key is not a name in Rust.
macro_rules! section {
    ($(#[doc = $about:literal])* $name:ident {
        $($(#[doc = $doc:literal])* $field:ident $(as $key:literal)? : $kind:ty,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub(super) struct $name {
            $($(#[doc = $doc])* pub(super) $field: Option<$crate::config::read::Given<$kind>>,)*
        }

        impl $name {
            /// What the section is for, line by line.
            pub(super) const ABOUT: &'static [&'static str] = &[$($about),*];

            /// The keys, in the order of the reference.
            pub(super) const KEYS: &'static [$crate::config::section::Key] = &[$(
                $crate::config::section::Key {
                    name: $crate::config::section::key_name!($field $($key)?),
                    doc: &[$($doc),*],
                    expected: <$kind as $crate::config::read::FromNode>::EXPECTED,
                    in_file: <$kind as $crate::config::read::FromNode>::in_file,
                },
            )*];

            /// Reads every key. What has the wrong type is reported and left out.
            pub(super) fn read(
                table: &$crate::config::node::Table,
                path: &str,
                problems: &mut $crate::config::problems::Problems,
            ) -> Self {
                Self {
                    $($field: $crate::config::section::read_key(
                        table,
                        path,
                        $crate::config::section::key_name!($field $($key)?),
                        problems,
                    ),)*
                }
            }
        }
    };
}

macro_rules! key_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(super) use {key_name, section};

/// Reads one key, when it is there.
pub(super) fn read_key<T: FromNode>(table: &Table, path: &str, key: &str, problems: &mut Problems) -> Option<Given<T>> {
    let node = table.get(key)?;
    let spot = Spot::new(join(path, key), &node.origin);
    match T::from_node(node) {
        Some(value) => Some(Given { value, spot }),
        None => {
            problems.add(&spot, format!("must be {}, got {}", T::EXPECTED, shown(key, node)));
            None
        }
    }
}

/// Reports every key of `table` that is not in `known`, with the nearest that is.
pub(super) fn refuse_unknown(table: &Table, path: &str, known: &[&str], problems: &mut Problems) {
    for (key, node) in table {
        if !known.contains(&key.as_str()) {
            let spot = Spot::new(join(path, key), &node.origin);
            problems.add(&spot, format!("is not a known key; {}", suggestion(key, known)));
        }
    }
}

/// `did you mean qos?`, or all that is known when nothing is near.
pub(super) fn suggestion(given: &str, known: &[&str]) -> String {
    let scored = known.iter().map(|name| (name, likeness(given, name)));
    match scored.max_by(|(_, a), (_, b)| a.total_cmp(b)) {
        Some((name, likeness)) if likeness >= LIKENESS_MIN => format!("did you mean {name}?"),
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "nothing is known here".to_owned(),
    }
}

/// The names of keys.
pub(super) fn names(keys: &[Key]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}

/// How alike two names are, from 0 to 1: short ones by the keys pressed wrongly, long ones also by how they begin.
fn likeness(given: &str, name: &str) -> f64 {
    let slips = strsim::osa_distance(given, name);
    if slips <= (name.len() / 4).max(1) {
        return if slips == 1 { 0.99 } else { 0.9 };
    }
    strsim::jaro_winkler(given, name)
}

/// How alike two names must be, from 0 to 1, before one is offered for the other.
const LIKENESS_MIN: f64 = 0.8;

/// The keys whose values are never printed.
pub(super) const SECRETS: [&str; 3] = ["password", "token", "headers"];

/// The value for a message; not that of a secret.
fn shown(key: &str, node: &Node) -> String {
    if SECRETS.contains(&key) {
        "something else".to_owned()
    } else {
        node.value.to_string()
    }
}
