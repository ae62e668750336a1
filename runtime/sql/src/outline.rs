//! What a compiled query does, in lines for people.

use crate::compile::Compiled;
use rulemill_plan::{Plan, Step, Window};
use std::collections::BTreeSet;
use std::fmt::Write as _;

impl Compiled {
    /// What it reads, calls and gives, one thing a line: a name in the first twelve columns, then what is to be said.
    pub fn outline(&self) -> String {
        let plan = &self.plan;
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<12}{value}");
        };
        let source = plan.source.as_ref().map(|source| format!(" of source {source}"));
        line("listens to", plan.topics.join(", ") + &source.unwrap_or_default());
        let needs = plan.needs.iter();
        line(
            "decodes",
            list(needs.map(|need| format!("{}: {}", need.origin, need.kind))),
        );
        line("calls", list(calls(plan).into_iter()));
        let remembers: Vec<String> = plan
            .before
            .iter()
            .filter_map(|step| match step {
                Step::Remember(remember) => Some(remember.recall.name().to_owned()),
                Step::Call(_) | Step::Kernel(_) => None,
            })
            .collect();
        if !remembers.is_empty() {
            line("remembers", remembers.join(", "));
        }
        if let Some(window) = plan.window {
            line("window", in_words(window) + &time_in_words(plan));
            if !plan.keys.is_empty() {
                line("groups by", counted(plan.keys.len(), "column"));
            }
            let aggregates = plan.aggregates.iter();
            line(
                "aggregates",
                list(aggregates.map(|aggregate| aggregate.function.clone())),
            );
        }
        line("kernels", self.kernels.to_string());
        line("emits", list(plan.emits.iter().map(|emit| member(&emit.name))));
        line("size", counted(self.wasm.len(), "byte"));
        out
    }
}

/// The functions of libraries that it calls, each once.
fn calls(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.before.iter().chain(&plan.after);
    let calls = steps.filter_map(|step| match step {
        Step::Call(call) => Some(match &call.library {
            Some(library) => format!("{library}.{}", call.function),
            None => call.function.clone(),
        }),
        Step::Kernel(_) | Step::Remember(_) => None,
    });
    calls.collect()
}

fn member(name: &str) -> String {
    match name.is_empty() {
        true => "all members of an object".to_owned(),
        false => name.to_owned(),
    }
}

fn in_words(window: Window) -> String {
    match window {
        Window::Tumbling { size_ms } => format!("one after the other, {size_ms} ms each"),
        Window::Hopping { size_ms, hop_ms } => format!("{size_ms} ms, every {hop_ms} ms"),
        Window::Session { timeout_ms, max_ms } => {
            format!("until nothing comes for {timeout_ms} ms, at most {max_ms} ms")
        }
        Window::Count { rows, every } => format!("the last {}, every {every}", counted_in_words(rows)),
        Window::Sliding { size_ms, delay_ms, .. } => {
            format!("around a row: {size_ms} ms before it, {delay_ms} ms after it")
        }
        Window::State { .. } => "from a row to a row".to_owned(),
    }
}

fn time_in_words(plan: &Plan) -> String {
    match &plan.event_time {
        None => ", by the time of arrival".to_owned(),
        Some(timing) => format!(", by the time in the messages, at most {} ms late", timing.lateness_ms),
    }
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

fn counted_in_words(rows: u64) -> String {
    format!("{rows} {}", if rows == 1 { "row" } else { "rows" })
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => "nothing".to_owned(),
        false => items.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Catalog, compile, script};

    fn outline(text: &str) -> String {
        let script = script(text).unwrap();
        let streams = script.streams.into_iter().map(|stream| (stream.name.clone(), stream));
        let catalog = Catalog {
            streams: streams.collect(),
            ..Catalog::default()
        };
        compile(text, &script.query.unwrap(), "r", &catalog).unwrap().outline()
    }

    #[test]
    fn an_outline_says_what_a_query_reads_and_gives() {
        let text = "CREATE STREAM demo (t float, id bigint) WITH (DATASOURCE=\"a/+\", CONF_KEY=\"plant\");
                    SELECT avg(t) AS mean, id FROM demo WHERE t > 1 GROUP BY id, TUMBLINGWINDOW(ss, 10)";
        let outline = outline(text);
        let lines: Vec<&str> = outline.lines().collect();
        assert_eq!(
            lines[..8],
            [
                "listens to  a/+ of source plant",
                "decodes     field t: float, field id: int",
                "calls       nothing",
                "window      one after the other, 10000 ms each, by the time of arrival",
                "groups by   1 column",
                "aggregates  avg",
                "kernels     1",
                "emits       mean, id",
            ]
        );
        assert!(
            lines[8].starts_with("size ") && lines[8].ends_with(" bytes"),
            "{outline}"
        );
    }

    #[test]
    fn a_query_without_a_window_has_no_line_for_it() {
        let outline = outline("CREATE STREAM demo () WITH (DATASOURCE=\"a\"); SELECT * FROM demo");
        assert!(!outline.contains("window"), "{outline}");
        assert!(outline.contains("emits       all members of an object"), "{outline}");
    }
}
