//! The built-in listener: devices publish straight to rulemill, without a broker.
//!
//! It is an ingest endpoint, not a broker: it takes MQTT 3.1.1 messages of QoS 0 and 1, and sends none. Subscriptions
//! are refused, wills are ignored, there are no sessions and no retained messages, and QoS 2 ends the connection. A
//! QoS 1 message is acknowledged when the inlet has accepted it. While the mills are behind, sockets are not read, so
//! TCP holds the devices back; nothing is dropped here.
//!
//! One task serves one client, and one task, the [`mod@collector`], makes batches of what all of them bring.

mod client;
mod clients;
mod collector;
mod frame;

use super::inlet::Inlet;
use super::rejects::Rejects;
use crate::clock;
use crate::config::ListenerConfig;
use crate::handover::Closed;
use crate::telemetry::listener::{CloseReason, ListenerMetrics};
use crate::telemetry::rate_limit::RateLimited;
use client::{Admission, Client};
use clients::{Clients, Presence};
use collector::{Outlet, collector};
use socket2::TcpKeepalive;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// A bound listener; devices can connect, and are served once it runs.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    config: ListenerConfig,
    timing: Timing,
}

/// What all clients share.
#[derive(Debug)]
struct Shared {
    config: ListenerConfig,
    timing: Timing,
    metrics: ListenerMetrics,
    /// The name under which messages go.
    source: String,
    rejects: Rejects,
    outlet: Outlet,
    clients: Arc<Clients>,
    /// Devices that misbehave may come back as often as they like.
    faults: RateLimited<CloseReason>,
}

/// How patient to be. Tests are less so.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// How long a device has from connecting to the end of its CONNECT.
    connect: Duration,
    /// How long a device may take to read its answers.
    write: Duration,
    /// How long a stop may take.
    stop: Duration,
}

impl Listener {
    /// Binds the address of `config`.
    ///
    /// # Errors
    /// What the operating system says, for example that the port is taken.
    pub async fn bind(config: ListenerConfig) -> io::Result<Listener> {
        Ok(Listener {
            socket: TcpListener::bind(config.mqtt).await?,
            config,
            timing: Timing {
                connect: Duration::from_secs(10),
                write: Duration::from_secs(10),
                stop: Duration::from_secs(10),
            },
        })
    }

    /// The address that devices connect to; its port is never 0.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves devices until `stop` is true (or its sender is gone), or the mills are gone. What was taken by then is
    /// delivered and acknowledged, within 10 s. `rejects` gets what has come of messages that are too large.
    pub async fn run(self, inlet: Inlet, rejects: Rejects, metrics: ListenerMetrics, mut stop: watch::Receiver<bool>) {
        let (outlet, collector) = collector();
        let source = inlet.source().to_owned();
        let mut collecting = tokio::spawn(collector.run(inlet, metrics.clone()));
        let mut serving = Serving::new(Shared {
            config: self.config,
            timing: self.timing,
            metrics,
            source,
            rejects,
            outlet,
            clients: Arc::default(),
            faults: RateLimited::new(FAULT_LINES_PER_SECOND_MAX),
        });
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                _ = &mut collecting => return error!("the mill threads have stopped"),
                Some(_) = serving.tasks.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => serving.admit(stream, &stop),
                    Err(error) => wait_after(&error).await,
                },
            }
        }
        drop(self.socket);
        let Serving { mut tasks, shared, .. } = serving;
        // The collector ends with the last client.
        drop(shared);
        let finish = async {
            while tasks.join_next().await.is_some() {}
            let _ = (&mut collecting).await;
        };
        if tokio::time::timeout(self.timing.stop, finish).await.is_err() {
            error!("messages were left behind: the mills did not take them in time");
            collecting.abort();
        }
        info!("listener stopped");
    }
}

/// The clients that are served.
struct Serving {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Serving {
    fn new(shared: Shared) -> Self {
        Serving {
            tasks: JoinSet::new(),
            places: Arc::new(Semaphore::new(shared.config.clients_max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            shared: Arc::new(shared),
        }
    }

    /// Gives the connection a place, or one of the few where it is told that there is none.
    fn admit(&mut self, stream: TcpStream, stop: &watch::Receiver<bool>) {
        let (admission, place) = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => (Admission::Open, place),
            Err(_) => match Arc::clone(&self.refusals).try_acquire_owned() {
                Ok(place) => (Admission::Full, place),
                // Too many even to be told.
                Err(_) => return,
            },
        };
        // Acknowledgements are small; waiting to fill a segment would only delay the device.
        let _ = stream.set_nodelay(true);
        // A device may be silent for ever, and still must not keep its place when it has lost its power.
        let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&PROBES);
        let client = Client::new(stream, Arc::clone(&self.shared), stop.clone());
        self.tasks.spawn(async move {
            client.run(admission).await;
            drop(place);
        });
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Out of file descriptors, most likely: trying again at once would fail at once.
async fn wait_after(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep_until((clock::monotonic() + ACCEPT_RETRY).into()).await;
}

/// When a silent device is asked for a sign of life, and how often before it counts as gone: after two minutes.
const PROBES: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

/// Connections beyond the most clients that are being told so. Further ones are closed without a word.
const REFUSALS_MAX: usize = 64;

/// How long to wait after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The most log lines a second about devices closed for the same reason. The rest is logged at debug level.
const FAULT_LINES_PER_SECOND_MAX: u32 = 1;

#[cfg(test)]
mod tests;
