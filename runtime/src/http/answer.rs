//! The JSON of the answers.

use super::snapshot::{
    Function, FunctionStatus, GuestKind, Readiness, Refused, RuleStatus, RunState, RunningVersion, ShadowStatus,
    Snapshot,
};
use crate::telemetry::guest::Suspended;
use crate::telemetry::shadow::{Difference, Excess};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rulemill_core::Micros;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An error as `{"error": STATUS, "message": "..."}`.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({"error": self.status.as_u16(), "message": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// 200 when ready, otherwise 503, with the reasons.
pub(super) fn readiness(readiness: &Readiness) -> Response {
    let starting = ["starting".to_owned()];
    let reasons: &[String] = match readiness {
        Readiness::Ready => &[],
        Readiness::Starting => &starting,
        Readiness::NotReady(reasons) => reasons,
    };
    let status = match readiness {
        Readiness::Ready => StatusCode::OK,
        Readiness::Starting | Readiness::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({"ready": status == StatusCode::OK, "reasons": reasons});
    (status, Json(body)).into_response()
}

/// The list of rules: of all guests but the libraries.
pub(super) fn rules(snapshot: &Snapshot) -> Value {
    list(snapshot.rules.iter().filter(|rule| rule.kind != GuestKind::Library))
}

/// The list of guests.
pub(super) fn guests(snapshot: &Snapshot) -> Value {
    list(snapshot.rules.iter())
}

fn list<'s>(rules: impl Iterator<Item = &'s RuleStatus>) -> Value {
    let rules = rules.map(|rule| {
        let running = rule.running.as_ref();
        json!({
            "id": rule.id,
            "name": running.map(|running| &running.name),
            "version": running.map(|running| &running.version),
            "kind": kind(rule.kind),
            "status": state(rule),
            "shadow": rule.shadow.is_some(),
            "refused": rule.refused.is_some(),
        })
    });
    rules.collect()
}

/// What a guest is.
pub(super) fn guest(rule: &RuleStatus) -> Value {
    let running = rule.running.as_ref();
    let sidecar = &rule.sidecar;
    json!({
        "id": rule.id,
        "name": running.map(|running| &running.name),
        "version": running.map(|running| &running.version),
        "doc": running.map(|running| &running.doc),
        "kind": kind(rule.kind),
        "status": state(rule),
        "digest": running.map(|running| &running.digest),
        "loaded_at": running.map(|running| timestamp(running.loaded_at)),
        "plan": running.and_then(|running| running.plan.as_deref()),
        "deployment": {
            "topics": sidecar.topics,
            "source": sidecar.source,
            "sinks": sidecar.sinks,
            "window_ms": sidecar.window.map(|size| size.as_millis()),
            "settings": sidecar.settings,
            "limits": {
                "call_timeout_ms": sidecar.limits.call_timeout.as_millis(),
                "memory_bytes_max": sidecar.limits.memory_bytes_max,
                "table_elements_max": sidecar.limits.table_elements_max,
                "output_bytes_max": sidecar.limits.output_bytes_max,
                "row_errors_max": sidecar.limits.row_errors_max,
                "notes_per_second_max": sidecar.limits.notes_per_second_max,
                "core_instances_max": sidecar.limits.core_instances_max,
                "suspend_after_batches": sidecar.limits.suspend_after_batches,
                "suspend_max_ms": sidecar.limits.suspend_max.as_millis(),
                "groups_max": sidecar.limits.groups_max,
                "windows_max": sidecar.limits.windows_max,
            },
        },
    })
}

/// What a rule did.
pub(super) fn status(rule: &RuleStatus) -> Value {
    let metrics = &rule.metrics;
    let dead_rows = metrics.dead_rows_total();
    let exception = metrics.last_exception();
    let suspended = rule.guest.suspended();
    json!({
        "id": rule.id,
        "status": state(rule),
        "message": match &rule.state {
            RunState::Running | RunState::Draining => suspended.first().map(in_words),
            RunState::Shadow => Some(SHADOW_ALONE.to_owned()),
            RunState::Waiting(reason) | RunState::Stopped(reason) => Some(reason.clone()),
        },
        "batches_total": metrics.batches.get(),
        "records_in_total": metrics.rows_in.get(),
        "records_kept_total": metrics.rows_kept.get(),
        "records_late_total": metrics.rows_late.get(),
        "records_out_total": metrics.rows_out.get(),
        "emissions_total": metrics.emissions.get(),
        "exceptions_total": dead_rows.saturating_add(metrics.traps.get()),
        "last_exception": exception.as_ref().map(|exception| &exception.message),
        "last_exception_time": exception.as_ref().map(|exception| timestamp(exception.at)),
        "dead_rows_total": dead_rows,
        "row_errors_total": metrics.row_errors.get(),
        "traps_total": metrics.traps.get(),
        "guest_calls_total": metrics.guest_calls.get(),
        "guest_rows_total": metrics.guest_rows.get(),
        "guest_seconds_total": metrics.guest_seconds.get(),
        "memory_peak_bytes": rule.guest.memory_peak.get(),
        "limit_hits_total": rule.guest.limits_met(),
        "suspensions_total": rule.guest.suspensions.get(),
        "suspended": suspended.iter().map(suspension).collect::<Value>(),
        "windows_open": metrics.windows_open.get(),
        "groups_open": metrics.groups_open.get(),
        "reloads_ok_total": metrics.reloads_ok.get(),
        "reloads_refused_total": metrics.reloads_refused.get(),
        "reloads_rolled_back_total": metrics.reloads_rolled_back.get(),
        "running": rule.running.as_ref().map(running),
        "refused": rule.refused.as_ref().map(refused),
        "shadow": rule.shadow.as_ref().map(shadow),
    })
}

/// The functions of the loaded libraries.
pub(super) fn functions(snapshot: &Snapshot) -> Value {
    snapshot.functions.iter().map(function).collect()
}

fn function(status: &FunctionStatus) -> Value {
    let metrics = &status.metrics;
    let mut answer = json!({
        "name": status.function.name(),
        "library": status.library,
        "library_version": status.version,
        "calls_total": metrics.calls.get(),
        "rows_total": metrics.rows.get(),
        "row_errors_total": metrics.errors.get(),
        "traps_total": metrics.traps.get(),
        "seconds_total": metrics.seconds.get(),
    });
    match &status.function {
        Function::Scalar(function) => {
            answer["kind"] = json!("scalar");
            answer["doc"] = json!(function.doc);
            answer["parameters"] = json!(function.parameters);
            answer["returns"] = json!(function.returns);
            answer["volatility"] = json!(function.volatility);
            answer["examples"] = json!(function.examples);
        }
        Function::Aggregate(function) => {
            answer["kind"] = json!("aggregate");
            answer["doc"] = json!(function.doc);
            answer["parameters"] = json!(function.parameters);
            answer["returns"] = json!(function.returns);
            answer["examples"] = json!(function.examples);
        }
    }
    answer
}

fn running(running: &RunningVersion) -> Value {
    json!({
        "name": running.name,
        "version": running.version,
        "digest": running.digest,
        "loaded_at": timestamp(running.loaded_at),
    })
}

fn shadow(shadow: &ShadowStatus) -> Value {
    let ShadowStatus {
        comparison, metrics, ..
    } = shadow;
    let exception = metrics.last_exception();
    let mut answer = running(&shadow.version);
    answer["not_compared"] = json!(shadow.not_compared);
    answer["results_equal_total"] = json!(comparison.equal.get());
    answer["results_different_total"] = json!(comparison.different.get());
    answer["results_skipped_total"] = json!(comparison.skipped.get());
    answer["rows_only_running_total"] = json!(comparison.rows_running.get());
    answer["rows_only_shadow_total"] = json!(comparison.rows_shadow.get());
    answer["last_difference"] = json!(comparison.last_difference().as_ref().map(difference));
    answer["records_in_total"] = json!(metrics.rows_in.get());
    answer["records_out_total"] = json!(metrics.rows_out.get());
    answer["dead_rows_total"] = json!(metrics.dead_rows_total());
    answer["traps_total"] = json!(metrics.traps.get());
    answer["last_exception"] = json!(exception.map(|exception| exception.message));
    answer
}

fn difference(difference: &Difference) -> Value {
    let side = |excess: &Excess| {
        let examples = excess.examples.iter();
        // A long row is cut, and no JSON any more.
        let examples = examples.map(|row| serde_json::from_str(row).unwrap_or_else(|_| json!(row)));
        json!({"rows": excess.rows, "examples": examples.collect::<Vec<Value>>()})
    };
    json!({
        "at": timestamp(difference.at),
        "window": difference.window.map(|(start, end)| json!({"start": timestamp(start), "end": timestamp(end)})),
        "only_running": side(&difference.running),
        "only_shadow": side(&difference.shadow),
    })
}

fn refused(refused: &Refused) -> Value {
    json!({
        "digest": refused.digest,
        "at": timestamp(refused.at),
        "reason": refused.reason,
    })
}

fn suspension(suspended: &Suspended) -> Value {
    json!({
        "what": suspended.what,
        "since": timestamp(suspended.since),
        "next_try": timestamp(suspended.until),
        "failed_batches": suspended.batches,
        "reason": suspended.reason,
    })
}

fn in_words(suspended: &Suspended) -> String {
    let Suspended {
        what, batches, reason, ..
    } = suspended;
    let until = timestamp(suspended.until);
    format!("{what} is suspended until {until}, after {batches} failing batches: {reason}")
}

/// What a rule whose only version is a shadow says.
const SHADOW_ALONE: &str = "no version runs yet; this one emits nothing until it is promoted";

fn kind(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Rule => "rule",
        GuestKind::Library => "library",
        GuestKind::Unknown => "unknown",
    }
}

fn state(rule: &RuleStatus) -> &'static str {
    match &rule.state {
        RunState::Running if !rule.guest.suspended().is_empty() => "suspended",
        RunState::Running => "running",
        RunState::Draining => "draining",
        RunState::Shadow => "shadow",
        RunState::Waiting(_) => "waiting",
        RunState::Stopped(_) => "stopped",
    }
}

/// As `2026-01-31T12:00:00.5Z`; a time that no calendar has, as its microseconds.
fn timestamp(at: Micros) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1000).ok();
    let text = time.and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| at.0.to_string())
}
