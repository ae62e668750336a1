//! `{host}` and `{name}` in client ids and `{data}` in the dead-letter file: replaced in the tree, so that the
//! configuration in force shows what they became.

use super::node::{Node, Table, Value};

/// Replaces the placeholders of a complete tree.
pub(super) fn replace(file: &mut Table, hostname: &str) {
    for kind in ["source", "sink"] {
        let Some(Value::Table(sections)) = file.get_mut(kind).map(|node| &mut node.value) else {
            continue;
        };
        for (name, section) in sections {
            if let Some(client_id) = text_in(section, "client_id") {
                *client_id = client_id.replace("{host}", hostname).replace("{name}", name);
            }
        }
    }
    let data_dir = file.get_mut("data").and_then(|data| text_in(data, "dir").cloned());
    if let Some(data_dir) = data_dir
        && let Some(path) = file.get_mut("dead_letter").and_then(|section| text_in(section, "file"))
    {
        *path = path.replace("{data}", &data_dir);
    }
}

fn text_in<'n>(section: &'n mut Node, key: &str) -> Option<&'n mut String> {
    let Value::Table(table) = &mut section.value else {
        return None;
    };
    match &mut table.get_mut(key)?.value {
        Value::Text(text) => Some(text),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) | Value::Table(_) => None,
    }
}
