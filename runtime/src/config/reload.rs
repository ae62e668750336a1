//! `[reload]`: what happens when guests are replaced or removed, also settable beside one guest.

use super::types::{Config, LimitsConfig};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// `[reload]`, and the same keys in the file beside a guest.
/// The journal holds it too, so what an older rulemill did not know has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadConfig {
    /// When a rule's version of another layout begins.
    pub on_change: OnChange,
    /// What becomes of the open windows of a rule whose file is removed.
    pub on_remove: OnRemove,
    /// How long a new version is watched; zero: not at all.
    pub probation: Duration,
    /// How many batches of messages it must have seen before the watch ends.
    pub probation_batches: u64,
}

/// When a version of another layout begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// With the next window; the version before it finishes those that are open.
    #[default]
    Boundary,
    /// At once; the windows that are open are closed as they are.
    Now,
}

/// What becomes of the open windows of a rule whose file is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRemove {
    /// They go on to their end and are emitted.
    #[default]
    Drain,
    /// They are thrown away.
    Discard,
}

/// What holds for a guest whose sidecar does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestDefaults {
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[reload]`
    pub reload: ReloadConfig,
    /// What paths are relative to: the folder of the configuration.
    pub folder: Arc<Path>,
}

impl From<&Config> for GuestDefaults {
    fn from(config: &Config) -> Self {
        GuestDefaults {
            limits: config.limits,
            reload: config.reload,
            folder: Arc::from(config.folder.as_path()),
        }
    }
}

/// Those of `default.toml`.
impl Default for GuestDefaults {
    fn default() -> Self {
        GuestDefaults::from(&super::nothing_configured())
    }
}

/// That of `default.toml`.
impl Default for ReloadConfig {
    fn default() -> Self {
        super::nothing_configured().reload
    }
}
