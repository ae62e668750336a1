//! All guests in a table.

use crate::cmd::sheet::printable;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::Value;

/// A row for each guest: what `/rules` and what `/rules/ID/status` say of it.
pub(super) fn table(rows: &[(&Value, Value)]) -> String {
    if rows.is_empty() {
        return "there is no rule and no library in the rules directory\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "NAME",
        "KIND",
        "STATUS",
        "VERSION",
        "IN",
        "OUT",
        "DEAD",
        "TRAPS",
        "LAST REFUSAL",
    ]);
    for (listed, status) in rows {
        // A library takes no messages; how often it is called, `rulemill status NAME` says.
        let of_rules = |value: &Value| match listed["kind"] == "library" {
            true => Cell::new("-").set_alignment(CellAlignment::Right),
            false => number(value),
        };
        table.add_row([
            text(&listed["id"]),
            text(&listed["kind"]),
            text(&listed["status"]),
            text(&listed["version"]),
            of_rules(&status["records_in_total"]),
            of_rules(&status["records_out_total"]),
            of_rules(&status["dead_rows_total"]),
            number(&status["traps_total"]),
            Cell::new(shortened(status["refused"]["reason"].as_str().unwrap_or("-"))),
        ]);
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn text(value: &Value) -> Cell {
    let text = value.as_str().filter(|text| !text.is_empty());
    Cell::new(printable(text.unwrap_or("-")))
}

fn number(value: &Value) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// The start of a reason; `rulemill status NAME` has all of it.
fn shortened(reason: &str) -> String {
    let reason = printable(reason);
    if reason.chars().count() <= REASON_CHARS_MAX {
        return reason;
    }
    let start: String = reason.chars().take(REASON_CHARS_MAX).collect();
    format!("{}...", start.trim_end())
}

const REASON_CHARS_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_guest_has_a_line_with_its_last_refusal() {
        let (running, broken) = (
            json!({"id": "mean", "kind": "rule", "status": "running", "version": "1.2"}),
            json!({"id": "broken", "kind": "unknown", "status": "stopped", "version": null}),
        );
        let rows = [
            (
                &running,
                json!({"records_in_total": 12, "records_out_total": 3, "dead_rows_total": 1, "traps_total": 0, "refused": null}),
            ),
            (
                &broken,
                json!({"records_in_total": 0, "records_out_total": 0, "dead_rows_total": 0, "traps_total": 0,
                       "refused": {"reason": format!("it imports {}", "x".repeat(100))}}),
            ),
        ];
        let text = table(&rows);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1],
            ["mean", "rule", "running", "1.2", "12", "3", "1", "0", "-"],
            "{text}"
        );
        assert_eq!(lines[2][..4], ["broken", "unknown", "stopped", "-"], "{text}");
        assert!(
            text.contains("it imports xxx") && text.trim_end().ends_with("..."),
            "{text}"
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn an_empty_directory_is_said_in_words() {
        assert!(table(&[]).contains("no rule and no library"));
    }
}
