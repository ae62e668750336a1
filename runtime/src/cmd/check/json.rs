//! What is known of files, for machines.

use crate::config::LimitsConfig;
use crate::pipeline::{CalledFunction, Deployed, Examined, Verdict};
use crate::rule::{CONTRACT_VERSION, KernelOutcome, KernelTest, Loaded, LoadedLibrary, LoadedRule};
use serde_json::{Value, json};

/// `{"ok": true, "files": [...]}`; `ok` when every file would run.
pub(super) fn report(examined: &[Examined]) -> Value {
    json!({
        "ok": examined.iter().all(|file| file.verdict == Verdict::Loads),
        "files": examined.iter().map(file).collect::<Value>(),
    })
}

fn file(examined: &Examined) -> Value {
    let (verdict, reason) = match &examined.verdict {
        Verdict::Loads => ("loads", None),
        Verdict::Waits(reason) => ("waits", Some(reason)),
        Verdict::Refused(reason) => ("refused", Some(reason)),
    };
    let mut report = json!({
        "file": examined.file.display().to_string(),
        "id": examined.name,
        "sidecar": examined.sidecar_file.as_ref().map(|file| file.display().to_string()),
        "verdict": verdict,
        "reason": reason,
        "limits": examined.sidecar.as_ref().map(|sidecar| limits(&sidecar.limits)),
    });
    if let Some(loaded) = &examined.loaded {
        report["bytes"] = json!(loaded.file_bytes);
        report["digest"] = json!(loaded.digest.to_string());
        report["contract"] = json!(CONTRACT_VERSION);
        report["imports"] = json!(loaded.imports);
        report["library"] = loaded.library.as_deref().map_or(Value::Null, library);
        report["rule"] = match loaded.rule.as_deref() {
            Some(loaded) => rule(loaded, examined),
            None => Value::Null,
        };
        report["self_test"] = self_test(loaded);
    }
    report
}

fn library(library: &LoadedLibrary) -> Value {
    let description = &library.description;
    json!({
        "name": description.name,
        "version": description.version,
        "doc": description.doc,
        "scalars": description.scalars,
        "aggregates": description.aggregates,
    })
}

fn rule(loaded: &LoadedRule, examined: &Examined) -> Value {
    let plan = &loaded.plan;
    json!({
        "name": plan.name,
        "version": plan.version,
        "doc": plan.doc,
        "plan": **plan,
        "deployment": examined.deployed.as_ref().map(deployment),
        "window_ms": examined.sidecar.as_ref().and_then(|sidecar| sidecar.window).map(|size| size.as_millis()),
        "calls": examined.calls.iter().map(call).collect::<Value>(),
    })
}

fn deployment(deployed: &Deployed) -> Value {
    json!({
        "topics": deployed.topics,
        "source": deployed.source,
        "sinks": deployed.sinks,
        "settings": deployed.settings,
    })
}

fn call(call: &CalledFunction) -> Value {
    let signature = call.signature.as_ref();
    json!({
        "function": call.function,
        "library": call.library,
        "file": call.file.as_ref().map(|file| file.display().to_string()),
        "parameters": signature.map(|(parameters, _)| parameters),
        "returns": signature.map(|(_, returns)| returns),
    })
}

fn self_test(loaded: &Loaded) -> Value {
    json!({
        "examples": loaded.tested.examples,
        "kernels": loaded.tested.kernels.iter().map(kernel).collect::<Value>(),
        "memory_bytes_peak": loaded.tested.memory_bytes_peak,
    })
}

fn kernel(test: &KernelTest) -> Value {
    let mut report = json!({"kernel": test.kernel, "at": test.at});
    match &test.outcome {
        KernelOutcome::Pure { rows, row_errors } => {
            report["outcome"] = json!("pure");
            report["rows"] = json!(rows);
            report["row_errors"] = json!(row_errors);
        }
        KernelOutcome::Failed(reason) => {
            report["outcome"] = json!("failed");
            report["reason"] = json!(reason);
        }
        KernelOutcome::Untested(reason) => {
            report["outcome"] = json!("untested");
            report["reason"] = json!(reason);
        }
    }
    report
}

fn limits(limits: &LimitsConfig) -> Value {
    json!({
        "call_timeout_ms": limits.call_timeout.as_millis(),
        "memory_bytes_max": limits.memory_bytes_max,
        "table_elements_max": limits.table_elements_max,
        "stack_bytes_max": limits.stack_bytes_max,
        "output_bytes_max": limits.output_bytes_max,
        "row_errors_max": limits.row_errors_max,
        "notes_per_second_max": limits.notes_per_second_max,
        "core_instances_max": limits.core_instances_max,
        "file_bytes_max": limits.file_bytes_max,
        "groups_max": limits.groups_max,
        "windows_max": limits.windows_max,
    })
}
