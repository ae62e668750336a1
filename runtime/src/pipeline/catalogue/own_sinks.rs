//! Sinks that only one rule has: `[sink.NAME]` beside it, or the actions of a rule file. They come before the rule that sends to
//! them, and go after it.

use super::super::command::Command;
use super::super::mills::MillGone;
use super::Catalogue;
use super::entry::Candidate;
use super::scan::{Form, Found, guest_name};
use super::store::Store;
use crate::config::{Config, GuestDefaults, NameChanges, RuleFile, Sidecar, SinkConfig, SinkKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The sinks of single rules, by rule, and then by the names under which they run.
pub(in super::super) type OwnSinks = BTreeMap<String, BTreeMap<String, SinkConfig>>;

/// Those that the files say when nothing runs yet, so that a replay finds them. Of a file that is wrong or gone, those of the
/// last good version. This may block for as long as the file system does.
pub(in super::super) fn own_sinks_at_start(config: &Config) -> OwnSinks {
    let defaults = GuestDefaults::from(config);
    let store = Store::new(&config.data_dir);
    let mut all = OwnSinks::new();
    let entries = std::fs::read_dir(&config.rules.dir).into_iter().flatten().flatten();
    let mut names = store.names_of_good();
    for entry in entries {
        let file = entry.file_name();
        let Some((name, form)) = file.to_str().and_then(guest_name) else {
            continue;
        };
        let of_file = match sidecar_of(&config.rules.dir, name, form, &defaults) {
            Some(sidecar) => sidecar,
            None => continue,
        };
        names.remove(name);
        let own = of_file.map(|sidecar| sidecar.own_sinks);
        let own = own.unwrap_or_else(|| of_good(&store, name, &defaults));
        all.insert(name.to_owned(), own);
    }
    for name in names {
        let own = of_good(&store, &name, &defaults);
        all.insert(name, own);
    }
    all.retain(|_, own| !own.is_empty());
    all
}

/// What the file beside a guest says; the inner `None`: it is wrong. The outer one: it says nothing of sinks.
#[expect(clippy::option_option, reason = "a file may be absent, or there and wrong")]
fn sidecar_of(dir: &Path, name: &str, form: Form, defaults: &GuestDefaults) -> Option<Option<Sidecar>> {
    let text = match form {
        Form::Json => {
            let Ok(found) = Found::read(dir, name, form, defaults.limits.file_bytes_max) else {
                return Some(None);
            };
            let rule = std::str::from_utf8(&found.wasm).ok().map(RuleFile::parse);
            let Some(Ok(rule)) = rule else {
                return Some(None);
            };
            rule.sidecar(found.sidecar.as_deref())
        }
        Form::Wasm | Form::Sql => std::fs::read_to_string(dir.join(format!("{name}.toml"))).ok()?,
    };
    Some(Sidecar::parse(&text, &format!("{name}.toml"), defaults).ok())
}

fn of_good(store: &Store, name: &str, defaults: &GuestDefaults) -> BTreeMap<String, SinkConfig> {
    let text = store.good(name).and_then(|files| files.sidecar);
    let sidecar = text.and_then(|text| Sidecar::parse(&text, &format!("{name}.toml"), defaults).ok());
    sidecar.map(|sidecar| sidecar.own_sinks).unwrap_or_default()
}

impl Catalogue {
    /// Starts the sinks that a version of a rule brings along, and changes those that it has otherwise. Those that it does not
    /// have any more run on: the version before may still send to them.
    pub(super) async fn put_own_sinks(&mut self, name: &str, sidecar: &Sidecar) -> Result<(), String> {
        let wanted = &sidecar.own_sinks;
        self.check_client_ids(name, wanted)?;
        let running = self.own_sinks.get(name);
        if wanted.is_empty() || running == Some(wanted) {
            return Ok(());
        }
        let before = |sink: &String| running.and_then(|running| running.get(sink));
        let mut changes = NameChanges::default();
        for (sink, config) in wanted {
            match before(sink) {
                None => drop(changes.added.insert(sink.clone())),
                Some(before) if before != config => drop(changes.changed.insert(sink.clone())),
                Some(_) => {}
            }
        }
        let errors = self.parts.sinks.write().await.reload(wanted, &changes).await;
        let failed: BTreeSet<&String> = errors.iter().map(|(sink, _)| sink).collect();
        let started = wanted.iter().filter(|(sink, _)| !failed.contains(sink));
        let started: Vec<(String, SinkConfig)> = started.map(|(sink, config)| (sink.clone(), config.clone())).collect();
        self.own_sinks.entry(name.to_owned()).or_default().extend(started);
        match errors.is_empty() {
            true => Ok(()),
            false => {
                let reasons: Vec<String> = errors.iter().map(|(_, error)| error.to_string()).collect();
                Err(reasons.join("; "))
            }
        }
    }

    /// Two connections with one client id would end each other for ever.
    fn check_client_ids(&self, name: &str, wanted: &BTreeMap<String, SinkConfig>) -> Result<(), String> {
        let others = self.own_sinks.iter().filter(|(rule, _)| *rule != name);
        let others = || others.clone().flat_map(|(_, sinks)| sinks).chain(wanted);
        for (sink, config) in wanted {
            let SinkKind::Mqtt(own) = &config.kind else { continue };
            let same = others().find(|(other, config)| {
                let SinkKind::Mqtt(mqtt) = &config.kind else {
                    return false;
                };
                *other != sink && mqtt.server == own.server && mqtt.client_id == own.client_id
            });
            if let Some((other, _)) = same {
                return Err(format!(
                    "its sink {sink} has the client id {:?}, which {other} has at the same broker; the broker would disconnect each for \
                     the other, so give one of them another client id",
                    own.client_id
                ));
            }
        }
        Ok(())
    }

    /// The version runs: what it does not send to can go.
    pub(super) async fn retire_own_sinks(&mut self, name: &str, sidecar: &Sidecar) {
        let Some(running) = self.own_sinks.get_mut(name) else {
            return;
        };
        let unused: Vec<String> = running
            .keys()
            .filter(|sink| !sidecar.own_sinks.contains_key(*sink))
            .cloned()
            .collect();
        running.retain(|sink, _| sidecar.own_sinks.contains_key(sink));
        if running.is_empty() {
            self.own_sinks.remove(name);
        }
        if !unused.is_empty() {
            let timeout = self.parts.drain_timeout;
            self.parts.sinks.write().await.remove(&unused, timeout);
        }
    }

    /// A version was not taken: its sinks are again those of the one that runs.
    pub(super) async fn put_back_own_sinks(&mut self, name: &str) {
        let Some(entry) = self.entries.get(name) else {
            return self.drop_own_sinks(name).await;
        };
        let shown = entry.shown().map(|running| running.candidate.sidecar.clone());
        let sidecar = shown.unwrap_or_default();
        if let Err(error) = self.put_own_sinks(name, &sidecar).await {
            tracing::error!(rule = name, %error, "a sink of the version that runs cannot be had again");
        }
        self.retire_own_sinks(name, &sidecar).await;
    }

    /// Nothing is left of the rule.
    pub(super) async fn drop_own_sinks(&mut self, name: &str) {
        self.retire_own_sinks(name, &Sidecar::default()).await;
    }

    /// The configuration was read again: what their certificates hold may have changed.
    pub(super) async fn renew_own_sinks(&mut self) {
        for (name, running) in &mut self.own_sinks {
            let entry = self.entries.get(name);
            let Some(shown) = entry.and_then(|entry| entry.shown()) else {
                continue;
            };
            let mut changes = NameChanges::default();
            for (sink, config) in &shown.candidate.sidecar.own_sinks {
                if running.contains_key(sink) && has_files(config) {
                    changes.changed.insert(sink.clone());
                    running.insert(sink.clone(), config.clone());
                }
            }
            if changes.changed.is_empty() {
                continue;
            }
            for (_, error) in self.parts.sinks.write().await.reload(running, &changes).await {
                tracing::error!(%error, "the sink goes on as it was, until the configuration is read again");
            }
        }
    }

    /// Lets the sinks go of rules that an earlier process had and that have no file any more, once their windows are closed.
    pub(super) async fn drop_leftover_sinks(&mut self) -> Result<(), MillGone> {
        let left = self.own_sinks.keys().filter(|name| !self.entries.contains_key(*name));
        let left: Vec<Arc<str>> = left.map(|name| Arc::from(name.as_str())).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut held = BTreeSet::new();
        let mills = Arc::clone(&self.parts.mills);
        for mill in 0..mills.len() {
            held.extend(mills.ask(mill, |reply| Command::Held(left.clone(), reply)).await?);
        }
        for name in left.iter().filter(|name| !held.contains(*name)) {
            self.drop_own_sinks(name).await;
        }
        Ok(())
    }
}

/// A version with the own sinks of a newer one in place of its own: those that the newer one has not do not run any more.
pub(super) fn with_sinks_of<'c>(good: &'c Candidate, newest: &Sidecar) -> Cow<'c, Candidate> {
    let now = &newest.own_sinks;
    let before = good.sidecar.own_sinks.clone();
    if before.keys().eq(now.keys()) {
        return Cow::Borrowed(good);
    }
    let mut good = good.clone();
    let others = good.sidecar.sinks.take().unwrap_or_default().into_iter();
    let others = others.filter(|sink| !before.contains_key(sink));
    good.sidecar.sinks = Some(others.chain(now.keys().cloned()).collect());
    good.sidecar.own_sinks.clone_from(now);
    Cow::Owned(good)
}

fn has_files(sink: &SinkConfig) -> bool {
    match &sink.kind {
        SinkKind::Mqtt(mqtt) => mqtt.tls.is_some(),
        SinkKind::Http(http) => http.tls.is_some(),
        SinkKind::Log | SinkKind::File(_) => false,
    }
}
