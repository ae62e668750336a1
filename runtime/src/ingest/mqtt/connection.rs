//! One connection to a broker, from CONNECT to its end.
//!
//! While the event loop's `poll` is ready at once, messages are collected; when nothing more has arrived, they are handed
//! over, and acknowledged with one write: as requests to the client, each acknowledgement would be a write of its own, and
//! cost more than the message.
//!
//! `poll` is not safe to cancel in general: it would connect anew, or lose a request for which the write buffer has no
//! room. So one poll future is kept until it is ready, whatever else happens meanwhile, but for one case. On an open
//! connection it is dropped to write acknowledgements; they leave the write buffer empty, so the poll after them never
//! waits for room in it, and what it had not yet flushed is flushed with them.

use super::ended::Ended;
use super::intake::Intake;
use super::lane::Lane;
use super::options;
use super::orders::{Orders, Reports};
use super::oversize::Approach;
use super::reading::Reading;
use super::subscriptions::{Answer, Change, Expired, Subscriptions};
use crate::backoff::Backoff;
use crate::clock;
use crate::config::SourceConfig;
use crate::ingest::rejects::Rejects;
use crate::telemetry::source::{DisconnectReason, SourceMetrics};
use rumqttc::{
    AsyncClient, ConnAck, ConnectionError, Event, EventLoop, Outgoing, Packet, PubAck, Publish, QoS, SubAck,
    SubscribeFilter,
};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// A connection, borrowing from its lane what outlives it.
pub(super) struct Connection<'a> {
    config: &'a SourceConfig,
    name: &'a str,
    approach: Approach,
    metrics: &'a SourceMetrics,
    intake: &'a mut Intake,
    subscriptions: &'a mut Subscriptions,
    orders: &'a mut Orders,
    /// Of the orders that are being carried out.
    version: u64,
    reports: &'a Reports,
    stop: &'a mut watch::Receiver<bool>,
    stop_timeout: Duration,
    client: AsyncClient,
    reading: Reading,
    phase: Phase,
    /// QoS 0 messages dropped since the last log line about it, and when that was.
    dropped: (u64, Option<Instant>),
    rejects: &'a Rejects,
    backoff: &'a mut Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// Nothing more is taken; what was taken is delivered and acknowledged until then.
    Stopping {
        deadline: Instant,
    },
    /// DISCONNECT is on its way, or written and the broker is to close the connection.
    Leaving {
        deadline: Instant,
    },
}

/// Makes a connection and stays with it until it ends.
pub(super) async fn run(lane: &mut Lane, approach: Approach) -> Ended {
    let (client, mut event_loop) = options::client(&lane.config, approach);
    let mut connection = Connection {
        config: &lane.config,
        name: &lane.name,
        approach,
        metrics: &lane.metrics,
        intake: &mut lane.intake,
        subscriptions: &mut lane.subscriptions,
        orders: &mut lane.orders,
        version: 0,
        reports: &lane.reports,
        stop: &mut lane.stop,
        stop_timeout: lane.timing.stop,
        client,
        reading: Reading::new(lane.config.keep_alive),
        phase: Phase::Connecting,
        dropped: (0, None),
        rejects: &lane.rejects,
        backoff: &mut lane.timing.backoff,
    };
    let ended = loop {
        let event = {
            let poll = pin!(event_loop.poll());
            connection.next_event(poll).await
        };
        let handled = event.and_then(|event| event.map_or(Ok(()), |event| connection.handle(event)));
        if let Err(ended) = handled {
            break ended;
        }
        if let Err(ended) = connection.acknowledge(&mut event_loop).await {
            break ended;
        }
    };
    // The client reads several packets at once, and leaves behind those that it read together with the end.
    for event in std::mem::take(&mut event_loop.state.events) {
        // How the connection ended is known already.
        let _ = connection.handle(event);
    }
    connection.log_dropped();
    connection.reports.connected(connection.orders.lane(), false);
    ended
}

impl Connection<'_> {
    /// The next event, doing everything else that is due while waiting for it. `None`: there is something to acknowledge.
    async fn next_event<P>(&mut self, mut poll: Pin<&mut P>) -> Result<Option<Event>, Ended>
    where
        P: Future<Output = Result<Event, ConnectionError>>,
    {
        if !self.reading.is_paused()
            && let Poll::Ready(event) = poll_fn(|context| Poll::Ready(poll.as_mut().poll(context))).await
        {
            return event.map(Some).map_err(|error| self.failed(error));
        }
        loop {
            self.advance()?;
            if self.has_acks() {
                return Ok(None);
            }
            let paused = self.reading.is_paused();
            let stoppable = matches!(self.phase, Phase::Connecting | Phase::Open);
            let deadline = self.deadline();
            tokio::select! {
                biased;
                event = &mut poll, if !paused => return event.map(Some).map_err(|error| self.failed(error)),
                () = stopped(self.stop), if stoppable => self.begin_stop()?,
                room = self.intake.room() => room.map_err(|_| Ended::MillsGone)?,
                () = self.orders.changed(), if stoppable => self.obey()?,
                () = until(deadline) => self.expire()?,
            }
        }
    }

    /// Does what can be done without waiting.
    fn advance(&mut self) -> Result<(), Ended> {
        self.intake.offer().map_err(|_| Ended::MillsGone)?;
        let now = clock::monotonic();
        match self.phase {
            Phase::Connecting => return Ok(()),
            Phase::Open => {
                self.reading.room(self.intake.has_room(), now);
                if self.intake.is_overloaded() {
                    return Err(Ended::Failed {
                        reason: DisconnectReason::Overload,
                        message: "more unacknowledged messages than can be held while the mills are behind".into(),
                    });
                }
                self.send_subscriptions(now);
            }
            Phase::Stopping { deadline } => {
                let settled = self.intake.is_empty() && self.intake.acks().is_empty();
                if settled && self.client.try_disconnect().is_ok() {
                    self.phase = Phase::Leaving { deadline };
                }
            }
            Phase::Leaving { .. } => {}
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => return self.connected(&connack),
            Event::Incoming(Packet::Publish(publish)) => return self.publish(publish),
            Event::Incoming(Packet::SubAck(suback)) => self.suback(&suback),
            Event::Incoming(Packet::UnsubAck(unsuback)) => {
                if let Some(filter) = self.subscriptions.unsuback(unsuback.pkid) {
                    info!(source = self.name, lane = self.orders.label(), %filter, "unsubscribed");
                    self.report();
                }
            }
            Event::Incoming(Packet::PingResp) => self.reading.ping_answered(clock::monotonic()),
            Event::Outgoing(Outgoing::Subscribe(packet_id) | Outgoing::Unsubscribe(packet_id)) => {
                self.subscriptions.sent(packet_id);
            }
            Event::Outgoing(Outgoing::Disconnect) => {
                // The broker closes the connection. Closing it here, with something still unread, would reset it, and
                // could cost the acknowledgements that the broker has not read yet.
                self.phase = Phase::Leaving {
                    deadline: clock::monotonic() + CLOSE_TIMEOUT.min(self.stop_timeout),
                };
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        Ok(())
    }

    fn connected(&mut self, connack: &ConnAck) -> Result<(), Ended> {
        self.backoff.connected(clock::monotonic());
        if self.approach == Approach::Purge {
            // The session is gone by now.
            self.subscriptions.connected(false);
            self.phase = Phase::Stopping {
                deadline: clock::monotonic() + self.stop_timeout,
            };
            return Ok(());
        }
        info!(
            source = self.name,
            lane = self.orders.label(),
            server = %self.config.server,
            session_present = connack.session_present,
            "connection established"
        );
        self.reports.connected(self.orders.lane(), true);
        self.phase = Phase::Open;
        self.subscriptions.connected(connack.session_present);
        self.intake.connected(connack.session_present);
        self.obey()?;
        self.advance()
    }

    fn publish(&mut self, publish: Publish) -> Result<(), Ended> {
        if !matches!(self.phase, Phase::Open) {
            // Not acknowledged, so a QoS 1 message comes again in the next session.
            return Ok(());
        }
        let bytes = remaining_length(&publish);
        if bytes > self.config.packet_bytes_max {
            self.refuse_oversize(publish, bytes);
        } else if self.reading.drops() && publish.qos == QoS::AtMostOnce && !self.intake.has_room() {
            self.drop_qos0();
        } else {
            self.intake.take(publish);
        }
        if self.intake.has_batch() {
            self.advance()
        } else {
            Ok(())
        }
    }

    fn refuse_oversize(&mut self, publish: Publish, bytes: usize) {
        self.metrics.oversize.inc();
        let reason = format!(
            "a packet of {bytes} bytes is over packet_bytes_max, which is {} bytes",
            self.config.packet_bytes_max
        );
        let message = self.intake.refuse(publish);
        self.rejects.keep(self.name, &message, &reason);
    }

    fn drop_qos0(&mut self) {
        self.metrics.qos0_dropped.inc();
        let (count, logged_at) = &mut self.dropped;
        *count += 1;
        let now = clock::monotonic();
        if logged_at.is_none_or(|logged| now.saturating_duration_since(logged) >= LOG_INTERVAL) {
            *logged_at = Some(now);
            self.log_dropped();
        }
    }

    fn log_dropped(&mut self) {
        let count = std::mem::take(&mut self.dropped.0);
        if count > 0 {
            error!(
                source = self.name,
                lane = self.orders.label(),
                count,
                "QoS 0 messages were dropped: the mills are behind"
            );
        }
    }

    fn suback(&mut self, suback: &SubAck) {
        let lane = self.orders.label();
        let refused = self.subscriptions.refused();
        let now = clock::monotonic();
        for answer in self.subscriptions.suback(suback.pkid, &suback.return_codes, now) {
            match answer {
                Answer::Granted { filter, qos } if qos < self.config.qos => {
                    let asked = self.config.qos;
                    warn!(source = self.name, lane, %filter, qos, asked, "subscribed with a lower QoS");
                }
                Answer::Granted { filter, qos } => info!(source = self.name, lane, %filter, qos, "subscribed"),
                Answer::Refused { filter } => {
                    self.metrics.subscribe_failures.inc();
                    let message = "the broker refused the subscription; it will be tried again";
                    error!(source = self.name, lane, %filter, "{message}");
                }
            }
        }
        if self.subscriptions.refused() != refused {
            self.report();
        }
    }

    /// Whether there is something to acknowledge, and a connection to do it.
    fn has_acks(&mut self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Stopping { .. }) && !self.intake.acks().is_empty()
    }

    /// Writes the acknowledgements that are due. A stop lets it go on later, so that the stop's deadline holds.
    async fn acknowledge(&mut self, event_loop: &mut EventLoop) -> Result<(), Ended> {
        let Some(network) = event_loop.network.as_mut().filter(|_| self.has_acks()) else {
            return Ok(());
        };
        let (stoppable, deadline) = match self.phase {
            Phase::Stopping { deadline } | Phase::Leaving { deadline } => (false, deadline),
            Phase::Connecting | Phase::Open => (true, clock::monotonic() + options::WRITE_TIMEOUT),
        };
        let acks = self.intake.acks();
        let due = acks.len();
        let write = async {
            while let Some(&packet_id) = acks.front() {
                network.write(Packet::PubAck(PubAck::new(packet_id))).await?;
                acks.pop_front();
            }
            network.flush().await
        };
        let written = tokio::select! {
            biased;
            written = write => written.map_err(ConnectionError::from),
            () = stopped(self.stop), if stoppable => Ok(()),
            () = until(Some(deadline)) => if stoppable { Err(ConnectionError::FlushTimeout) } else { Ok(()) },
        };
        let written_count = due - self.intake.acks().len();
        self.metrics.acknowledged.inc_by(written_count as u64);
        written.map_err(|error| self.failed(error))
    }

    fn send_subscriptions(&mut self, now: Instant) {
        let qos = if self.config.qos == 0 {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        };
        let sent = match self.subscriptions.next(now) {
            None => return,
            Some(Change::Subscribe(filters)) => {
                let filters = filters
                    .iter()
                    .map(|filter| SubscribeFilter::new(filter.to_string(), qos));
                self.client.try_subscribe_many(filters)
            }
            Some(Change::Unsubscribe(filter)) => self.client.try_unsubscribe(filter.to_string()),
        };
        if let Err(error) = sent {
            // There is room for far more than are ever under way; if not, the timeout sends it again.
            warn!(source = self.name, lane = self.orders.label(), %error, "a subscription could not be sent");
        }
    }

    /// Takes over the lane's orders as they are now.
    fn obey(&mut self) -> Result<(), Ended> {
        let (version, serves) = self.orders.take();
        if self.orders.is_closing() {
            return match self.phase {
                // This is the connection that gives the session up.
                Phase::Connecting if self.approach == Approach::Purge => Ok(()),
                Phase::Connecting => Err(Ended::Closing),
                Phase::Open => {
                    self.begin_end();
                    Ok(())
                }
                Phase::Stopping { .. } | Phase::Leaving { .. } => Ok(()),
            };
        }
        if self.phase == Phase::Open {
            self.subscriptions.serve(serves);
            self.version = version;
            self.report();
        }
        Ok(())
    }

    /// Says what else the session may be subscribed to, and what is refused.
    fn report(&self) {
        let (leftover, refused) = (self.subscriptions.leftover(), self.subscriptions.refused());
        self.reports
            .session(self.orders.lane(), self.version, leftover, refused);
    }

    fn begin_stop(&mut self) -> Result<(), Ended> {
        if self.phase == Phase::Connecting {
            return Err(Ended::Stopped);
        }
        self.begin_end();
        Ok(())
    }

    /// From now on nothing more is taken, and the connection ends when what was taken is settled.
    fn begin_end(&mut self) {
        self.phase = Phase::Stopping {
            deadline: clock::monotonic() + self.stop_timeout,
        };
        // Acknowledgements must get out, whatever the mills do.
        self.reading.room(true, clock::monotonic());
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting => None,
            Phase::Open => [self.subscriptions.deadline(), self.reading.deadline()]
                .into_iter()
                .flatten()
                .min(),
            Phase::Stopping { deadline } | Phase::Leaving { deadline } => Some(deadline),
        }
    }

    fn expire(&mut self) -> Result<(), Ended> {
        let now = clock::monotonic();
        match self.phase {
            Phase::Stopping { deadline } if deadline <= now => {
                warn!(
                    source = self.name,
                    lane = self.orders.label(),
                    "not everything taken was delivered and acknowledged in time"
                );
                return Err(self.left());
            }
            Phase::Leaving { deadline } if deadline <= now => return Err(self.left()),
            Phase::Connecting | Phase::Open | Phase::Stopping { .. } | Phase::Leaving { .. } => {}
        }
        self.reading.expire(now);
        match self.subscriptions.expire(now) {
            Expired::Nothing => Ok(()),
            Expired::Again { filters } => {
                self.metrics.subscribe_failures.inc_by(filters as u64);
                warn!(
                    source = self.name,
                    lane = self.orders.label(),
                    filters,
                    "the broker did not answer a subscription; it is sent again"
                );
                Ok(())
            }
            Expired::TooOften { filters } => {
                self.metrics.subscribe_failures.inc_by(filters as u64);
                Err(Ended::Failed {
                    reason: DisconnectReason::SubscribeTimeout,
                    message: "the broker does not answer subscriptions".into(),
                })
            }
        }
    }

    fn failed(&self, error: ConnectionError) -> Ended {
        match self.phase {
            Phase::Leaving { .. } => self.left(),
            Phase::Connecting | Phase::Open | Phase::Stopping { .. } => error.into(),
        }
    }

    fn left(&self) -> Ended {
        match self.approach {
            Approach::Purge => Ended::Purged,
            Approach::Normal if *self.stop.borrow() => Ended::Stopped,
            Approach::Normal if self.orders.is_closing() => Ended::Closing,
            Approach::Normal => Ended::Stopped,
        }
    }
}

/// Ready once rulemill stops, also when whoever could say so is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The size that a packet's fixed header states: what the limit is about.
fn remaining_length(publish: &Publish) -> usize {
    let packet_id = if publish.qos == QoS::AtMostOnce { 0 } else { 2 };
    2 + publish.topic.len() + packet_id + publish.payload.len()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// How long the broker has to close the connection after DISCONNECT.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest time between two log lines about dropped messages.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
