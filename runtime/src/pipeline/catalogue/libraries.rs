//! Libraries in the catalogue: which file each comes from, who uses it, and when it may go.

use super::super::command::{Command, PutLibrary, Watch};
use super::super::mills::MillGone;
use super::entry::Candidate;
use super::{Catalogue, Watching};
use crate::rule::LoadedLibrary;
use std::sync::Arc;

impl Catalogue {
    /// Puts a guest's library on all mills, or says why not.
    pub(super) async fn apply_library(
        &mut self,
        name: &str,
        candidate: &Candidate,
        last_good: Option<&Candidate>,
    ) -> Result<Result<(), String>, MillGone> {
        let mills = Arc::clone(&self.parts.mills);
        let before = self.library_of(name);
        let Some(library) = candidate.library() else {
            if let Some(before) = before {
                return self.give_up_library(&before, name).await;
            }
            return Ok(Ok(()));
        };
        let library_name = &library.loaded.description.name;
        self.take_over(library_name, name).await?;
        let other = self
            .entries
            .values()
            .find(|entry| entry.library() == Some(library_name) && *entry.name != *name);
        if let Some(other) = other {
            return Ok(Err(format!(
                "the library {library_name} is already there, from {}.wasm; two libraries need two names",
                other.name
            )));
        }
        if let Some(before) = before.filter(|before| before != library_name)
            && let Err(reason) = self.give_up_library(&before, name).await?
        {
            return Ok(Err(reason));
        }
        // All mills are asked first, so that either all or none change.
        for mill in 0..mills.len() {
            let check = mills
                .ask(mill, |reply| Command::CheckLibrary(library.clone(), reply))
                .await?;
            if let Err(reason) = check {
                return Ok(Err(format!("rules that use it would break: {reason}")));
            }
        }
        for mill in 0..mills.len() {
            let put = PutLibrary {
                library: library.clone(),
                last_good: last_good.and_then(Candidate::library),
                watch: Watch::from(&candidate.sidecar.reload),
            };
            mills.ask(mill, |reply| Command::PutLibrary(put, reply)).await?;
        }
        if let Some(before) = self.loaded_library(library_name) {
            let gone = before.functions().filter(|name| !library.loaded.has_function(name));
            self.end_series(library_name, gone);
        }
        Ok(Ok(()))
    }

    /// Takes a library away, unless rules use it.
    pub(super) async fn give_up_library(&self, library: &str, file: &str) -> Result<Result<(), String>, MillGone> {
        let users = self.users_of(library, file);
        if !users.is_empty() {
            let users = users.join(", ");
            return Ok(Err(format!(
                "the library {library} is used by {users}; remove these first"
            )));
        }
        for mill in 0..self.parts.mills.len() {
            let name = library.to_owned();
            self.parts
                .mills
                .ask(mill, |reply| Command::RemoveLibrary(name, reply))
                .await?;
        }
        if let Some(gone) = self.loaded_library(library) {
            self.end_series(library, gone.functions());
        }
        self.parts.families.guests.remove(&library.into());
        Ok(Ok(()))
    }

    /// A library whose file is gone goes on under the name of the file that has it now: somebody renamed it.
    async fn take_over(&mut self, library: &str, name: &str) -> Result<(), MillGone> {
        let mut entries = self.entries.values();
        let left = entries.find(|entry| entry.removed && *entry.name != *name && entry.library() == Some(library));
        let Some(left) = left.map(|entry| Arc::clone(&entry.name)) else {
            return Ok(());
        };
        if self.entries.get(name).is_some_and(|entry| entry.running.is_some()) {
            return Ok(());
        }
        self.remove_rule(&left).await?;
        let running = self.entries.get_mut(&*left).and_then(|entry| entry.running.take());
        self.entry(name).running = running;
        tracing::info!(library, from = &*left, to = name, "the library's file has another name");
        Ok(())
    }

    /// What waits for a library is tried again; so is what was refused, when `something_went` that may have been the
    /// reason. Files that are gone are forgotten with their last window and their last user, which may be a reason to try
    /// once more.
    pub(super) async fn retry(&mut self, mut something_went: bool) -> Result<(), MillGone> {
        loop {
            let mut candidates: Vec<(String, Candidate)> = Vec::new();
            for (name, entry) in self.entries.iter().filter(|(_, entry)| !entry.removed) {
                let waiting = entry.waiting.as_ref().map(|(candidate, _)| candidate);
                let refused = entry.refused.as_ref().filter(|_| something_went);
                let candidate = waiting.or_else(|| refused?.candidate.as_ref());
                candidates.extend(candidate.map(|candidate| (name.clone(), candidate.clone())));
            }
            candidates.sort_by_key(|(_, candidate)| candidate.loaded.library.is_none());
            for (name, candidate) in candidates {
                self.apply(&name, candidate, Watching::AsConfigured).await?;
            }
            something_went = self.let_go().await?;
            // Each further round has one entry fewer.
            if !something_went {
                return Ok(());
            }
        }
    }

    /// The library that runs under this name.
    pub(super) fn loaded_library(&self, library: &str) -> Option<&LoadedLibrary> {
        let entry = self.entries.values().find(|entry| entry.library() == Some(library))?;
        entry.running.as_ref()?.candidate.loaded.library.as_deref()
    }

    /// Ends the metrics of functions that no mill has any more.
    fn end_series<'f>(&self, library: &str, functions: impl Iterator<Item = &'f str>) {
        let library: Arc<str> = library.into();
        for function in functions {
            self.parts.families.remove_function(&library, &function.into());
        }
    }

    pub(super) fn library_of(&self, name: &str) -> Option<String> {
        self.entries.get(name)?.library().map(ToOwned::to_owned)
    }

    /// The names of guests whose rules call the library, the library's own file aside.
    pub(super) fn users_of(&self, library: &str, file: &str) -> Vec<String> {
        let exporters = |function: &str| {
            self.entries
                .values()
                .filter_map(|entry| entry.running.as_ref()?.candidate.loaded.library.as_ref())
                .filter(|loaded| loaded.has_function(function))
                .map(|loaded| loaded.description.name.as_str())
                .collect::<Vec<_>>()
        };
        self.entries
            .values()
            .filter(|entry| *entry.name != *file)
            .filter_map(|entry| Some((entry, entry.running_rule()?)))
            .filter(|(_, rule)| {
                rule.calls().any(|(wanted, function)| match wanted {
                    Some(wanted) => wanted == library,
                    None => exporters(function) == [library],
                })
            })
            .map(|(entry, _)| entry.name.to_string())
            .collect()
    }
}
