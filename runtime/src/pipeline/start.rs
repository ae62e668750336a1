//! The start of the mills: with nothing, or with what an earlier process has left.

use super::account::Accounts;
use super::journal::checkpointing::Checkpointer;
use super::journal::code::CodeStore;
use super::journal::recovery::{Found, Ready, Rebuild, Running};
use super::mill::{Mill, MillParts, Recording, ToCatalogue};
use super::mills::Mills;
use super::outlet::Outlet;
use super::recorder::{Keeping, SwitchRequest};
use super::unmatched::{SourceFilters, Unmatched};
use super::{StartError, journal, metrics::Metrics};
use crate::config::Config;
use crate::emit::{DeadLetters, EncodedEmission};
use crate::rule::GuestEngine;
use crate::sink::Sinks;
use rulemill_core::HashSeed;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{RwLock, mpsc, watch};
use tokio::task::JoinHandle;

/// What mills are made of.
pub(super) struct MillsParts<'a> {
    pub(super) engine: &'a GuestEngine,
    pub(super) dead_letters: &'a DeadLetters,
    pub(super) metrics: &'a Metrics,
    pub(super) listened: &'a watch::Receiver<SourceFilters>,
    pub(super) to_catalogue: &'a ToCatalogue,
    pub(super) tap: Option<&'a SyncSender<EncodedEmission>>,
}

/// The mills, and what works with them.
pub(super) struct Started {
    pub(super) mills: Arc<Mills>,
    /// The task that takes checkpoints, if there is a journal.
    pub(super) checkpoints: Option<JoinHandle<()>>,
    /// Where code is kept for a replay.
    pub(super) code: Option<CodeStore>,
    /// What ran before and runs again.
    pub(super) running: Running,
}

/// Starts the mills. Where something is to be kept, or was, the journal comes first.
pub(super) async fn mills(
    config: &Config,
    parts: &MillsParts<'_>,
    sinks: &Arc<RwLock<Sinks>>,
) -> Result<Started, StartError> {
    let (requests, switches) = mpsc::channel(MILLS_MAX);
    if !config.is_journalled() && !journal::Folders::are_used(&config.data_dir) {
        sinks.read().await.replay_is_over();
        let mills = make(parts, cores());
        let mills = Mills::start(mills, switches, None, parts.metrics.mills.clone());
        return Ok(Started {
            mills: Arc::new(mills.map_err(StartError::Thread)?),
            checkpoints: None,
            code: None,
            running: Running::default(),
        });
    }
    let (mut mills, ready) = recover(config, parts, sinks).await?;
    for (mill, number) in mills.iter_mut().zip(0..) {
        mill.record_to(Recording {
            mill: number,
            requests: requests.clone(),
        });
    }
    keep(config, parts, sinks, (mills, ready, switches))
}

/// Reads what is there, and does it again on a thread that may block.
async fn recover(
    config: &Config,
    parts: &MillsParts<'_>,
    sinks: &Arc<RwLock<Sinks>>,
) -> Result<(Vec<Mill>, Ready), StartError> {
    let (data_dir, journal, metrics) = (config.data_dir.clone(), config.journal, parts.metrics.journal.clone());
    let looking = tokio::task::spawn_blocking(move || Found::look(&data_dir, &journal, metrics));
    let found = looking.await.map_err(|error| StartError::Engine(error.to_string()))??;
    let mut mills = make(parts, found.mills().unwrap_or_else(cores));
    let (engine, families) = (parts.engine.clone(), parts.metrics.rules.clone());
    let (sinks, code) = (Arc::clone(sinks), CodeStore::new(&config.data_dir));
    let dead_letters = parts.dead_letters.clone();
    let replaying = tokio::task::spawn_blocking(move || {
        let sinks = sinks.blocking_read();
        let mut rebuild = Rebuild {
            engine: &engine,
            code,
            sinks: &sinks,
            families: &families,
            dead_letters,
            loaded: HashMap::new(),
        };
        let replayed = found.replay(&mut mills, &mut rebuild).map(|ready| (mills, ready));
        sinks.replay_is_over();
        replayed
    });
    let replayed = replaying.await.map_err(|error| StartError::Replay(error.to_string()))?;
    Ok(replayed?)
}

/// Starts the threads, and the task that takes checkpoints.
fn keep(
    config: &Config,
    parts: &MillsParts<'_>,
    sinks: &Arc<RwLock<Sinks>>,
    (mills, ready, switches): (Vec<Mill>, Ready, mpsc::Receiver<SwitchRequest>),
) -> Result<Started, StartError> {
    let (begin, begins) = mpsc::channel(1);
    let (trim, trims) = mpsc::channel(1);
    let metrics = parts.metrics.journal.clone();
    let covered = ready.needs.as_ref().map_or(0, |needs| needs.first.saturating_sub(1));
    let checkpointer = Checkpointer::new(
        ready.checkpoints,
        ready.code.clone(),
        Arc::clone(sinks),
        ready.needs,
        metrics.clone(),
    );
    let keeping = Keeping {
        covered,
        journal: ready.journal,
        position: ready.position,
        replayed: ready.replayed,
        waiting: ready.waiting,
        checkpoints: begin,
        trims,
        interval: config.journal.checkpoint_interval,
        on_stop: config.journal.on_stop,
        metrics,
    };
    let mills = Mills::start(mills, switches, Some(keeping), parts.metrics.mills.clone());
    Ok(Started {
        mills: Arc::new(mills.map_err(StartError::Thread)?),
        checkpoints: Some(tokio::spawn(checkpointer.run(begins, trim))),
        code: Some(ready.code),
        running: ready.running,
    })
}

fn make(parts: &MillsParts<'_>, count: usize) -> Vec<Mill> {
    let seed = HashSeed::new(fastrand::u64(..));
    let mills = (0..count).map(|number| {
        let outlet = Outlet::new(parts.dead_letters.clone(), parts.tap.cloned());
        // Every mill that gets a message would find it unmatched; one of them gets all messages, and tells.
        let unmatched = (number == 0).then(|| Unmatched::new(parts.listened.clone()));
        Mill::new(MillParts {
            number,
            engine: parts.engine.clone(),
            seed: seed.clone(),
            outlet,
            accounts: Accounts::new(parts.metrics.rules.clone()),
            metrics: parts.metrics.mills.clone(),
            unmatched,
            to_catalogue: parts.to_catalogue.clone(),
        })
    });
    mills.collect()
}

/// As many mills as there are cores, within a bound.
fn cores() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MILLS_MAX)
}

/// The most mill threads, whatever the number of cores.
const MILLS_MAX: usize = 8;
