//! The source against a broker in the hands of the test, over loopback.

mod acknowledging;
pub(crate) mod broker;
mod connecting;
mod lanes;
mod subscribing;

use super::*;
use crate::config::ServerAddress;
use crate::message::Delivery;
use crate::telemetry::source::{DisconnectReason, SourcesMetrics};
use broker::{Broker, DEADLINE, publish};
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
}

impl Running {
    /// Reads `devices/+` from `broker` into a mill with room for one batch.
    fn start(broker: &Broker) -> Self {
        Running::with(broker, |_, _| {})
    }

    fn with(broker: &Broker, adapt: impl FnOnce(&mut SourceConfig, &mut Timing)) -> Self {
        let (sender, mill) = mpsc::channel(1);
        let (filters, filters_receiver) = watch::channel(vec![filter("devices/+")]);
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
        let source = Source::new(
            config,
            Inlet::new("default", [sender]),
            filters_receiver,
            Arc::clone(&metrics),
            stop_receiver,
            timing,
        );
        Running {
            mill,
            filters,
            stop,
            metrics,
            task: tokio::spawn(source.run()),
        }
    }

    /// The payloads of the next batch.
    async fn batch(&mut self) -> Vec<String> {
        let delivery = timeout(DEADLINE, self.mill.recv()).await.expect("a batch").unwrap();
        let text = |message: &crate::message::Message| String::from_utf8(message.payload.to_vec()).unwrap();
        delivery.messages.iter().map(text).collect()
    }

    async fn stopped(self) {
        timeout(DEADLINE, self.task).await.expect("the source stops").unwrap();
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
    }
}
