//! `rulemill compile`: a query as a `.wasm` file that needs nothing else.

use super::Failure;
use crate::config::LimitsConfig;
use crate::rule::{GuestEngine, load, with_built_in};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rulemill_plan::Library;
use rulemill_sql::{Catalog, Compiled, Script, compile, render, script};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What `compile` takes.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// The query. Streams that it does not define itself are looked for in the other .sql files of its folder
    #[arg(value_name = "FILE.sql")]
    file: PathBuf,
    /// Where to write the rule; NAME.wasm beside the query when left out
    #[arg(long, short, value_name = "FILE.wasm")]
    output: Option<PathBuf>,
    /// A library that the query calls. Those in the query's folder are found without it
    #[arg(long, value_name = "FILE.wasm")]
    with: Vec<PathBuf>,
    /// Print the plan as JSON too
    #[arg(long)]
    plan: bool,
}

/// Compiles a query and says what came of it.
///
/// # Errors
/// Everything that is wrong with the query, each with its place; or a file that cannot be read or written.
pub(super) fn run(args: &CompileArgs) -> Result<(), Failure> {
    let (text, own) = read_script(&args.file)?;
    let query = own
        .query
        .as_ref()
        .ok_or_else(|| anyhow!("{} has no query: only SELECT makes a rule", args.file.display()))?;
    let catalog = Catalog {
        streams: streams(&args.file, &own)?
            .into_iter()
            .map(|stream| (stream.name.clone(), stream))
            .collect(),
        libraries: libraries(args)?,
    };
    let name = args.file.file_stem().unwrap_or_default().display().to_string();
    let compiled = compile(&text, query, &name, &catalog)
        .map_err(|problems| anyhow!("{}: {}", args.file.display(), render(&problems, &text)))?;
    let output = args.output.clone().unwrap_or_else(|| args.file.with_extension("wasm"));
    write(&output, &compiled.wasm)?;
    let mut out = std::io::stdout().lock();
    out.write_all(report(&output, &compiled).as_bytes())?;
    if args.plan {
        let plan: serde_json::Value = serde_json::from_str(&compiled.plan.to_json()).context("the plan is JSON")?;
        writeln!(out, "{plan:#}")?;
    }
    Ok(())
}

fn read_script(file: &Path) -> anyhow::Result<(String, Script)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let read = script(&text).map_err(|problems| anyhow!("{}: {}", file.display(), render(&problems, &text)))?;
    Ok((text, read))
}

/// The streams of the query's own file, and those of the others in its folder.
fn streams(file: &Path, own: &Script) -> anyhow::Result<Vec<rulemill_sql::Stream>> {
    let mut streams = Vec::new();
    for other in beside(file, "sql") {
        // What is wrong with another file does not concern this query.
        if let Ok((_, other)) = read_script(&other) {
            streams.extend(other.streams);
        }
    }
    for stream in &own.streams {
        if streams
            .iter()
            .any(|other: &rulemill_sql::Stream| other.name == stream.name)
        {
            bail!(
                "the stream {:?} is defined in another file of the folder too; one of them must go",
                stream.name
            );
        }
        streams.push(stream.clone());
    }
    Ok(streams)
}

/// The libraries that were named, then those in the query's folder, then those of the program.
fn libraries(args: &CompileArgs) -> anyhow::Result<Vec<Library>> {
    let limits = LimitsConfig::default();
    let engine = GuestEngine::with(limits.stack_bytes_max, None).map_err(|error| anyhow!("{error:#}"))?;
    let read = |file: &PathBuf| -> anyhow::Result<Option<Library>> {
        let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let loaded = load(&engine, &bytes, &limits).with_context(|| format!("{} cannot be loaded", file.display()))?;
        Ok(loaded.library.map(|library| library.description.clone()))
    };
    let mut libraries = Vec::new();
    for file in &args.with {
        let library = read(file)?;
        libraries.push(library.with_context(|| format!("{} has no functions", file.display()))?);
    }
    for file in beside(&args.file, "wasm") {
        // A file that would be refused has no functions for anybody.
        if let Ok(Some(library)) = read(&file) {
            libraries.push(library);
        }
    }
    Ok(with_built_in(libraries))
}

/// The other files in a file's folder whose names end like this, sorted.
fn beside(file: &Path, extension: &str) -> Vec<PathBuf> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension() == Some(OsStr::new(extension)) && path.file_name() != file.file_name())
        .collect();
    files.sort();
    files
}

/// Under another name first, so that a rules directory never sees half a file.
fn write(output: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let name = output
        .file_name()
        .with_context(|| format!("{} is no file name", output.display()))?;
    let unfinished = output.with_file_name(format!(".{}.unfinished", name.display()));
    std::fs::write(&unfinished, bytes)
        .and_then(|()| std::fs::rename(&unfinished, output))
        .with_context(|| format!("{} cannot be written", output.display()))
}

fn report(output: &Path, compiled: &Compiled) -> String {
    let mut report = format!("{}: {} bytes\n", output.display(), compiled.wasm.len());
    for line in compiled.outline().lines().filter(|line| !line.starts_with("size ")) {
        let _ = writeln!(report, "  {line}");
    }
    report
}
