//! The pipeline: it connects the stages, starts them in the order that loses nothing, and stops them in the other.
//!
//! ```text
//! sources, listener --deliveries--> recorder --batches, ticks--> mill threads --emissions--> sinks
//!                                                                  ^  commands
//! rules directory --> catalogue -----------------------------------'
//! ```
//!
//! Stages do not know each other; what one needs of another is handed to it here.

mod account;
mod alive;
mod catalogue;
mod command;
mod comparison;
mod engine;
mod flow;
mod health;
mod identity;
mod journal;
mod metrics;
mod mill;
mod mills;
mod outlet;
mod patience;
mod recorder;
mod sources;
#[cfg(test)]
mod sql_tests;
mod start;
mod start_error;
mod streams;
mod unmatched;
mod workbench;

pub use catalogue::{CalledFunction, Deployed, Examined, Examiner, Verdict};
#[doc(hidden)]
pub use workbench::Workbench;

use crate::config::{Config, Durability, GuestDefaults};
use crate::emit::{DeadLetterKind, DeadLetters, EncodedEmission};
use crate::http;
use crate::ingest::listener::Listener;
use crate::ingest::{Inlet, Rejects};
use crate::sink::Sinks;
use crate::telemetry::Telemetry;
use crate::topic::TopicFilter;
use catalogue::{Catalogue, CatalogueParts, Deployment, SinkRows, own_sinks_at_start};
pub use journal::recovery::RecoveryError;
use metrics::Metrics;
use mill::ToCatalogue;
use mills::Mills;
use patience::Patience;
use rulemill_journal::{Directory, Lock, Storage as _};
use sources::Sources;
use start::MillsParts;
pub use start_error::StartError;
use start_error::check_rules_dir;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::net::TcpListener;
use tokio::sync::{RwLock, mpsc, watch};
use tokio::task::JoinHandle;
use unmatched::SourceFilters;

/// A running pipeline.
pub struct Pipeline {
    config: Config,
    mills: Arc<Mills>,
    sinks: Arc<RwLock<Sinks>>,
    sources: Sources,
    dead_letters: DeadLetters,
    filters: BTreeMap<String, watch::Sender<Vec<TopicFilter>>>,
    /// The other ends of `filters`, for who counts what no rule listens to.
    listened: watch::Sender<SourceFilters>,
    deployment: watch::Sender<Deployment>,
    applied: watch::Receiver<u64>,
    source_names: watch::Sender<Vec<String>>,
    stop: watch::Sender<bool>,
    catalogue: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
    /// Takes checkpoints.
    checkpoints: Option<JoinHandle<()>>,
    /// Nobody else works in the data directory.
    _data: Box<dyn Lock>,
    listener_address: Option<SocketAddr>,
    http_address: Option<SocketAddr>,
}

/// How a pipeline was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In its time.
    Waited,
    /// Before that: what was not done then is lost, and logged.
    Hurried,
}

impl Pipeline {
    /// Starts everything: sinks first, then the rules, then what brings messages in, so that the first message finds its
    /// rules. `tap` gets a copy of each emission that it has room for.
    pub async fn start(config: Config, tap: Option<SyncSender<EncodedEmission>>) -> Result<Self, StartError> {
        check_rules_dir(&config.rules.dir)?;
        let data = Directory::open(&config.data_dir)?.lock()?;
        let listener = bind_listener(&config).await?;
        let http_listener = bind_http(&config).await?;

        let mut telemetry = Telemetry::start();
        let metrics = Metrics::register(&mut telemetry);
        let dead_letters = DeadLetters::start(&config.dead_letter, metrics.dead_letters.clone())
            .map_err(|error| StartError::Data(config.dead_letter.file.path.clone(), error))?;
        let mut own_sinks = own_sinks_at_start(&config);
        let sinks = Sinks::start(
            &config.sinks,
            &own_sinks
                .values()
                .flatten()
                .map(|(name, sink)| (name.clone(), sink.clone()))
                .collect(),
            metrics.sinks.clone(),
            dead_letters.clone(),
            &config.data_dir,
        )?;
        own_sinks
            .values_mut()
            .for_each(|own| own.retain(|name, _| sinks.handle(name).is_some()));
        let sinks = Arc::new(RwLock::new(sinks));
        let engine = engine::start(&config, &metrics.code_cache)?;

        let filters = filter_channels(&config);
        let (requests, requested) = mpsc::channel(REQUESTS_MAX);
        let (incidents, incidents_told) = mpsc::channel(INCIDENTS_MAX);
        let to_catalogue = ToCatalogue {
            incidents,
            version_gone: Arc::default(),
        };
        let (listened, to_unmatched) = watch::channel(source_filters(&filters));
        let parts = MillsParts {
            engine: &engine,
            dead_letters: &dead_letters,
            metrics: &metrics,
            listened: &to_unmatched,
            to_catalogue: &to_catalogue,
            tap: tap.as_ref(),
        };
        let started = start::mills(&config, &parts, &sinks).await?;
        let mills = started.mills;
        let (snapshot, published) = watch::channel(Arc::default());
        let (source_names, names_changed) = watch::channel(config.sources.keys().cloned().collect());
        let (deployment, deployment_changed) = watch::channel(deployment_of(&config, 0, &filters));
        let (applied, applied_changed) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let parts = CatalogueParts {
            engine,
            mills: Arc::clone(&mills),
            sinks: Arc::clone(&sinks),
            families: metrics.rules.clone(),
            deployment: deployment.borrow().clone(),
            own_sinks,
            drain_timeout: config.stop_timeout,
            incidents: incidents_told,
            version_gone: to_catalogue.version_gone,
            requested,
            snapshot: snapshot.clone(),
            applied,
        };
        let mut catalogue = Catalogue::new(parts, &config.data_dir, started.code);
        let begun = catalogue.begin(&started.running).await;
        begun.map_err(|_| StartError::Mills)?;
        let health = health::watch(names_changed, metrics.sources.clone(), snapshot, stop.subscribe());
        let alive = mills.alive();
        let catalogue = tokio::spawn(async move {
            let _alive = alive;
            if catalogue.run(deployment_changed, stopped).await.is_err() {
                tracing::error!("a mill thread has ended; rules are no longer kept up to date");
            }
        });

        let mut pipeline = Pipeline {
            sources: Sources::new(
                metrics.sources.clone(),
                rejects_of(&dead_letters),
                config.data_dir.clone(),
            ),
            config,
            mills,
            sinks,
            dead_letters,
            filters,
            listened,
            deployment,
            applied: applied_changed,
            source_names,
            stop,
            catalogue,
            tasks: vec![tokio::spawn(health)],
            checkpoints: started.checkpoints,
            _data: data,
            listener_address: None,
            http_address: None,
        };
        pipeline.start_sources();
        pipeline.start_listener(listener, &metrics);
        pipeline.start_http(http_listener, telemetry, published, requests);
        Ok(pipeline)
    }

    /// Waits until something has ended that must not before [`Pipeline::stop`]: a mill thread, the recorder or the catalogue.
    /// Nothing works any more then, and only a new process helps.
    pub async fn failed(&self) {
        self.mills.ended().await;
    }

    /// The address of the built-in listener.
    pub fn listener_address(&self) -> Option<SocketAddr> {
        self.listener_address
    }

    /// The address of the HTTP endpoint.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// Takes over a configuration that was read again. What did not change goes on undisturbed.
    pub async fn reload(&mut self, config: Config) {
        let changes = config.changes_since(&self.config);
        for section in &changes.at_next_start {
            tracing::warn!(section, "this section takes effect at the next start only");
        }
        let errors = self.sinks.write().await.reload(&config.sinks, &changes.sinks).await;
        let mut failed = Vec::with_capacity(errors.len());
        for (name, error) in errors {
            tracing::error!(%error, "the sink goes on as it was, until the configuration is read again");
            failed.push(name);
        }
        for name in changes.sources.removed.iter().chain(&changes.sources.changed) {
            self.sources.stop(name).await;
        }
        for name in &changes.sources.removed {
            self.filters.remove(name);
        }
        for name in &changes.sources.added {
            self.filters
                .entry(name.clone())
                .or_insert_with(|| watch::channel(Vec::new()).0);
        }
        self.listened.send_replace(source_filters(&self.filters));
        let sinks = std::mem::take(&mut self.config.sinks);
        self.config = config;
        for name in failed {
            // Still as it was, so that it counts as changed the next time.
            match sinks.get(&name) {
                Some(before) => drop(self.config.sinks.insert(name, before.clone())),
                None => drop(self.config.sinks.remove(&name)),
            }
        }
        if self.config.is_journalled() && self.checkpoints.is_none() {
            tracing::warn!(
                "durability takes effect at the next start only: until then messages are acknowledged from memory, as when this \
                 process began"
            );
        }
        for name in &changes.sources.changed {
            self.start_source(name);
        }
        self.source_names
            .send_replace(self.config.sources.keys().cloned().collect());
        // Rules are resolved anew even when only sinks changed: they may be waiting for one.
        let generation = self.deployment.borrow().generation + 1;
        let deployment = deployment_of(&self.config, generation, &self.filters);
        self.deployment.send_replace(deployment);
        self.wait_for_generation(generation).await;
        // What waits at its broker finds its rules, and is not taken for something that nobody wants any more.
        for name in &changes.sources.added {
            self.start_source(name);
        }
        // Only now does no rule send to them any more.
        let mut sinks = self.sinks.write().await;
        sinks.remove(&changes.sinks.removed, self.config.stop_timeout);
        tracing::info!("configuration read again");
    }

    async fn wait_for_generation(&mut self, generation: u64) {
        let applied = self.applied.wait_for(|applied| *applied >= generation);
        if tokio::time::timeout(self.config.stop_timeout, applied).await.is_err() {
            tracing::warn!("the rules have not taken over the configuration in time; they will");
        }
    }

    /// Stops: sources first, then the mills, which process what was taken in and emit open windows, then the sinks. All
    /// together may take [`Config::stop_timeout`], and the sinks get a second of it in any case; when `hurry` is ready,
    /// nothing is waited for any more.
    pub async fn stop(self, hurry: impl Future<Output = ()>) -> Stop {
        let (hurried, hurries) = watch::channel(false);
        let patience = Patience::of(self.config.stop_timeout, hurries);
        let mut steps = pin!(self.stop_within(&patience));
        tokio::select! {
            biased;
            () = &mut steps => return Stop::Waited,
            () = hurry => {}
        }
        hurried.send_replace(true);
        steps.await;
        Stop::Hurried
    }

    async fn stop_within(self, patience: &Patience) {
        // A mill may be waiting for room in a sink's queue, and everybody else for the mill.
        self.sinks.read().await.let_through();
        self.stop.send_replace(true);
        if patience.wait_for(self.sources.stop_all()).await.is_none() {
            tracing::warn!("the sources did not end in time");
        }
        for task in self.tasks.into_iter().chain([self.catalogue]) {
            match patience.wait_for(task).await {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::error!(%error, "a task ended with a panic"),
                None => tracing::warn!("a task did not end in time"),
            }
        }
        if patience.wait_for(self.mills.finish()).await.is_none() {
            tracing::error!(
                "a mill thread did not end in time; what it had open is as the journal has it, or lost if there is none"
            );
        }
        if let Some(checkpoints) = self.checkpoints
            && patience.wait_for(checkpoints).await.is_none()
        {
            tracing::warn!(
                "the last checkpoint did not end in time; the next start does again what follows the one before"
            );
        }
        let undelivered = self.sinks.write().await.drain(patience.over()).await;
        for given_up in undelivered.iter().filter(|undelivered| undelivered.emissions > 0) {
            tracing::error!(
                sink = given_up.sink,
                emissions = given_up.emissions,
                "not delivered before the stop"
            );
        }
        self.dead_letters.flush(patience.left());
    }

    fn start_sources(&mut self) {
        let names: Vec<String> = self.config.sources.keys().cloned().collect();
        for name in names {
            self.start_source(&name);
        }
    }

    fn start_source(&mut self, name: &str) {
        let (Some(config), Some(filters)) = (self.config.sources.get(name), self.filters.get(name)) else {
            return;
        };
        let inlet = Inlet::new(name, config.durability, self.mills.offers());
        self.sources.start(name, config.clone(), inlet, filters.subscribe());
    }

    fn start_listener(&mut self, listener: Option<Listener>, metrics: &Metrics) {
        let Some(listener) = listener else { return };
        self.listener_address = listener.local_addr().ok();
        if let Some(address) = self.listener_address {
            tracing::info!(%address, "listening for MQTT devices");
        }
        let durability = self
            .config
            .listener
            .as_ref()
            .map_or_else(Durability::default, |config| config.durability);
        let inlet = Inlet::new(LISTENER, durability, self.mills.offers());
        let rejects = rejects_of(&self.dead_letters);
        let run = listener.run(inlet, rejects, metrics.listener.clone(), self.stop.subscribe());
        self.tasks.push(tokio::spawn(run));
    }

    fn start_http(
        &mut self,
        listener: Option<TcpListener>,
        telemetry: Telemetry,
        published: watch::Receiver<Arc<http::Snapshot>>,
        requests: mpsc::Sender<http::Request>,
    ) {
        let (Some(listener), Some(config)) = (listener, &self.config.http) else {
            return;
        };
        self.http_address = listener.local_addr().ok();
        if let Some(address) = self.http_address {
            tracing::info!(%address, "HTTP endpoint");
        }
        let state = http::State {
            snapshot: published,
            telemetry: Arc::new(telemetry),
            requests,
            token: config.token.as_deref().map(Into::into),
        };
        let mut stop = self.stop.subscribe();
        let stopped = async move { stop_requested(&mut stop).await };
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = http::serve(listener, state, stopped).await {
                tracing::error!(%error, "the HTTP endpoint has ended");
            }
        }));
    }
}

/// Messages that sources refuse are dead letters.
fn rejects_of(dead_letters: &DeadLetters) -> Rejects {
    let dead_letters = dead_letters.clone();
    Rejects::new(move |source, message, reason| {
        dead_letters.message(None, source, message, DeadLetterKind::Oversize, reason);
    })
}

fn deployment_of(
    config: &Config,
    generation: u64,
    filters: &BTreeMap<String, watch::Sender<Vec<TopicFilter>>>,
) -> Deployment {
    Deployment {
        rules: config.rules.clone(),
        defaults: GuestDefaults::from(config),
        sinks: sink_rows(config),
        generation,
        filters: filters.clone(),
    }
}

/// The sinks, with what they need of rows.
fn sink_rows(config: &Config) -> BTreeMap<String, SinkRows> {
    let sinks = config.sinks.iter();
    sinks.map(|(name, sink)| (name.clone(), SinkRows::of(sink))).collect()
}

/// One channel of topic filters for each source that a rule can name.
fn filter_channels(config: &Config) -> BTreeMap<String, watch::Sender<Vec<TopicFilter>>> {
    let listener = config.listener.as_ref().map(|_| LISTENER.to_owned());
    let names = config.sources.keys().cloned().chain(listener);
    names.map(|name| (name, watch::channel(Vec::new()).0)).collect()
}

/// Where to see what the rules listen to.
fn source_filters(filters: &BTreeMap<String, watch::Sender<Vec<TopicFilter>>>) -> SourceFilters {
    let receivers = filters
        .iter()
        .map(|(name, sender)| (name.as_str().into(), sender.subscribe()));
    receivers.collect()
}

async fn bind_listener(config: &Config) -> Result<Option<Listener>, StartError> {
    let Some(listener) = &config.listener else {
        return Ok(None);
    };
    let bound = Listener::bind(listener.clone()).await;
    bound
        .map(Some)
        .map_err(|error| StartError::Listen("the listener", listener.mqtt, error))
}

async fn bind_http(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let Some(http) = &config.http else {
        return Ok(None);
    };
    let bound = TcpListener::bind(http.listen).await;
    bound
        .map(Some)
        .map_err(|error| StartError::Listen("the HTTP endpoint", http.listen, error))
}

/// Ready when a stop is requested, or when nobody is left who could.
async fn stop_requested(stop: &mut watch::Receiver<bool>) {
    // An error means that the other side is gone: stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Requests over HTTP that may wait for the catalogue; further ones wait at their connection.
const REQUESTS_MAX: usize = 16;
/// What mills may have told the catalogue before it listens; further incidents wait on the mill.
const INCIDENTS_MAX: usize = 64;
/// The name of the built-in listener among the sources.
const LISTENER: &str = "listener";
