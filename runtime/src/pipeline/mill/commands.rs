//! What a mill does when it is told something, between two batches: rules and libraries come and go.

use super::super::command::{Command, PutLibrary, PutRule, Refusal, RuleSpec, StreamKey, Watch};
use super::super::streams::StreamEntry;
use super::{Mill, Placed};
use crate::config;
use rulemill_core::{Bounds, KernelsId, Removal, Stream, Swap};
use std::collections::HashSet;
use std::sync::Arc;

impl Mill {
    pub(in super::super) fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away meanwhile; the command is carried out all the same.
        match command {
            Command::PutRule(put, reply) => drop(reply.send(self.put_rule(*put))),
            Command::RemoveRule(id, how, reply) => {
                self.remove_rule(&id, how);
                let _ = reply.send(());
            }
            Command::CheckLibrary(library, reply) => drop(reply.send(self.guests.check_library(&library))),
            Command::PutLibrary(put, reply) => {
                self.put_library(put);
                let _ = reply.send(());
            }
            Command::RemoveLibrary(name, reply) => {
                self.probations.forget_library(&name);
                let sites = self.guests.remove_library(&name);
                self.forget(&sites);
                let _ = reply.send(());
            }
            Command::Finish => {}
        }
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
        let swap = self.install(spec, on_change)?;
        if same {
            self.probations.refresh(&id, last_good);
        } else {
            self.probations.watch_rule(&id, last_good, watch);
        }
        self.drop_unused();
        Ok(swap)
    }

    /// Puts a version in place, between two batches.
    pub(super) fn install(&mut self, spec: RuleSpec, on_change: config::OnChange) -> Result<Swap, Refusal> {
        let kernels = match spec.loaded.has_kernels() {
            true => {
                let prepared = self
                    .guests
                    .put_kernels(&spec.id, Arc::clone(&spec.loaded), &spec.settings, spec.limits);
                Some(prepared.map_err(|error| Refusal::Refused(format!("prepare: {error}")))?)
            }
            false => None,
        };
        let position = self.stream_position(&spec.stream);
        let entry = &mut self.streams[position];
        let version = spec.version(kernels, on_change);
        let put = entry.stream.put(&version, &mut self.guests, &mut self.output);
        self.outlet.flush_results(&mut self.output);
        match put {
            Ok(swap) => {
                self.outlet.add(&spec.id, spec.sinks.clone(), spec.metrics.clone());
                self.place(spec, kernels);
                Ok(swap)
            }
            Err(error) => {
                self.drop_unused();
                Err(error.into())
            }
        }
    }

    /// Books where a rule runs now. A rule that moved from another stream finishes its windows there.
    fn place(&mut self, spec: RuleSpec, kernels: Option<KernelsId>) {
        let (id, stream) = (Arc::clone(&spec.id), spec.stream.clone());
        let placed = Placed {
            lost_groups: false,
            spec,
            kernels,
        };
        let before = self.rules.insert(Arc::clone(&id), placed);
        if let Some(before) = before
            .map(|before| before.spec.stream)
            .filter(|before| *before != stream)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == before)
        {
            entry.stream.remove(&id, Removal::Retire);
        }
    }

    fn remove_rule(&mut self, id: &Arc<str>, how: Removal) {
        self.probations.forget_rule(id);
        if let Some(placed) = self.rules.remove(id)
            && let Some(entry) = self.streams.iter_mut().find(|entry| *entry.key() == placed.spec.stream)
        {
            entry.stream.remove(id, how);
        }
        self.drop_unused();
    }

    /// Streams whose last rule has finished go, and with them their decoding; so do kernels that no version needs.
    fn drop_unused(&mut self) {
        self.streams.retain(|entry| entry.stream.rules().next().is_some());
        let used: HashSet<KernelsId> = self.streams.iter().flat_map(|entry| entry.stream.kernels()).collect();
        self.guests.retain_kernels(&used);
        let streams = || self.streams.iter().map(|entry| &entry.stream);
        let (sites, accumulators) = (
            streams().flat_map(Stream::sites),
            streams().flat_map(Stream::accumulators),
        );
        self.guests.retain_sites(&sites.collect(), &accumulators.collect());
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
