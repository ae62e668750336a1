//! One connection of an MQTT sink, from its first attempt to its loss.
//!
//! A single task polls the client and fills its window. The client's `poll` must not be cancelled while the connection
//! is in use, so its future lives until it gives an event, whatever else happens meanwhile.

use super::governor::Governor;
use super::loss::Loss;
use super::message::{OutMessage, metered_units};
use super::suspects::Part;
use super::window::{Finished, Window};
use super::{MqttSink, Timing};
use crate::backoff::Backoff;
use crate::clock;
use crate::sink::context::Stop;
use crate::sink::outbox::Sequence;
use futures_util::FutureExt;
use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet, QoS};
use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, timeout};
use tracing::warn;

/// One connection and what is in flight on it.
pub(crate) struct Connection<'a> {
    sink: &'a mut MqttSink,
    backoff: &'a mut Backoff,
    event_loop: EventLoop,
    link: Link,
}

/// How a connection ended.
pub(crate) enum End {
    /// As requested.
    Stopped,
    /// By a failure; try again.
    Lost(Loss),
}

struct Link {
    client: AsyncClient,
    connected: bool,
    window: Window,
    governor: Governor,
    /// The last emission read from the outbox.
    cursor: Sequence,
    /// Its messages that have not been handed to the client.
    messages: VecDeque<OutMessage>,
    /// The message in flight, when messages are sent alone.
    alone: Option<(Part, OutMessage)>,
}

/// What must happen before more can be published.
enum Blocked {
    /// A new emission, once it arrives.
    Emission,
    /// An acknowledgement, or the CONNACK.
    Broker,
    /// Time, for the governor.
    Rate(Duration),
}

enum Step {
    Event(Event),
    End(End),
    Stop,
}

impl<'a> Connection<'a> {
    /// A new client with nothing in flight; it connects when it runs.
    pub(crate) fn open(sink: &'a mut MqttSink, backoff: &'a mut Backoff) -> Self {
        let config = &sink.config;
        let capacity = usize::from(config.inflight_max) + 1;
        let (client, mut event_loop) = AsyncClient::new(sink.options(), capacity);
        event_loop.network_options.set_connection_timeout(CONNECT_TIMEOUT_S);
        event_loop.network_options.set_tcp_nodelay(true);
        let governor = Governor::new(
            config.publishes_per_second_max,
            config.bytes_per_second_max,
            clock::monotonic(),
        );
        Connection {
            sink,
            backoff,
            event_loop,
            link: Link {
                client,
                connected: false,
                window: Window::default(),
                governor,
                cursor: Sequence::START,
                messages: VecDeque::new(),
                alone: None,
            },
        }
    }

    /// Connects and publishes until the connection is lost or `stop` is requested.
    pub(crate) async fn run(mut self, stop: &mut Stop) -> End {
        let Timing { ack_timeout, .. } = self.sink.timing;
        let mut overdue = tokio::time::interval(ack_timeout / 8);
        overdue.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outbox = self.sink.delivery.outbox.clone();
        loop {
            let step = {
                let mut poll = pin!(self.event_loop.poll());
                loop {
                    let blocked = fill(self.sink, &mut self.link);
                    let more = async {
                        match blocked {
                            Blocked::Emission => outbox.arrived().await,
                            Blocked::Rate(wait) => clock::pass(wait).await,
                            Blocked::Broker => pending().await,
                        }
                    };
                    tokio::select! {
                        event = &mut poll => break match event {
                            Ok(event) => Step::Event(event),
                            Err(error) => {
                                let client_id = &self.sink.config.client_id;
                                Step::End(End::Lost(Loss::explain(&error, client_id, self.link.connected)))
                            }
                        },
                        () = more => {}
                        _ = overdue.tick() => {
                            if self.link.window.is_overdue(ack_timeout, clock::monotonic()) {
                                break Step::End(End::Lost(Loss::ack_timeout(ack_timeout.as_secs())));
                            }
                        }
                        () = stop.requested() => break Step::Stop,
                    }
                }
            };
            match step {
                Step::Event(event) => self.handle(event),
                Step::End(end) => {
                    if let End::Lost(loss) = &end {
                        self.suspect(loss);
                    }
                    return end;
                }
                Step::Stop => {
                    self.disconnect().await;
                    return End::Stopped;
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = clock::monotonic();
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.link.connected = true;
                self.backoff.connected(now);
                self.sink.connected();
            }
            Event::Outgoing(Outgoing::Publish(packet)) => {
                let finished = self.link.window.written(packet, now);
                self.finish(finished);
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                self.sink.suspects.acknowledged();
                let finished = self.link.window.acknowledged(ack.pkid);
                self.finish(finished);
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        let in_flight = i64::try_from(self.link.window.len()).unwrap_or(i64::MAX);
        self.sink.delivery.counters.in_flight.set(in_flight);
    }

    fn finish(&mut self, finished: Option<Finished>) {
        if let Some(Finished { sequence, rows, bytes }) = finished {
            self.sink.delivery.outbox.done(sequence);
            self.sink.delivery.delivered(1, rows, bytes);
        }
    }

    /// Looks for a message that the server does not take, when the connection was lost with publishes in flight.
    fn suspect(&mut self, loss: &Loss) {
        let Some(written) = self.link.window.first_written() else {
            return;
        };
        let soon = clock::monotonic().saturating_duration_since(written) < CLOSED_SOON;
        match self.link.alone.take() {
            Some((part, message)) if loss.closed && soon => {
                if self.sink.suspects.closed(part) {
                    self.sink.refuse(part.sequence, &message);
                }
            }
            Some(_) => {}
            None => {
                if self.sink.suspects.lost(self.link.cursor) {
                    warn!(
                        sink = %self.sink.delivery.counters.sink,
                        "connections were lost in a row without one acknowledgement: what was in flight is sent one \
                         message at a time, to find one that the server does not take"
                    );
                }
            }
        }
    }

    /// Says goodbye, so that the broker does not publish a last will. What is still in flight stays in the outbox.
    async fn disconnect(&mut self) {
        if !self.link.connected || self.link.client.try_disconnect().is_err() {
            return;
        }
        let goodbye = async {
            while let Ok(event) = self.event_loop.poll().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    return;
                }
                self.handle(event);
            }
        };
        let _ = timeout(DISCONNECT_TIMEOUT, goodbye).await;
    }
}

/// Hands messages to the client until something must happen first.
fn fill(sink: &mut MqttSink, link: &mut Link) -> Blocked {
    if !link.connected {
        return Blocked::Broker;
    }
    while link.window.len() < window_max(sink, link) {
        let Some(message) = link.messages.front() else {
            if !read_next(sink, link) {
                return Blocked::Emission;
            }
            continue;
        };
        let bytes = message.topic.len() + message.payload.len();
        if let Err(wait) = link.governor.take(bytes, clock::monotonic()) {
            return Blocked::Rate(wait);
        }
        if let Some(message) = link.messages.pop_front() {
            publish(sink, link, message);
        }
    }
    Blocked::Broker
}

fn window_max(sink: &MqttSink, link: &Link) -> usize {
    if sink.suspects.alone(link.cursor) {
        return 1;
    }
    usize::from(sink.config.inflight_max.max(1))
}

/// Reads the next emission from the outbox and shapes it; false when there is none.
fn read_next(sink: &mut MqttSink, link: &mut Link) -> bool {
    let Some((sequence, emission)) = sink.delivery.outbox.next(link.cursor) else {
        return false;
    };
    link.cursor = sequence;
    let emission = sink.delivery.addressed(emission);
    let mut rejected = Vec::new();
    link.messages = sink.shape.messages(&emission, &mut rejected);
    if sequence > sink.sent {
        sink.sent = sequence;
        sink.reject(&emission, &rejected);
    } else {
        sink.delivery.counters.retries.inc();
    }
    let mut rows = emission.ends.len() - rejected.len();
    link.messages.retain(|message| {
        let number = message.number;
        let refused = sink.suspects.is_refused(Part { sequence, number });
        if refused {
            rows -= message.rows(&emission).count();
        }
        !refused
    });
    if link.messages.is_empty() {
        sink.delivery.outbox.done(sequence);
    } else {
        link.window
            .expect(sequence, link.messages.len(), rows, emission.json.len());
    }
    true
}

fn publish(sink: &MqttSink, link: &mut Link, message: OutMessage) {
    let qos = if sink.config.qos == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    sink.delivery.counters.metered.inc_by(metered_units(&message));
    link.alone = sink.suspects.alone(link.cursor).then(|| {
        let part = Part {
            sequence: link.cursor,
            number: message.number,
        };
        (part, message.clone())
    });
    // The channel holds a whole window and one more, so this never waits. Were it closed, the next poll would say so.
    let _ = link
        .client
        .publish_bytes(message.topic, qos, sink.config.retain, message.payload)
        .now_or_never();
    link.window.queued(link.cursor);
}

/// How long connecting may take, TLS and CONNACK included; also how long a write may block.
const CONNECT_TIMEOUT_S: u64 = 20;

/// A connection that is closed later than this after the oldest publish was written is not closed over it.
const CLOSED_SOON: Duration = Duration::from_secs(10);

/// How long saying goodbye may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
