//! One mill on the caller's thread, for benchmarks and for guests that are only examined: the same code, metrics and
//! encoding as in a mill thread, without the queue before it. Not part of the flow.

use super::account::Accounts;
use super::command::{Command, PutLibrary, PutRule, Refusal, Role, RuleSpec, StreamKey, Watch};
use super::identity::Identity;
use super::mill::{Mill, MillParts, ToCatalogue};
use super::outlet::Outlet;
use super::unmatched::{SourceFilters, Unmatched};
use crate::config::{LimitsConfig, ReloadConfig};
use crate::emit::DeadLetters;
use crate::message::Delivery;
use crate::rule::{ContentDigest, GuestEngine, LimitedLibrary, LoadedLibrary, LoadedRule};
use crate::sink::{Collector, SinkHandle};
use crate::telemetry::Telemetry;
use crate::telemetry::mill::MillMetrics;
use crate::telemetry::rule::{RuleFamilies, RuleMetrics};
use crate::telemetry::sink::SinkMetrics;
use crate::topic::TopicFilter;
use rulemill_core::{HashSeed, Micros};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// A mill to be measured. Its rules listen to one source, take the defaults of their settings, and have no sinks:
/// their emissions are encoded and dropped.
pub struct Workbench {
    mill: Mill,
    families: RuleFamilies,
    filters: watch::Sender<Vec<TopicFilter>>,
    _sources: watch::Sender<SourceFilters>,
    limits: LimitsConfig,
    sinks: SinkMetrics,
    /// The counters of the rules that were asked for.
    rules: RefCell<BTreeMap<String, RuleMetrics>>,
    /// Metrics are registered, as they are in a pipeline.
    _telemetry: Telemetry,
}

impl Workbench {
    /// A mill without rules that counts the messages of `source`.
    pub fn new(engine: &GuestEngine, dead_letters: DeadLetters, source: &str, limits: LimitsConfig) -> Self {
        let mut telemetry = Telemetry::start();
        let metrics = MillMetrics::register(&mut telemetry.registry);
        let families = RuleFamilies::register(&mut telemetry.registry);
        let sinks = SinkMetrics::default();
        sinks.register(&mut telemetry.registry);
        let (filters, changes) = watch::channel(Vec::new());
        let (sources, sources_changed) = watch::channel(SourceFilters::from([(source.into(), changes)]));
        let unmatched = Unmatched::new(sources_changed);
        let outlet = Outlet::new(dead_letters, None);
        let accounts = Accounts::new(families.clone());
        let (incidents, _) = mpsc::channel(1);
        Workbench {
            mill: Mill::new(MillParts {
                number: 0,
                engine: engine.clone(),
                seed: HashSeed::new(1),
                outlet,
                accounts,
                metrics,
                unmatched: Some(unmatched),
                to_catalogue: ToCatalogue {
                    incidents,
                    version_gone: Arc::default(),
                },
            }),
            families,
            filters,
            _sources: sources,
            limits,
            sinks,
            rules: RefCell::default(),
            _telemetry: telemetry,
        }
    }

    /// Adds a library.
    pub fn put_library(&mut self, loaded: Arc<LoadedLibrary>) {
        let limits = self.limits;
        self.put_limited_library(LimitedLibrary { loaded, limits });
    }

    /// Adds a library with limits of its own.
    pub(super) fn put_limited_library(&mut self, library: LimitedLibrary) {
        let (reply, _) = oneshot::channel();
        let put = PutLibrary {
            library,
            last_good: None,
            watch: Watch::from(&ReloadConfig::default()),
        };
        self.mill.obey(Command::PutLibrary(put, reply));
    }

    /// Adds a rule, with the window in milliseconds in place of its own.
    ///
    /// # Errors
    /// Why the mill refused it.
    pub fn put_rule(&mut self, id: &str, loaded: Arc<LoadedRule>, window_ms: Option<u64>) -> Result<(), String> {
        self.put_rule_to(id, loaded, window_ms, Vec::new())
    }

    /// Adds a rule whose emissions can be read.
    ///
    /// # Errors
    /// Why the mill refused it.
    pub fn put_rule_collecting(&mut self, id: &str, loaded: Arc<LoadedRule>) -> Result<Collector, String> {
        let (collector, handle) = Collector::new(id, &self.sinks);
        self.put_rule_to(id, loaded, None, vec![handle])?;
        Ok(collector)
    }

    fn put_rule_to(
        &mut self,
        id: &str,
        loaded: Arc<LoadedRule>,
        window_ms: Option<u64>,
        sinks: Vec<SinkHandle>,
    ) -> Result<(), String> {
        let id: Arc<str> = id.into();
        let filters: Result<Vec<TopicFilter>, _> =
            loaded.plan.topics.iter().map(|text| TopicFilter::parse(text)).collect();
        let filters = filters.map_err(|error| error.to_string())?;
        self.filters.send_modify(|known| known.extend(filters.iter().cloned()));
        let settings = loaded.plan.settings.iter();
        let spec = RuleSpec {
            role: Role::Runs,
            identity: Identity {
                wasm: ContentDigest::of(id.as_bytes()),
                sidecar: None,
            },
            stream: StreamKey {
                role: Role::Runs,
                source: None,
                filters,
            },
            settings: settings
                .filter_map(|setting| Some((setting.name.clone(), setting.default.clone()?)))
                .collect(),
            loaded,
            window_override_ms: window_ms,
            reload: ReloadConfig::default(),
            limits: self.limits,
            sinks,
            sink_names: Vec::new(),
            metrics: self.metrics(&id),
            id,
        };
        self.put(spec).map_err(|refusal| refusal.to_string())
    }

    /// Adds a rule as it is deployed.
    pub(super) fn put(&mut self, spec: RuleSpec) -> Result<(), Refusal> {
        let (reply, mut answer) = oneshot::channel();
        let put = PutRule { spec, last_good: None };
        self.mill.obey(Command::PutRule(Box::new(put), reply));
        let put = answer.try_recv();
        put.unwrap_or_else(|error| Err(Refusal::Refused(error.to_string())))
            .map(drop)
    }

    /// The counters of a rule.
    pub(super) fn metrics(&self, id: &str) -> RuleMetrics {
        let mut rules = self.rules.borrow_mut();
        let metrics = || self.families.rule(&id.into());
        rules.entry(id.to_owned()).or_insert_with(metrics).clone()
    }

    /// Processes deliveries as one turn of a mill thread does.
    pub fn process(&mut self, deliveries: impl IntoIterator<Item = Delivery>) {
        let _wait = self.mill.turn(deliveries);
    }

    /// How many rows of a rule could not be processed.
    pub fn dead_rows(&self, id: &str) -> u64 {
        self.metrics(id).dead_rows_total()
    }

    /// The latest thing that went wrong with a rule.
    pub fn last_exception(&self, id: &str) -> Option<String> {
        self.metrics(id).last_exception().map(|exception| exception.message)
    }

    /// Lets time pass without a message.
    pub fn advance(&mut self, now: Micros) {
        self.mill.advance(now);
    }

    /// How often guests were called: by call sites of library functions, and by kernels of rules.
    pub fn guest_calls(&self) -> (u64, u64) {
        let guests = self.mill.guests();
        let functions = guests.function_stats().map(|(_, _, stats)| stats.calls).sum();
        let kernels = guests.kernel_stats().map(|(_, _, stats)| stats.calls).sum();
        (functions, kernels)
    }
}
