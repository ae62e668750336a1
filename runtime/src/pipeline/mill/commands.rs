//! What a mill does when it is told something, between two batches: rules and libraries come and go.

use super::super::command::{Command, PutLibrary, PutRule, PutShadow, Refusal, Role, RuleSpec, StreamKey, Watch};
use super::super::comparison::Comparison;
use super::super::journal::change::{Change, LibraryRecord, RuleRecord};
use super::super::streams::StreamEntry;
use super::{Mill, Placed};
use crate::config;
use crate::rule::LoadedLibrary;

use rulemill_core::{Bounds, KernelsId, Removal, Stream, Swap, Unfinished};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

impl Mill {
    /// Whether each function that rules call without naming a library would still be in one library only.
    fn check_names(&self, library: &LoadedLibrary) -> Result<(), String> {
        let name = &library.description.name;
        let has = |other: &LoadedLibrary, function: &str| other.has_function(function);
        let before = self
            .guests
            .libraries()
            .find(|other| other.loaded.description.name == *name);
        for (id, placed) in &self.rules {
            let unnamed = placed.spec.loaded.calls().filter(|(library, _)| library.is_none());
            for (_, function) in unnamed.filter(|(_, function)| has(library, function)) {
                if before.is_some_and(|before| has(&before.loaded, function)) {
                    continue;
                }
                let others = self.guests.libraries().map(|other| &other.loaded);
                let other = others
                    .filter(|other| other.description.name != *name)
                    .find(|other| has(other, function));
                if let Some(other) = other {
                    return Err(format!(
                        "the rule {id} calls {function} without naming a library, and the library {} has it already; give it another name, or name the library in the rule",
                        other.description.name
                    ));
                }
            }
        }
        Ok(())
    }

    pub(in super::super) fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away meanwhile; the command is carried out all the same.
        match command {
            Command::PutRule(put, reply) => drop(reply.send(self.put_rule(*put))),
            Command::PutShadow(put, reply) => drop(reply.send(self.put_shadow(*put))),
            Command::PutWatched(spec, reply) => {
                let put = self.install(*spec, config::OnChange::Boundary);
                drop(reply.send(put.map(|_| ())));
            }
            Command::RemoveRule(id, how, reply) => {
                let change = Change::RemoveRule {
                    id: id.to_string(),
                    how: how.into(),
                };
                self.keeping.try_record(&change);
                self.take_rule_away(&id, how);
                let _ = reply.send(());
            }
            Command::Held(rules, reply) => drop(reply.send(self.held(rules))),
            Command::CheckLibrary(library, reply) => {
                let checked = self.check_names(&library.loaded);
                drop(reply.send(checked.and_then(|()| self.guests.check_library(&library))));
            }
            Command::PutLibrary(put, reply) => {
                self.put_library(put);
                self.accounts.read_functions(&self.guests);
                let _ = reply.send(());
            }
            Command::RemoveLibrary(name, reply) => {
                self.keeping.try_record(&Change::RemoveLibrary(name.clone()));
                self.probations.forget_library(&name);
                let sites = self.guests.remove_library(&name);
                self.forget(&sites);
                self.accounts.read_functions(&self.guests);
                let _ = reply.send(());
            }
            Command::LibraryInUse(name, reply) => drop(reply.send(self.guests.has_users(&name))),
        }
        self.accounts.touch();
        self.after_work();
    }

    pub(super) fn forget(&mut self, sites: &[rulemill_core::SiteId]) {
        for entry in &mut self.streams {
            entry.stream.forget(sites);
        }
    }

    fn put_library(&mut self, put: PutLibrary) {
        let PutLibrary {
            library,
            last_good,
            watch,
        } = put;
        let name = library.loaded.description.name.clone();
        self.keeping
            .try_record(&Change::PutLibrary(LibraryRecord::of(&library)));
        let running = self.guests.library(&name);
        if running.is_some_and(|running| Arc::ptr_eq(&running.loaded, &library.loaded)) {
            // The code is the same, so what is remembered of its results holds.
            let _sites = self.guests.put_library(library);
            self.probations.refresh_library(&name, last_good);
            return;
        }
        let sites = self.guests.put_library(library);
        self.forget(&sites);
        let stats = self.guests.library_stats(&name);
        self.probations.watch_library(&name, last_good, watch, &stats);
    }

    fn put_rule(&mut self, put: PutRule) -> Result<Swap, Refusal> {
        let PutRule { spec, mut last_good } = put;
        if let Some(good) = &mut last_good
            && let Some(placed) = self.rules.get(&spec.id)
        {
            good.lost_groups = placed.spec.identity == good.spec.identity && placed.lost_groups;
        }
        let (id, identity) = (Arc::clone(&spec.id), spec.identity);
        let watch = Watch::from(&spec.reload);
        let same = self
            .rules
            .get(&id)
            .is_some_and(|placed| placed.spec.identity == identity);
        let on_change = spec.reload.on_change;
        let change = Change::PutRule {
            rule: RuleRecord::of(&spec),
            on_change,
        };
        self.keeping.record(&change).map_err(Refusal::Refused)?;
        let swap = self.install(spec, on_change)?;
        if same {
            self.probations.refresh(&id, last_good);
        } else {
            self.probations.watch_rule(&id, last_good, watch);
        }
        Ok(swap)
    }

    fn put_shadow(&mut self, put: PutShadow) -> Result<(), Refusal> {
        let PutShadow { spec, running, metrics } = put;
        let shadow = Arc::clone(&spec.id);
        self.take_rule_away(&shadow, Removal::Discard);
        let mut begun = self.unfinished(&shadow);
        let mut patience = PATIENCE + lateness_of(&spec);
        if let Some(running) = &running {
            let other = self.unfinished(running);
            begun.windows.extend(other.windows);
            begun.watermark = begun.watermark.max(other.watermark);
            let placed = self.rules.get(running);
            patience += placed.map_or(Duration::ZERO, |placed| lateness_of(&placed.spec));
        }
        self.install(spec, config::OnChange::Boundary)?;
        if let Some(running) = running {
            let comparison = Comparison::new(Arc::clone(&running), metrics, begun, patience);
            self.outlet.compare(&running, &shadow, comparison);
        }
        Ok(())
    }

    /// What a rule has begun, on whichever stream.
    fn unfinished(&self, id: &str) -> Unfinished {
        let mut all = Unfinished::default();
        for unfinished in self.streams.iter().map(|entry| entry.stream.unfinished(id)) {
            all.windows.extend(unfinished.windows);
            all.watermark = all.watermark.max(unfinished.watermark);
        }
        all
    }

    /// Puts a version in place, between two batches.
    pub(super) fn install(&mut self, spec: RuleSpec, on_change: config::OnChange) -> Result<Swap, Refusal> {
        let kernels = self.prepare(&spec).map_err(Refusal::Refused)?;
        let tag = self.keeping.tag(&spec);
        let position = self.stream_position(&spec.stream);
        let entry = &mut self.streams[position];
        let version = spec.version(kernels, on_change, tag);
        let put = entry.stream.put(&version, &mut self.guests, &mut self.output);
        self.outlet.flush_results(&mut self.output, &mut entry.pieces);
        // The kernels of the version before, or those of this one when it is refused.
        self.unused = true;
        let swap = put?;
        self.retire_elsewhere(&spec.id, &spec.stream);
        self.outlet
            .add(&spec.id, spec.role, spec.sinks.clone(), spec.metrics.clone());
        let placed = Placed {
            lost_groups: false,
            tag,
            kernels,
            spec,
        };
        self.rules.insert(Arc::clone(&placed.spec.id), placed);
        Ok(swap)
    }

    /// Has the kernels of a version ready, if it has any.
    pub(super) fn prepare(&mut self, spec: &RuleSpec) -> Result<Option<KernelsId>, String> {
        if !spec.loaded.has_kernels() {
            return Ok(None);
        }
        let loaded = Arc::clone(&spec.loaded);
        let prepared = self.guests.put_kernels(&spec.id, loaded, &spec.settings, spec.limits);
        prepared.map(Some).map_err(|error| format!("prepare: {error}"))
    }

    /// A rule that comes from another stream, or that comes back while it finishes its windows there, takes no rows there
    /// any more.
    fn retire_elsewhere(&mut self, id: &str, stream: &StreamKey) {
        if !self.outlet.knows(id) {
            return;
        }
        for entry in self.streams.iter_mut().filter(|entry| entry.key() != stream) {
            entry.stream.remove(id, Removal::Retire);
        }
    }

    pub(super) fn take_rule_away(&mut self, id: &Arc<str>, how: Removal) {
        self.probations.forget_rule(id);
        self.outlet.end_comparison(id);
        self.rules.remove(id);
        for entry in &mut self.streams {
            entry.stream.remove(id, how);
        }
    }

    /// Those of the rules of which a version is here, be it only to finish its windows.
    fn held(&self, mut rules: Vec<Arc<str>>) -> Vec<Arc<str>> {
        let emitting: HashSet<&Arc<str>> = self.streams.iter().flat_map(|entry| entry.stream.emitting()).collect();
        rules.retain(|id| emitting.contains(id));
        rules
    }

    /// Streams whose last rule has finished go, and with them their decoding; so do kernels and ways out that no version
    /// needs.
    pub(super) fn drop_unused(&mut self) {
        self.unused = false;
        // What kernels that go have cost is booked before.
        self.accounts.read_kernels(&self.guests, &self.outlet);
        if self.streams.iter().any(|entry| entry.stream.is_idle()) {
            // What the last rules of a stream counted goes with the stream.
            self.book_counts();
            self.streams.retain(|entry| !entry.stream.is_idle());
        }
        let streams = || self.streams.iter().map(|entry| &entry.stream);
        let used: HashSet<KernelsId> = streams().flat_map(Stream::kernels).collect();
        self.guests.retain_kernels(&used);
        // A shadow holds up no library.
        let running = || {
            let entries = self.streams.iter().filter(|entry| entry.key().role == Role::Runs);
            entries.map(|entry| &entry.stream)
        };
        let (sites, accumulators) = (
            running().flat_map(Stream::sites),
            running().flat_map(Stream::accumulators),
        );
        self.guests.retain_sites(&sites.collect(), &accumulators.collect());
        let rules: HashSet<&Arc<str>> = streams().flat_map(Stream::emitting).collect();
        let accounts = &mut self.accounts;
        self.outlet.retain(|id, metrics| {
            let held = rules.contains(id);
            if !held {
                accounts.close(id, metrics);
            }
            held
        });
    }

    fn stream_position(&mut self, key: &StreamKey) -> usize {
        let known = self.streams.iter().position(|entry| entry.key() == key);
        known.unwrap_or_else(|| {
            self.streams
                .push(StreamEntry::new(key.clone(), Bounds::default(), self.seed.clone()));
            self.streams.len() - 1
        })
    }
}

/// How late the rows of a window may come.
fn lateness_of(spec: &RuleSpec) -> Duration {
    let event_time = spec.loaded.plan.event_time.as_ref();
    event_time.map_or(Duration::ZERO, |timing| Duration::from_millis(timing.lateness_ms))
}

/// How long a side of a comparison may leave a window out that the other one has, lateness aside.
const PATIENCE: Duration = Duration::from_secs(10);
