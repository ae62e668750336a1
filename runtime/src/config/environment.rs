//! The environment: overrides of single keys, `${VARIABLE}` in texts, and the machine's name. Nothing else of
//! rulemill reads it.
//!
//! `RULEMILL__SINK__AWS__SERVER=ssl://...` sets `sink.aws.server`. Names are matched without regard to case, and `_`
//! there also matches `-`. A section that is not in the file comes into being.

use super::node::{Node, Origin, Table, Value};
use super::problems::{Problems, Spot, join};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the configuration takes from outside the file.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The environment's variables.
    pub variables: BTreeMap<String, String>,
    /// The machine's name, for `{host}` in client ids.
    pub hostname: String,
}

impl Environment {
    /// That of this process. A variable that is not UTF-8 is left out.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            hostname: hostname(),
        }
    }

    /// Replaces `${VARIABLE}` in every text of `table`; `$${` stands for `${`.
    pub(super) fn expand(&self, table: &mut Table, path: &str, problems: &mut Problems) {
        for (key, node) in table {
            self.expand_node(node, &join(path, key), problems);
        }
    }

    /// Sets the keys that `RULEMILL__...` variables name.
    pub(super) fn override_keys(&self, table: &mut Table, problems: &mut Problems) {
        for (name, value) in &self.variables {
            let Some(path) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let keys: Vec<&str> = path.split(SEPARATOR).collect();
            let origin = Origin::Variable(name.clone());
            if keys.iter().any(|key| key.is_empty()) {
                let message = "must have the form RULEMILL__SECTION__KEY".to_owned();
                problems.add(&Spot::new("", &origin), message);
                continue;
            }
            set(table, &keys, value, &origin);
        }
    }

    fn expand_node(&self, node: &mut Node, path: &str, problems: &mut Problems) {
        match &mut node.value {
            Value::Text(text) => match self.expand_text(text) {
                Ok(expanded) => *text = expanded,
                Err(message) => problems.add_last(&Spot::new(path, &node.origin), message),
            },
            Value::List(list) => {
                for item in list {
                    self.expand_node(item, path, problems);
                }
            }
            Value::Table(table) => self.expand(table, path, problems),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => {}
        }
    }

    fn expand_text(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(kept) = before.strip_suffix('$') {
                expanded.push_str(kept);
                expanded.push_str("${");
                rest = after;
                continue;
            }
            let Some((name, tail)) = after.split_once('}') else {
                return Err("has ${ without }; write $${ for a plain ${".to_owned());
            };
            let Some(value) = self.variables.get(name) else {
                return Err(format!("needs the environment variable {name}, which is not set"));
            };
            expanded.push_str(before);
            expanded.push_str(value);
            rest = tail;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

const PREFIX: &str = "RULEMILL__";
const SEPARATOR: &str = "__";

fn set(table: &mut Table, keys: &[&str], value: &str, origin: &Origin) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    let key = matching_key(table, first);
    if rest.is_empty() {
        table.insert(key, Node::text(value, origin.clone()));
        return;
    }
    let node = table.entry(key).or_insert_with(|| Node {
        value: Value::Table(Table::new()),
        origin: origin.clone(),
    });
    if !matches!(node.value, Value::Table(_)) {
        node.value = Value::Table(Table::new());
        node.origin = origin.clone();
    }
    if let Value::Table(inner) = &mut node.value {
        set(inner, rest, value, origin);
    }
}

/// The key of `table` that a part of a variable's name means, or a new one in lower case.
fn matching_key(table: &Table, part: &str) -> String {
    let wanted = part.to_lowercase();
    let found = table.keys().find(|key| key.to_lowercase().replace('-', "_") == wanted);
    found.cloned().unwrap_or(wanted)
}

/// Where programs keep what they remember of whoever runs them: `$XDG_STATE_HOME`, or `.local/state` in the home folder.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn state_folder() -> Option<PathBuf> {
    let folder = |variable: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))
}

/// The machine's name; `gateway` where there is none to be read.
fn hostname() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let names = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    names
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "gateway".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            hostname: "box".to_owned(),
        }
    }

    #[test]
    fn variables_in_texts_are_replaced_and_dollars_alone_are_kept() {
        let environment = environment(&[("A", "one"), ("EMPTY", "")]);
        for (text, expanded) in [
            ("${A}", "one"),
            ("x${A}y${A}z", "xoneyonez"),
            ("$aws/rules/r/x", "$aws/rules/r/x"),
            ("$${A}", "${A}"),
            ("a${EMPTY}b", "ab"),
        ] {
            assert_eq!(environment.expand_text(text).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = environment(&[]).expand_text("${NOPE}").unwrap_err();
        assert_eq!(error, "needs the environment variable NOPE, which is not set");
        assert!(environment(&[]).expand_text("${NOPE").is_err());
    }

    #[test]
    fn a_variable_with_underscores_finds_the_section_with_hyphens() {
        let mut problems = Problems::none("f");
        let mut table = Node::parse("[sink.my-cloud]\nqos = 0", &mut problems);
        environment(&[("RULEMILL__SINK__MY_CLOUD__QOS", "1")]).override_keys(&mut table, &mut problems);
        let sink = table["sink"].table().unwrap()["my-cloud"].table().unwrap();
        assert_eq!(sink["qos"].value, Value::Text("1".into()));
        assert!(problems.is_empty());
    }
}
