//! Emissions to an MQTT broker, such as AWS IoT Core: many publishes in flight, nothing lost when the connection is.
//!
//! The outbox keeps each emission until all its messages are acknowledged (QoS 1) or written to the socket (QoS 0).
//! Every connection starts with a new client, so that nothing is hidden in the old one, and sends again what is not
//! done, in order. Messages may arrive twice; they never get lost here. One over which the server closes the connection
//! each time goes to dead letter, so that it does not hold up the others.

mod connection;
mod governor;
mod loss;
mod message;
mod suspects;
mod topic;
mod window;

use self::connection::{Connection, End};
use self::message::{OutMessage, Rejected, Shape};
use self::suspects::{CLOSED_ALONE, Suspects};
use self::topic::{TopicLimits, TopicTemplate};
use super::context::{Delivery, Stop};
use super::outbox::Sequence;
use crate::backoff::Backoff;
use crate::clock;
use crate::config::{MqttSinkConfig, ServerAddress, SinkFormat, SinkKind};
use crate::emit::{DeadLetterKind, EncodedEmission};
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use std::time::Duration;
use tracing::{error, info, warn};

/// A sink of type `mqtt`.
pub(crate) struct MqttSink {
    config: MqttSinkConfig,
    shape: Shape,
    delivery: Delivery,
    timing: Timing,
    /// The last emission that was handed to a connection: what comes again up to it is a repetition.
    sent: Sequence,
    suspects: Suspects,
}

/// The columns that rows must have for a sink, because they are part of its topic.
pub fn topic_columns(sink: &SinkKind) -> Vec<String> {
    match sink {
        SinkKind::Mqtt(config) => {
            let topic = TopicTemplate::parse(&config.topic, TopicLimits::Mqtt);
            topic.columns().map(ToOwned::to_owned).collect()
        }
        SinkKind::Log | SinkKind::File(_) | SinkKind::Http(_) => Vec::new(),
    }
}

/// The times that tests shorten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The shortest and the longest delay before the next attempt to connect.
    pub(crate) reconnect: (Duration, Duration),
    /// How long a connection must last for the delays to start again.
    pub(crate) reset_after: Duration,
    /// How long the broker may take to acknowledge a publish.
    pub(crate) ack_timeout: Duration,
}

impl Timing {
    /// What AWS's own clients do.
    pub(crate) const AWS: Timing = Timing {
        reconnect: (Duration::from_secs(1), Duration::from_secs(120)),
        reset_after: Duration::from_secs(30),
        ack_timeout: Duration::from_secs(60),
    };
}

impl MqttSink {
    /// A sink that delivers what `delivery` holds.
    pub(crate) fn new(config: MqttSinkConfig, format: SinkFormat, delivery: Delivery, timing: Timing) -> Self {
        let shape = Shape {
            topic: TopicTemplate::parse(&config.topic, limits_of(&config.server)),
            format,
            payload_bytes_max: config.payload_bytes_max,
        };
        MqttSink {
            config,
            shape,
            delivery,
            timing,
            sent: Sequence::START,
            suspects: Suspects::default(),
        }
    }

    /// Delivers until it is told to stop.
    pub(crate) async fn run(mut self, mut stop: Stop) {
        if self.config.server.tls && self.config.tls.is_none() {
            // The configuration's check rules this out; were it wrong, nothing must leave in the clear.
            error!(sink = %self.delivery.counters.sink, "no TLS settings for an ssl:// server, nothing is sent");
            stop.requested().await;
            return;
        }
        let (min, max) = self.timing.reconnect;
        let mut backoff = Backoff::new(min, max, self.timing.reset_after);
        loop {
            let end = Connection::open(&mut self, &mut backoff).run(&mut stop).await;
            self.delivery.outbox.rewind();
            self.delivery.counters.connected.set(0);
            self.delivery.counters.in_flight.set(0);
            let loss = match end {
                End::Stopped => return,
                End::Lost(loss) => loss,
            };
            self.delivery.counters.reconnects(loss.reason).inc();
            let delay = backoff.next_delay(clock::monotonic());
            warn!(
                sink = %self.delivery.counters.sink,
                server = %self.config.server,
                reason = loss.reason,
                retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                "{}", loss.text
            );
            tokio::select! {
                () = clock::pass(delay) => {}
                () = stop.requested() => return,
            }
        }
    }

    /// Notes that a connection was made.
    fn connected(&self) {
        self.delivery.counters.connected.set(1);
        info!(
            sink = %self.delivery.counters.sink,
            server = %self.config.server,
            client_id = self.config.client_id,
            "the connection was established successfully"
        );
    }

    /// The rows that cannot be sent go to dead letter, once.
    fn reject(&self, emission: &EncodedEmission, rejected: &[Rejected]) {
        for Rejected { row, reason } in rejected {
            let (kind, label) = match reason {
                message::RejectReason::Topic(_) => (DeadLetterKind::Topic, "topic"),
                message::RejectReason::TooLarge { .. } => (DeadLetterKind::TooLarge, "row_too_large"),
            };
            self.delivery.counters.dropped(label).inc();
            self.delivery.reject_row(emission, row, kind, &reason.to_string());
        }
    }

    /// Gives up a message of the emission at `sequence` over which the server closes the connection.
    fn refuse(&self, sequence: Sequence, message: &OutMessage) {
        let Some(emission) = self.delivery.outbox.get(sequence) else {
            return;
        };
        let emission = self.delivery.addressed(emission);
        let reason = format!(
            "the server closed the connection {CLOSED_ALONE} times right after this was sent to the topic {:?} with \
             nothing else in flight: does it allow the topic and the size?",
            message.topic
        );
        for row in message.rows(&emission) {
            self.delivery.counters.dropped("refused").inc();
            self.delivery
                .reject_row(&emission, row, DeadLetterKind::Refused, &reason);
        }
    }

    fn options(&self) -> MqttOptions {
        let config = &self.config;
        let server = &config.server;
        let mut options = MqttOptions::new(config.client_id.clone(), server.client_host(), server.port);
        // A large ring of packet ids: a broker that acknowledges out of order must not make two publishes collide.
        options.set_inflight(config.inflight_max.saturating_mul(4).max(1000));
        options.set_keep_alive(config.keep_alive.max(Duration::from_secs(1)));
        options.set_clean_session(true);
        options.set_max_packet_size(
            PACKET_BYTES_IN_MAX,
            config.payload_bytes_max.saturating_add(PACKET_OVERHEAD),
        );
        if let Some(credentials) = &config.credentials {
            options.set_credentials(&credentials.username, &credentials.password);
        }
        if let Some(tls) = &config.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.client.clone())));
        }
        options
    }
}

fn limits_of(server: &ServerAddress) -> TopicLimits {
    if server.is_aws() {
        TopicLimits::AwsIotCore
    } else {
        TopicLimits::Mqtt
    }
}

/// What a [`Loss`](self::loss::Loss) may say, for counters that begin at 0.
pub(crate) const LOSSES: [&str; 13] = [
    "ack_timeout",
    "client_id",
    "closed",
    "connect_timeout",
    "credentials",
    "io",
    "not_authorized",
    "ping_timeout",
    "protocol",
    "refused",
    "tls",
    "unavailable",
    "write_timeout",
];

/// Why rows are given up here.
pub(crate) const DROPS: [&str; 3] = ["refused", "row_too_large", "topic"];

/// The largest packet taken from the broker, which only sends acknowledgements.
const PACKET_BYTES_IN_MAX: usize = 256 * 1024;

/// What a PUBLISH needs beyond its payload: the longest topic and the headers.
const PACKET_OVERHEAD: usize = 65_535 + 16;

#[cfg(test)]
mod tests;
