//! A TCP proxy between a client and its broker that does on command what networks do: it stalls, swallows bytes, and
//! breaks connections in the middle of a packet; and what AWS IoT Core does: PUBACKs come in another order, or never.
//!
//! It also tells a test what was acknowledged, by the packets that passed. Which of several random things happens
//! follows from its seed, as far as the order of what arrives does not.

mod acknowledgements;
mod ledger;
mod line;
mod packets;
mod pump;
mod tls;
mod weather;

#[cfg(test)]
mod tests;

pub use self::acknowledgements::Acknowledgements;
pub use self::weather::Hold;

use self::tls::BothSides;
use self::weather::Weather;
use crate::wait::pass;
use crate::{Authority, Identity};
use fastrand::Rng;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// Where a proxy leads, and who is told what.
pub struct Route<'a> {
    /// The broker's port, on 127.0.0.1. It need not listen all the time.
    pub broker: u16,
    /// What the connections are made of.
    pub wire: Wire<'a>,
    /// Decides what is left to chance.
    pub seed: u64,
    /// Is given the payload of each QoS 1 message that was acknowledged: those of the broker when the client's PUBACK
    /// arrives here, those of the client when the broker's PUBACK leaves for it.
    pub acknowledged: Observer,
}

/// What is told a payload.
pub type Observer = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What connections are made of.
#[derive(Clone, Copy)]
pub enum Wire<'a> {
    /// MQTT over TCP.
    Plain,
    /// MQTT over TLS with certificates on both sides, which ends at the proxy and begins anew behind it.
    MutualTls {
        /// Whom all sides trust.
        authority: &'a Authority,
        /// What the proxy shows to clients.
        server: &'a Identity,
        /// What the proxy shows to the broker.
        client: &'a Identity,
    },
}

/// What a proxy did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that clients made.
    pub connections: usize,
    /// Connections that ended with RST, most of them in the middle of a packet.
    pub resets: usize,
    /// PUBACKs that never arrived.
    pub lost: usize,
    /// PUBACKs that arrived after the one that followed them.
    pub reordered: usize,
}

/// What all connections have in common.
struct Shared {
    broker: u16,
    tls: Option<BothSides>,
    acknowledged: Observer,
    weather: Weather,
    rng: Mutex<Rng>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    resets: AtomicUsize,
    lost: AtomicUsize,
    reordered: AtomicUsize,
}

impl Proxy {
    /// A proxy in fine weather.
    pub async fn start(route: Route<'_>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let tls = match route.wire {
            Wire::Plain => None,
            Wire::MutualTls {
                authority,
                server,
                client,
            } => Some(BothSides::new(authority, server, client)),
        };
        let shared = Arc::new(Shared {
            broker: route.broker,
            tls,
            acknowledged: route.acknowledged,
            weather: Weather::default(),
            rng: Mutex::new(Rng::with_seed(route.seed)),
            counts: Counts::default(),
        });
        let task = tokio::spawn(line::accept(listener, Arc::clone(&shared)));
        Proxy { port, shared, task }
    }

    /// Nothing passes for so long; then everything does that has waited.
    pub fn stall(&self, time: Duration) {
        let hold = self.hold();
        tokio::spawn(async move {
            pass(time).await;
            drop(hold);
        });
    }

    /// Nothing passes until the guard is dropped.
    pub fn hold(&self) -> Hold {
        self.shared.weather.hold()
    }

    /// All connections are reset, in the middle of the next packet if one comes soon.
    pub fn reset(&self) {
        let torn = self.shared.direction();
        self.shared.weather.reset(torn);
    }

    /// What is sent within so long never arrives, while both sides believe that it does; then all connections end.
    pub fn cut(&self, time: Duration) {
        let swallow = self.shared.weather.swallow();
        tokio::spawn(async move {
            pass(time).await;
            drop(swallow);
        });
    }

    /// For so long, PUBACKs to the client are lost; then all connections are reset, as the client might wait for them
    /// longer than a test does.
    pub fn lose_acknowledgements(&self, time: Duration) {
        let shared = Arc::clone(&self.shared);
        shared.weather.set_acknowledgements(Acknowledgements::Lose);
        tokio::spawn(async move {
            pass(time).await;
            shared.weather.set_acknowledgements(Acknowledgements::Pass);
            shared.weather.reset(shared.direction());
        });
    }

    /// What becomes of PUBACKs to the client from now on.
    pub fn set_acknowledgements(&self, mode: Acknowledgements) {
        self.shared.weather.set_acknowledgements(mode);
    }

    /// What it did so far.
    pub fn tally(&self) -> Tally {
        let counts = &self.shared.counts;
        let count = |counter: &AtomicUsize| counter.load(Ordering::Acquire);
        Tally {
            connections: count(&counts.connections),
            resets: count(&counts.resets),
            lost: count(&counts.lost),
            reordered: count(&counts.reordered),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.weather.end();
    }
}

impl Shared {
    fn rng(&self) -> Rng {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }

    fn direction(&self) -> Direction {
        if self.rng().bool() {
            Direction::ToBroker
        } else {
            Direction::ToClient
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { broker, counts, .. } = self;
        write!(formatter, "to the broker at {broker}: {counts:?}")
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToBroker,
    ToClient,
}

impl Counts {
    fn add(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::AcqRel);
    }
}
