//! The source against a broker in the hands of the test, over loopback.

mod acknowledging;
pub(crate) mod broker;
mod connecting;
mod lanes;
mod sessions;
mod subscribing;

use super::*;
use crate::config::{Durability, ServerAddress};
use crate::handover::test::acceptor;
use crate::message::Delivery;
use crate::telemetry::source::{DisconnectReason, SourcesMetrics};
use broker::{Broker, DEADLINE, publish};
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A source that runs, and the test's ends of it.
struct Running {
    mill: mpsc::Receiver<Delivery>,
    filters: watch::Sender<Vec<TopicFilter>>,
    stop: watch::Sender<bool>,
    metrics: Arc<SourceMetrics>,
    task: JoinHandle<()>,
    /// The messages that were refused.
    rejected: Arc<Mutex<Vec<Rejected>>>,
    /// The data directory.
    folder: Arc<TempDir>,
}

/// Topic, payload and reason.
type Rejected = (String, Vec<u8>, String);

impl Running {
    /// Reads `devices/+` from `broker` into a mill with room for one batch.
    fn start(broker: &Broker) -> Self {
        Running::with(broker, |_, _| {})
    }

    fn with(broker: &Broker, adapt: impl FnOnce(&mut SourceConfig, &mut Timing)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Running::in_folder(broker, Arc::new(folder), &["devices/+"], adapt)
    }

    /// The process after another one whose data directory this is.
    fn in_folder(
        broker: &Broker,
        folder: Arc<TempDir>,
        wanted: &[&str],
        adapt: impl FnOnce(&mut SourceConfig, &mut Timing),
    ) -> Self {
        let (offers, mill) = acceptor(1);
        let (filters, filters_receiver) = watch::channel(wanted.iter().map(|text| filter(text)).collect());
        let (stop, stop_receiver) = watch::channel(false);
        let metrics = Arc::new(SourcesMetrics::default().source("default"));
        let mut config = config(broker.port());
        let mut timing = Timing {
            backoff: Backoff::new(
                Duration::from_millis(1),
                Duration::from_millis(20),
                Duration::from_secs(30),
            ),
            ..Timing::default()
        };
        adapt(&mut config, &mut timing);
        let rejected = Arc::new(Mutex::new(Vec::new()));
        let links = SourceLinks {
            rejects: {
                let rejected = Arc::clone(&rejected);
                Rejects::new(move |source, message, reason| {
                    assert_eq!(source, "default");
                    let kept = (message.topic.to_string(), message.payload.to_vec(), reason.to_owned());
                    rejected.lock().unwrap().push(kept);
                })
            },
            inlet: Inlet::new("default", Durability::None, offers),
            filters: filters_receiver,
            metrics: Arc::clone(&metrics),
            stop: stop_receiver,
            data_dir: folder.path().to_owned(),
        };
        let source = Source::new(config, links, timing);
        Running {
            mill,
            filters,
            stop,
            metrics,
            task: tokio::spawn(source.run()),
            rejected,
            folder,
        }
    }

    /// The payloads of the next batch.
    async fn batch(&mut self) -> Vec<String> {
        let delivery = timeout(DEADLINE, self.mill.recv()).await.expect("a batch").unwrap();
        let text = |message: &crate::message::Message| String::from_utf8(message.payload.to_vec()).unwrap();
        delivery.messages.iter().map(text).collect()
    }

    async fn stopped(self) -> Arc<TempDir> {
        timeout(DEADLINE, self.task).await.expect("the source stops").unwrap();
        self.folder
    }
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn config(port: u16) -> SourceConfig {
    SourceConfig {
        server: ServerAddress {
            host: "127.0.0.1".into(),
            port,
            tls: false,
        },
        qos: 1,
        client_id: "rulemill-test".into(),
        credentials: None,
        tls: None,
        clean_session: false,
        keep_alive: Duration::from_secs(1),
        packet_bytes_max: 1 << 20,
        share_group: None,
        durability: Durability::None,
    }
}
