//! What goes: rules and libraries whose file is gone.

use super::super::command::Command;
use super::super::mills::MillGone;
use super::Catalogue;
use crate::config::OnRemove;
use rulemill_core::Removal;
use std::sync::Arc;

impl Catalogue {
    /// Forgets a guest of which nothing runs any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.entries.remove(name);
        self.metrics.remove(name);
        self.parts.families.remove_rule(&name.into());
    }

    /// The file is gone. A rule finishes its windows; a library that rules use runs on.
    pub(super) async fn remove(&mut self, name: &str) -> Result<(), MillGone> {
        if !self.entries.contains_key(name) {
            return Ok(());
        }
        self.remove_rule(name).await?;
        let library = self
            .entries
            .get(name)
            .and_then(|entry| entry.library().map(ToOwned::to_owned));
        if let Some(library) = library
            && let Err(reason) = self.give_up_library(&library, name).await?
        {
            tracing::warn!(guest = name, %reason, "the file is gone; the loaded library runs on");
            self.entry(name).removed = true;
            return Ok(());
        }
        self.forget(name);
        self.forget_versions(name).await;
        tracing::info!(guest = name, "removed");
        Ok(())
    }

    pub(super) async fn remove_rule(&mut self, name: &str) -> Result<(), MillGone> {
        let stream = self
            .entries
            .get_mut(name)
            .and_then(|entry| entry.running.as_mut()?.stream.take());
        if let Some((_, mill)) = stream {
            let id: Arc<str> = name.into();
            let how = self.removal_of(name);
            self.parts
                .mills
                .ask(mill, |reply| Command::RemoveRule(id, how, reply))
                .await?;
        }
        Ok(())
    }

    /// What becomes of the open windows when the rule's file goes.
    fn removal_of(&self, name: &str) -> Removal {
        let running = self.entries.get(name).and_then(|entry| entry.running.as_ref());
        match running.map(|running| running.candidate.sidecar.reload.on_remove) {
            Some(OnRemove::Discard) => Removal::Discard,
            Some(OnRemove::Drain) | None => Removal::Drain,
        }
    }

    /// Removes the libraries whose file is gone and which nobody uses any more. True: there were some.
    pub(super) async fn remove_unused(&mut self) -> Result<bool, MillGone> {
        let left = self.entries.values().filter(|entry| entry.removed);
        let unused: Vec<Arc<str>> = left
            .filter(|entry| {
                let library = entry.library();
                library.is_none_or(|library| self.users_of(library, &entry.name).is_empty())
            })
            .map(|entry| Arc::clone(&entry.name))
            .collect();
        for name in &unused {
            self.remove(name).await?;
        }
        Ok(!unused.is_empty())
    }
}
