//! What outlives the process: the state of a mill in a checkpoint, and changes of code in the journal.

use super::super::command::RuleSpec;
use super::super::flow::Barrier;
use super::super::journal::change::{Change, LibraryRecord, RuleRecord, StreamRecord};
use super::super::journal::recovery::Rebuild;
use super::super::journal::state::MillState;
use super::super::recorder::SwitchRequest;
use super::super::{command::Role, streams::StreamEntry};
use super::{Mill, Placed};
use crate::config::OnStop;
use crate::rule::LimitedLibrary;
use rulemill_core::{Bounds, KernelsId, LostVersion, Micros, SnapshotError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How a mill keeps what must not be lost.
#[derive(Default)]
pub(super) struct Keeping {
    /// Which mill this is.
    mill: usize,
    /// Where changes are written down, if they are.
    recording: Option<Recording>,
    /// The last batch or tick that was done.
    pub(super) position: u64,
    /// The last change, by its record.
    last_switch: u64,
    /// The versions that may have state, by tag.
    versions: BTreeMap<u64, Arc<RuleRecord>>,
    last_tag: u64,
}

/// The way to the recorder.
pub(in super::super) struct Recording {
    pub(in super::super) mill: usize,
    pub(in super::super) requests: mpsc::Sender<SwitchRequest>,
}

impl Keeping {
    /// That of the mill with this number.
    pub(super) fn of(mill: usize) -> Self {
        Keeping {
            mill,
            ..Keeping::default()
        }
    }

    /// From here on, changes are written down before they are made.
    pub(super) fn record_to(&mut self, recording: Recording) {
        self.recording = Some(recording);
    }

    /// Whether windows are kept over the end of the process.
    pub(super) fn is_on(&self) -> bool {
        self.recording.is_some()
    }

    /// A tag for a version.
    pub(super) fn tag(&mut self, spec: &RuleSpec) -> u64 {
        // Unlike those of all other mills, for streams may go to another one.
        self.last_tag = (self.last_tag / MILLS + 1) * MILLS + self.mill as u64;
        if spec.role == Role::Runs {
            self.versions.insert(self.last_tag, Arc::new(RuleRecord::of(spec)));
        }
        self.last_tag
    }

    /// Writes a change down, and waits until it is written.
    pub(super) fn record(&mut self, change: &Change) -> Result<(), String> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let (written, answer) = std::sync::mpsc::sync_channel(1);
        let request = SwitchRequest {
            mill: recording.mill,
            position: self.position,
            change: serde_json::to_vec(change).map_err(|error| error.to_string())?,
            written,
        };
        // There is room for one of each mill, and this one waits for its answer.
        let sent = recording.requests.try_send(request);
        sent.map_err(|_| "the recorder has ended".to_owned())?;
        self.last_switch = answer.recv().map_err(|_| "the recorder has ended".to_owned())??;
        Ok(())
    }

    /// The same for a change that is made in any case.
    pub(super) fn try_record(&mut self, change: &Change) {
        if let Err(reason) = self.record(change) {
            tracing::error!(%reason, "a change of code is not in the journal; after a crash, windows may come out otherwise");
        }
    }
}

impl Mill {
    /// A checkpoint is taken here.
    pub(super) fn tell_state(&mut self, barrier: &Barrier) {
        match barrier.windows {
            OnStop::Emit => self.close_all(),
            OnStop::Keep => {
                for entry in &mut self.streams {
                    entry.stream.finish_closing(&mut self.guests, &mut self.output);
                    self.outlet.flush_results(&mut self.output, &mut entry.pieces);
                }
                self.settle();
            }
        }
        // There is room for the state of each mill; if nobody waits for it any more, there is no checkpoint.
        let _ = barrier.states.try_send(self.state());
    }

    fn state(&mut self) -> MillState {
        let kept = || self.streams.iter().filter(|entry| entry.key().role == Role::Runs);
        let tags: BTreeSet<u64> = kept()
            .flat_map(|entry| entry.stream.versions().map(|(_, tag)| tag))
            .collect();
        self.keeping.versions.retain(|tag, _| tags.contains(tag));
        let versions = self.keeping.versions.iter();
        let running = self.rules.iter().filter(|(_, placed)| placed.spec.role == Role::Runs);
        MillState {
            mill: self.keeping.mill,
            last_switch: self.keeping.last_switch,
            now_us: self.now.0,
            libraries: self.guests.libraries().map(LibraryRecord::of).collect(),
            versions: versions.map(|(&tag, record)| (tag, (**record).clone())).collect(),
            running: running.map(|(id, placed)| (id.to_string(), placed.tag)).collect(),
            last_good: self.probations.last_good().collect(),
            streams: kept()
                .map(|entry| (StreamRecord::of(entry.key()), entry.stream.snapshot()))
                .collect(),
        }
    }

    /// Takes over the state of a checkpoint. The mill must be new. Gives what is lost of it.
    pub(in super::super) fn restore(&mut self, state: &MillState, rebuild: &mut Rebuild<'_>) -> Vec<Lost> {
        let mut lost = Vec::new();
        self.guests.restoring(true);
        self.now = Micros(state.now_us);
        self.keeping.last_switch = state.last_switch;
        for record in &state.libraries {
            match rebuild.library(record) {
                Ok(library) => drop(self.guests.put_library(library)),
                Err(reason) => lost.push(Lost::Library(record.name.clone(), reason)),
            }
        }
        let mut specs: HashMap<u64, (RuleSpec, Option<KernelsId>)> = HashMap::new();
        for (&tag, record) in &state.versions {
            self.keeping.last_tag = self.keeping.last_tag.max(tag);
            let spec = rebuild.rule(record).and_then(|spec| {
                let kernels = self.prepare(&spec)?;
                Ok((spec, kernels))
            });
            match spec {
                Ok((spec, kernels)) => {
                    self.keeping.versions.insert(tag, Arc::new(record.clone()));
                    specs.insert(tag, (spec, kernels));
                }
                Err(reason) => lost.push(Lost::Code(record.id.clone(), reason)),
            }
        }
        for (stream, bytes) in &state.streams {
            self.restore_stream(stream, bytes, &specs, &mut lost);
        }
        for tag in specs.keys() {
            let spec = &specs[tag].0;
            self.outlet
                .add(&spec.id, spec.role, spec.sinks.clone(), spec.metrics.clone());
        }
        for (id, tag) in &state.running {
            let Some((spec, kernels)) = specs.get(tag) else {
                continue;
            };
            let placed = Placed {
                spec: spec.clone(),
                kernels: *kernels,
                tag: *tag,
                lost_groups: false,
            };
            self.outlet
                .add(&spec.id, spec.role, spec.sinks.clone(), spec.metrics.clone());
            self.rules.insert(id.as_str().into(), placed);
        }
        self.unused = true;
        self.guests.restoring(false);
        lost
    }

    fn restore_stream(
        &mut self,
        stream: &StreamRecord,
        bytes: &[u8],
        specs: &HashMap<u64, (RuleSpec, Option<KernelsId>)>,
        lost: &mut Vec<Lost>,
    ) {
        let Some(key) = stream.key() else {
            lost.push(Lost::Stream("a topic filter that is none".to_owned()));
            return;
        };
        let mut entry = StreamEntry::new(key, Bounds::default(), self.seed.clone());
        let mut version_of = |rule: &str, tag: u64| {
            let (spec, kernels) = specs.get(&tag).filter(|(spec, _)| &*spec.id == rule)?;
            Some(spec.version(*kernels, spec.reload.on_change, tag))
        };
        match entry.stream.restore(bytes, &mut version_of, &mut self.guests) {
            Ok(versions) => lost.extend(versions.into_iter().map(Lost::Version)),
            Err(error @ SnapshotError::Version { .. }) => {
                lost.push(Lost::Later(format!(
                    "the newest checkpoint is of another version of rulemill: {error}"
                )));
            }
            Err(error @ SnapshotError::Damaged(_)) => lost.push(Lost::Stream(error.to_string())),
        }
        self.streams.push(entry);
    }

    /// How far time has come.
    pub(in super::super) fn now(&self) -> Micros {
        self.now
    }

    /// The rules that run, and the libraries.
    pub(in super::super) fn running(&self) -> (impl Iterator<Item = &Arc<str>>, impl Iterator<Item = &str>) {
        let libraries = self.guests.libraries();
        let names = libraries.map(|library| library.loaded.description.name.as_str());
        (self.rules.keys(), names)
    }

    /// Makes a change again, as the journal has it.
    pub(in super::super) fn redo(&mut self, change: &Change, rebuild: &mut Rebuild<'_>) -> Result<(), String> {
        match change {
            Change::PutRule { rule, on_change } => {
                let spec = rebuild.rule(rule)?;
                self.install(spec, *on_change).map_err(|refusal| refusal.to_string())?;
            }
            Change::RemoveRule { id, how } => self.take_rule_away(&id.as_str().into(), (*how).into()),
            Change::PutLibrary(library) => {
                let library: LimitedLibrary = rebuild.library(library)?;
                let sites = self.guests.put_library(library);
                self.forget(&sites);
            }
            Change::RemoveLibrary(name) => {
                let sites = self.guests.remove_library(name);
                self.forget(&sites);
            }
            // The batch comes with it: see the replay.
            Change::ProcessAgain { .. } => {}
        }
        Ok(())
    }
}

/// More than there are mills.
const MILLS: u64 = 256;

/// What of a checkpoint could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Lost {
    /// A library, and why.
    Library(String, String),
    /// The code of a rule's version, and why; the windows follow as a version.
    Code(String, String),
    /// A version of a rule with its windows.
    Version(LostVersion),
    /// All windows of a stream, and why.
    Stream(String),
    /// Nothing, if another version of rulemill goes on with it.
    Later(String),
}
