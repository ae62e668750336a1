//! How a loaded version takes the place of the one that runs.

use super::super::command::{Command, PutRule, Refusal, RuleSpec, StreamKey};
use super::super::mills::MillGone;
use super::entry::{Candidate, Entry};
use super::{Catalogue, Watching, resolve};
use crate::rule::LoadedRule;
use rulemill_core::{Removal, Swap};
use std::sync::Arc;

impl Catalogue {
    /// Puts a loaded version in place of the running one, or says why not.
    pub(super) async fn apply(
        &mut self,
        name: &str,
        mut candidate: Candidate,
        watching: Watching,
    ) -> Result<(), MillGone> {
        if candidate.sidecar.stopped {
            return self.stop_rule(name, candidate).await;
        }
        self.provide(&candidate).await?;
        if watching == Watching::AsConfigured && self.is_shadow(name, &candidate).await {
            return Box::pin(self.apply_shadow(name, candidate)).await;
        }
        let last_good = match watching {
            Watching::AsConfigured if !candidate.sidecar.reload.probation.is_zero() => {
                self.last_good(name, candidate.identity).await
            }
            Watching::AsConfigured | Watching::Not => None,
        };
        if let Err(reason) = self.keep_code(&candidate).await {
            self.refuse(name, Some(candidate.identity), reason, Some(candidate));
            return Ok(());
        }
        if let Err(reason) = self.apply_library(name, &candidate, last_good.as_ref()).await? {
            self.refuse(name, Some(candidate.identity), reason, Some(candidate));
            return Ok(());
        }
        match self.apply_rule(name, &candidate, last_good.as_ref()).await? {
            Ok(stream) => {
                self.retire_own_sinks(name, &candidate.sidecar).await;
                self.keep_version(name, &mut candidate, last_good).await;
                let before = self.running_since(name, candidate.identity);
                self.accept(name, candidate, stream);
                // A shadow is compared with the version that runs, which is another one now.
                if before.is_none()
                    && let Some(shadow) = self.end_shadow(name).await?
                {
                    Box::pin(self.apply_shadow(name, shadow)).await?;
                }
            }
            Err(refusal) => {
                self.put_back_own_sinks(name).await;
                match refusal {
                    Refusal::Waiting(reason) => self.wait_for_library(name, candidate, reason),
                    Refusal::Refused(reason) => {
                        self.refuse(name, Some(candidate.identity), reason, Some(candidate));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn wait_for_library(&mut self, name: &str, candidate: Candidate, reason: String) {
        let entry = self.entry(name);
        if entry.waiting.as_ref().is_none_or(|(_, known)| *known != reason) {
            tracing::warn!(guest = name, %reason, "waits for a library");
        }
        entry.refused = None;
        entry.stopped = None;
        entry.waiting = Some((candidate, reason));
    }

    async fn apply_rule(
        &mut self,
        name: &str,
        candidate: &Candidate,
        last_good: Option<&Candidate>,
    ) -> Result<Result<Option<(StreamKey, usize)>, Refusal>, MillGone> {
        let Some(loaded) = &candidate.loaded.rule else {
            self.remove_rule(name).await?;
            return Ok(Ok(None));
        };
        if let Err(reason) = self.put_own_sinks(name, &candidate.sidecar).await {
            return Ok(Err(Refusal::Refused(reason)));
        }
        let spec = match self.specify(name, candidate, Arc::clone(loaded)).await {
            Ok(specified) => specified,
            Err(reason) => return Ok(Err(Refusal::Refused(reason))),
        };
        let stream = spec.stream.clone();
        let mill = self.parts.mills.of_stream(&stream);
        let last_good = match last_good {
            Some(good) => self.specify_good(name, good, &candidate.sidecar, mill).await,
            None => None,
        };
        let mills = &self.parts.mills;
        mills.wake(mill);
        let put = PutRule { spec, last_good };
        let put = mills.ask(mill, |reply| Command::PutRule(Box::new(put), reply)).await?;
        let swap = match put {
            Ok(swap) => swap,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = self.entries.get(name).and_then(Entry::mill);
        if let Some(old_mill) = before.filter(|old_mill| *old_mill != mill) {
            let id: Arc<str> = name.into();
            mills
                .ask(old_mill, |reply| Command::RemoveRule(id, Removal::Retire, reply))
                .await?;
        }
        if self.running_since(name, candidate.identity).is_none() {
            self.metrics_of(name).reloads_ok.inc();
            tracing::info!(rule = name, state = swap_words(&swap), "rule loaded");
        }
        Ok(Ok(Some((stream, mill))))
    }

    pub(super) async fn specify(
        &mut self,
        name: &str,
        candidate: &Candidate,
        loaded: Arc<LoadedRule>,
    ) -> Result<RuleSpec, String> {
        let metrics = self.metrics_of(name);
        let sinks = self.parts.sinks.read().await;
        let sources = self.sources();
        let resolved = resolve::resolve(&loaded.plan, &candidate.sidecar, &self.names(&sources))?;
        let handles = resolved.sinks.iter().filter_map(|name| sinks.handle(name)).collect();
        Ok(candidate.spec(name, loaded, resolved, handles, metrics))
    }
}

fn swap_words(swap: &Swap) -> &'static str {
    match swap {
        Swap::New => "new",
        Swap::StateKept => "open windows go on",
        Swap::StateDraining => "open windows finish with the old version",
        Swap::Forgotten => "what steps remembered begins anew",
    }
}
