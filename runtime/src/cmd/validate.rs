//! `rulemill validate`: checks a configuration without starting anything.

use super::{ConfigArgs, Failure};
use crate::config::Config;
use anyhow::{Context as _, bail};
use clap::Args;
use rustix::fs::{Access, access};
use std::io::{self, Write};
use std::path::Path;

/// The arguments of `rulemill validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    file: ConfigArgs,
    /// Print the configuration in force, with environment and defaults, without secrets
    #[arg(long)]
    print_effective: bool,
}

pub(super) fn run(args: &ValidateArgs) -> Result<(), Failure> {
    let config = args.file.load()?;
    let mut out = io::stdout().lock();
    if args.print_effective {
        write!(out, "{}", config.effective_toml())?;
    } else {
        check_data_dir(&config.data_dir)?;
        writeln!(out, "{}", summary(args, &config))?;
    }
    Ok(())
}

/// Whether the directory can be made, and written, by this user. Nothing is made.
fn check_data_dir(dir: &Path) -> anyhow::Result<()> {
    let parts = dir.ancestors().map(|part| match part.as_os_str().is_empty() {
        true => Path::new("."),
        false => part,
    });
    // A link to nowhere is there too, and in the way.
    let Some(existing) = parts.into_iter().find(|part| part.symlink_metadata().is_ok()) else {
        bail!("data.dir {} cannot be made: there is no such path", dir.display());
    };
    let what = if existing == dir { "written" } else { "made" };
    if !existing.is_dir() {
        bail!(
            "data.dir {} cannot be {what}: {} is not a directory",
            dir.display(),
            existing.display()
        );
    }
    access(existing, Access::WRITE_OK | Access::EXEC_OK).with_context(|| {
        format!(
            "data.dir {} cannot be {what} by this user: {}",
            dir.display(),
            existing.display()
        )
    })
}

fn summary(args: &ValidateArgs, config: &Config) -> String {
    let names = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let mut summary = format!(
        "{} is fine: sources {}, listener {}, sinks {}, rules in {}",
        args.file.config.display(),
        names(config.sources.keys().map(String::as_str).collect()),
        config
            .listener
            .as_ref()
            .map_or("off".to_owned(), |listener| listener.mqtt.to_string()),
        names(config.sinks.keys().map(String::as_str).collect()),
        config.rules.dir.display(),
    );
    // The configuration may be for another machine.
    if !config.rules.dir.exists() {
        summary.push_str(" (which does not exist here; without it nothing starts)");
    }
    summary
}
