//! Any text as a configuration, and as the file beside a rule.

use crate::config::{Environment, GuestDefaults, Problems, Sidecar, parse};
use std::path::Path;

/// Reads the bytes as `rulemill.toml` and as `NAME.toml`. What is taken can be written and read again to the same; what is
/// not has problems that say something.
///
/// # Panics
/// If that does not hold.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Nothing lies there, so no file is read that the text names, unless it names a whole path.
    let path = Path::new("/there/is/no/such/folder/rulemill.toml");
    let environment = Environment::default();
    match parse(text, path, &environment) {
        Ok(config) => {
            let written = config.effective_toml();
            // Secrets are hidden in it, so it need not be taken; but it is TOML.
            assert!(toml::from_str::<toml::Table>(written).is_ok(), "{written}");
            sidecar(text, &GuestDefaults::from(&config));
        }
        Err(problems) => {
            say_something(&problems);
            sidecar(text, &GuestDefaults::default());
        }
    }
}

fn sidecar(text: &str, defaults: &GuestDefaults) {
    match Sidecar::parse(text, "rule.toml", defaults) {
        Ok(sidecar) => assert!(
            sidecar
                .window
                .is_none_or(|window| window.subsec_nanos() % 1_000_000 == 0)
        ),
        Err(bad) => say_something(&bad.problems),
    }
}

fn say_something(problems: &Problems) {
    let text = problems.to_string();
    assert!(text.lines().any(|line| !line.trim().is_empty()), "no problem is named");
}
