//! The mill threads as the rest of the pipeline sees them.

use super::alive::Alive;
use super::command::{Command, StreamKey};
use super::flow::{MillQueue, Wanted};
use super::mill::{Clockwork, Mill, MillInputs};
use super::recorder::{Keeping, Recorder, RecorderInputs, SwitchRequest};
use crate::handover::Offered;
use crate::limits::MILL_QUEUE_BATCHES_MAX;
use crate::telemetry::mill::MillMetrics;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Starts mill threads and the recorder before them, and tells them what to do.
pub(super) struct Mills {
    commands: Vec<mpsc::Sender<Command>>,
    wanted: Vec<Wanted>,
    offers: mpsc::Sender<Offered>,
    finish: watch::Sender<bool>,
    /// Whether a thread has ended.
    ended: watch::Sender<bool>,
    /// Taken out when they are joined.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The mill did not answer: its thread is gone.
#[derive(Debug, thiserror::Error)]
#[error("the mill thread has stopped")]
pub(super) struct MillGone;

impl Mills {
    /// Starts a thread for each mill, and the recorder.
    pub(super) fn start(
        mills: Vec<Mill>,
        switches: mpsc::Receiver<SwitchRequest>,
        keeping: Option<Keeping>,
        metrics: MillMetrics,
    ) -> std::io::Result<Self> {
        let has_rules: Vec<bool> = mills.iter().map(Mill::has_rules).collect();
        let mut commands = Vec::new();
        let mut queues = Vec::new();
        let mut threads = Vec::new();
        let ended = watch::Sender::new(false);
        let (ask_ticks, ticks) = mpsc::channel(mills.len().max(1));
        for (number, mill) in mills.into_iter().enumerate() {
            let (command_sender, command_receiver) = mpsc::channel(COMMANDS_MAX);
            let (flow_sender, flow_receiver) = mpsc::channel(MILL_QUEUE_BATCHES_MAX);
            let inputs = MillInputs {
                flow: flow_receiver,
                commands: command_receiver,
                clockwork: Clockwork::new(number, ask_ticks.clone()),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            let thread = std::thread::Builder::new().name(format!("mill-{number}")).spawn({
                let alive = Alive::new(ended.clone());
                move || {
                    let _alive = alive;
                    runtime.block_on(mill.run(inputs));
                }
            })?;
            commands.push(command_sender);
            queues.push(MillQueue::idle(flow_sender));
            threads.push(thread);
        }
        // The first one counts all messages, those that no rule listens to included.
        for (number, queue) in queues.iter().enumerate() {
            if number == 0 || has_rules[number] {
                queue.wanted().want();
            }
        }
        let wanted = queues.iter().map(|queue| queue.wanted().clone()).collect();
        let (offers, offered) = mpsc::channel(OFFERS_MAX);
        let (finish, finished) = watch::channel(false);
        let inputs = RecorderInputs {
            offers: offered,
            ticks,
            switches,
            finish: finished,
            keeping,
        };
        threads.push(Recorder::start(queues, inputs, metrics, Alive::new(ended.clone()))?);
        Ok(Mills {
            commands,
            wanted,
            offers,
            finish,
            ended,
            threads: Mutex::new(threads),
        })
    }

    /// Where sources hand over.
    pub(super) fn offers(&self) -> mpsc::Sender<Offered> {
        self.offers.clone()
    }

    /// From now on the mill gets batches: it is about to have a rule.
    pub(super) fn wake(&self, mill: usize) {
        self.wanted[mill].want();
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// The mill on which a stream runs. The same stream always runs on the same one.
    pub(super) fn of_stream(&self, stream: &StreamKey) -> usize {
        of_stream(stream, self.commands.len())
    }

    /// Gives a mill a command and waits for its answer.
    pub(super) async fn ask<A>(
        &self,
        mill: usize,
        command: impl FnOnce(oneshot::Sender<A>) -> Command,
    ) -> Result<A, MillGone> {
        let (reply, answer) = oneshot::channel();
        self.commands[mill].send(command(reply)).await.map_err(|_| MillGone)?;
        answer.await.map_err(|_| MillGone)
    }

    /// Waits until one of the threads has ended, as none does before [`Mills::finish`].
    pub(super) async fn ended(&self) {
        // An error means that all have.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// For a task without which they are of no use: it counts as one of the threads.
    pub(super) fn alive(&self) -> Alive {
        Alive::new(self.ended.clone())
    }

    /// Lets the mills finish: nothing more is taken, what waits is processed, and they end.
    pub(super) async fn finish(&self) {
        self.finish.send_replace(true);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a mill thread or the recorder panicked; what it held is lost");
                }
            }
        });
        // The blocking task cannot fail: it neither panics nor is cancelled.
        drop(joined.await);
    }
}

/// The one of so many mills on which a stream runs.
pub(super) fn of_stream(stream: &StreamKey, mills: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    // A shadow runs beside the version that runs.
    (&stream.source, &stream.filters).hash(&mut hasher);
    usize::try_from(hasher.finish() % mills as u64).expect("the remainder is below the number of mills")
}

/// Commands that may wait for a mill; further ones wait at their sender.
const COMMANDS_MAX: usize = 64;
/// Deliveries that sources may have offered; further ones wait at their source. Each source offers one at a time.
const OFFERS_MAX: usize = 64;
