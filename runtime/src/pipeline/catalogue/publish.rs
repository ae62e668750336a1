//! What the catalogue tells the rest of the process: what to subscribe to, and the state of every guest.

use super::Catalogue;
use super::described;
use super::entry::{Entry, Running};
use super::shadow::shadow_id;
use crate::http::{
    Function, FunctionStatus, GuestKind, Readiness, Refused, RuleStatus, RunState, RunningVersion, ShadowStatus,
    Snapshot,
};
use crate::topic::TopicFilter;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Catalogue {
    /// Tells sources which filters they need, and the API what runs.
    pub(super) fn publish(&mut self) {
        self.publish_filters();
        let names: Vec<String> = self.entries.keys().cloned().collect();
        let rules = names.iter().filter_map(|name| self.status(name)).collect();
        let functions = self.functions();
        let streams = described::streams(&self.queries);
        self.parts.snapshot.send_modify(|snapshot| {
            // Whoever watches the connections says whether everything works.
            let readiness = match &snapshot.readiness {
                Readiness::Starting => Readiness::Starting,
                known => known.clone(),
            };
            *snapshot = Arc::new(Snapshot {
                rules,
                functions,
                streams,
                readiness,
            });
        });
    }

    fn publish_filters(&self) {
        for (source, sender) in &self.parts.deployment.filters {
            let filters: BTreeSet<&TopicFilter> = self
                .entries
                .values()
                .flat_map(Entry::streams)
                .chain(self.watched.streams())
                .filter(|stream| stream.takes_from(source))
                .flat_map(|stream| &stream.filters)
                .collect();
            let filters: Vec<TopicFilter> = filters.into_iter().cloned().collect();
            sender.send_if_modified(|current| {
                let changed = *current != filters;
                *current = filters;
                changed
            });
        }
    }

    fn status(&mut self, name: &str) -> Option<RuleStatus> {
        let metrics = self.metrics_of(name);
        let entry = self.entries.get(name)?;
        let shadow = entry.shadow.as_ref().map(|shadow| &shadow.version.candidate);
        let candidate = entry.shown().map(|running| &running.candidate);
        let candidate = candidate
            .or(entry.waiting.as_ref().map(|(candidate, _)| candidate))
            .or(entry.stopped.as_ref())
            .or(shadow);
        // Mills know a library by its own name.
        let library = entry.library().filter(|_| entry.running_rule().is_none());
        let guest = self.parts.families.guests.guest(&library.unwrap_or(name).into());
        let kind = match candidate.map(|candidate| candidate.loaded.rule.is_some()) {
            Some(true) => GuestKind::Rule,
            Some(false) => GuestKind::Library,
            None => GuestKind::Unknown,
        };
        Some(RuleStatus {
            id: Arc::clone(&entry.name),
            kind,
            document: self.queries.document(name).cloned(),
            state: state_of(entry),
            running: running_version(entry),
            refused: entry.refusal().map(|refused| Refused {
                digest: refused
                    .identity
                    .map(|identity| identity.wasm.to_string())
                    .unwrap_or_default(),
                at: refused.at,
                reason: refused.reason.clone(),
            }),
            shadow: self.shadow_status(entry),
            sidecar: candidate
                .map(|candidate| Arc::new(candidate.sidecar.clone()))
                .unwrap_or_default(),
            metrics,
            guest,
        })
    }

    fn shadow_status(&self, entry: &Entry) -> Option<ShadowStatus> {
        let shadow = entry.shadow.as_ref()?;
        Some(ShadowStatus {
            version: version_of(&shadow.version)?,
            not_compared: shadow.not_compared.clone(),
            comparison: shadow.comparison.clone(),
            metrics: self.metrics.get(&shadow_id(&entry.name))?.clone(),
        })
    }

    fn functions(&self) -> Vec<FunctionStatus> {
        let libraries = self
            .entries
            .values()
            .filter_map(|entry| entry.running.as_ref()?.candidate.loaded.library.as_ref());
        let mut functions = Vec::new();
        for library in libraries {
            let description = &library.description;
            let name: Arc<str> = description.name.as_str().into();
            let scalars = description
                .scalars
                .iter()
                .map(|scalar| Function::Scalar(Arc::new(scalar.clone())));
            let aggregates = description
                .aggregates
                .iter()
                .map(|aggregate| Function::Aggregate(Arc::new(aggregate.clone())));
            functions.extend(scalars.chain(aggregates).map(|function| FunctionStatus {
                library: Arc::clone(&name),
                version: description.version.clone(),
                metrics: self.parts.families.function(&name, &function.name().into()),
                function,
            }));
        }
        functions
    }
}

fn state_of(entry: &Entry) -> RunState {
    if entry.removed && entry.draining.is_some() {
        return RunState::Draining;
    }
    if entry.running.is_some() {
        return RunState::Running;
    }
    if entry.stopped.is_some() {
        return RunState::Stopped(STOPPED.to_owned());
    }
    if let Some((_, reason)) = &entry.waiting {
        return RunState::Waiting(reason.clone());
    }
    if entry.shadow.is_some() {
        return RunState::Shadow;
    }
    let reason = entry.refusal().map(|refused| refused.reason.clone());
    RunState::Stopped(reason.unwrap_or_default())
}

/// What is said of a rule that somebody stopped.
const STOPPED: &str = "it is stopped, by stopped = true in its .toml file or by triggered = false in its .json file";

fn running_version(entry: &Entry) -> Option<RunningVersion> {
    entry.shown().and_then(version_of)
}

fn version_of(running: &Running) -> Option<RunningVersion> {
    let loaded = &running.candidate.loaded;
    let (name, version, doc) = match (&loaded.rule, &loaded.library) {
        (Some(rule), _) => (&rule.plan.name, &rule.plan.version, &rule.plan.doc),
        (None, Some(library)) => {
            let description = &library.description;
            (&description.name, &description.version, &description.doc)
        }
        (None, None) => return None,
    };
    Some(RunningVersion {
        name: name.clone(),
        version: version.clone(),
        doc: doc.clone(),
        digest: loaded.digest.to_string(),
        loaded_at: running.since,
        plan: loaded.rule.as_ref().map(|rule| Arc::clone(&rule.plan)),
    })
}
