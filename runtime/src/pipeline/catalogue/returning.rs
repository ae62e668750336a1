//! The first look after a start. What a file was before it was spoiled, or removed, while nothing ran goes on as if that had
//! happened before everybody's eyes: a file that is refused leaves the version before it running, and a library that rules use
//! outlives its file.

use super::super::journal::recovery::Running;
use super::super::mills::MillGone;
use super::entry::{Candidate, Entry};
use super::watch::Touched;
use super::{Catalogue, Watching};
use std::collections::BTreeSet;

impl Catalogue {
    /// Looks for the first time. `before` is what an earlier process has left running.
    pub(in super::super) async fn begin(&mut self, before: &Running) -> Result<(), MillGone> {
        self.look(&Touched::default()).await?;
        let gone = self.versions_without_files().await;
        self.keep_used_libraries(&gone, before).await?;
        // Rules may be refused only because a library is.
        self.go_on_with_good(|candidate| candidate.loaded.library.is_some())
            .await?;
        self.apply_queries().await?;
        self.retry(true).await?;
        self.go_on_with_good(|_| true).await?;
        self.retry(false).await?;
        self.take_leftovers_away(before).await?;
        self.drop_leftover_sinks().await?;
        for name in gone.difference(&self.entries.keys().cloned().collect()) {
            self.forget_versions(name).await;
        }
        self.publish();
        Ok(())
    }

    /// Guests of which a version is kept, but whose file is not there.
    async fn versions_without_files(&self) -> BTreeSet<String> {
        let mut names = self
            .with_store("", |store, _| store.names_of_good())
            .await
            .unwrap_or_default();
        names.retain(|name| !self.entries.contains_key(name));
        names
    }

    /// Puts the libraries back that an earlier process had and whose files are gone; as after a removal, each goes with its last
    /// user.
    async fn keep_used_libraries(&mut self, gone: &BTreeSet<String>, before: &Running) -> Result<(), MillGone> {
        if before.libraries.is_empty() {
            // Nothing has to be loaded to know that.
            return Ok(());
        }
        for name in gone {
            let good = self.load_good(name).await;
            let Some(good) = good.filter(|good| {
                let library = good.loaded.library.as_ref();
                let library = library.map(|library| &library.description.name);
                // The program may have it too, and has put it in place already.
                library
                    .is_some_and(|library| before.libraries.contains(library) && self.loaded_library(library).is_none())
            }) else {
                continue;
            };
            self.apply(name, good, Watching::Not).await?;
            let library = self.library_of(name);
            let Some(entry) = self.entries.get_mut(name) else {
                continue;
            };
            entry.removed = true;
            if let Some(library) = library {
                tracing::warn!(
                    guest = name,
                    library,
                    "the file is gone; the library runs on for the rules that use it"
                );
            } else {
                self.entries.remove(name);
            }
        }
        Ok(())
    }

    /// For every file that was refused and in whose place nothing runs: the last good version that is `wanted`, if there is one.
    async fn go_on_with_good(&mut self, wanted: impl Fn(&Candidate) -> bool) -> Result<(), MillGone> {
        let stopped = |entry: &&Entry| entry.refused.is_some() && entry.running.is_none() && !entry.removed;
        let stopped: Vec<String> = self
            .entries
            .values()
            .filter(stopped)
            .map(|entry| entry.name.to_string())
            .collect();
        for name in stopped {
            let Some(good) = self.load_good(&name).await.filter(&wanted) else {
                continue;
            };
            let refused = self.entry(&name).refused.take();
            if refused.as_ref().and_then(|refused| refused.identity) != Some(good.identity) {
                self.apply(&name, good, Watching::Not).await?;
            }
            let entry = self.entry(&name);
            if entry.running.is_some() {
                tracing::warn!(guest = &*name, "its file is refused; the version before it goes on");
            }
            // This is still what is wrong with the file.
            entry.refused = refused;
        }
        Ok(())
    }
}
