//! The measurements of `docs/benchmarks.md`: the design's budgets, each as a ratio within this run where it can be one.
//!
//! `cargo bench --package rulemill --bench budgets -- [SECTION]...` runs the sections named, or all but
//! `soak`. Standard output is a
//! Markdown table. Guests come from `dist/rules`, which `make rules` fills.

mod broker;
mod device;
mod drain;
mod durability;
mod endless;
mod fan_out;
mod groups;
mod many_rules;
mod messages;
mod mill;
mod native;
mod process;
mod ratio;
mod reload;
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
        let named = wanted.iter().any(|word| word == name);
        if named || (wanted.is_empty() && name != SOAK) {
            for row in measure().with_context(|| format!("section {name}"))? {
                writeln!(out, "{row}")?;
            }
            out.flush()?;
        }
    }
    Ok(())
}

/// Memory comes first, while this process has little of its own.
const SECTIONS: [Section; 11] = [
    ("groups", groups::measure),
    ("mill", mill::measure),
    ("drain", drain::measure),
    ("durability", durability::measure),
    ("sink", sink::measure),
    ("fan-out", fan_out::measure),
    ("rules", many_rules::measure),
    ("reload", reload::measure),
    ("endless", endless::measure),
    ("process", process::measure),
    (SOAK, reload::soak),
];

/// Runs for minutes, so only when it is named: `make soak`.
const SOAK: &str = "soak";
