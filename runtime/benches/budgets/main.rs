//! The measurements of `docs/benchmarks.md`: the design's budgets, each as a ratio within this run where it can be one.
//!
//! `cargo bench --package rulemill --bench budgets -- [SECTION]...` runs the sections named, or all. Standard output is a
//! Markdown table. Guests come from `dist/rules`, which `make rules` fills.

mod broker;
mod drain;
mod fan_out;
mod groups;
mod many_rules;
mod messages;
mod mill;
mod native;
mod process;
mod ratio;
mod sink;
mod table;

use anyhow::Context as _;
use std::io::Write as _;
use table::Row;

/// A part of the run: its name, and what it measures.
type Section = (&'static str, fn() -> anyhow::Result<Vec<Row>>);

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n", process::machine())?;
    writeln!(out, "{}", table::HEAD)?;
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            for row in measure().with_context(|| format!("section {name}"))? {
                writeln!(out, "{row}")?;
            }
            out.flush()?;
        }
    }
    Ok(())
}

/// Memory comes first, while this process has little of its own.
const SECTIONS: [Section; 7] = [
    ("groups", groups::measure),
    ("mill", mill::measure),
    ("drain", drain::measure),
    ("sink", sink::measure),
    ("fan-out", fan_out::measure),
    ("rules", many_rules::measure),
    ("process", process::measure),
];
