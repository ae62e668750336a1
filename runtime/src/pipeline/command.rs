//! What a mill thread is told between two batches.

use super::identity::Identity;
use crate::config::{self, LimitsConfig, ReloadConfig};
use crate::rule::{LimitedLibrary, LoadedRule};
use crate::sink::SinkHandle;
use crate::telemetry::rule::RuleMetrics;
use crate::telemetry::shadow::ShadowMetrics;
use crate::topic::TopicFilter;
use rulemill_core::{Bounds, CompileError, KernelsId, OnChange, Removal, RuleVersion, Swap};
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// One command. The mill carries it out between two batches and answers; an answer that nobody waits for is dropped.
pub(super) enum Command {
    /// Add a rule, or replace its running version.
    PutRule(Box<PutRule>, oneshot::Sender<Result<Swap, Refusal>>),
    /// Run a version of a rule that emits nothing, in place of the shadow before.
    PutShadow(Box<PutShadow>, oneshot::Sender<Result<(), Refusal>>),
    /// Run a query for somebody who looks on.
    PutWatched(Box<RuleSpec>, oneshot::Sender<Result<(), Refusal>>),
    /// Take a rule away; its open windows are emitted when they end.
    RemoveRule(Arc<str>, Removal, oneshot::Sender<()>),
    /// Say which of these rules have a version here, be it only to finish its windows.
    Held(Vec<Arc<str>>, oneshot::Sender<Vec<Arc<str>>>),
    /// Say whether a library could replace the running one.
    CheckLibrary(LimitedLibrary, oneshot::Sender<Result<(), String>>),
    /// Add a library, or put another version behind its call sites; watch it as the configuration says.
    PutLibrary(PutLibrary, oneshot::Sender<()>),
    /// Say whether a version here calls the library, be it only to finish its windows.
    LibraryInUse(String, oneshot::Sender<bool>),
    /// Take away a library that no rule uses.
    RemoveLibrary(String, oneshot::Sender<()>),
}

/// A rule to put, and what to go back to.
pub(super) struct PutRule {
    /// The version.
    pub(super) spec: RuleSpec,
    /// The last good version, when `spec` is to be watched: what comes back if `spec` is worse.
    pub(super) last_good: Option<LastGood>,
}

/// A shadow to put.
pub(super) struct PutShadow {
    /// The version, with an id of its own.
    pub(super) spec: RuleSpec,
    /// The rule whose results it is compared with, if one runs on the same stream.
    pub(super) running: Option<Arc<str>>,
    /// Where the comparison is counted.
    pub(super) metrics: ShadowMetrics,
}

/// Whether the results of a version go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    /// They do.
    Runs,
    /// They are only compared with those of the version that runs.
    Shadow,
    /// They go to somebody who looks on, and nothing of it is kept.
    Watched,
}

/// The last good version of a rule.
pub(super) struct LastGood {
    /// The version.
    pub(super) spec: RuleSpec,
    /// Whether it belongs on the same mill, which then can go back to it by itself.
    pub(super) here: bool,
    /// Whether it has lost groups of closed windows.
    pub(super) lost_groups: bool,
}

/// A library to put, and what to go back to.
pub(super) struct PutLibrary {
    /// The version.
    pub(super) library: LimitedLibrary,
    /// The last good version, when `library` is to be watched.
    pub(super) last_good: Option<LimitedLibrary>,
    /// How long.
    pub(super) watch: Watch,
}

/// How long a new version is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    /// At least so long; zero: not at all.
    pub(super) time: Duration,
    /// At least over so many batches.
    pub(super) batches: u64,
}

impl From<&ReloadConfig> for Watch {
    fn from(reload: &ReloadConfig) -> Self {
        Watch {
            time: reload.probation,
            batches: reload.probation_batches,
        }
    }
}

impl StreamKey {
    /// Whether messages of `source` may belong to the stream.
    pub(super) fn takes_from(&self, source: &str) -> bool {
        self.source.as_deref().is_none_or(|wanted| wanted == source)
    }
}

/// A version of a rule, ready to be put on a mill.
#[derive(Clone)]
pub(super) struct RuleSpec {
    /// The rule's id: the name of its file without `.wasm`; of a shadow, with `/shadow` behind.
    pub(super) id: Arc<str>,
    /// Whether its results go out.
    pub(super) role: Role,
    /// Which version this is.
    pub(super) identity: Identity,
    /// Where it listens.
    pub(super) stream: StreamKey,
    /// Its plan and kernels.
    pub(super) loaded: Arc<LoadedRule>,
    /// Its settings, checked, defaults filled in.
    pub(super) settings: BTreeMap<String, Literal>,
    /// The window's size when the deployment overrides it, in milliseconds.
    pub(super) window_override_ms: Option<u64>,
    /// What happens to it on a change.
    pub(super) reload: ReloadConfig,
    /// Its bounds.
    pub(super) limits: LimitsConfig,
    /// Where its emissions go.
    pub(super) sinks: Vec<SinkHandle>,
    /// The names of these.
    pub(super) sink_names: Vec<String>,
    /// Its counters.
    pub(super) metrics: RuleMetrics,
}

impl RuleSpec {
    /// What the core is told, with the kernels that were prepared for it, and the tag by which it is found again.
    pub(super) fn version(&self, kernels: Option<KernelsId>, on_change: config::OnChange, tag: u64) -> RuleVersion {
        RuleVersion {
            id: Arc::clone(&self.id),
            plan: Arc::clone(&self.loaded.plan),
            kernels,
            settings: self.settings.clone(),
            window_override_ms: self.window_override_ms,
            bounds: Bounds {
                groups_max: self.limits.groups_max,
                windows_max: self.limits.windows_max,
                ..Bounds::default()
            },
            on_change: match on_change {
                config::OnChange::Boundary => OnChange::Boundary,
                config::OnChange::Now => OnChange::Now,
            },
            tag,
        }
    }
}

/// The identity of a stream: rules with the same source and filters share its decoding and its calls. Shadows have streams
/// of their own, so that what they need of a message changes nothing for others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamKey {
    /// Whose it is.
    pub(super) role: Role,
    /// The source's name; `None`: every source.
    pub(super) source: Option<Arc<str>>,
    /// The topic filters, sorted, without repeats.
    pub(super) filters: Vec<TopicFilter>,
}

/// Why a rule was not put on the mill.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A library that it calls is not there; it may come.
    #[error("{0}")]
    Waiting(String),
    /// The plan cannot be carried out.
    #[error("{0}")]
    Refused(String),
}

impl From<CompileError> for Refusal {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Missing(_) => Refusal::Waiting(error.to_string()),
            CompileError::Refused(_) => Refusal::Refused(error.to_string()),
        }
    }
}
