//! The listener over loopback: devices in the hands of the test, and a real client.

mod closing;
mod device;
mod publishing;

use super::*;
use crate::config::Durability;
use crate::handover::test::acceptor;
use crate::message::Delivery;
use device::Device;
use std::sync::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing in these tests takes so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// A listener that runs, and the test's ends of it.
struct Running {
    address: SocketAddr,
    mill: mpsc::Receiver<Delivery>,
    stop: watch::Sender<bool>,
    metrics: ListenerMetrics,
    /// The messages that were refused.
    rejected: Arc<Mutex<Vec<Rejected>>>,
    task: JoinHandle<()>,
}

/// Topic, payload and reason.
type Rejected = (String, Vec<u8>, String);

impl Running {
    /// A listener whose mill has room for one batch.
    async fn start() -> Self {
        Running::with(|_| {}).await
    }

    async fn with(adapt: impl FnOnce(&mut Listener)) -> Self {
        let config = ListenerConfig {
            mqtt: "127.0.0.1:0".parse().unwrap(),
            clients_max: 1000,
            packet_bytes_max: 1 << 20,
            inflight_max: 100,
            durability: Durability::None,
        };
        let mut listener = Listener::bind(config).await.unwrap();
        adapt(&mut listener);
        let (offers, mill) = acceptor(1);
        let (stop, stop_receiver) = watch::channel(false);
        let metrics = ListenerMetrics::default();
        let rejected = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&rejected);
        let rejects = Rejects::new(move |source, message, reason| {
            assert_eq!(source, "listener");
            let kept = (message.topic.to_string(), message.payload.to_vec(), reason.to_owned());
            keep.lock().unwrap().push(kept);
        });
        let inlet = Inlet::new("listener", Durability::None, offers);
        Running {
            address: listener.local_addr().unwrap(),
            mill,
            stop,
            metrics: metrics.clone(),
            rejected,
            task: tokio::spawn(listener.run(inlet, rejects, metrics, stop_receiver)),
        }
    }

    /// A device that is connected.
    async fn device(&self, client_id: &str) -> Device {
        let mut device = Device::dial(self.address).await;
        device.connect(client_id).await;
        device
    }

    /// The payloads of the next batch.
    async fn batch(&mut self) -> Vec<String> {
        let delivery = timeout(DEADLINE, self.mill.recv()).await.expect("a batch").unwrap();
        let text = |message: &crate::message::Message| String::from_utf8(message.payload.to_vec()).unwrap();
        delivery.messages.iter().map(text).collect()
    }

    /// Fills the mill's queue, so that the next batch waits.
    async fn fill(&self) -> Device {
        let mut device = self.device("filler").await;
        device.publish(1, "fill").await;
        device.expect_ack(1).await;
        device
    }

    fn closed(&self, reason: CloseReason) -> u64 {
        self.metrics.closed(reason).get()
    }
}
