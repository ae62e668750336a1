//! The file `NAME.toml` beside `NAME.wasm`: what the deployment sets for one rule.

use super::check;
use super::problems::Problems;
use super::reload::{GuestDefaults, ReloadConfig};
use super::types::{LimitsConfig, SinkConfig};
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the deployment sets for one rule. What is left out is for the rule's plan to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sidecar {
    /// The topic filters, in place of the plan's; as written, not yet checked.
    pub topics: Option<Vec<String>>,
    /// The source, in place of the configured default; not yet looked up.
    pub source: Option<String>,
    /// The sinks, in place of the plan's; not yet looked up. Those that only this rule has, when it has any and names none.
    pub sinks: Option<Vec<String>>,
    /// The sinks that only this rule has, by the names under which they run: `GUEST.NAME`.
    pub own_sinks: BTreeMap<String, SinkConfig>,
    /// Whether the rule is stopped: it takes no messages.
    pub stopped: bool,
    /// The size of the windows, in place of the plan's; 1 ms or more, in whole milliseconds.
    pub window: Option<Duration>,
    /// The rule's settings; not yet compared with those it declares.
    pub settings: BTreeMap<String, Literal>,
    /// Whether this version runs beside the one before without emitting, until it is promoted.
    pub shadow: bool,
    /// What happens on a change: the configuration's, with what the file says in its place.
    pub reload: ReloadConfig,
    /// The bounds: the configuration's, with those of the file in their place.
    pub limits: LimitsConfig,
}

/// A file beside a rule that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct BadSidecar {
    /// Everything that is wrong with it.
    pub problems: Problems,
    /// What of it can be read, so that this can be checked too; `None` when it is not TOML.
    pub readable: Option<Sidecar>,
}

impl Sidecar {
    /// For a rule without such a file.
    pub fn absent(defaults: &GuestDefaults) -> Self {
        Self {
            limits: defaults.limits,
            reload: defaults.reload,
            ..Self::default()
        }
    }

    /// Reads and checks `text`, the contents of the file that messages call `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: &str, defaults: &GuestDefaults) -> Result<Self, Box<BadSidecar>> {
        check::check_sidecar(text, file, defaults)
    }
}
