//! Devices that publish with QoS 1, and keep every message until rulemill has acknowledged it.
//!
//! The broker's own PUBACK is not enough for them: a mosquitto that is killed forgets what it acknowledged and has not
//! delivered. What rulemill acknowledged is known from the packets that passed the proxy before it ([`Sender::settled`]).
//! After each reconnect everything that is left is sent again, oldest first. So the broker may be killed at any moment,
//! and still every message must be in its window: what is missing was lost by rulemill.

use super::checker::Checker;
use super::rule::{BEHIND_MS, SPEED, topic};
use crate::wait::pass;
use crate::{LIMIT, packet, wall_millis};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Publishes until it is finished or dropped.
#[derive(Debug)]
pub(super) struct Sender {
    mode: watch::Sender<Mode>,
    unsettled: Unsettled,
    task: JoinHandle<()>,
}

/// The messages that rulemill has not acknowledged, by their numbers.
pub(super) type Unsettled = Arc<Mutex<BTreeMap<u64, Message>>>;

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    topic: String,
    payload: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Messages come.
    Sending,
    /// There is no connection; devices wait.
    Holding,
    /// No message comes any more; what is left is sent.
    Finishing,
}

/// What makes messages, as fast as the time that passes wants them.
struct Source {
    checker: Arc<Mutex<Checker>>,
    unsettled: Unsettled,
    rng: Rng,
    started: u64,
    looked: u64,
    next: u64,
    packet_id: u16,
}

impl Sender {
    /// Begins to publish at the broker on this port. The checker is told what is sent.
    pub(super) fn start(port: u16, seed: u64, checker: Arc<Mutex<Checker>>, unsettled: Unsettled) -> Self {
        let (mode, orders) = watch::channel(Mode::Sending);
        let now = wall_millis();
        let source = Source {
            checker,
            unsettled: Arc::clone(&unsettled),
            rng: Rng::with_seed(seed),
            started: now,
            looked: now,
            next: 0,
            packet_id: 0,
        };
        let task = tokio::spawn(publish(port, source, orders));
        Sender { mode, unsettled, task }
    }

    /// Ends the connection, until [`Sender::resume`].
    pub(super) fn hold(&self) {
        self.mode.send_replace(Mode::Holding);
    }

    /// Connects, sends again what is not settled, and goes on.
    pub(super) fn resume(&self) {
        self.mode.send_replace(Mode::Sending);
    }

    /// Sends nothing new from now on.
    pub(super) fn finish(&self) {
        self.mode.send_replace(Mode::Finishing);
    }

    /// How many messages rulemill has not acknowledged.
    pub(super) fn unsettled(&self) -> usize {
        lock(&self.unsettled).len()
    }

    /// Notes that rulemill has acknowledged this payload.
    pub(super) fn settled(unsettled: &Unsettled, payload: &[u8]) {
        let message = serde_json::from_slice::<serde_json::Value>(payload).ok();
        if let Some(number) = message.and_then(|message| message["seq"].as_u64()) {
            lock(unsettled).remove(&number);
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Publishes over one connection after the other.
async fn publish(port: u16, mut source: Source, mut mode: watch::Receiver<Mode>) {
    while mode.wait_for(|mode| *mode != Mode::Holding).await.is_ok() {
        // What failed is tried again, as devices do.
        let _ = converse(port, &mut source, &mut mode).await;
        pass(BETWEEN_ATTEMPTS).await;
    }
}

/// One connection, until it fails or is to end.
async fn converse(port: u16, source: &mut Source, mode: &mut watch::Receiver<Mode>) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&packet::connect(CLIENT_ID)).await?;
    let mut reply = [0; 4];
    timeout(LIMIT, stream.read_exact(&mut reply)).await??;
    let (mut answers, mut requests) = stream.into_split();
    // The broker's PUBACKs say nothing that counts, but must be taken.
    let mut nowhere = sink();
    let mut closed = pin!(copy(&mut answers, &mut nowhere));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    source.send_again(&mut requests).await?;
    source.looked = wall_millis();
    loop {
        tokio::select! {
            _ = &mut closed => return Ok(()),
            changed = mode.changed() => {
                if changed.is_err() || *mode.borrow() == Mode::Holding {
                    return Ok(());
                }
            }
            _ = ticks.tick() => {
                if *mode.borrow() == Mode::Sending {
                    source.send_due(&mut requests).await?;
                }
            }
        }
    }
}

impl Source {
    async fn send_again(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let left: Vec<Message> = lock(&self.unsettled).values().cloned().collect();
        self.write(&left, to).await
    }

    /// Sends what is due since it was last looked.
    async fn send_due(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let now = wall_millis();
        let due = (now.saturating_sub(self.looked) * PER_MILLISECOND).min(BURST_MAX);
        self.looked = now;
        let messages: Vec<Message> = (0..due).map(|_| self.message(now)).collect();
        self.write(&messages, to).await
    }

    fn message(&mut self, now: u64) -> Message {
        let number = self.next;
        self.next += 1;
        let device = topic(self.rng.u64(0..DEVICES));
        let time = self.started - BEHIND_MS + (now.saturating_sub(self.started)) * SPEED;
        self.checker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sent(&device, number, time);
        let message = Message {
            topic: device,
            payload: format!(r#"{{"seq":{number},"time":{time}}}"#),
        };
        lock(&self.unsettled).insert(number, message.clone());
        message
    }

    async fn write(&mut self, messages: &[Message], to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        for messages in messages.chunks(CHUNK) {
            let mut packets = Vec::new();
            for message in messages {
                self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
                let id = Some(self.packet_id);
                packets.extend(packet::publish(&message.topic, message.payload.as_bytes(), id));
            }
            to.write_all(&packets).await?;
        }
        Ok(())
    }
}

fn lock(unsettled: &Unsettled) -> std::sync::MutexGuard<'_, BTreeMap<u64, Message>> {
    unsettled.lock().unwrap_or_else(PoisonError::into_inner)
}

const CLIENT_ID: &str = "crash-devices";
const DEVICES: u64 = 20;
const PER_MILLISECOND: u64 = 2;
const TICK: Duration = Duration::from_millis(5);
/// The most that one tick sends, when the machine was busy elsewhere.
const BURST_MAX: u64 = 1000;
const CHUNK: usize = 500;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
