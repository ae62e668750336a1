//! What goes: rules and libraries whose file is gone. A rule finishes its windows first, and a library the windows that
//! need it.

use super::super::command::Command;
use super::super::journal::recovery::Running;
use super::super::mills::MillGone;
use super::Catalogue;
use super::entry::Entry;
use crate::config::OnRemove;
use crate::rule::BuiltIn;
use rulemill_core::Removal;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Catalogue {
    /// The file is gone. A rule finishes its windows; a library that rules use runs on. [`Catalogue::retry`] lets the rest
    /// go.
    pub(super) async fn remove(&mut self, name: &str) -> Result<(), MillGone> {
        let Some(entry) = self.entries.get_mut(name) else {
            return Ok(());
        };
        entry.removed = true;
        entry.waiting = None;
        entry.refused = None;
        entry.quarantined = None;
        entry.stopped = None;
        self.end_shadow(name).await?;
        self.remove_rule(name).await?;
        let users = self.library_of(name).map(|library| self.users_of(&library, name));
        if let Some(users) = users.filter(|users| !users.is_empty()) {
            let users = users.join(", ");
            tracing::warn!(guest = name, users, "the file is gone; the loaded library runs on");
        }
        Ok(())
    }

    /// Takes away what an earlier process has left running and the directory does not have any more: rules finish their windows.
    pub(super) async fn take_leftovers_away(&mut self, before: &Running) -> Result<(), MillGone> {
        let mills = Arc::clone(&self.parts.mills);
        for (rule, &mill) in &before.rules {
            let entry = self.entries.get(rule);
            let here = entry.and_then(|entry| entry.running.as_ref()?.stream.as_ref());
            if here.is_some_and(|(_, at)| *at == mill) {
                continue;
            }
            let how = if here.is_some() {
                Removal::Retire
            } else {
                Removal::Drain
            };
            let id: Arc<str> = rule.as_str().into();
            mills.ask(mill, |reply| Command::RemoveRule(id, how, reply)).await?;
            if how == Removal::Drain {
                let reason = match entry {
                    None => "its file is not there any more",
                    Some(_) => "nothing of its file can run",
                };
                tracing::warn!(rule, reason, "the rule finishes the windows that it had open");
            }
        }
        for library in &before.libraries {
            let is_there = self.entries.values().any(|entry| entry.library() == Some(library));
            if is_there || self.in_use(library).await? {
                continue;
            }
            for mill in 0..mills.len() {
                let name = library.clone();
                mills.ask(mill, |reply| Command::RemoveLibrary(name, reply)).await?;
            }
        }
        Ok(())
    }

    /// Takes the rule of a guest away.
    pub(super) async fn remove_rule(&mut self, name: &str) -> Result<(), MillGone> {
        let how = self.removal_of(name);
        let mill = self.entries.get_mut(name).and_then(Entry::take_rule_away);
        if let Some(mill) = mill {
            let id: Arc<str> = name.into();
            self.parts
                .mills
                .ask(mill, |reply| Command::RemoveRule(id, how, reply))
                .await?;
        }
        Ok(())
    }

    /// A version of some rule has gone: what waited for that goes too, or comes.
    pub(super) async fn clean_up(&mut self) -> Result<(), MillGone> {
        let goes = |entry: &Entry| entry.removed && !BuiltIn::is_place(&entry.name);
        let waits = |entry: &Entry| goes(entry) || entry.draining.is_some() || entry.refused.is_some();
        self.drop_leftover_sinks().await?;
        if self.entries.values().any(waits) {
            self.retry(true).await?;
            self.publish();
        }
        Ok(())
    }

    /// Forgets files that are gone and of which nothing runs any more. True: there were some.
    pub(super) async fn let_go(&mut self) -> Result<bool, MillGone> {
        self.find_drained().await?;
        let left = self
            .entries
            .values()
            .filter(|entry| entry.removed && entry.draining.is_none())
            // What the program has itself stays once it is there: it costs little, and rules come again.
            .filter(|entry| entry.running.is_none() || !BuiltIn::is_place(&entry.name));
        let left: Vec<Arc<str>> = left.map(|entry| Arc::clone(&entry.name)).collect();
        let mut any = false;
        for name in &left {
            if let Some(library) = self.library_of(name)
                && (self.in_use(&library).await? || self.give_up_library(&library, name).await?.is_err())
            {
                continue;
            }
            self.forget(name);
            self.drop_own_sinks(name).await;
            self.forget_versions(name).await;
            tracing::info!(guest = &**name, "removed");
            any = true;
        }
        Ok(any)
    }

    /// What becomes of the open windows when the rule's file goes.
    fn removal_of(&self, name: &str) -> Removal {
        let running = self.entries.get(name).and_then(|entry| entry.running.as_ref());
        match running.map(|running| running.candidate.sidecar.reload.on_remove) {
            Some(OnRemove::Discard) => Removal::Discard,
            Some(OnRemove::Drain) | None => Removal::Drain,
        }
    }

    /// Notes which of the rules that were taken away have emitted their last window.
    async fn find_drained(&mut self) -> Result<(), MillGone> {
        let draining = self.entries.values().filter(|entry| entry.draining.is_some());
        let draining: Vec<Arc<str>> = draining.map(|entry| Arc::clone(&entry.name)).collect();
        if draining.is_empty() {
            return Ok(());
        }
        let mut held = BTreeSet::new();
        let mills = Arc::clone(&self.parts.mills);
        for mill in 0..mills.len() {
            held.extend(mills.ask(mill, |reply| Command::Held(draining.clone(), reply)).await?);
        }
        for name in draining.iter().filter(|name| !held.contains(*name)) {
            self.entry(name).draining = None;
        }
        Ok(())
    }

    /// Whether a window that is still open needs the library.
    async fn in_use(&self, library: &str) -> Result<bool, MillGone> {
        let mills = &self.parts.mills;
        for mill in 0..mills.len() {
            let name = library.to_owned();
            if mills.ask(mill, |reply| Command::LibraryInUse(name, reply)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets a guest of which nothing runs any more.
    fn forget(&mut self, name: &str) {
        self.entries.remove(name);
        self.metrics.remove(name);
        self.parts.families.remove_rule(&name.into());
    }
}
