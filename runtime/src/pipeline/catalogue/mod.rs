//! The catalogue: which guests lie in the rules directory, and which version of each runs.
//!
//! It looks at the directory, loads what changed off the data path, and tells the mills between two batches. A version
//! that is refused leaves the running one untouched.

mod apply;
mod built_in;
mod define;
mod described;
mod entry;
mod examine;
mod files;
mod libraries;
mod own_sinks;
mod probation;
mod publish;
mod queries;
mod removal;
mod request;
mod resolve;
mod returning;
mod scan;
mod shadow;
mod sql;
mod stopped;
mod store;
mod watch;
mod watched;

use super::command::StreamKey;
use super::identity::Identity;
use super::journal::code::CodeStore;
use super::mill::Incident;
use super::mills::{MillGone, Mills};
use crate::clock;
use crate::config::{GuestDefaults, RulesConfig};
use crate::http::{Request, Snapshot};
use crate::rule::GuestEngine;
use crate::sink::Sinks;
use crate::telemetry::rule::{RuleFamilies, RuleMetrics};
use crate::topic::TopicFilter;
use entry::{Candidate, Entry, Refused, Running, shortened};
pub use examine::{CalledFunction, Deployed, Examined, Examiner, Verdict};
pub(super) use own_sinks::{OwnSinks, own_sinks_at_start};
use probation::Quarantine;
use queries::Queries;
use resolve::Names;
pub(super) use resolve::SinkRows;
use rulemill_core::Micros;
use scan::{Found, Scan, Scanner};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::{Notify, RwLock, mpsc, watch as channel};
use watch::{Touched, Watch};
use watched::Watched;

/// What the catalogue works with.
pub(super) struct CatalogueParts {
    pub(super) engine: GuestEngine,
    pub(super) mills: Arc<Mills>,
    pub(super) sinks: Arc<RwLock<Sinks>>,
    pub(super) families: RuleFamilies,
    pub(super) deployment: Deployment,
    /// The sinks of single rules that run already.
    pub(super) own_sinks: OwnSinks,
    /// How long a sink that goes may take to deliver what it has.
    pub(super) drain_timeout: Duration,
    /// What mills say about versions on probation.
    pub(super) incidents: mpsc::Receiver<Incident>,
    /// What is asked over HTTP.
    pub(super) requested: mpsc::Receiver<Request>,
    pub(super) snapshot: channel::Sender<Arc<Snapshot>>,
    /// The generation of the deployment that rules run by.
    pub(super) applied: channel::Sender<u64>,
    /// Told by the mills when a version of a rule has gone.
    pub(super) version_gone: Arc<Notify>,
}

/// What the configuration says that concerns rules.
#[derive(Clone)]
pub(super) struct Deployment {
    /// The `[rules]` section.
    pub(super) rules: RulesConfig,
    /// What holds for guests whose sidecar does not say otherwise.
    pub(super) defaults: GuestDefaults,
    /// The sinks that a rule may name, with what they need of rows.
    pub(super) sinks: BTreeMap<String, SinkRows>,
    /// Ascends with each reload; told to [`CatalogueParts::applied`] when it has been carried out.
    pub(super) generation: u64,
    /// For each source, the filters that it is to subscribe to.
    pub(super) filters: BTreeMap<String, channel::Sender<Vec<TopicFilter>>>,
}

/// Whether a version that is put in place is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watching {
    /// As its sidecar and the configuration say, if there is a version to go back to.
    AsConfigured,
    /// It is the one to go back to.
    Not,
}

/// The guests of the rules directory.
pub(super) struct Catalogue {
    parts: CatalogueParts,
    store: Store,
    /// Where code is kept that the journal speaks of, if there is one.
    code: Option<CodeStore>,
    scanner: Scanner,
    entries: BTreeMap<String, Entry>,
    /// The files of SQL among the guests.
    queries: Queries,
    metrics: BTreeMap<String, RuleMetrics>,
    /// The sinks that only one rule has, by rule.
    own_sinks: OwnSinks,
    /// Queries that somebody looks on.
    watched: Watched,
    directory_missing: bool,
}

impl Catalogue {
    /// A catalogue that has not looked yet.
    pub(super) fn new(mut parts: CatalogueParts, data_dir: &Path, code: Option<CodeStore>) -> Self {
        let scanner = Scanner::new(
            parts.deployment.rules.dir.clone(),
            parts.deployment.defaults.limits.file_bytes_max,
        );
        let own_sinks = std::mem::take(&mut parts.own_sinks);
        Catalogue {
            parts,
            store: Store::new(data_dir),
            code,
            scanner,
            entries: BTreeMap::new(),
            queries: Queries::default(),
            metrics: BTreeMap::new(),
            own_sinks,
            watched: Watched::default(),
            directory_missing: false,
        }
    }

    /// Keeps up with the directory until `stop` says so.
    pub(super) async fn run(
        mut self,
        mut deployment: channel::Receiver<Deployment>,
        mut stop: channel::Receiver<bool>,
    ) -> Result<(), MillGone> {
        let mut watch = Watch::new(
            self.parts.deployment.rules.dir.clone(),
            self.parts.deployment.rules.poll_interval,
        );
        let version_gone = Arc::clone(&self.parts.version_gone);
        loop {
            tokio::select! {
                touched = watch.changed() => self.look(&touched).await?,
                () = version_gone.notified() => self.clean_up().await?,
                changed = deployment.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let deployment = deployment.borrow_and_update().clone();
                    self.reconfigure(deployment).await?;
                }
                Some(incident) = self.parts.incidents.recv() => self.handle(incident).await?,
                Some(request) = self.parts.requested.recv() => self.answer(request).await?,
                () = self.watched.unattended() => self.end_unattended().await?,
                () = super::stop_requested(&mut stop) => return Ok(()),
            }
        }
    }

    /// Looks at the directory once and carries out what changed: libraries first, so that new rules find them.
    async fn look(&mut self, touched: &Touched) -> Result<(), MillGone> {
        let scan = match self.scan(touched).await {
            Ok(scan) => scan,
            Err(error) => {
                if !self.directory_missing {
                    let dir = self.parts.deployment.rules.dir.display();
                    tracing::warn!(%dir, %error, "the rules directory cannot be read; what runs goes on");
                }
                self.directory_missing = true;
                return Ok(());
            }
        };
        self.directory_missing = false;
        if scan.changed.is_empty() && scan.gone.is_empty() && scan.unreadable.is_empty() {
            return Ok(());
        }
        let found = scan.changed.iter().map(|found| &found.name);
        for name in found.chain(scan.unreadable.iter().map(|(name, _)| name)) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.removed = false;
                entry.quarantined = None;
            }
        }
        for (name, reason) in scan.unreadable {
            self.refuse(&name, None, format!("the file cannot be read: {reason}"), None);
        }
        let (queries, guests): (Vec<Found>, Vec<Found>) =
            scan.changed.into_iter().partition(|found| found.form.is_text());
        queries.into_iter().for_each(|found| self.queries.put(found));
        let mut candidates = self.load_all(guests).await?;
        candidates.sort_by_key(|(_, candidate)| candidate.loaded.library.is_none());
        // Libraries may find a new home in a file of another name, so that has to be known before they are applied.
        for name in &scan.gone {
            self.queries.remove(name);
            if let Some(entry) = self.entries.get_mut(name) {
                entry.removed = true;
            }
        }
        let libraries_changed = candidates
            .iter()
            .any(|(_, candidate)| candidate.loaded.library.is_some());
        for (name, candidate) in candidates {
            self.apply(&name, candidate, Watching::AsConfigured).await?;
        }
        self.apply_queries().await?;
        for name in &scan.gone {
            self.remove(name).await?;
            self.put_back(name).await?;
        }
        self.retry(libraries_changed || !scan.gone.is_empty()).await?;
        // A library that was refused may run now.
        self.apply_queries().await?;
        self.publish();
        Ok(())
    }

    /// Loads guests; those that cannot be loaded are refused.
    async fn load_all(&mut self, guests: Vec<Found>) -> Result<Vec<(String, Candidate)>, MillGone> {
        let mut candidates = Vec::new();
        for found in guests {
            let name = found.name.clone();
            let identity = found.identity;
            self.end_shadow_unless(&name, identity).await?;
            if let Quarantine::Yes { good } = self.check_quarantine(&found).await {
                candidates.extend(good.map(|good| (name, *good)));
                continue;
            }
            match self.load(found).await {
                Ok(candidate) => candidates.push((name, candidate)),
                Err(reason) => self.refuse(&name, Some(identity), reason, None),
            }
        }
        Ok(candidates)
    }

    /// Looks at the directory on a thread that may block, as file systems may be slow.
    async fn scan(&mut self, touched: &Touched) -> std::io::Result<Scan> {
        let rules_dir = self.parts.deployment.rules.dir.clone();
        let fresh = Scanner::new(rules_dir, self.parts.deployment.defaults.limits.file_bytes_max);
        let mut scanner = std::mem::replace(&mut self.scanner, fresh);
        let touched = touched.clone();
        let scanned = tokio::task::spawn_blocking(move || {
            let scan = scanner.scan(&touched);
            (scanner, scan)
        });
        let (scanner, scan) = scanned.await.map_err(std::io::Error::other)?;
        self.scanner = scanner;
        scan
    }

    /// Compiles and describes a guest, on a thread that may block.
    async fn load(&self, found: Found) -> Result<Candidate, String> {
        let defaults = &self.parts.deployment.defaults;
        let sources = self.sources();
        let sidecar = resolve::read_sidecar(&found.name, found.sidecar.as_deref(), defaults, &self.names(&sources))?;
        let engine = self.parts.engine.clone();
        let name = found.name.clone();
        let loading = tokio::task::spawn_blocking(move || Candidate::load(&engine, found, sidecar));
        let loaded = loading.await.map_err(|error| format!("loading it failed: {error}"))?;
        loaded.map_err(|error| {
            if let Some(limit) = error.limit() {
                let guest = self.parts.families.guests.guest(&name.as_str().into());
                guest.limit_hits(limit.name(), 1);
            }
            error.to_string()
        })
    }

    /// The names of all sources that a rule may name, the listener's included.
    fn sources(&self) -> BTreeSet<String> {
        self.parts.deployment.filters.keys().cloned().collect()
    }

    fn names<'a>(&'a self, sources: &'a BTreeSet<String>) -> Names<'a> {
        Names {
            rules: &self.parts.deployment.rules,
            sources: Some(sources),
            sinks: Some(&self.parts.deployment.sinks),
        }
    }

    fn accept(&mut self, name: &str, candidate: Candidate, stream: Option<(StreamKey, usize)>) {
        let since = self.running_since(name, candidate.identity);
        if let Some(library) = &candidate.loaded.library
            && since.is_none()
        {
            let functions = library.description.scalars.len() + library.description.aggregates.len();
            let replaced = self.library_of(name).as_deref() == Some(&library.description.name);
            let state = if replaced { "replaced" } else { "new" };
            tracing::info!(library = library.description.name, functions, state, "library loaded");
            if candidate.loaded.rule.is_none() {
                self.metrics_of(name).reloads_ok.inc();
            }
        }
        let entry = self.entry(name);
        entry.waiting = None;
        entry.refused = None;
        entry.stopped = None;
        if stream.is_some() {
            entry.draining = None;
        }
        entry.running = Some(Running {
            candidate,
            since: since.unwrap_or_else(clock::wall),
            stream,
        });
    }

    /// Since when these files run, if they do: they are put to work again when the configuration has changed.
    fn running_since(&self, name: &str, identity: Identity) -> Option<Micros> {
        let entry = self.entries.get(name).filter(|entry| entry.runs(identity))?;
        entry.running.as_ref().map(|running| running.since)
    }

    /// Notes why a version was not taken, once; what runs goes on untouched.
    fn refuse(&mut self, name: &str, identity: Option<Identity>, reason: String, candidate: Option<Candidate>) {
        let reason = shortened(reason);
        let entry = self.entry(name);
        if let Some(known) = &mut entry.refused
            && known.identity == identity
            && known.reason == reason
        {
            known.candidate = candidate;
            return;
        }
        if entry.running.is_some() {
            tracing::error!(guest = name, %reason, "the new version is refused; the running one goes on");
        } else {
            tracing::error!(guest = name, %reason, "refused");
        }
        entry.waiting = None;
        entry.stopped = None;
        entry.refused = Some(Refused {
            identity,
            candidate,
            at: clock::wall(),
            reason,
        });
        self.metrics_of(name).reloads_refused.inc();
    }

    /// The configuration was read again: every rule is resolved anew, those that were refused included.
    async fn reconfigure(&mut self, mut deployment: Deployment) -> Result<(), MillGone> {
        let before = &self.parts.deployment.rules;
        if deployment.rules.dir != before.dir || deployment.rules.poll_interval != before.poll_interval {
            tracing::warn!("rules.dir and rules.poll_interval take effect at the next start only");
            deployment.rules.dir.clone_from(&before.dir);
        }
        self.parts.deployment = deployment;
        let defaults = &self.parts.deployment.defaults;
        self.scanner.set_file_bytes_max(defaults.limits.file_bytes_max);
        let mut candidates: Vec<(String, Candidate)> = Vec::new();
        for (name, entry) in &mut self.entries {
            let versions = entry.versions().map(|version| version.with_defaults(name, defaults));
            candidates.extend(versions.map(|version| (name.clone(), version)));
            entry.last_good = entry.last_good.as_ref().map(|good| good.with_defaults(name, defaults));
            // What could not be loaded may be under these limits, or be refused for less with these sinks and sources.
            let refused = entry.refused.as_ref();
            if refused.is_some_and(|refused| refused.candidate.is_none()) {
                self.scanner.forget(name);
            }
        }
        for (name, candidate) in candidates {
            self.apply(&name, candidate, Watching::AsConfigured).await?;
        }
        self.renew_own_sinks().await;
        self.publish();
        self.parts.applied.send_replace(self.parts.deployment.generation);
        self.look(&Touched::default()).await
    }

    fn metrics_of(&mut self, name: &str) -> RuleMetrics {
        let families = &self.parts.families;
        let metrics = || families.rule(&name.into());
        self.metrics.entry(name.to_owned()).or_insert_with(metrics).clone()
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        self.entries.entry(name.to_owned()).or_insert_with(|| Entry::new(name))
    }
}
