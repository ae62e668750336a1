//! New versions on probation, as the catalogue sees them: which version is good, and what happens when a new one is worse.
//!
//! The mills watch and judge; see [`super::super::mill::Incident`]. The store keeps the last good version over a restart,
//! so that a probation that a restart interrupts begins anew, and a version in quarantine stays there.

use super::super::command::{Command, LastGood};
use super::super::identity::Identity;
use super::super::mill::{Incident, OffendingBatch};
use super::super::mills::MillGone;
use super::entry::{Candidate, Refused};
use super::own_sinks::with_sinks_of;
use super::scan::Found;
use super::store::{Files, Store};
use super::{Catalogue, Watching};
use crate::clock;
use crate::config::Sidecar;
use crate::rule::{BuiltIn, LoadedLibrary};
use std::io;
use std::sync::Arc;

/// What the store says of a version.
pub(super) enum Quarantine {
    /// It may run.
    No,
    /// It may not; in its place this one may, if any.
    Yes { good: Option<Box<Candidate>> },
}

impl Catalogue {
    /// A mill says something about a version that it watches.
    pub(super) async fn handle(&mut self, incident: Incident) -> Result<(), MillGone> {
        match incident {
            Incident::RuleWorse { id, bad, reason, batch } => self.take_back(&id, bad, reason, batch).await?,
            Incident::LibraryWorse { bad, reason, batch } => {
                if let Some((name, identity)) = self.entry_of_library(&bad) {
                    self.take_back(&name, identity, reason, batch).await?;
                }
            }
            Incident::RuleProven { id, identity } => self.proven(&id, identity).await,
            Incident::LibraryProven { library } => {
                if let Some((name, identity)) = self.entry_of_library(&library)
                    && self.is_proven_everywhere(&name, &library.description.name).await?
                {
                    self.proven(&name, identity).await;
                }
            }
        }
        self.publish();
        Ok(())
    }

    /// One more mill says that a library has proven itself. It has when all say so on which rules call it: until then, one of
    /// them may still go back.
    async fn is_proven_everywhere(&mut self, file: &str, library: &str) -> Result<bool, MillGone> {
        let mut calling = 0;
        for mill in 0..self.parts.mills.len() {
            let name = library.to_owned();
            let in_use = self.parts.mills.ask(mill, |reply| Command::LibraryInUse(name, reply));
            calling += usize::from(in_use.await?);
        }
        let entry = self.entry(file);
        entry.proofs += 1;
        Ok(entry.proofs >= calling)
    }

    /// The version to go back to if a new one is worse: the one that runs, or while that is on probation the one before it;
    /// after a start, the one in the store.
    pub(super) async fn last_good(&mut self, name: &str, identity: Identity) -> Option<Candidate> {
        let entry = self.entries.get(name);
        if let Some(good) = entry.and_then(|entry| entry.last_good.clone()) {
            return (good.identity != identity).then_some(good);
        }
        if let Some(running) = entry.and_then(|entry| entry.running.as_ref()) {
            return (running.candidate.identity != identity).then(|| running.candidate.clone());
        }
        if self.with_store(name, Store::record).await?.is_good(identity) {
            return None;
        }
        self.load_good(name).await
    }

    /// Where a rule's last good version would run. Where its results would go is for `newest` to say, as far as its own sinks go.
    pub(super) async fn specify_good(
        &mut self,
        name: &str,
        good: &Candidate,
        newest: &Sidecar,
        mill: usize,
    ) -> Option<LastGood> {
        let loaded = good.loaded.rule.clone()?;
        let good = with_sinks_of(good, newest);
        match self.specify(name, &good, loaded).await {
            Ok(spec) => Some(LastGood {
                here: self.parts.mills.of_stream(&spec.stream) == mill,
                spec,
                lost_groups: false,
            }),
            Err(reason) => {
                tracing::warn!(guest = name, %reason, "the version before cannot come back, so the new one is not watched");
                None
            }
        }
    }

    /// Whether a version is in quarantine. Then it is not loaded; if nothing runs in its place, the last good version is
    /// to be put there.
    pub(super) async fn check_quarantine(&mut self, found: &Found) -> Quarantine {
        let (name, identity) = (&found.name, found.identity);
        let record = self.with_store(name, Store::record).await.unwrap_or_default();
        let Some(quarantined) = record.quarantined(identity) else {
            return Quarantine::No;
        };
        let reason = format!(
            "it is in quarantine since it was worse than the version before: {}; change it, or lift the quarantine with \
             `rulemill retry {name}`",
            quarantined.reason
        );
        tracing::error!(guest = &**name, %reason, "not loaded");
        self.metrics_of(name).reloads_refused.inc();
        self.quarantine(name, identity, reason);
        let runs = self.entries.get(name).is_some_and(|entry| entry.running.is_some());
        Quarantine::Yes {
            good: if runs {
                None
            } else {
                self.load_good(name).await.map(Box::new)
            },
        }
    }

    fn quarantine(&mut self, name: &str, identity: Identity, reason: String) {
        self.entry(name).quarantined = Some(Refused {
            identity: Some(identity),
            candidate: None,
            reason,
            at: clock::wall(),
        });
    }

    /// Puts the code of a version where a replay finds it, before any mill is told of it.
    pub(super) async fn keep_code(&self, candidate: &Candidate) -> Result<(), String> {
        let (Some(code), Some(files)) = (self.code.clone(), candidate.files.clone()) else {
            return Ok(());
        };
        let digest = candidate.identity.wasm;
        let kept = tokio::task::spawn_blocking(move || code.keep(digest, &files.wasm)).await;
        let kept = kept.map_err(|error| error.to_string())?;
        kept.map_err(|error| format!("its code cannot be kept in the data directory: {error}"))
    }

    /// A version runs: keeps its files, and while it is on probation what to go back to.
    pub(super) async fn keep_version(&mut self, name: &str, candidate: &mut Candidate, watched: Option<Candidate>) {
        if BuiltIn::is_place(name) {
            // It is in the program.
            return;
        }
        let identity = candidate.identity;
        let is_good = watched.is_none();
        let files = candidate.files.take();
        let kept = self.with_store(name, move |store, name| -> io::Result<()> {
            if let Some(files) = &files {
                store.keep(name, identity, files)?;
            }
            if is_good {
                store.set_good(name, identity)
            } else {
                Ok(())
            }
        });
        if let Some(Err(error)) = kept.await {
            tracing::warn!(guest = name, %error, "the version cannot be kept on disk; after a restart nothing is there to go back to");
        }
        let entry = self.entry(name);
        entry.last_good = watched;
        entry.proofs = 0;
    }

    /// The file is gone.
    pub(super) async fn forget_versions(&self, name: &str) {
        if let Some(Err(error)) = self.with_store(name, Store::forget_versions).await {
            tracing::warn!(guest = name, %error, "the kept versions cannot be removed");
        }
    }

    /// Lifts the quarantine of a guest, so that its file is tried again. True: there was something to lift.
    pub(super) async fn lift_quarantine(&mut self, name: &str) -> Result<bool, String> {
        match self.with_store(name, Store::lift_quarantine).await {
            Some(Ok(lifted)) => Ok(lifted),
            Some(Err(error)) => Err(format!("what is known of {name} cannot be written: {error}")),
            None => Ok(false),
        }
    }

    async fn take_back(
        &mut self,
        name: &str,
        bad: Identity,
        reason: String,
        batch: OffendingBatch,
    ) -> Result<(), MillGone> {
        let at = clock::wall();
        let text = reason.clone();
        let kept = self.with_store(name, move |store, name| {
            store.quarantine(name, bad, &text, at)?;
            match batch.messages.is_empty() {
                true => Ok(None),
                false => store.keep_batch(name, &batch, at).map(Some),
            }
        });
        let batch = match kept.await {
            Some(Ok(path)) => path.map(|path| path.display().to_string()),
            Some(Err(error)) => {
                tracing::error!(guest = name, %error, "the batch, or that the version was worse, cannot be kept on disk");
                None
            }
            None => None,
        };
        self.metrics_of(name).reloads_rolled_back.inc();
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.runs(bad)) else {
            return Ok(());
        };
        let Some(good) = entry.last_good.take() else {
            return Ok(());
        };
        tracing::error!(
            guest = name,
            %reason,
            bad = %bad.wasm,
            good = %good.identity.wasm,
            batch = batch.as_deref().unwrap_or("none"),
            "the new version was worse; the version before runs again"
        );
        self.apply(name, good, Watching::Not).await?;
        let reason = match batch {
            Some(path) => format!("rolled back: {reason} (the batch is in {path})"),
            None => format!("rolled back: {reason}"),
        };
        self.quarantine(name, bad, reason);
        Ok(())
    }

    async fn proven(&mut self, name: &str, identity: Identity) {
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.runs(identity)) else {
            return;
        };
        entry.last_good = None;
        tracing::info!(guest = name, "the new version has proven itself");
        let kept = self.with_store(name, move |store, name| store.set_good(name, identity));
        if let Some(Err(error)) = kept.await {
            tracing::warn!(guest = name, %error, "that the version is good cannot be kept on disk");
        }
    }

    pub(super) async fn load_good(&self, name: &str) -> Option<Candidate> {
        let Files { wasm, sidecar } = self.with_store(name, Store::good).await??;
        let found = Found::new(name.to_owned(), wasm, sidecar);
        match self.load(found).await {
            Ok(good) => Some(good),
            Err(reason) => {
                tracing::warn!(guest = name, %reason, "the last good version cannot be loaded any more");
                None
            }
        }
    }

    fn entry_of_library(&self, library: &Arc<LoadedLibrary>) -> Option<(String, Identity)> {
        self.entries.iter().find_map(|(name, entry)| {
            let candidate = &entry.running.as_ref()?.candidate;
            let loaded = candidate.loaded.library.as_ref()?;
            Arc::ptr_eq(loaded, library).then(|| (name.clone(), candidate.identity))
        })
    }

    /// Works with the store on a thread that may block. `None`: the work panicked, which has been logged.
    pub(super) async fn with_store<R: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Store, &str) -> R + Send + 'static,
    ) -> Option<R> {
        let store = self.store.clone();
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || work(&store, &name)).await.ok()
    }
}
