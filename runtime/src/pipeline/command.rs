//! What a mill thread is told between two batches.

use crate::config::LimitsConfig;
use crate::rule::{LoadedLibrary, LoadedRule};
use crate::sink::SinkHandle;
use crate::telemetry::rule::RuleMetrics;
use crate::topic::TopicFilter;
use rulemill_core::{CompileError, Removal, Swap};
use rulemill_plan::Literal;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// One command. The mill carries it out between two batches and answers; an answer that nobody waits for is dropped.
pub(super) enum Command {
    /// Add a rule, or replace its running version.
    PutRule(Box<RuleSpec>, oneshot::Sender<Result<Swap, Refusal>>),
    /// Take a rule away; its open windows are emitted when they end.
    RemoveRule(Arc<str>, Removal, oneshot::Sender<()>),
    /// Say whether a library could replace the running one.
    CheckLibrary(Arc<LoadedLibrary>, oneshot::Sender<Result<(), String>>),
    /// Add a library, or put another version behind its call sites.
    PutLibrary(Arc<LoadedLibrary>, oneshot::Sender<()>),
    /// Take away a library that no rule uses.
    RemoveLibrary(String, oneshot::Sender<()>),
    /// Take no more deliveries; process what waits, close what is open, and end.
    Finish,
}

impl StreamKey {
    /// Whether messages of `source` may belong to the stream.
    pub(super) fn takes_from(&self, source: &str) -> bool {
        self.source.as_deref().is_none_or(|wanted| wanted == source)
    }
}

/// A version of a rule, ready to be put on a mill.
pub(super) struct RuleSpec {
    /// The rule's id: the name of its file without `.wasm`.
    pub(super) id: Arc<str>,
    /// Where it listens.
    pub(super) stream: StreamKey,
    /// Its plan and kernels.
    pub(super) loaded: Arc<LoadedRule>,
    /// Its settings, checked, defaults filled in.
    pub(super) settings: BTreeMap<String, Literal>,
    /// The window's size when the deployment overrides it, in milliseconds.
    pub(super) window_override_ms: Option<u64>,
    /// Its bounds.
    pub(super) limits: LimitsConfig,
    /// Where its emissions go.
    pub(super) sinks: Vec<SinkHandle>,
    /// Its counters.
    pub(super) metrics: RuleMetrics,
}

/// The identity of a stream: rules with the same source and filters share its decoding and its calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamKey {
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
