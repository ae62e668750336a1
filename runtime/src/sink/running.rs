//! The sinks of a configuration: started, changed while they run, and drained at the end.

use super::context::{Delivery, Stop, Stopper};
use super::http::{self, HttpSink, HttpSinkError};
use super::lines::LineSink;
use super::mqtt::{self, MqttSink, Timing};
use super::outbox::{KeepError, Keeper, Left, Mark, Outbox, Pushed};
use crate::clock;
use crate::config::{NameChanges, SinkConfig, SinkKind, SinkQueue};
use crate::emit::{DeadLetters, EncodedEmission};
use crate::telemetry::sink::SinkMetrics;
use crate::writer::{RotatingFile, Stdout, WriterThread};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{error, info, warn};

/// All sinks that run.
#[derive(Debug)]
pub struct Sinks {
    running: BTreeMap<String, Running>,
    metrics: SinkMetrics,
    dead_letters: DeadLetters,
    /// Where queues are kept.
    folder: PathBuf,
    /// Those that were removed and still deliver from a queue on disk, which only one may work with.
    leaving: BTreeMap<String, Leaving>,
    /// Whether they have ended.
    drained: bool,
}

/// A sink that was removed.
#[derive(Debug)]
struct Leaving {
    /// Told when it is to end now.
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

/// How far the queues of all sinks had come: see [`Sinks::marks`].
#[derive(Debug)]
pub struct Marks(Vec<(String, Arc<Outbox>, Mark)>);

/// Where a mill thread puts the emissions for one sink. Cheap to clone; it stays valid while the sink's configuration
/// changes.
#[derive(Clone, Debug)]
pub struct SinkHandle {
    outbox: Arc<Outbox>,
}

/// What a sink had not delivered when it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The sink's name.
    pub sink: String,
    /// How many emissions were given up.
    pub emissions: usize,
    /// How many wait on disk for the next start.
    pub kept: u64,
}

/// Why a sink cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The operating system gave no thread.
    #[error("sink {sink}: its writing thread cannot be started: {error}")]
    Thread {
        /// The sink's name.
        sink: String,
        /// What the system said.
        error: io::Error,
    },
    /// The HTTP settings cannot be used.
    #[error("sink {sink}: {error}")]
    Http {
        /// The sink's name.
        sink: String,
        /// What is wrong.
        error: HttpSinkError,
    },
    /// Its queue cannot be kept on disk.
    #[error("sink {sink}: {error}")]
    Queue {
        /// The sink's name.
        sink: String,
        /// What is wrong.
        error: KeepError,
    },
}

#[derive(Debug)]
struct Running {
    delivery: Delivery,
    stopper: Stopper,
    task: JoinHandle<()>,
    /// The thread of a queue on disk.
    keeper: Option<Keeper>,
}

impl Sinks {
    /// Starts the sinks of `configs`, and those of single rules, `own`: one of these that cannot be started is named in the log and
    /// left out. Their queues on disk are in the data directory, which belongs to this process. Must be called within a tokio
    /// runtime.
    pub fn start(
        configs: &BTreeMap<String, SinkConfig>,
        own: &BTreeMap<String, SinkConfig>,
        metrics: SinkMetrics,
        dead_letters: DeadLetters,
        data_dir: &Path,
    ) -> Result<Self, SinkError> {
        let mut sinks = Sinks {
            running: BTreeMap::new(),
            metrics,
            dead_letters,
            folder: data_dir.join("outbox"),
            leaving: BTreeMap::new(),
            drained: false,
        };
        for (name, config) in configs {
            let running = sinks.start_one(name, config)?;
            sinks.running.insert(name.clone(), running);
        }
        for (name, config) in own {
            match sinks.start_one(name, config) {
                Ok(running) => drop(sinks.running.insert(name.clone(), running)),
                Err(error) => error!(%error, "the sink of a rule cannot be started"),
            }
        }
        sinks.tell_strangers();
        Ok(sinks)
    }

    /// Names the queues on disk whose sinks are not there any more: nobody delivers them, and nobody removes them.
    fn tell_strangers(&self) {
        let folders = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for folder in folders {
            let name = folder.file_name().to_string_lossy().into_owned();
            let on_disk = self.running.get(&name).is_some_and(|running| running.keeper.is_some());
            if !on_disk {
                let path = folder.path();
                warn!(path = %path.display(), "what waits there goes to no sink: there is none of that name with a queue on disk");
            }
        }
    }

    /// What is pushed from here on does not come from a replay: an emission that has the id of an earlier one is another one.
    pub fn replay_is_over(&self) {
        for running in self.running.values() {
            running.delivery.outbox.replay_is_over();
        }
    }

    /// How far all queues have come now.
    pub fn marks(&self) -> Option<Marks> {
        if self.drained {
            return None;
        }
        let mut running = self
            .running
            .iter()
            .map(|(name, running)| (name, &running.delivery))
            .collect::<Vec<_>>();
        running.retain(|(_, delivery)| delivery.is_recoverable());
        let mark = |(name, delivery): (&String, &Delivery)| {
            let outbox = Arc::clone(&delivery.outbox);
            let mark = outbox.mark();
            (name.clone(), outbox, mark)
        };
        Some(Marks(running.into_iter().map(mark).collect()))
    }

    /// Starts the sinks that `changes` adds and changes those that it changes; all others go on undisturbed. A changed
    /// one keeps its queue and its handles, so nothing is lost. Those that it removes go on too, until
    /// [`Sinks::remove`]: somebody may still push to them.
    ///
    /// A sink that cannot be started as configured keeps running as it was; all such errors are returned.
    pub async fn reload(
        &mut self,
        configs: &BTreeMap<String, SinkConfig>,
        changes: &NameChanges,
    ) -> Vec<(String, SinkError)> {
        let mut errors = Vec::new();
        for name in changes.added.iter().chain(&changes.changed) {
            if let Some(config) = configs.get(name)
                && let Err(error) = self.change(name, config).await
            {
                errors.push((name.clone(), error));
            }
        }
        errors
    }

    /// Removes sinks that nobody pushes to any more: each is drained in the background for at most `drain_timeout`.
    pub fn remove<'n>(&mut self, names: impl IntoIterator<Item = &'n String>, drain_timeout: Duration) {
        for name in names {
            if let Some(running) = self.running.remove(name) {
                let on_disk = running.keeper.is_some();
                let hurry = Arc::new(Notify::new());
                let (hurried, of) = (Arc::clone(&hurry), name.clone());
                let task = tokio::spawn(async move {
                    // What is left at the end of that time is given up, and said.
                    tokio::select! {
                        _ = timeout(drain_timeout, running.emptied()) => {}
                        () = hurried.notified() => {}
                    }
                    running.close(of).await;
                });
                if on_disk {
                    self.leaving.insert(name.clone(), Leaving { hurry, task });
                }
            }
        }
    }

    /// The handle of the sink `name`, if there is one.
    pub fn handle(&self, name: &str) -> Option<SinkHandle> {
        self.running.get(name).map(|running| SinkHandle {
            outbox: running.delivery.outbox.clone(),
        })
    }

    /// From now on nobody waits in [`SinkHandle::push`]: what does not fit is let in beyond the bound. Call it first when
    /// everything stops, so that mill threads can finish.
    pub fn let_through(&self) {
        for running in self.running.values() {
            running.delivery.outbox.start_draining();
        }
    }

    /// Stops all sinks, after all have delivered what they have, or when the time is `over`: what was given up, by sink.
    /// Push nothing more before calling it.
    pub async fn drain(&mut self, over: impl Future<Output = ()>) -> Vec<Undelivered> {
        let emptied = join_all(self.running.values().map(Running::emptied));
        tokio::select! {
            biased;
            _ = emptied => {}
            () = over => {}
        }
        self.drained = true;
        let closed = std::mem::take(&mut self.running)
            .into_iter()
            .map(|(name, running)| running.close(name));
        let mut undelivered = join_all(closed).await;
        undelivered.retain(|left| left.emissions > 0);
        undelivered
    }

    async fn change(&mut self, name: &str, config: &SinkConfig) -> Result<(), SinkError> {
        let Some(running) = self.running.get(name) else {
            if let Some(leaving) = self.leaving.remove(name) {
                // What it has not delivered is on disk, and goes on with its successor.
                leaving.hurry.notify_one();
                if let Err(error) = leaving.task.await {
                    error!(sink = name, %error, "the sink of that name before ended with a panic");
                }
            }
            let running = self.start_one(name, config)?;
            running.delivery.outbox.replay_is_over();
            self.running.insert(name.to_owned(), running);
            return Ok(());
        };
        if config.queue != running.delivery.queue {
            warn!(sink = name, "queue takes effect at the next start only");
        }
        let mut delivery = running.delivery.clone();
        delivery.id_field = config.id_field.as_deref().map(Arc::from);
        let task = build(config, delivery.clone())?;
        let mut keeper = None;
        if let Some(old) = self.running.remove(name) {
            keeper = old.halt().await;
        }
        delivery.outbox.rewind();
        delivery.outbox.reconfigure(config);
        let running = Running::spawn(delivery, task, keeper);
        self.running.insert(name.to_owned(), running);
        Ok(())
    }

    fn start_one(&self, name: &str, config: &SinkConfig) -> Result<Running, SinkError> {
        let delivery = self.delivery(name, config);
        let task = build(config, delivery.clone())?;
        let keeper = match config.queue {
            SinkQueue::Memory => None,
            SinkQueue::Disk => {
                let kept = Keeper::start(&delivery.outbox, config, &self.folder.join(name));
                Some(kept.map_err(|error| SinkError::Queue {
                    sink: name.to_owned(),
                    error,
                })?)
            }
        };
        Ok(Running::spawn(delivery, task, keeper))
    }

    fn delivery(&self, name: &str, config: &SinkConfig) -> Delivery {
        let counters = self.metrics.of(&Arc::from(name));
        Delivery {
            outbox: Arc::new(Outbox::new(config, counters.clone())),
            queue: config.queue,
            is_local: matches!(config.kind, SinkKind::Log | SinkKind::File(_)),
            has_connection: matches!(config.kind, SinkKind::Mqtt(_)),
            id_field: config.id_field.as_deref().map(Arc::from),
            counters,
            dead_letters: self.dead_letters.clone(),
        }
    }
}

impl Marks {
    /// Waits until everything that was pushed before is on disk for good, or delivered where the queue is in memory. False: a
    /// queue was closed before it was, so the journal is still needed for it.
    ///
    /// A queue in memory that would rather drop than block is waited for `patience` long at most: if its sink hangs, what it has
    /// in hand is as lost in a crash as what it drops, and everything else goes on.
    pub async fn settled(self, patience: Duration) -> bool {
        let until = clock::monotonic() + patience;
        for (sink, outbox, mark) in self.0 {
            if !outbox.may_lose() {
                if !outbox.settled(mark).await {
                    return false;
                }
                continue;
            }
            match tokio::time::timeout_at(until.into(), outbox.settled(mark)).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => error!(
                    sink,
                    "the sink has written nothing for so long that checkpoints no longer wait for it; what it has in its queue would \
                     be lost in a crash"
                ),
            }
        }
        true
    }
}

impl SinkHandle {
    /// The handle of a queue.
    pub(super) fn to(outbox: Arc<Outbox>) -> Self {
        SinkHandle { outbox }
    }

    /// Hands an emission over, as the sink's `on_full` says. With `block` it waits while the queue is full, so call it
    /// from mill threads only.
    pub fn push(&self, emission: EncodedEmission) -> Pushed {
        self.outbox.push(emission, clock::monotonic())
    }
}

impl Running {
    fn spawn(delivery: Delivery, task: Task, keeper: Option<Keeper>) -> Self {
        let (stopper, stop) = Stopper::new();
        Running {
            delivery,
            stopper,
            task: tokio::spawn(task(stop)),
            keeper,
        }
    }

    /// Waits until everything is delivered; what is on disk is not waited for while nobody takes it. From now on nobody waits
    /// in [`SinkHandle::push`].
    async fn emptied(&self) {
        let outbox = &self.delivery.outbox;
        outbox.start_draining();
        if self.keeper.is_some() && self.delivery.is_away() {
            return;
        }
        outbox.emptied().await;
    }

    /// Ends the sink, and gives up what it has not delivered.
    async fn close(self, name: String) -> Undelivered {
        let outbox = self.delivery.outbox.clone();
        let keeper = self.halt().await;
        let Left { given_up, kept } = outbox.close();
        if given_up > 0 {
            warn!(
                sink = name,
                emissions = given_up,
                "the sink stopped before everything was delivered"
            );
        }
        if kept > 0 {
            info!(sink = name, emissions = kept, "what was not delivered is kept on disk");
        }
        if let Some(keeper) = keeper
            && timeout(KEEP_TIMEOUT, keeper.ended()).await.is_err()
        {
            error!(sink = name, "the queue could not be put on disk in time");
        }
        Undelivered {
            sink: name,
            emissions: given_up,
            kept,
        }
    }

    /// Ends the task, by force if it takes too long. Gives what keeps its queue.
    async fn halt(mut self) -> Option<Keeper> {
        self.stopper.stop();
        if timeout(HALT_TIMEOUT, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.keeper
    }
}

type Task = Box<dyn FnOnce(Stop) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Makes all that can fail, and gives the task to run.
fn build(sink_config: &SinkConfig, delivery: Delivery) -> Result<Task, SinkError> {
    let sink = delivery.counters.sink.to_string();
    let format = sink_config.format;
    let thread = |error| SinkError::Thread {
        sink: sink.clone(),
        error,
    };
    Ok(match &sink_config.kind {
        SinkKind::Log => {
            let writer = WriterThread::spawn(&sink, Stdout).map_err(thread)?;
            delivery.counters.begin(&[], &["output_closed"]);
            let lines = LineSink::new(delivery, format, writer, "standard output".to_owned());
            Box::new(|stop| Box::pin(lines.run(stop)))
        }
        SinkKind::File(file) => {
            let writer = WriterThread::spawn(&sink, RotatingFile::new(file.clone())).map_err(thread)?;
            let lines = LineSink::new(delivery, format, writer, file.path.display().to_string());
            Box::new(|stop| Box::pin(lines.run(stop)))
        }
        SinkKind::Mqtt(config) => {
            delivery.counters.begin(&mqtt::LOSSES, &mqtt::DROPS);
            let sink = MqttSink::new(config.clone(), format, delivery, Timing::AWS);
            Box::new(|stop| Box::pin(sink.run(stop)))
        }
        SinkKind::Http(config) => {
            delivery.counters.begin(&http::FAILURES, &http::DROPS);
            let sink = HttpSink::new(config, format, delivery).map_err(|error| SinkError::Http { sink, error })?;
            Box::new(|stop| Box::pin(sink.run(stop)))
        }
    })
}

/// How long a task may take to end once it is told to.
const HALT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long putting the rest of a queue on disk may take at the end.
const KEEP_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
