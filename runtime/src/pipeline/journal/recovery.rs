//! The start after a stop or a crash: the newest checkpoint is taken over, and what the journal has behind it is done again.
//!
//! The same code does the same with the same batches at the same times, so what comes out is the same too, and an emission that went
//! out before has the same id.

use super::super::command::{Role, RuleSpec};
use super::super::mill::{Lost, Mill};
use super::super::mills;
use super::change::{LibraryRecord, RuleRecord};
use super::checkpointing::Needs;
use super::code::CodeStore;
use super::state::{AudienceRecord, MillState, State, StateError};
use super::writing::{Journal, Numbers};
use super::{Folders, replay};
use crate::config::JournalConfig;
use crate::emit::DeadLetters;
use crate::message::{Delivery, Served};
use crate::rule::{ContentDigest, GuestEngine, LimitedLibrary, Loaded, load_with};
use crate::sink::Sinks;
use crate::telemetry::journal::JournalMetrics;
use crate::telemetry::rule::RuleFamilies;
use crate::topic::TopicFilter;
use rulemill_core::Micros;
use rulemill_journal::DirectoryError;
use rulemill_journal::checkpoint::{CheckpointError, Checkpoints};
use rulemill_journal::log::{Log, LogOptions, OpenError, ReadError, Recovered, Sequence};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Why the data directory cannot be gone on with. Nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// A folder cannot be opened.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The checkpoints cannot be read.
    #[error("the checkpoints cannot be used: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What the newest checkpoint says cannot be understood.
    #[error("{0}")]
    State(String),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened: {0}")]
    Open(#[from] OpenError),
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] ReadError),
}

impl From<StateError> for RecoveryError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::File(error) => RecoveryError::Checkpoint(error),
            StateError::Contents { .. } => RecoveryError::State(error.to_string()),
        }
    }
}

/// What lies in the data directory, read and not done yet.
pub(in super::super) struct Found {
    folders: Folders,
    checkpoints: Checkpoints,
    options: LogOptions,
    pub(super) log: Log,
    pub(super) state: Option<State>,
    metrics: JournalMetrics,
}

/// What is there once everything has been done again.
pub(in super::super) struct Ready {
    pub(in super::super) journal: Journal,
    pub(in super::super) checkpoints: Checkpoints,
    pub(in super::super) code: CodeStore,
    /// The last batch or tick that was done.
    pub(in super::super) position: u64,
    /// Whether anything was done again.
    pub(in super::super) replayed: bool,
    /// What was accepted and is in no batch.
    pub(in super::super) waiting: Vec<(Delivery, Numbers)>,
    /// What the newest checkpoint needs.
    pub(in super::super) needs: Option<Needs>,
    /// The rules and libraries that run, with their mills.
    pub(in super::super) running: Running,
}

/// What ran before and runs again.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Running {
    /// Rules by id, each with its mill.
    pub(in super::super) rules: BTreeMap<String, usize>,
    /// Libraries.
    pub(in super::super) libraries: Vec<String>,
}

/// Makes code again, from what the journal and its checkpoints say.
pub(in super::super) struct Rebuild<'a> {
    pub(in super::super) engine: &'a GuestEngine,
    pub(in super::super) code: CodeStore,
    pub(in super::super) sinks: &'a Sinks,
    pub(in super::super) families: &'a RuleFamilies,
    pub(in super::super) dead_letters: DeadLetters,
    pub(in super::super) loaded: HashMap<String, Loaded>,
}

impl Found {
    /// Reads what is there. Blocks for as long as the disk does.
    pub(in super::super) fn look(
        data_dir: &Path,
        config: &JournalConfig,
        metrics: JournalMetrics,
    ) -> Result<Self, RecoveryError> {
        let folders = Folders::open(data_dir)?;
        let reserve = (config.bytes_max / 16).min(RESERVE_BYTES_MAX);
        let (checkpoints, found) = Checkpoints::open(Arc::clone(&folders.checkpoints), reserve)?;
        for rejected in &found.rejected {
            tracing::error!(file = rejected.file, reason = %rejected.reason, "a checkpoint cannot be used; the one before it is");
        }
        let state = match checkpoints.newest()? {
            Some(mut newest) => Some(State::read(&mut newest)?),
            None => None,
        };
        let options = LogOptions {
            segment_bytes: (config.bytes_max / 16).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            bytes_max: config.bytes_max + SLACK_BYTES,
            salt: fastrand::u32(..),
        };
        let covered = state.as_ref().map_or(0, |state| state.position.first_needed() - 1);
        let (log, recovered) = Log::open(Arc::clone(&folders.log), options, Sequence(covered))?;
        tell(&recovered);
        let lost = recovered
            .missing
            .iter()
            .map(|missing| missing.last.0 - missing.first.0 + 1);
        metrics.lost.inc_by(lost.sum());
        Ok(Found {
            folders,
            checkpoints,
            options,
            log,
            state,
            metrics,
        })
    }

    /// How many mills there must be, when what is there is for a certain number.
    pub(in super::super) fn mills(&self) -> Option<usize> {
        let position = &self.state.as_ref()?.position;
        // Where nothing follows, streams can go to any mill.
        (self.log.next().0 > position.first_needed()).then_some(position.mills)
    }

    /// Takes the checkpoint over and does again what follows it, on mills that are new and have no thread yet.
    pub(in super::super) fn replay(
        mut self,
        mills: &mut [Mill],
        rebuild: &mut Rebuild<'_>,
    ) -> Result<Ready, RecoveryError> {
        let began = crate::clock::monotonic();
        let state = self.state.take();
        let needs = state.as_ref().map(|state| Needs {
            first: state.position.first_needed(),
            code: state.code(),
        });
        let state = state.unwrap_or_default();
        for part in spread(&state.mills, mills.len()) {
            for lost in mills[part.mill].restore(&part, rebuild) {
                if let Lost::Later(reason) = lost {
                    return Err(RecoveryError::State(reason));
                }
                tell_lost(&lost);
            }
        }
        let last_switches: Vec<u64> = (0..mills.len())
            .map(|mill| {
                let before = state.mills.iter().find(|before| before.mill == mill);
                before.map_or(0, |before| before.last_switch)
            })
            .collect();
        let replayed = replay::replay(&self.log, &state.position, &last_switches, mills, rebuild)?;
        self.metrics.replayed.inc_by(replayed.messages);
        let last_time = mills.iter().map(Mill::now).max().unwrap_or(Micros(i64::MIN));
        if last_time.0 > i64::MIN {
            crate::clock::resume(last_time);
        }
        if needs.is_some() || replayed.messages > 0 {
            let took = crate::clock::monotonic().duration_since(began);
            tracing::info!(
                messages = replayed.messages,
                batches = replayed.batches,
                waiting = replayed
                    .waiting
                    .iter()
                    .map(|(delivery, _)| delivery.messages.len())
                    .sum::<usize>(),
                state_bytes = state.bytes(),
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "the state before the stop is there again"
            );
        }
        let mut running = Running::default();
        for (number, mill) in mills.iter().enumerate() {
            let (rules, libraries) = mill.running();
            running.rules.extend(rules.map(|id| (id.to_string(), number)));
            running.libraries.extend(libraries.map(ToOwned::to_owned));
        }
        running.libraries.sort_unstable();
        running.libraries.dedup();
        let position = replayed.position.max(state.position.done);
        let journal = Journal::new(
            self.log,
            self.folders.clone(),
            self.options,
            config_bytes(self.options),
            replayed.audiences,
            self.metrics,
        );
        Ok(Ready {
            journal,
            checkpoints: self.checkpoints,
            code: self.folders.code,
            position,
            replayed: replayed.messages > 0,
            waiting: replayed.waiting,
            needs,
            running,
        })
    }
}

impl Rebuild<'_> {
    /// A version of a rule as it was deployed.
    pub(in super::super) fn rule(&mut self, record: &RuleRecord) -> Result<RuleSpec, String> {
        let identity = record.identity().ok_or("its digest is none")?;
        let stream = record.stream.key().ok_or("a topic filter is none")?;
        let loaded = self.load(&record.wasm, &record.limits, &record.settings)?;
        let loaded = loaded.rule.clone().ok_or("its file is no rule")?;
        let id: Arc<str> = record.id.as_str().into();
        let sinks = record.sinks.iter();
        let missing: Vec<&str> = sinks
            .clone()
            .filter(|name| self.sinks.handle(name).is_none())
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let sinks = missing.join(", ");
            tracing::error!(
                rule = &*id,
                sinks,
                "sinks of the rule are not there any more; they get nothing of what it had open"
            );
        }
        Ok(RuleSpec {
            role: Role::Runs,
            identity,
            stream,
            loaded,
            settings: record.settings.clone(),
            window_override_ms: record.window_override_ms,
            reload: record.reload,
            limits: record.limits,
            sinks: sinks.filter_map(|name| self.sinks.handle(name)).collect(),
            sink_names: record.sinks.clone(),
            metrics: self.families.rule(&id),
            id,
        })
    }

    /// A version of a library.
    pub(in super::super) fn library(&mut self, record: &LibraryRecord) -> Result<LimitedLibrary, String> {
        let loaded = self.load(&record.wasm, &record.limits, &BTreeMap::new())?;
        let loaded = loaded.library.clone().ok_or("its file is no library")?;
        Ok(LimitedLibrary {
            loaded,
            limits: record.limits,
        })
    }

    fn load(
        &mut self,
        digest: &str,
        limits: &crate::config::LimitsConfig,
        settings: &BTreeMap<String, rulemill_plan::Literal>,
    ) -> Result<&Loaded, String> {
        if !self.loaded.contains_key(digest) {
            let parsed = ContentDigest::parse(digest).ok_or("its digest is none")?;
            let found = self.code.find(parsed).map_err(|error| error.to_string())?;
            let wasm = found.ok_or("its code is not in the data directory any more")?;
            let loaded = load_with(self.engine, &wasm, limits, settings).map_err(|error| error.to_string())?;
            self.loaded.insert(digest.to_owned(), loaded);
        }
        self.loaded.get(digest).ok_or_else(|| "it cannot be loaded".to_owned())
    }
}

/// The states of mills, for so many. When there were others, each stream goes to the mill that it belongs on now, with all
/// code.
fn spread(before: &[MillState], mills: usize) -> Vec<MillState> {
    if before.len() == mills || before.is_empty() {
        return before.to_vec();
    }
    let mut after: Vec<MillState> = (0..mills).map(|mill| all_code(before, mill)).collect();
    for (stream, bytes) in before.iter().flat_map(|state| &state.streams) {
        if let Some(key) = stream.key() {
            after[mills::of_stream(&key, mills)]
                .streams
                .push((stream.clone(), bytes.clone()));
        }
    }
    for state in &mut after {
        let here: Vec<_> = state.streams.iter().map(|(stream, _)| stream.clone()).collect();
        state.versions.retain(|_, rule| here.contains(&rule.stream));
        let versions = &state.versions;
        state.running.retain(|_, tag| versions.contains_key(tag));
    }
    after
}

fn all_code(before: &[MillState], mill: usize) -> MillState {
    let mut state = MillState {
        mill,
        now_us: before.iter().map(|before| before.now_us).max().unwrap_or(i64::MIN),
        ..MillState::default()
    };
    for before in before {
        for library in &before.libraries {
            if !state.libraries.iter().any(|known| known.name == library.name) {
                state.libraries.push(library.clone());
            }
        }
        state.versions.extend(before.versions.clone());
        state.running.extend(before.running.clone());
    }
    state
}

/// The audiences of a checkpoint; a filter that is none is left out.
pub(super) fn audiences(records: &[AudienceRecord]) -> Vec<(u32, Arc<Served>)> {
    let filters = |texts: &[String]| texts.iter().filter_map(|text| TopicFilter::parse(text).ok()).collect();
    let served = records.iter().map(|record| {
        let served = Served {
            here: filters(&record.here),
            nowhere: filters(&record.nowhere),
        };
        (record.number, Arc::new(served))
    });
    served.collect()
}

/// Says what is wrong with a journal that was opened.
pub(super) fn tell(found: &Recovered) {
    for quarantined in &found.quarantined {
        tracing::error!(file = quarantined.file, reason = %quarantined.reason, "a part of the journal cannot be read; it is renamed aside");
    }
    for missing in &found.missing {
        tracing::error!(
            first = missing.first.0,
            last = missing.last.0,
            "records of the journal are lost: messages that were acknowledged may be missing from their windows"
        );
    }
    for file in &found.foreign {
        tracing::warn!(
            file,
            "a file in the journal's folder is not the journal's; it is left alone"
        );
    }
    if found.cut_bytes > 0 {
        tracing::info!(
            bytes = found.cut_bytes,
            "the end of the journal was torn; it is cut off"
        );
    }
}

fn tell_lost(lost: &Lost) {
    match lost {
        Lost::Library(name, reason) => tracing::error!(library = name, reason, "a library cannot be put back"),
        Lost::Code(rule, reason) => tracing::error!(rule, reason, "a version of a rule cannot be put back"),
        Lost::Version(lost) => tracing::error!(
            rule = &*lost.rule,
            windows = lost.windows,
            reason = lost.reason,
            "open windows of a rule are lost"
        ),
        Lost::Stream(reason) | Lost::Later(reason) => tracing::error!(reason, "all open windows of a stream are lost"),
    }
}

/// What messages may fill.
fn config_bytes(options: LogOptions) -> u64 {
    options.bytes_max - SLACK_BYTES
}

const SEGMENT_BYTES_MIN: u64 = 1 << 20;
const SEGMENT_BYTES_MAX: u64 = 32 << 20;
/// What the log may have beyond its bound, for what must be written when it is full.
const SLACK_BYTES: u64 = 64 << 20;
const RESERVE_BYTES_MAX: u64 = 32 << 20;
