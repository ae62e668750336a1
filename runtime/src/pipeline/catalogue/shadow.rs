//! Shadows: new versions of rules that run beside the one before on the same messages, and emit nothing until somebody
//! promotes them.

use super::super::command::{Command, PutShadow, Refusal, Role, RuleSpec, StreamKey};
use super::super::identity::Identity;
use super::super::mills::MillGone;
use super::entry::{Candidate, Running, Shadow};
use super::store::Store;
use super::{Catalogue, Watching};
use crate::clock;
use crate::http::RequestRefused;
use crate::rule::LoadedRule;
use rulemill_core::Removal;
use std::sync::Arc;

impl Catalogue {
    /// Whether a version is to run beside another one, or alone, without emitting.
    pub(super) async fn is_shadow(&self, name: &str, candidate: &Candidate) -> bool {
        let identity = candidate.identity;
        let entry = self.entries.get(name);
        let runs = entry.is_some_and(|entry| entry.runs(identity) || entry.promoted == Some(identity));
        if !candidate.sidecar.shadow || runs {
            return false;
        }
        let record = self.with_store(name, Store::record).await;
        !record.is_some_and(|record| record.may_run(identity))
    }

    /// Runs a version in the shadow of the one that runs, or says why not.
    pub(super) async fn apply_shadow(&mut self, name: &str, candidate: Candidate) -> Result<(), MillGone> {
        let identity = candidate.identity;
        if let Some(reason) = self.start_last_good(name).await? {
            self.wait_for_library(name, candidate, reason);
            return Ok(());
        }
        let loaded = match (&candidate.loaded.rule, &candidate.loaded.library) {
            (Some(rule), None) => Arc::clone(rule),
            (_, Some(_)) | (None, None) => {
                let reason = format!(
                    "a library cannot be a shadow, as rules share it; remove shadow from {name}.toml, and it is watched as \
                     reload.probation says"
                );
                self.refuse(name, Some(identity), reason, Some(candidate));
                return Ok(());
            }
        };
        let spec = match self.specify_shadow(name, &candidate, loaded).await {
            Ok(spec) => spec,
            Err(reason) => {
                self.refuse(name, Some(identity), reason, Some(candidate));
                return Ok(());
            }
        };
        match self.put_shadow(name, &candidate, spec).await? {
            Ok(shadow) => {
                let entry = self.entry(name);
                // What is known of other versions stays: that the one that should run does not, say.
                entry.waiting.take_if(|(waiting, _)| waiting.identity == identity);
                entry.refused.take_if(|refused| refused.identity == Some(identity));
                entry.shadow = Some(shadow);
            }
            Err(Refusal::Waiting(reason)) => self.wait_for_library(name, candidate, reason),
            Err(Refusal::Refused(reason)) => self.refuse(name, Some(identity), reason, Some(candidate)),
        }
        Ok(())
    }

    /// After a start nothing runs yet: the version that did before is in the store. Gives what it waits for, if it does.
    async fn start_last_good(&mut self, name: &str) -> Result<Option<String>, MillGone> {
        if self.entry(name).running.is_some() {
            return Ok(None);
        }
        let Some(good) = self.load_good(name).await else {
            return Ok(None);
        };
        self.apply(name, good, Watching::Not).await?;
        let waiting = self.entry(name).waiting.as_ref();
        Ok(waiting.map(|(_, reason)| reason.clone()))
    }

    async fn specify_shadow(
        &mut self,
        name: &str,
        candidate: &Candidate,
        loaded: Arc<LoadedRule>,
    ) -> Result<RuleSpec, String> {
        let spec = self.specify(name, candidate, loaded).await?;
        Ok(RuleSpec {
            id: shadow_id(name).into(),
            role: Role::Shadow,
            stream: StreamKey {
                role: Role::Shadow,
                ..spec.stream
            },
            sinks: Vec::new(),
            ..spec
        })
    }

    async fn put_shadow(
        &mut self,
        name: &str,
        candidate: &Candidate,
        spec: RuleSpec,
    ) -> Result<Result<Shadow, Refusal>, MillGone> {
        let stream = spec.stream.clone();
        let mill = self.parts.mills.of_stream(&stream);
        let entry = self.entry(name);
        let beside = entry.running.as_ref().and_then(|running| running.stream.clone());
        let unchanged = |shadow: &mut Shadow| {
            let before = &shadow.version.candidate;
            before.identity == candidate.identity
                && before.sidecar == candidate.sidecar
                && shadow.beside == beside
                && shadow
                    .version
                    .stream
                    .as_ref()
                    .is_some_and(|(before, _)| *before == stream)
        };
        // The comparison goes on.
        if let Some(shadow) = entry.shadow.take_if(unchanged) {
            return Ok(Ok(shadow));
        }
        self.end_shadow(name).await?;
        let not_compared = match &beside {
            None => Some("no version runs".to_owned()),
            Some((listens, _)) if listens.source != stream.source || listens.filters != stream.filters => {
                Some("the version that runs listens to other topics, or to another source".to_owned())
            }
            Some(_) => None,
        };
        let comparison = self.parts.families.shadows.start(&name.into());
        let put = PutShadow {
            spec: RuleSpec {
                metrics: self.metrics_of(&shadow_id(name)),
                ..spec
            },
            running: not_compared.is_none().then(|| name.into()),
            metrics: comparison.clone(),
        };
        let mills = &self.parts.mills;
        mills.wake(mill);
        let put = mills
            .ask(mill, |reply| Command::PutShadow(Box::new(put), reply))
            .await?;
        if let Err(refusal) = put {
            self.forget_shadow(name);
            return Ok(Err(refusal));
        }
        tracing::info!(
            rule = name,
            not_compared,
            "the new version runs in the shadow of the one before"
        );
        Ok(Ok(Shadow {
            version: Running {
                candidate: candidate.clone(),
                since: clock::wall(),
                stream: Some((stream, mill)),
            },
            beside,
            not_compared,
            comparison,
        }))
    }

    /// The files are other ones than those of the shadow: it ends, whatever becomes of them.
    pub(super) async fn end_shadow_unless(&mut self, name: &str, identity: Identity) -> Result<(), MillGone> {
        let shadow = self.entries.get(name).and_then(|entry| entry.shadow.as_ref());
        if shadow.is_some_and(|shadow| shadow.version.candidate.identity != identity) {
            self.end_shadow(name).await?;
        }
        Ok(())
    }

    /// Ends the shadow of a rule, if it has one, and gives it.
    pub(super) async fn end_shadow(&mut self, name: &str) -> Result<Option<Candidate>, MillGone> {
        let Some(shadow) = self.entries.get_mut(name).and_then(|entry| entry.shadow.take()) else {
            return Ok(None);
        };
        if let Some((_, mill)) = shadow.version.stream {
            let id: Arc<str> = shadow_id(name).into();
            let mills = &self.parts.mills;
            mills
                .ask(mill, |reply| Command::RemoveRule(id, Removal::Discard, reply))
                .await?;
        }
        self.forget_shadow(name);
        Ok(Some(shadow.version.candidate))
    }

    fn forget_shadow(&mut self, name: &str) {
        let id = shadow_id(name);
        self.metrics.remove(&id);
        self.parts.families.remove_rule(&id.into());
        self.parts.families.shadows.remove(&name.into());
    }

    /// Puts the shadow in place of the version that runs.
    pub(super) async fn promote(&mut self, name: &str) -> Result<Result<String, RequestRefused>, MillGone> {
        let Some(candidate) = self.end_shadow(name).await? else {
            return Ok(Err(RequestRefused::Conflict(format!(
                "{name} has no shadow; a new version runs as one when {name}.toml says shadow = true"
            ))));
        };
        let identity = candidate.identity;
        let before = self.entry(name).promoted.replace(identity);
        self.apply(name, candidate.clone(), Watching::AsConfigured).await?;
        let entry = self.entry(name);
        let answer = if entry.runs(identity) {
            tracing::info!(rule = name, "the shadow is promoted");
            self.note_promoted(name, identity).await;
            Ok(format!("the shadow of {name} runs in place of the version before"))
        } else {
            let waiting = entry.waiting.as_ref().map(|(_, reason)| reason.clone());
            let refused = || entry.refusal().map(|refused| refused.reason.clone());
            let reason = waiting.or_else(refused).unwrap_or_default();
            entry.promoted = before;
            self.apply(name, candidate, Watching::AsConfigured).await?;
            Err(RequestRefused::Conflict(format!(
                "the shadow of {name} stays one, as it cannot run: {reason}"
            )))
        };
        self.retry(true).await?;
        self.publish();
        Ok(answer)
    }

    async fn note_promoted(&self, name: &str, identity: Identity) {
        let noted = self.with_store(name, move |store, name| store.set_promoted(name, identity));
        if let Some(Err(error)) = noted.await {
            tracing::warn!(guest = name, %error, "that the version was promoted cannot be kept on disk; after a restart it is a shadow");
        }
    }
}

/// The id under which the mills and the metrics know a rule's shadow. No file can have that name.
pub(super) fn shadow_id(name: &str) -> String {
    format!("{name}/shadow")
}
