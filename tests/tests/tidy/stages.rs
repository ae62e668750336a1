//! The stages of the host do not know each other; `pipeline` connects them.

use super::repository::{TextFile, assert_none, files};
use std::path::Path;

/// The stages, in the order of the flow.
const STAGES: [&str; 5] = ["ingest", "decode", "rule", "emit", "sink"];

/// The exceptions: (stage, stage that it may import, why).
const ALLOWED: [(&str, &str, &str); 1] = [(
    "sink",
    "emit",
    "what emit makes is what a sink delivers: EncodedEmission, and the dead letters of rows that it cannot deliver",
)];

#[test]
fn a_stage_imports_no_other_stage() {
    let files = files("rs");
    let offenders = files
        .iter()
        .filter_map(|file| Some((file, stage_of(&file.path)?)))
        .flat_map(|(file, stage)| imports(file, stage))
        .filter(|import| !ALLOWED.iter().any(|(stage, other, _)| import.is(stage, other)));
    assert_none(
        "let pipeline/ hand over what is needed, or move what both share out of the stages",
        offenders.map(|import| format!("{}: {} imports {}", import.spot, import.stage, import.other)),
    );
}

#[test]
fn every_exception_is_in_use() {
    let files = files("rs");
    let unused = ALLOWED.iter().filter(|(stage, other, _)| {
        let of_stage = files.iter().filter(|file| stage_of(&file.path) == Some(stage));
        !of_stage
            .flat_map(|file| imports(file, stage))
            .any(|import| import.is(stage, other))
    });
    assert_none(
        "these exceptions are not needed any more",
        unused.map(|(stage, other, _)| format!("{stage} imports {other}")),
    );
}

struct Import {
    spot: String,
    stage: &'static str,
    other: &'static str,
}

impl Import {
    fn is(&self, stage: &str, other: &str) -> bool {
        self.stage == stage && self.other == other
    }
}

fn stage_of(path: &Path) -> Option<&'static str> {
    let below = path.strip_prefix("runtime/src").ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    STAGES
        .into_iter()
        .find(|stage| *stage == first || first == format!("{stage}.rs"))
}

/// Every mention of another stage, outside comments. `crate::{` cannot be read line by line, so it counts as all.
fn imports<'f>(file: &'f TextFile, stage: &'static str) -> impl Iterator<Item = Import> + 'f {
    let code = file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(move |(number, line)| {
        let others = STAGES
            .into_iter()
            .filter(move |other| *other != stage && mentions(line, other));
        others.map(move |other| Import {
            spot: file.spot(number),
            stage,
            other,
        })
    })
}

fn mentions(line: &str, stage: &str) -> bool {
    line.match_indices("crate::").any(|(at, root)| {
        let rest = &line[at + root.len()..];
        rest.starts_with('{')
            || rest
                .strip_prefix(stage)
                .is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    })
}

#[test]
fn imports_of_other_stages_are_seen_however_they_are_written() {
    for line in [
        "use crate::sink::Sinks;",
        "crate::sink",
        "a(crate::sink::b)",
        "use crate::{sink, emit};",
    ] {
        assert!(mentions(line, "sink"), "{line}");
    }
    for line in [
        "use crate::sinks::A;",
        "use crate::telemetry::sink::A;",
        "use super::sink;",
        "use rulemill::sink;",
    ] {
        assert!(!mentions(line, "sink"), "{line}");
    }
}
