//! `rulemill validate`: checks a configuration without starting anything.

use super::{ConfigArgs, Failure};
use crate::config::Config;
use clap::Args;
use std::io::{self, Write};

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
        writeln!(out, "{}", summary(args, &config))?;
    }
    Ok(())
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
    if !config.rules.dir.exists() {
        summary.push_str(" (which does not exist yet)");
    }
    summary
}
