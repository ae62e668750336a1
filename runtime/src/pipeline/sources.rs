//! The sources: a task for each broker, started, restarted and stopped as the configuration says.

use crate::config::SourceConfig;
use crate::ingest::mqtt::{self, SourceLinks};
use crate::ingest::{Inlet, Rejects};
use crate::telemetry::source::SourcesMetrics;
use crate::topic::TopicFilter;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The sources that run.
pub(super) struct Sources {
    running: BTreeMap<String, Running>,
    metrics: SourcesMetrics,
    rejects: Rejects,
    data_dir: PathBuf,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sources {
    /// No sources yet. They may keep files in `data_dir`.
    pub(super) fn new(metrics: SourcesMetrics, rejects: Rejects, data_dir: PathBuf) -> Self {
        Sources {
            running: BTreeMap::new(),
            metrics,
            rejects,
            data_dir,
        }
    }

    /// Starts a source; `filters` is what it subscribes to.
    pub(super) fn start(
        &mut self,
        name: &str,
        config: SourceConfig,
        inlet: Inlet,
        filters: watch::Receiver<Vec<TopicFilter>>,
    ) {
        let (stop, stopped) = watch::channel(false);
        let links = SourceLinks {
            inlet,
            filters,
            metrics: Arc::new(self.metrics.source(name)),
            stop: stopped,
            rejects: self.rejects.clone(),
            data_dir: self.data_dir.clone(),
        };
        let task = tokio::spawn(mqtt::run(config, links));
        self.running.insert(name.to_owned(), Running { stop, task });
    }

    /// Stops a source: what it took in is delivered and acknowledged first.
    pub(super) async fn stop(&mut self, name: &str) {
        if let Some(running) = self.running.remove(name) {
            running.stop.send_replace(true);
            if let Err(error) = running.task.await {
                tracing::error!(source = name, %error, "the source ended with a panic");
            }
        }
    }

    /// Stops all of them at once.
    pub(super) async fn stop_all(mut self) {
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
        let names: Vec<String> = self.running.keys().cloned().collect();
        for name in names {
            self.stop(&name).await;
        }
    }
}
