//! Everything about one guest.

use crate::cmd::sheet::Sheet;
use indicatif::HumanBytes;
use serde_json::{Map, Value};
use std::time::Duration;

/// What `/rules/ID`, `/rules/ID/status` and, for a library, `/functions` say.
pub(super) fn sheet(rule: &Value, status: &Value, functions: &Value) -> String {
    let mut sheet = Sheet::default();
    sheet.headline(&text(&rule["id"]));
    sheet.line("kind", &text(&rule["kind"]));
    let message = status["message"].as_str().map(|message| format!(": {message}"));
    sheet.line("status", &(text(&status["status"]) + &message.unwrap_or_default()));
    if let Some(refused) = status["refused"].as_object() {
        let since = format!("{} (since {})", text(&refused["reason"]), text(&refused["at"]));
        sheet.line("refused", &since);
    }
    let version = format!("{} {}", text(&rule["name"]), text(&rule["version"]));
    sheet.line("version", version.trim());
    sheet.line("", &text(&rule["doc"]));
    sheet.line("digest", &text(&rule["digest"]));
    sheet.line("loaded at", &text(&rule["loaded_at"]));
    if rule["kind"] == "rule" {
        about_rule(&mut sheet, rule, status);
    }
    about_guest(&mut sheet, rule, status);
    let library = functions.as_array().into_iter().flatten();
    let library = library.filter(|function| rule["kind"] == "library" && function["library"] == rule["name"]);
    sheet.lines("functions", library.map(function));
    sheet.line("reloads", &reloads(status));
    if status["shadow"].is_object() {
        about_shadow(&mut sheet, &status["shadow"]);
    }
    if status["last_exception"].is_string() {
        let (what, when) = (text(&status["last_exception"]), text(&status["last_exception_time"]));
        sheet.line("last error", &format!("{what} (at {when})"));
    }
    sheet.into_text()
}

fn about_rule(sheet: &mut Sheet, rule: &Value, status: &Value) {
    let (plan, deployment) = (&rule["plan"], &rule["deployment"]);
    sheet.line("listens to", &list(either(&deployment["topics"], &plan["topics"])));
    sheet.line("sends to", &list(either(&deployment["sinks"], &plan["sinks"])));
    if let Some(settings) = deployment["settings"].as_object() {
        sheet.line("settings", &members(settings));
    }
    let count = |key: &str| status[key].as_u64().unwrap_or_default();
    let rows = format!(
        "{} in, {} kept, {} late, {} out in {} emissions",
        count("records_in_total"),
        count("records_kept_total"),
        count("records_late_total"),
        count("records_out_total"),
        count("emissions_total"),
    );
    sheet.line("rows", &rows);
    let (dead, errors) = (count("dead_rows_total"), count("row_errors_total"));
    sheet.line("dead rows", &format!("{dead}, and {errors} row errors"));
    let (windows, groups) = (count("windows_open"), count("groups_open"));
    sheet.line("open", &format!("{windows} windows with {groups} groups"));
}

fn about_guest(sheet: &mut Sheet, rule: &Value, status: &Value) {
    let count = |key: &str| status[key].as_u64().unwrap_or_default();
    let calls = format!(
        "{} calls with {} rows in {}, {} traps",
        count("guest_calls_total"),
        count("guest_rows_total"),
        seconds(&status["guest_seconds_total"]),
        count("traps_total"),
    );
    if rule["kind"] == "rule" {
        sheet.line("kernels", &calls);
    }
    let peak = HumanBytes(count("memory_peak_bytes")).to_string();
    let max = rule["deployment"]["limits"]["memory_bytes_max"].as_u64();
    let max = max.map(|max| format!(" of {}", HumanBytes(max))).unwrap_or_default();
    sheet.line("memory", &format!("{peak} at most{max}"));
    if let Some(met) = status["limit_hits_total"].as_object() {
        sheet.line("limits met", &members(met));
    }
}

fn function(function: &Value) -> String {
    let count = |key: &str| function[key].as_u64().unwrap_or_default();
    format!(
        "{}: {} calls with {} rows in {}, {} row errors, {} traps",
        text(&function["name"]),
        count("calls_total"),
        count("rows_total"),
        seconds(&function["seconds_total"]),
        count("row_errors_total"),
        count("traps_total"),
    )
}

fn about_shadow(sheet: &mut Sheet, shadow: &Value) {
    let count = |key: &str| count(shadow, key);
    let version = format!("{} {}", text(&shadow["name"]), text(&shadow["version"]));
    sheet.line(
        "shadow",
        &format!("{}, since {}", version.trim(), text(&shadow["loaded_at"])),
    );
    sheet.line("", &format!("digest {}", text(&shadow["digest"])));
    let rows = format!(
        "{} rows in, {} that it would emit, {} dead, {} traps",
        count("records_in_total"),
        count("records_out_total"),
        count("dead_rows_total"),
        count("traps_total"),
    );
    sheet.line("", &rows);
    let compared = match shadow["not_compared"].as_str() {
        Some(reason) => format!("not compared: {reason}"),
        None => format!(
            "results: {} equal, {} different, {} skipped; rows only in what runs: {}, only in the shadow: {}",
            count("results_equal_total"),
            count("results_different_total"),
            count("results_skipped_total"),
            count("rows_only_running_total"),
            count("rows_only_shadow_total"),
        ),
    };
    sheet.line("", &compared);
    for (side, key) in [("running", "only_running"), ("shadow", "only_shadow")] {
        let examples = shadow["last_difference"][key]["examples"].as_array();
        for row in examples.into_iter().flatten() {
            sheet.line("", &format!("only in {side}: {row}"));
        }
    }
}

fn reloads(status: &Value) -> String {
    let count = |key: &str| count(status, key);
    format!(
        "{} taken, {} refused, {} taken back",
        count("reloads_ok_total"),
        count("reloads_refused_total"),
        count("reloads_rolled_back_total"),
    )
}

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

/// What the deployment sets, else what the plan says.
fn either<'v>(deployed: &'v Value, planned: &'v Value) -> &'v Value {
    if deployed.is_null() { planned } else { deployed }
}

fn list(value: &Value) -> String {
    let items = value.as_array().into_iter().flatten().map(text);
    items.collect::<Vec<_>>().join(", ")
}

fn members(object: &Map<String, Value>) -> String {
    let members = object.iter().map(|(name, value)| format!("{name} {value}"));
    members.collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn seconds(value: &Value) -> String {
    let time = Duration::try_from_secs_f64(value.as_f64().unwrap_or_default()).unwrap_or_default();
    format!("{time:.1?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shadow_is_told_with_its_last_difference() {
        let rule = json!({"id": "mean", "kind": "rule", "name": "mean", "plan": {}, "deployment": {}});
        let mut status = json!({"status": "running", "shadow": {
            "name": "mean", "version": "2", "digest": "ab", "loaded_at": "2026-01-01T00:00:00Z", "not_compared": null,
            "results_equal_total": 4, "results_different_total": 1, "rows_only_shadow_total": 2, "records_in_total": 9,
            "last_difference": {"only_running": {"examples": []}, "only_shadow": {"examples": [{"n": 5}]}},
        }});
        let told = sheet(&rule, &status, &json!([]));
        for line in [
            "  shadow      mean 2, since 2026-01-01T00:00:00Z\n",
            "9 rows in, 0 that it would emit",
            "results: 4 equal, 1 different, 0 skipped; rows only in what runs: 0, only in the shadow: 2\n",
            "only in shadow: {\"n\":5}\n",
        ] {
            assert!(told.contains(line), "{line} is not in\n{told}");
        }
        status["shadow"]["not_compared"] = json!("no version runs");
        assert!(sheet(&rule, &status, &json!([])).contains("not compared: no version runs"));
    }

    #[test]
    fn a_refused_version_is_told_with_its_sentence() {
        let rule = json!({"id": "mean", "kind": "rule", "name": "mean", "version": "1.2", "doc": "The mean.",
                          "plan": {"topics": ["a/+"]}, "deployment": {"topics": null, "sinks": ["log"], "settings": {"limit": 5},
                          "limits": {"memory_bytes_max": 1_048_576}}});
        let status = json!({"status": "running", "message": null, "records_in_total": 7,
                            "refused": {"at": "2026-01-01T00:00:00Z", "reason": "it imports \u{1b}wasi"},
                            "limit_hits_total": {"call_timeout": 2}, "guest_seconds_total": 0.25});
        let text = sheet(&rule, &status, &json!([]));
        for line in [
            "  status      running\n",
            "  refused     it imports \\u{1b}wasi (since 2026-01-01T00:00:00Z)\n",
            "  version     mean 1.2\n",
            "  listens to  a/+\n",
            "  settings    limit 5\n",
            "  rows        7 in, 0 kept, 0 late, 0 out in 0 emissions\n",
            "  kernels     0 calls with 0 rows in 250.0ms, 0 traps\n",
            "  memory      0 B at most of 1.00 MiB\n",
            "  limits met  call_timeout 2\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }

    #[test]
    fn a_library_is_told_with_the_cost_of_its_functions() {
        let rule = json!({"id": "text-2", "kind": "library", "name": "text"});
        let status = json!({"status": "running"});
        let functions = json!([
            {"name": "split_value", "library": "text", "calls_total": 3, "rows_total": 9, "seconds_total": 0.001},
            {"name": "other", "library": "stats"},
        ]);
        let text = sheet(&rule, &status, &functions);
        assert!(
            text.contains("split_value: 3 calls with 9 rows in 1.0ms, 0 row errors, 0 traps"),
            "{text}"
        );
        assert!(!text.contains("other"), "{text}");
    }
}
