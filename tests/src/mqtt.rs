//! MQTT clients of the tests: one that publishes, one that subscribes.

use crate::{Identity, LIMIT, Mosquitto, wait_for};
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Outgoing, QoS, TlsConfiguration, Transport};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A client that publishes, with a count of what the broker has.
#[derive(Debug)]
pub struct Publisher {
    client: AsyncClient,
    sent: usize,
    done: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// A client that keeps what it receives. It comes back after a lost connection, and its session waits for it.
#[derive(Debug)]
pub struct Subscriber {
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

/// A message that a subscriber got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its topic.
    pub topic: String,
    /// Its payload; not UTF-8 is an error of the test.
    pub payload: String,
    /// The QoS it came with.
    pub qos: u8,
    /// Whether it was retained.
    pub retain: bool,
}

impl Publisher {
    /// Connects to a broker, or to the built-in listener, without TLS.
    pub fn connect(port: u16) -> Self {
        let (client, events) = AsyncClient::new(options("publisher", port), 1000);
        let done = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(count_done(events, Arc::clone(&done)));
        Publisher {
            client,
            sent: 0,
            done,
            task,
        }
    }

    /// Hands a message to the client.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>, qos: QoS) {
        self.sent += 1;
        let handed_over = timeout(LIMIT, self.client.publish(topic, qos, false, payload)).await;
        handed_over
            .expect("the broker takes messages")
            .expect("the publisher runs");
    }

    /// Waits until everything published so far is acknowledged (QoS 1) or written (QoS 0).
    pub async fn flush(&self) {
        let what = format!("{} publishes to be done", self.sent);
        wait_for(&what, LIMIT, || {
            (self.done.load(Ordering::Acquire) >= self.sent).then_some(())
        })
        .await;
    }

    /// How many messages were published.
    pub fn sent(&self) -> usize {
        self.sent
    }
}

impl Subscriber {
    /// Subscribes at an open broker and waits for its agreement.
    pub async fn connect(broker: &Mosquitto, filter: &str) -> Self {
        Self::start(options("subscriber", broker.port), filter).await
    }

    /// Subscribes at a broker that asks for a certificate.
    pub async fn connect_tls(broker: &Mosquitto, filter: &str, ca: &Path, identity: &Identity) -> Self {
        Self::connect_tls_at(broker.port, filter, ca, identity).await
    }

    /// As [`Subscriber::connect_tls`], at what leads to such a broker.
    pub async fn connect_tls_at(port: u16, filter: &str, ca: &Path, identity: &Identity) -> Self {
        let mut options = options("subscriber", port);
        options.set_transport(transport(ca, identity));
        Self::start(options, filter).await
    }

    async fn start(mut options: MqttOptions, filter: &str) -> Self {
        install_crypto();
        options.set_clean_session(false);
        let (client, events) = AsyncClient::new(options, 10);
        client
            .subscribe(filter, QoS::AtLeastOnce)
            .await
            .expect("the queue is empty");
        let received = Arc::default();
        let subscribed = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(collect(events, Arc::clone(&received), Arc::clone(&subscribed)));
        let subscriber = Subscriber { received, task };
        wait_for("the subscription", LIMIT, || {
            (subscribed.load(Ordering::Acquire) > 0).then_some(())
        })
        .await;
        // Kept until here, so that the event loop has somebody to listen to.
        drop(client);
        subscriber
    }

    /// All messages so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The payloads of all messages so far, in order.
    pub fn payloads(&self) -> Vec<String> {
        self.received().into_iter().map(|message| message.payload).collect()
    }

    /// Waits for so many messages; gives all payloads there are then.
    pub async fn wait_for_payloads(&self, count: usize, limit: Duration) -> Vec<String> {
        let what = format!("{count} messages at the subscriber");
        wait_for(&what, limit, || {
            Some(self.payloads()).filter(|payloads| payloads.len() >= count)
        })
        .await
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The client library for TLS takes its cryptography from the process.
pub(crate) fn install_crypto() {
    // The second caller finds it installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS with a certificate of the client's.
pub(crate) fn transport(ca: &Path, identity: &Identity) -> Transport {
    let read = |path: &Path| std::fs::read(path).expect("the sandbox can be read");
    Transport::tls_with_config(TlsConfiguration::Simple {
        ca: read(ca),
        alpn: None,
        client_auth: Some((read(&identity.cert), read(&identity.key))),
    })
}

pub(crate) fn options(role: &str, port: u16) -> MqttOptions {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let id = format!(
        "{role}-{}-{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let mut options = MqttOptions::new(id, "127.0.0.1", port);
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    options.set_inflight(1000);
    options.set_keep_alive(Duration::from_secs(30));
    options
}

async fn count_done(mut events: EventLoop, done: Arc<AtomicUsize>) {
    loop {
        match events.poll().await {
            // A packet id of zero is QoS 0, which nobody acknowledges.
            Ok(Event::Outgoing(Outgoing::Publish(0)) | Event::Incoming(Incoming::PubAck(_))) => {
                done.fetch_add(1, Ordering::Release);
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("the publisher lost its connection: {error}");
                return;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the time is between two attempts to connect")]
async fn collect(mut events: EventLoop, received: Arc<Mutex<Vec<Received>>>, subscribed: Arc<AtomicUsize>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                let message = Received {
                    topic: message.topic,
                    payload: String::from_utf8_lossy(&message.payload).into_owned(),
                    qos: message.qos as u8,
                    retain: message.retain,
                };
                received.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            }
            Ok(Event::Incoming(Incoming::SubAck(_))) => {
                subscribed.fetch_add(1, Ordering::Release);
            }
            Ok(_) => {}
            // The broker is away; the next poll connects again.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

const PACKET_BYTES_MAX: usize = 8 << 20;
