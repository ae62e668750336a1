//! The subscriber of a crash run: it hands everything that the sink's broker delivers to the checker.

use super::checker::{Checker, Witness};
use crate::mqtt::{install_crypto, options, transport};
use crate::wait::pass;
use crate::{Authority, Identity, LIMIT, wait_for};
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, QoS};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Subscribes until it is dropped, again on every new connection: a broker that was killed has forgotten its session.
#[derive(Debug)]
pub(super) struct Collector {
    subscriptions: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Collector {
    /// Subscribes at the broker on this port, and waits for its agreement.
    pub(super) async fn start(
        port: u16,
        (authority, identity): (&Authority, &Identity),
        checker: Arc<Mutex<Checker>>,
    ) -> Self {
        install_crypto();
        let mut options = options("collector", port);
        options.set_transport(transport(&authority.ca, identity));
        options.set_clean_session(false);
        let (client, events) = AsyncClient::new(options, 10);
        let subscriptions = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(collect(client, events, checker, Arc::clone(&subscriptions)));
        let collector = Collector { subscriptions, task };
        collector.wait_for_subscription(0).await;
        collector
    }

    /// How often it has subscribed.
    pub(super) fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::Acquire)
    }

    /// Waits until it has subscribed more often than so many times.
    pub(super) async fn wait_for_subscription(&self, before: usize) {
        let again = || (self.subscriptions() > before).then_some(());
        wait_for("the collector's subscription", LIMIT, again).await;
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn collect(
    client: AsyncClient,
    mut events: EventLoop,
    checker: Arc<Mutex<Checker>>,
    subscriptions: Arc<AtomicUsize>,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                client
                    .try_subscribe(TOPIC, QoS::AtLeastOnce)
                    .expect("one subscription a connection has room in the queue");
            }
            Ok(Event::Incoming(Incoming::SubAck(_))) => {
                subscriptions.fetch_add(1, Ordering::AcqRel);
            }
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                let payload = String::from_utf8_lossy(&message.payload);
                let mut checker = checker.lock().unwrap_or_else(PoisonError::into_inner);
                checker.known(&payload, Witness::Subscriber);
            }
            Ok(_) => {}
            // The broker is away; the next poll connects again.
            Err(_) => pass(BETWEEN_ATTEMPTS).await,
        }
    }
}

/// Where results go.
pub(super) const TOPIC: &str = "crash-results";

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
