//! Emissions as tables that a person reads.

use crate::emit::EncodedEmission;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use rulemill_core::Micros;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A closed window: a headline and a table with a row for each object.
pub(super) fn window(emission: &EncodedEmission, start: Micros, end: Micros) -> String {
    let rows = objects(emission);
    let names: BTreeSet<&String> = rows.iter().flat_map(Map::keys).collect();
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_header(names.iter().copied().map(Cell::new));
    let with_places = |name: &String| rows.iter().any(|row| row.get(name).is_some_and(Value::is_f64));
    let columns: Vec<(&String, bool)> = names.into_iter().map(|name| (name, with_places(name))).collect();
    for row in rows.iter().take(ROWS_MAX) {
        table.add_row(columns.iter().map(|(name, places)| cell(row.get(*name), *places)));
    }
    let mut text = format!(
        "{}  {} to {} UTC\n{table}\n",
        emission.rule,
        time_of_day(start),
        time_of_day(end)
    );
    if rows.len() > ROWS_MAX {
        let _ = writeln!(text, "  and {} more rows", rows.len() - ROWS_MAX);
    }
    text
}

/// What a rule without a window emitted: a line for each object.
pub(super) fn lines(emission: &EncodedEmission) -> Vec<String> {
    let line = |row: &Map<String, Value>| {
        let members: Vec<String> = row
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect();
        format!("{}  {}", emission.rule, members.join("  "))
    };
    objects(emission).iter().map(line).collect()
}

fn objects(emission: &EncodedEmission) -> Vec<Map<String, Value>> {
    let rows = emission.rows().map(|row| serde_json::from_slice(row.json));
    rows.filter_map(Result::ok).collect()
}

/// A number of a column in which some number has places behind the point gets them too.
fn cell(value: Option<&Value>, places: bool) -> Cell {
    let alignment = match value {
        Some(Value::Number(_)) => CellAlignment::Right,
        _ => CellAlignment::Left,
    };
    let text = match value {
        Some(Value::Number(number)) if places => format!("{:.2}", number.as_f64().unwrap_or_default()),
        Some(value) => plain(value),
        None => String::new(),
    };
    Cell::new(text).set_alignment(alignment)
}

/// Numbers to two places: a person compares them, a program gets `--json`.
fn plain(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn time_of_day(time: Micros) -> String {
    let seconds = time.0.div_euclid(1_000_000).rem_euclid(24 * 60 * 60);
    let millis = time.0.rem_euclid(1_000_000) / 1000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if millis == 0 {
        clock
    } else {
        format!("{clock}.{millis:03}")
    }
}

/// The most rows shown of one emission.
const ROWS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn emission(json: &'static str, ends: Vec<u32>) -> EncodedEmission {
        EncodedEmission {
            rule: "mean".into(),
            window: None,
            place: None,
            json: Bytes::from_static(json.as_bytes()),
            ends,
        }
    }

    #[test]
    fn a_window_is_a_headline_and_a_table() {
        let json = r#"[{"id":"a","t":1.456},{"id":"b"}]"#;
        let emission = emission(json, vec![21, 32]);
        let text = window(&emission, Micros(3_600_000_000), Micros(3_602_500_000));
        assert!(text.starts_with("mean  01:00:00 to 01:00:02.500 UTC\n"), "{text}");
        assert!(text.contains("1.46") && text.contains(" b "), "{text}");
    }

    #[test]
    fn a_rule_without_a_window_gives_a_line_a_row() {
        let json = r#"[{"id":"a","t":7}]"#;
        assert_eq!(lines(&emission(json, vec![17])), ["mean  id=a  t=7"]);
    }
}
