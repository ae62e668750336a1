//! The configuration: the file as written, then checked into what the code uses, with all problems at once.
//!
//! The file becomes a tree of values that know their line ([`node`]), the environment changes single values in it
//! ([`environment`]), the defaults fill in the rest ([`defaults`], [`placeholders`]), its sections are read by their declared keys
//! ([`raw`]), and [`check`] makes the [`Config`]. This is the only place that reads the environment. It never connects
//! to anything and never writes.

mod changes;
mod check;
mod defaults;
mod effective;
mod environment;
mod node;
mod placeholders;
mod problems;
mod raw;
mod read;
mod reference;
mod reload;
mod rule_file;
mod section;
mod server;
mod sidecar;
mod tls;
mod types;

#[cfg(test)]
pub(crate) mod tests;

pub use changes::{Changes, NameChanges};
pub use environment::{Environment, state_folder};
pub use problems::Problems;
pub use reference::reference;
pub use reload::{GuestDefaults, OnChange, OnRemove, ReloadConfig};
pub use rule_file::{RuleFile, RuleTiming, with_id, with_triggered};
pub use sidecar::Sidecar;
pub use types::*;

use std::path::Path;

/// Reads and checks the file at `path`. Relative paths in it are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, or that it cannot be read.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, Problems> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path, environment),
        Err(error) => Err(Problems::unreadable(path, &error)),
    }
}

/// Reads and checks only `[http]` of the file at `path`; `None` when there is none. For whoever asks the running process, and
/// may not be allowed to read the files that other sections name.
///
/// # Errors
/// What is wrong with it, or that the file cannot be read.
pub fn load_http(path: &Path, environment: &Environment) -> Result<Option<HttpConfig>, Problems> {
    match std::fs::read_to_string(path) {
        Ok(text) => check::check_http(&text, path, environment),
        Err(error) => Err(Problems::unreadable(path, &error)),
    }
}

/// Checks `text` as if it were the file at `path`, which need not exist.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, path: &Path, environment: &Environment) -> Result<Config, Problems> {
    check::check(text, path, environment)
}

/// What is in force when nothing is set.
fn nothing_configured() -> Config {
    let nothing = parse("[listener]", Path::new("default.toml"), &Environment::default());
    nothing.expect("default.toml is part of the program and a test reads it")
}

impl Config {
    /// The configuration in force as TOML: file, environment and defaults in one. Passwords, tokens and the values of
    /// headers are hidden.
    pub fn effective_toml(&self) -> &str {
        &self.effective
    }
}
