//! Rules that somebody stopped: their files are there, and they take no messages.

use super::super::mills::MillGone;
use super::Catalogue;
use super::entry::Candidate;

impl Catalogue {
    /// Takes the rule of a guest away, or says why not. Its open windows go as when its file is removed.
    pub(super) async fn stop_rule(&mut self, name: &str, candidate: Candidate) -> Result<(), MillGone> {
        if candidate.loaded.library.is_some() {
            let reason = format!("a library cannot be stopped, as rules share it; remove stopped from {name}.toml");
            self.refuse(name, Some(candidate.identity), reason, Some(candidate));
            return Ok(());
        }
        self.end_shadow(name).await?;
        self.remove_rule(name).await?;
        let entry = self.entry(name);
        if entry.stopped.is_none() {
            tracing::info!(rule = name, "stopped");
        }
        entry.waiting = None;
        entry.refused = None;
        entry.last_good = None;
        entry.stopped = Some(candidate);
        Ok(())
    }
}
