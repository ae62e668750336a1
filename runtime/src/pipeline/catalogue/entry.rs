//! One guest in the rules directory: what runs, what waits, and what was refused.

use super::super::command::{Role, RuleSpec, StreamKey};
use super::super::identity::Identity;
use super::resolve::Resolved;
use super::scan::Found;
use super::store::Files;
use crate::config::{GuestDefaults, Sidecar};
use crate::rule::{GuestEngine, LimitedLibrary, LoadError, Loaded, LoadedRule, load_with};
use crate::sink::SinkHandle;
use crate::telemetry::rule::RuleMetrics;
use crate::telemetry::shadow::ShadowMetrics;
use rulemill_core::Micros;
use std::sync::Arc;
use std::time::Duration;

/// One guest: the files `NAME.wasm` and perhaps `NAME.toml`.
pub(super) struct Entry {
    /// The name of the file without `.wasm`; a rule's id.
    pub(super) name: Arc<str>,
    /// The version that runs.
    pub(super) running: Option<Running>,
    /// A version that waits for a library, and for which.
    pub(super) waiting: Option<(Candidate, String)>,
    /// The newest version, when it was refused.
    pub(super) refused: Option<Refused>,
    /// The version in the file, when it is in quarantine; another one runs, or waits.
    pub(super) quarantined: Option<Refused>,
    /// The last good version, while the one that runs is on probation.
    pub(super) last_good: Option<Candidate>,
    /// On how many mills that one has proven itself.
    pub(super) proofs: usize,
    /// A version that runs without emitting.
    pub(super) shadow: Option<Shadow>,
    /// The version that was promoted last: it runs, whatever the file beside it says.
    pub(super) promoted: Option<Identity>,
    /// A rule that was taken away and still finishes its windows.
    pub(super) draining: Option<Draining>,
    /// The version that would run, if it were not stopped.
    pub(super) stopped: Option<Candidate>,
    /// Whether the file is gone. What is left of it goes when no rule uses the library and no window is open.
    pub(super) removed: bool,
}

/// A loaded version with its settings, not yet running.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) loaded: Loaded,
    pub(super) sidecar: Sidecar,
    /// The file beside it as it is written: what it leaves out is the configuration's to say, which may change.
    pub(super) sidecar_text: Option<Arc<str>>,
    pub(super) identity: Identity,
    /// What it was loaded from, until it is kept in the store.
    pub(super) files: Option<Arc<Files>>,
}

impl Candidate {
    /// Checks, compiles, describes and tests a guest. This takes as long as compiling does.
    pub(super) fn load(engine: &GuestEngine, found: Found, sidecar: Sidecar) -> Result<Self, LoadError> {
        let loaded = load_with(engine, &found.wasm, &sidecar.limits, &sidecar.settings)?;
        Ok(Candidate {
            loaded,
            sidecar,
            sidecar_text: found.sidecar.as_deref().map(Arc::from),
            identity: found.identity,
            files: Some(Arc::new(Files {
                wasm: found.wasm,
                sidecar: found.sidecar,
            })),
        })
    }

    /// What a mill is told of its rule.
    pub(super) fn spec(
        &self,
        name: &str,
        loaded: Arc<LoadedRule>,
        resolved: Resolved,
        sinks: Vec<SinkHandle>,
        metrics: RuleMetrics,
    ) -> RuleSpec {
        RuleSpec {
            id: name.into(),
            role: Role::Runs,
            identity: self.identity,
            stream: resolved.stream,
            settings: resolved.settings,
            window_override_ms: self.sidecar.window.map(whole_millis),
            reload: self.sidecar.reload,
            limits: self.sidecar.limits,
            sinks,
            sink_names: resolved.sinks,
            metrics,
            loaded,
        }
    }

    /// The same version, with `defaults` where the file beside it sets nothing.
    pub(super) fn with_defaults(&self, name: &str, defaults: &GuestDefaults) -> Self {
        let mut renewed = self.clone();
        // The file was read before, and what it leaves out cannot make it wrong.
        match &self.sidecar_text {
            None => renewed.sidecar = Sidecar::absent(defaults),
            Some(text) => {
                if let Ok(sidecar) = Sidecar::parse(text, name, defaults) {
                    renewed.sidecar = sidecar;
                }
            }
        }
        renewed
    }

    /// Its library, when it has one, with the limits of its calls.
    pub(super) fn library(&self) -> Option<LimitedLibrary> {
        let loaded = Arc::clone(self.loaded.library.as_ref()?);
        let limits = self.sidecar.limits;
        Some(LimitedLibrary { loaded, limits })
    }
}

/// A version that runs without emitting.
pub(super) struct Shadow {
    /// The version, where it listens, and since when.
    pub(super) version: Running,
    /// Where the version that runs listens, and on which mill.
    pub(super) beside: Option<(StreamKey, usize)>,
    /// Why its results are not compared with those of the version that runs, when they are not.
    pub(super) not_compared: Option<String>,
    /// The comparison.
    pub(super) comparison: ShadowMetrics,
}

/// A rule that was taken away.
pub(super) struct Draining {
    /// What ran, to be shown.
    pub(super) version: Running,
    /// The mill on which it ran last.
    pub(super) mill: usize,
}

/// A version that runs.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) candidate: Candidate,
    /// Since when, by the wall clock.
    pub(super) since: Micros,
    /// For a rule: where it listens, and on which mill.
    pub(super) stream: Option<(StreamKey, usize)>,
}

/// A version that was not taken.
pub(super) struct Refused {
    pub(super) identity: Option<Identity>,
    /// The version, when it could be loaded: it is tried again when the configuration changes.
    pub(super) candidate: Option<Candidate>,
    pub(super) reason: String,
    pub(super) at: Micros,
}

impl Entry {
    pub(super) fn new(name: &str) -> Self {
        Entry {
            name: name.into(),
            running: None,
            waiting: None,
            refused: None,
            quarantined: None,
            last_good: None,
            proofs: 0,
            shadow: None,
            promoted: None,
            draining: None,
            stopped: None,
            removed: false,
        }
    }

    /// Why the version in the file does not run, when it does not.
    pub(super) fn refusal(&self) -> Option<&Refused> {
        self.refused.as_ref().or(self.quarantined.as_ref())
    }

    /// The versions that could be loaded: the one that runs, its shadow, then those that wait or were refused.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Candidate> {
        let running = self.running.as_ref().map(|running| &running.candidate);
        let waiting = self.waiting.as_ref().map(|(candidate, _)| candidate);
        let refused = self.refused.as_ref().and_then(|refused| refused.candidate.as_ref());
        let shadow = self.shadow.as_ref().map(|shadow| &shadow.version.candidate);
        let stopped = self.stopped.as_ref();
        running
            .into_iter()
            .chain(shadow)
            .chain(stopped)
            .chain(waiting)
            .chain(refused)
    }

    /// Where its rule listens, in all versions that take messages.
    pub(super) fn streams(&self) -> impl Iterator<Item = &StreamKey> {
        let shadow = self.shadow.as_ref().map(|shadow| &shadow.version);
        let versions = self.running.iter().chain(shadow);
        versions.filter_map(|version| Some(&version.stream.as_ref()?.0))
    }

    /// Whether the version that runs is this one.
    pub(super) fn runs(&self, identity: Identity) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.candidate.identity == identity)
    }

    /// The mill on which windows of the rule are open, or were last.
    pub(super) fn mill(&self) -> Option<usize> {
        let running = self.running.as_ref().and_then(|running| running.stream.as_ref());
        let draining = self.draining.as_ref().map(|draining| draining.mill);
        running.map(|(_, mill)| *mill).or(draining)
    }

    /// The version to be shown: the one that runs, or else the one that finishes its windows.
    pub(super) fn shown(&self) -> Option<&Running> {
        let draining = self.draining.as_ref().map(|draining| &draining.version);
        self.running.as_ref().or(draining)
    }

    /// Notes that the rule was taken away. A library in the same file runs on.
    pub(super) fn take_rule_away(&mut self) -> Option<usize> {
        let running = self.running.as_mut()?;
        let (_, mill) = running.stream.take()?;
        let version = running.clone();
        if version.candidate.loaded.library.is_none() {
            self.running = None;
        }
        self.draining = Some(Draining { version, mill });
        Some(mill)
    }

    /// The name of the library that runs from this file.
    pub(super) fn library(&self) -> Option<&str> {
        let running = self.running.as_ref()?;
        let library = running.candidate.loaded.library.as_ref()?;
        Some(&library.description.name)
    }

    /// The rule that runs from this file. One that was taken away finishes its windows, but runs no more.
    pub(super) fn running_rule(&self) -> Option<&LoadedRule> {
        let running = self.running.as_ref().filter(|running| running.stream.is_some())?;
        running.candidate.loaded.rule.as_deref()
    }
}

fn whole_millis(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
}

/// A reason as it is logged and shown. It may quote names that a guest made up, of any length.
pub(super) fn shortened(reason: String) -> String {
    if reason.len() <= REASON_BYTES_MAX {
        return reason;
    }
    format!("{}...", &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)])
}

/// The most bytes of a reason.
const REASON_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_quotes_a_huge_name_is_cut_between_characters() {
        assert_eq!(shortened("wrong".to_owned()), "wrong");
        let cut = shortened(format!("x{}", "\u{e4}".repeat(1 << 20)));
        assert_eq!(cut, format!("x{}...", "\u{e4}".repeat(2047)));
    }
}
