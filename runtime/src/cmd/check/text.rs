//! What is known of a file, for people.

use crate::cmd::sheet::Sheet;
use crate::config::{LimitsConfig, Sidecar};
use crate::pipeline::{CalledFunction, Deployed, Examined, Verdict};
use crate::rule::{CONTRACT_VERSION, KernelOutcome, KernelTest, Loaded, LoadedLibrary, LoadedRule};
use indicatif::HumanBytes;
use rulemill_plan::{Fallback, Kernel, Need, Parameter, Setting, Step, Type, Volatility, Window};
use std::time::Duration;

/// Everything about one file.
pub(super) fn sheet(examined: &Examined) -> String {
    let mut sheet = Sheet::default();
    sheet.headline(&examined.file.display().to_string());
    if let Some(loaded) = &examined.loaded {
        about_file(&mut sheet, examined, loaded);
        if let Some(library) = &loaded.library {
            about_library(&mut sheet, library);
        }
        if let Some(rule) = &loaded.rule {
            about_rule(&mut sheet, examined, rule);
        }
        about_test(&mut sheet, loaded);
    }
    if let Some(sidecar) = &examined.sidecar {
        about_limits(&mut sheet, examined, sidecar);
    }
    sheet.line("verdict", &verdict(examined));
    sheet.into_text()
}

fn verdict(examined: &Examined) -> String {
    match &examined.verdict {
        Verdict::Loads => "would run".to_owned(),
        Verdict::Waits(reason) => {
            format!("would wait: {reason}; name the library's file with --with, or put it into the same folder")
        }
        Verdict::Refused(reason) => format!("refused: {reason}"),
    }
}

fn about_file(sheet: &mut Sheet, examined: &Examined, loaded: &Loaded) {
    sheet.line(
        "size",
        &format!(
            "{} bytes, compiled in {}",
            loaded.file_bytes,
            humantime::format_duration(Duration::from_millis(
                u64::try_from(loaded.compile_time.as_millis()).unwrap_or(u64::MAX)
            ))
        ),
    );
    sheet.line("digest", &loaded.digest.to_string());
    sheet.line("contract", &format!("rulemill:guest {CONTRACT_VERSION}"));
    let imports = match loaded.imports.is_empty() {
        true => "nothing".to_owned(),
        false => loaded.imports.join(", "),
    };
    sheet.line("imports", &imports);
    if let Some(sidecar) = &examined.sidecar_file {
        sheet.line("beside it", &sidecar.display().to_string());
    }
}

fn about_library(sheet: &mut Sheet, library: &LoadedLibrary) {
    let description = &library.description;
    sheet.line("library", &titled(&description.name, &description.version));
    sheet.line("", &description.doc);
    let scalars = description.scalars.iter().map(|scalar| {
        let volatility = match scalar.volatility {
            Volatility::Immutable => "immutable",
            Volatility::Volatile => "volatile",
        };
        let signature = signature(&scalar.name, &scalar.parameters, scalar.returns);
        described(&format!("{signature}, {volatility}"), &scalar.doc)
    });
    sheet.lines("functions", scalars);
    let aggregates = description.aggregates.iter().map(|aggregate| {
        let signature = signature(&aggregate.name, &aggregate.parameters, aggregate.returns);
        let words = aggregate.state_words;
        described(&format!("{signature}, {words} words a group"), &aggregate.doc)
    });
    sheet.lines("aggregates", aggregates);
}

fn about_rule(sheet: &mut Sheet, examined: &Examined, rule: &LoadedRule) {
    let plan = &rule.plan;
    sheet.line("rule", &titled(&plan.name, &plan.version));
    sheet.line("", &plan.doc);
    if let Some(deployed) = &examined.deployed {
        let source = deployed.source.as_deref().unwrap_or("every source");
        sheet.line("listens to", &format!("{} of {source}", deployed.topics.join(", ")));
        let sinks = match deployed.sinks.is_empty() {
            true => "nowhere".to_owned(),
            false => deployed.sinks.join(", "),
        };
        sheet.line("sends to", &sinks);
    }
    sheet.line("window", &window(examined, rule));
    sheet.lines("needs", plan.needs.iter().map(need));
    sheet.lines("calls", examined.calls.iter().map(called));
    let steps = plan.before.iter().chain(&plan.after);
    let kernels = steps.filter_map(|step| match step {
        Step::Kernel(kernel) => Some(kernel),
        Step::Call(_) | Step::Remember(_) => None,
    });
    sheet.lines("kernels", kernels.map(outputs));
    let deployed = examined.deployed.as_ref();
    sheet.lines(
        "settings",
        plan.settings.iter().map(|declared| setting(declared, deployed)),
    );
}

fn about_test(sheet: &mut Sheet, loaded: &Loaded) {
    let tested = &loaded.tested;
    let mut lines = vec![match tested.examples {
        0 => "no examples; describe gives the same in a fresh and in a used instance".to_owned(),
        1 => "1 example holds, in a fresh and in a used instance".to_owned(),
        examples => format!("{examples} examples hold, in a fresh and in a used instance"),
    }];
    lines.extend(tested.kernels.iter().map(kernel_test));
    sheet.lines("self-test", lines);
}

fn about_limits(sheet: &mut Sheet, examined: &Examined, sidecar: &Sidecar) {
    let limits = &sidecar.limits;
    if let Some(loaded) = &examined.loaded {
        let (used, max) = (loaded.tested.memory_bytes_peak as u64, limits.memory_bytes_max as u64);
        let memory = format!("{} used by the self-test, of {}", HumanBytes(used), HumanBytes(max));
        sheet.line("memory", &memory);
    }
    sheet.lines("limits", [of_calls(limits), of_state(limits)]);
}

fn of_calls(limits: &LimitsConfig) -> String {
    format!(
        "a call: {}, {} of stack, {} of output, {} row errors; an instance: {} table elements, {} core instances; {} notes a second",
        humantime::format_duration(limits.call_timeout),
        HumanBytes(limits.stack_bytes_max as u64),
        HumanBytes(limits.output_bytes_max as u64),
        limits.row_errors_max,
        limits.table_elements_max,
        limits.core_instances_max,
        limits.notes_per_second_max,
    )
}

fn of_state(limits: &LimitsConfig) -> String {
    format!(
        "a rule: {} open windows, {} groups in each; a file: {}",
        limits.windows_max,
        limits.groups_max,
        HumanBytes(limits.file_bytes_max),
    )
}

fn titled(name: &str, version: &str) -> String {
    format!("{name} {version}").trim_end().to_owned()
}

fn described(what: &str, doc: &str) -> String {
    match doc.is_empty() {
        true => what.to_owned(),
        false => format!("{what}: {doc}"),
    }
}

fn signature(name: &str, parameters: &[Parameter], returns: Type) -> String {
    let parameters: Vec<String> = parameters.iter().map(parameter).collect();
    format!("{name}({}) -> {returns}", parameters.join(", "))
}

fn parameter(parameter: &Parameter) -> String {
    let nullable = if parameter.nullable { "?" } else { "" };
    let variadic = if parameter.variadic { "..." } else { "" };
    format!("{}: {}{nullable}{variadic}", parameter.name, parameter.kind)
}

fn window(examined: &Examined, rule: &LoadedRule) -> String {
    let set = examined.sidecar.as_ref().and_then(|sidecar| sidecar.window);
    let span = |millis| humantime::format_duration(Duration::from_millis(millis));
    let size = |millis| humantime::format_duration(set.unwrap_or(Duration::from_millis(millis)));
    let kind = match rule.plan.window {
        None => return "none: it emits once a batch".to_owned(),
        Some(Window::Tumbling { size_ms }) => size(size_ms).to_string(),
        Some(Window::Hopping { size_ms, hop_ms }) => format!("{} every {}", size(size_ms), span(hop_ms)),
        Some(Window::Session { timeout_ms, max_ms }) => {
            format!("until {} without a message, at most {}", span(timeout_ms), span(max_ms))
        }
        Some(Window::Sliding {
            size_ms,
            delay_ms,
            when,
        }) => {
            let delay = match delay_ms {
                0 => String::new(),
                delay_ms => format!(" and {} after it", span(delay_ms)),
            };
            let rows = if when.is_some() {
                "each message that is to have one"
            } else {
                "each message"
            };
            format!("{} before {rows}{delay}", size(size_ms))
        }
        Some(Window::State { .. }) => "from a message that begins one to one that ends it".to_owned(),
        Some(Window::Count { rows, every }) => format!("the last {rows} messages, every {every}"),
    };
    let time = match rule.plan.event_time {
        Some(_) => "a time in the message",
        None => "the time of arrival",
    };
    format!("{kind} by {time}")
}

fn need(need: &Need) -> String {
    let effect = |fallback: Fallback| match fallback {
        Fallback::Null => "null",
        Fallback::Reject => "dead letter",
    };
    format!(
        "{}: {} from {}; missing: {}, mistyped: {}",
        need.name,
        need.kind,
        need.origin,
        effect(need.missing),
        effect(need.mistyped)
    )
}

fn called(call: &CalledFunction) -> String {
    let library = call.library.as_deref().unwrap_or("an unknown library");
    match (&call.signature, &call.file) {
        (Some((parameters, returns)), Some(file)) => {
            let signature = signature(&call.function, parameters, *returns);
            format!("{signature} of {library}, in {}", file.display())
        }
        (Some(_) | None, Some(_) | None) => format!("{} of {library}, which is not here", call.function),
    }
}

fn outputs(kernel: &Kernel) -> String {
    let outputs = kernel.outputs.iter();
    let outputs: Vec<String> = outputs
        .map(|output| format!("{}: {}", output.name, output.kind))
        .collect();
    let inputs = kernel.inputs.len();
    format!(
        "kernel {}: {inputs} columns in, out {}",
        kernel.kernel,
        outputs.join(", ")
    )
}

fn setting(setting: &Setting, deployed: Option<&Deployed>) -> String {
    let default = match &setting.default {
        Some(default) => format!("default {default}"),
        None => "no default".to_owned(),
    };
    let value = deployed.and_then(|deployed| deployed.settings.get(&setting.name));
    let value = value.map(|value| format!(", here {value}")).unwrap_or_default();
    described(
        &format!("{}: {}, {default}{value}", setting.name, setting.kind),
        &setting.doc,
    )
}

fn kernel_test(test: &KernelTest) -> String {
    let outcome = match &test.outcome {
        KernelOutcome::Pure { rows, row_errors } => {
            format!("the same in a fresh and in a used instance, for {rows} invented rows with {row_errors} row errors")
        }
        KernelOutcome::Failed(reason) => format!("fails on invented rows, which it may: {reason}"),
        KernelOutcome::Untested(reason) => format!("not tried: {reason}"),
    };
    format!("kernel {} at {}: {outcome}", test.kernel, test.at)
}
