//! What the demonstration runs on: the shipped rules in a folder of their own, and a configuration for them.

use crate::config::{self, Config, Environment};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A temporary folder with rules and data; gone when dropped.
pub(super) struct Stage {
    dir: PathBuf,
}

impl Stage {
    /// Puts copies of the shipped guests of `rules` on the stage, with windows of this size.
    pub(super) fn set(rules: &Path, window: Option<Duration>) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("rulemill-demo-{}", std::process::id()));
        let stage = Stage { dir };
        let target = stage.dir.join("rules.d");
        std::fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
        for entry in std::fs::read_dir(rules).with_context(|| format!("cannot read {}", rules.display()))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "wasm") {
                continue;
            }
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            std::fs::copy(&path, target.join(format!("{name}.wasm")))?;
            let sidecar = sidecar(name, window);
            if !sidecar.is_empty() {
                std::fs::write(target.join(format!("{name}.toml")), sidecar)?;
            }
        }
        Ok(stage)
    }

    /// The configuration of the demonstration: the listener on a free port, and nothing that leaves this process but,
    /// with `log`, the emissions on standard output.
    pub(super) fn config(&self, log: bool) -> anyhow::Result<Config> {
        let sinks = if log { "[\"log\"]" } else { "[]" };
        let text = format!(
            "[rules]\ndefault_sinks = {sinks}\n[data]\ncache_bytes_max = 0\n[listener]\nmqtt = \"127.0.0.1:0\"\ndurability = \"none\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
        );
        let path = self.dir.join("rulemill.toml");
        config::parse(&text, &path, &Environment::default()).map_err(|problems| anyhow::anyhow!("{problems}"))
    }

    /// The folder that rules may be dropped into while it runs.
    pub(super) fn rules_dir(&self) -> PathBuf {
        self.dir.join("rules.d")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The file beside a shipped guest.
fn sidecar(name: &str, window: Option<Duration>) -> String {
    match (name, window) {
        // The simulated devices hardly ever reach the rule's own threshold.
        ("high_temperature", _) => format!("[settings]\nthreshold = {ALERT_ABOVE:?}\n"),
        ("device_temperature" | "comfort", Some(window)) => format!("window = \"{}ms\"\n", window.as_millis()),
        _ => String::new(),
    }
}

/// Where the shipped guests are: as told, else where `make rules` and packages put them.
pub(super) fn find_rules(told: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(told) = told {
        return Ok(told.to_owned());
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("../../dist/rules")));
    let places = [Some(PathBuf::from("dist/rules")), beside, Some(PathBuf::from(PACKAGED))];
    let found = places
        .into_iter()
        .flatten()
        .find(|place| place.join("text.wasm").is_file());
    found.context("the shipped rules are not here; build them with `make rules`, or say --rules DIR")
}

/// The temperature, in degrees Celsius, above which the demonstration shows an alert.
const ALERT_ABOVE: f64 = 34.5;
/// Where packages put the shipped rules.
const PACKAGED: &str = "/usr/share/rulemill/rules";
