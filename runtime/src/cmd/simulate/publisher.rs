//! Publishes messages over one connection at a time, and knows which of them arrived.
//!
//! QoS 1 messages are kept until they are acknowledged; those of a lost connection are sent again on the next. A QoS 0
//! message counts once it was written.

use super::pace::Pace;
use super::simulation::Sample;
use crate::clock;
use anyhow::{Context, bail};
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use std::collections::{HashMap, VecDeque};
use std::error::Error as _;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Makes the messages: each call one, until there are none.
pub(super) type NextSample<'a> = &'a mut (dyn FnMut() -> Option<Sample> + Send);

/// What to publish, and how long.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) options: MqttOptions,
    pub(super) qos: QoS,
    /// Messages a second; 0: as fast as possible.
    pub(super) rate: f64,
    /// How many; `None`: until the messages end.
    pub(super) count: Option<u64>,
    /// How long; `None`: until the messages end.
    pub(super) duration: Option<Duration>,
    /// How long to wait before connecting again.
    pub(super) retry: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Messages that arrived: acknowledged, or written with QoS 0.
    pub(super) arrived: u64,
    /// Messages that were sent and not acknowledged in time.
    pub(super) unacknowledged: u64,
}

/// Publishes until `plan` is fulfilled or `stop` is ready; `progress` learns of the messages that arrived.
pub(super) async fn publish(
    plan: &Plan,
    next: NextSample<'_>,
    stop: impl Future<Output = ()>,
    progress: impl Fn(u64),
) -> anyhow::Result<Outcome> {
    let mut stop = pin!(stop);
    let mut publisher = Publisher::new(plan, next, clock::monotonic());
    loop {
        let (client, mut event_loop) = AsyncClient::new(plan.options.clone(), REQUESTS_MAX);
        let end = publisher
            .connection(&client, &mut event_loop, stop.as_mut(), &progress)
            .await?;
        match end {
            End::Finished => {
                leave(&client, &mut event_loop).await;
                return Ok(publisher.outcome());
            }
            End::Lost(error) if !publisher.was_connected => {
                let (host, port) = plan.options.broker_address();
                bail!("cannot connect to {host}:{port}: {}", with_causes(&error));
            }
            End::Lost(error) => tracing::warn!(error = with_causes(&error), "the connection was lost; trying again"),
        }
        publisher.lost();
        tokio::select! {
            () = tokio::time::sleep_until((clock::monotonic() + plan.retry).into()) => {}
            () = stop.as_mut(), if publisher.give_up_at.is_none() => publisher.end(),
        }
        publisher.watch_time();
        if publisher.is_finished() {
            return Ok(publisher.outcome());
        }
    }
}

struct Publisher<'a> {
    plan: &'a Plan,
    next: NextSample<'a>,
    pace: Pace,
    ends_at: Option<Instant>,
    /// Messages taken from `next`.
    taken: u64,
    arrived: u64,
    /// Of a lost connection, to be sent again first.
    again: VecDeque<Sample>,
    /// In the client, not written yet.
    handed: VecDeque<Sample>,
    /// Written, not acknowledged, by packet id.
    unacknowledged: HashMap<u16, Sample>,
    /// When the broker last acknowledged something, or the window began to fill.
    heard: Instant,
    /// No more messages are taken.
    exhausted: bool,
    /// Set when the time is over or somebody interrupts: what is under way then gets until that time. A number that
    /// was asked for is waited for as long as it takes.
    give_up_at: Option<Instant>,
    /// Whether a broker has ever accepted the connection.
    was_connected: bool,
    connected: bool,
}

enum End {
    Finished,
    Lost(ConnectionError),
}

impl<'a> Publisher<'a> {
    fn new(plan: &'a Plan, next: NextSample<'a>, now: Instant) -> Self {
        Publisher {
            plan,
            next,
            pace: Pace::new(plan.rate, now),
            ends_at: plan.duration.map(|duration| now + duration),
            taken: 0,
            arrived: 0,
            again: VecDeque::new(),
            handed: VecDeque::new(),
            unacknowledged: HashMap::new(),
            heard: now,
            exhausted: false,
            give_up_at: None,
            was_connected: false,
            connected: false,
        }
    }

    /// Stays with one connection. Its poll future is kept until it is ready, because it must not be cancelled.
    async fn connection(
        &mut self,
        client: &AsyncClient,
        event_loop: &mut EventLoop,
        mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
        progress: &impl Fn(u64),
    ) -> anyhow::Result<End> {
        let error = loop {
            let mut poll = pin!(event_loop.poll());
            let event = loop {
                self.watch_time();
                if self.connected {
                    self.fill(client)?;
                }
                if self.is_finished() {
                    return Ok(End::Finished);
                }
                tokio::select! {
                    biased;
                    event = poll.as_mut() => break event,
                    () = stop.as_mut(), if self.give_up_at.is_none() => self.end(),
                    () = tokio::time::sleep_until(self.wake_at().into()) => {
                        if self.is_stalled() {
                            return Ok(End::Lost(ConnectionError::NetworkTimeout));
                        }
                    }
                }
            };
            match event {
                Ok(event) => self.handle(&event, progress),
                Err(error) => break error,
            }
        };
        // What was read together with the end of the connection is still there.
        for event in std::mem::take(&mut event_loop.state.events) {
            self.handle(&event, progress);
        }
        Ok(End::Lost(error))
    }

    /// Hands over what is due and fits into the window.
    fn fill(&mut self, client: &AsyncClient) -> anyhow::Result<()> {
        let now = clock::monotonic();
        while self.has_window() {
            let sample = match self.again.pop_front() {
                Some(sample) => sample,
                None if self.exhausted || self.pace.due() > now => break,
                None => match self.take(now) {
                    Some(sample) => sample,
                    None => break,
                },
            };
            let sent = client.try_publish(&sample.topic, self.plan.qos, false, sample.payload.clone());
            sent.with_context(|| format!("cannot publish to {}", sample.topic))?;
            if self.in_flight() == 0 {
                self.heard = now;
            }
            self.handed.push_back(sample);
        }
        Ok(())
    }

    fn take(&mut self, now: Instant) -> Option<Sample> {
        let wanted = self.plan.count.is_none_or(|count| self.taken < count);
        let sample = if wanted { (self.next)() } else { None };
        if sample.is_some() {
            self.taken += 1;
            self.pace.sent(now);
        } else {
            self.exhausted = true;
        }
        sample
    }

    fn handle(&mut self, event: &Event, progress: &impl Fn(u64)) {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.connected = true;
                self.was_connected = true;
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                let written = self.handed.pop_front();
                match (self.plan.qos, written) {
                    (QoS::AtMostOnce, Some(_)) => self.arrived += 1,
                    (_, Some(sample)) => {
                        self.unacknowledged.insert(*packet_id, sample);
                    }
                    (_, None) => {}
                }
                progress(self.arrived);
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                self.heard = clock::monotonic();
                if self.unacknowledged.remove(&ack.pkid).is_some() {
                    self.arrived += 1;
                    progress(self.arrived);
                }
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }

    /// Ends when the time for it has come.
    fn watch_time(&mut self) {
        if !self.exhausted && self.ends_at.is_some_and(|end| end <= clock::monotonic()) {
            self.end();
        }
    }

    /// Takes no more messages; what is under way has some time left.
    fn end(&mut self) {
        self.exhausted = true;
        self.give_up_at.get_or_insert(clock::monotonic() + DRAIN_MAX);
    }

    /// The connection is gone, and with it what packet ids meant.
    fn lost(&mut self) {
        self.connected = false;
        let mut again: VecDeque<Sample> = self.unacknowledged.drain().map(|(_, sample)| sample).collect();
        again.append(&mut self.handed);
        again.append(&mut self.again);
        self.again = again;
    }

    fn has_window(&self) -> bool {
        self.in_flight() < WINDOW
    }

    fn in_flight(&self) -> usize {
        self.handed.len() + self.unacknowledged.len()
    }

    /// Whether everything has arrived, or there is no time left for what has not.
    fn is_finished(&self) -> bool {
        let arrived = self.exhausted && self.in_flight() + self.again.len() == 0;
        arrived
            || self
                .give_up_at
                .is_some_and(|give_up_at| give_up_at <= clock::monotonic())
    }

    /// Whether the broker has acknowledged nothing for too long.
    fn is_stalled(&self) -> bool {
        self.in_flight() > 0 && clock::monotonic().saturating_duration_since(self.heard) >= STALL_MAX
    }

    fn wake_at(&self) -> Instant {
        let stalled = self.heard + STALL_MAX;
        let later = clock::monotonic() + STALL_MAX;
        let due = (self.connected && !self.exhausted && self.has_window()).then(|| self.pace.due());
        let in_flight = (self.in_flight() > 0).then_some(stalled);
        let ends = if self.exhausted { self.give_up_at } else { self.ends_at };
        [due, in_flight, ends].into_iter().flatten().min().unwrap_or(later)
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            arrived: self.arrived,
            unacknowledged: (self.in_flight() + self.again.len()) as u64,
        }
    }
}

/// The error with what caused it, each once: some errors name their cause themselves.
fn with_causes(error: &ConnectionError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Says goodbye, and waits until the broker has closed the connection, so that it has read everything.
async fn leave(client: &AsyncClient, event_loop: &mut EventLoop) {
    if client.try_disconnect().is_ok() {
        let closed = async { while event_loop.poll().await.is_ok() {} };
        // A broker that does not close the connection has had its time.
        let _ = tokio::time::timeout(LEAVE_MAX, closed).await;
    }
}

/// Messages in flight: AWS IoT Core allows 100.
const WINDOW: usize = 90;

/// Requests that wait in the client: the window and a DISCONNECT.
const REQUESTS_MAX: usize = WINDOW + 1;

/// How long what is under way has at the end.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How long a broker may acknowledge nothing before the connection is given up.
const STALL_MAX: Duration = Duration::from_secs(60);

/// How long a broker has to close the connection.
const LEAVE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn a_cause_that_the_error_names_itself_is_said_once() {
        let refused = ConnectionError::Io(Error::from(ErrorKind::ConnectionRefused));
        assert_eq!(with_causes(&refused), "I/O: connection refused");
    }
}
