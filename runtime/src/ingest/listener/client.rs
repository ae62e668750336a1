//! One device's connection, from its first byte to its last.

use super::collector::{Acks, CHUNK_BYTES_MAX, CHUNK_ROWS_MAX};
use super::frame::{self, FrameError, Request};
use super::{Closed, Presence, Shared};
use crate::clock;
use crate::message::Message;
use crate::telemetry::listener::CloseReason;
use crate::telemetry::rate_limit::Verdict;
use bytes::BytesMut;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, SubscribeReasonCode, UnsubAck,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

/// Whether there is room for another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Open,
    Full,
}

/// A device.
pub(super) struct Client {
    stream: TcpStream,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
    /// Received, not yet taken apart.
    received: BytesMut,
    /// To be sent.
    answers: BytesMut,
    acks: Arc<Acks>,
    /// QoS 1 messages that are not acknowledged yet.
    inflight: usize,
    /// The messages that wait for room in the collector.
    handing_over: Option<HandingOver>,
    /// Set when the connection is to end; what was taken before is still handed over.
    closing: Option<CloseReason>,
    /// What was wrong with the device's bytes.
    error: Option<FrameError>,
}

impl Client {
    pub(super) fn new(stream: TcpStream, shared: Arc<Shared>, stop: watch::Receiver<bool>) -> Self {
        Client {
            stream,
            shared,
            stop,
            received: BytesMut::new(),
            answers: BytesMut::new(),
            acks: Arc::default(),
            inflight: 0,
            handing_over: None,
            closing: None,
            error: None,
        }
    }

    /// Serves the device until its connection ends.
    pub(super) async fn run(mut self, admission: Admission) {
        let address = self
            .stream
            .peer_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        let mut client_id = String::new();
        let reason = match self.connect(admission).await {
            Ok(connect) => {
                client_id.clone_from(&connect.client_id);
                let presence = (!client_id.is_empty()).then(|| self.shared.clients.enter(client_id.clone()));
                self.shared.metrics.connections.inc();
                self.shared.metrics.clients.inc();
                debug!(client_id, address, "device connected");
                let reason = self.serve(connect.keep_alive, presence.as_ref()).await;
                self.shared.metrics.clients.dec();
                reason
            }
            Err(reason) => reason,
        };
        self.shared.metrics.closed(reason).inc();
        let error = self.error.as_ref().map(ToString::to_string).unwrap_or_default();
        let verdict = if reason.is_fault() {
            self.shared.faults.check(reason, clock::monotonic())
        } else {
            Verdict::Suppress
        };
        let reason = reason.as_str();
        match verdict {
            Verdict::Log { suppressed } => {
                warn!(client_id, address, reason, error, suppressed, "device disconnected");
            }
            Verdict::Suppress => debug!(client_id, address, reason, error, "device disconnected"),
        }
        // The device learns of the end at once, and what it has not read yet is not reset.
        let _ = timeout(self.shared.timing.write, self.stream.shutdown()).await;
    }

    /// Waits for CONNECT and answers it.
    async fn connect(&mut self, admission: Admission) -> Result<Connect, CloseReason> {
        let deadline = self.shared.timing.connect;
        let first = match timeout(deadline, self.first_request()).await {
            Ok(request) => request,
            Err(_) => Err(CloseReason::ConnectTimeout),
        };
        let (code, outcome) = match first {
            Ok(Request::Connect(connect)) if admission == Admission::Full => {
                // Its old connection may be what fills the last place.
                self.shared.clients.replace(&connect.client_id);
                (ConnectReturnCode::ServiceUnavailable, Err(CloseReason::Full))
            }
            Ok(Request::Connect(connect)) if connect.client_id.is_empty() && !connect.clean_session => {
                (ConnectReturnCode::BadClientId, Err(CloseReason::ClientId))
            }
            Ok(Request::Connect(connect)) => (ConnectReturnCode::Success, Ok(connect)),
            Ok(_) => return Err(CloseReason::Malformed),
            Err(CloseReason::ProtocolVersion) => (
                ConnectReturnCode::RefusedProtocolVersion,
                Err(CloseReason::ProtocolVersion),
            ),
            Err(reason) => return Err(reason),
        };
        // There is never a session to come back to.
        self.answer(&Packet::ConnAck(ConnAck::new(code, false)));
        self.send_answers().await?;
        outcome
    }

    async fn first_request(&mut self) -> Result<Request, CloseReason> {
        loop {
            match frame::next(&mut self.received, self.shared.config.packet_bytes_max) {
                Ok(Some(request)) => return Ok(request),
                Ok(None) => {}
                Err(error) => return Err(self.fault(error)),
            }
            make_room(&mut self.received);
            tokio::select! {
                read = self.stream.read_buf(&mut self.received) => match read {
                    Ok(0) => return Err(CloseReason::Closed),
                    Ok(_) => {}
                    Err(_) => return Err(CloseReason::Network),
                },
                () = super::stopped(&mut self.stop) => return Err(CloseReason::Stopped),
            }
        }
    }

    async fn serve(&mut self, keep_alive_s: u16, presence: Option<&Presence>) -> CloseReason {
        let patience = patience(keep_alive_s);
        let mut idle = pin!(sleep_until(Instant::from_std(clock::monotonic()) + patience));
        let mut heard = clock::monotonic();
        loop {
            // A device that never stops sending would always be the first to be ready.
            if *self.stop.borrow() && self.closing.is_none() {
                self.closing = Some(CloseReason::Stopped);
            }
            self.take_apart();
            if let Err(reason) = self.send_answers().await {
                return reason;
            }
            if let Some(reason) = self.closing
                && self.handing_over.is_none()
                && (reason != CloseReason::Stopped || self.inflight == 0)
            {
                return reason;
            }
            let reads = self.reads();
            let open = self.closing.is_none();
            if reads {
                make_room(&mut self.received);
            }
            tokio::select! {
                biased;
                () = self.acks.ready() => self.acknowledge(),
                handed = handed_over(&mut self.handing_over) => {
                    self.handing_over = None;
                    if handed.is_err() {
                        return CloseReason::Stopped;
                    }
                }
                read = self.stream.read_buf(&mut self.received), if reads => match read {
                    Ok(0) => self.closing = Some(CloseReason::Closed),
                    Ok(_) => heard = clock::monotonic(),
                    Err(_) => self.closing = Some(CloseReason::Network),
                },
                () = replaced(presence), if open => self.closing = Some(CloseReason::Takeover),
                () = super::stopped(&mut self.stop), if open => self.closing = Some(CloseReason::Stopped),
                () = idle.as_mut(), if open => {
                    if !reads {
                        // It may well have sent something: it was not listened to.
                        heard = clock::monotonic();
                    } else if clock::monotonic().saturating_duration_since(heard) >= patience {
                        self.closing = Some(CloseReason::KeepAlive);
                    }
                    idle.as_mut().reset(Instant::from_std(heard) + patience);
                }
            }
        }
    }

    /// Whether the socket is to be read.
    fn reads(&self) -> bool {
        self.closing.is_none() && self.handing_over.is_none() && self.inflight < self.shared.config.inflight_max
    }

    /// Takes the received packets apart, as many as may be taken now.
    fn take_apart(&mut self) {
        if !self.reads() {
            return;
        }
        let mut publishes = Vec::new();
        let mut bytes = 0;
        while self.closing.is_none()
            && self.inflight < self.shared.config.inflight_max
            && publishes.len() < CHUNK_ROWS_MAX
            && bytes < CHUNK_BYTES_MAX
        {
            match frame::next(&mut self.received, self.shared.config.packet_bytes_max) {
                Ok(Some(Request::Publish(publish))) => {
                    bytes += publish.topic.len() + publish.payload.len();
                    self.inflight += usize::from(publish.qos == QoS::AtLeastOnce);
                    publishes.push(publish);
                }
                Ok(Some(request)) => self.answer_request(&request),
                Ok(None) => break,
                Err(error) => self.closing = Some(self.fault(error)),
            }
        }
        if !publishes.is_empty() {
            self.hand_over(publishes);
        }
    }

    fn hand_over(&mut self, publishes: Vec<Publish>) {
        let (outlet, acks) = (self.shared.outlet.clone(), Arc::clone(&self.acks));
        self.handing_over = Some(Box::pin(async move { outlet.send(publishes, acks).await }));
    }

    fn answer_request(&mut self, request: &Request) {
        match request {
            Request::PingReq => self.answer(&Packet::PingResp),
            Request::Subscribe { packet_id, filters } => {
                // An ingest endpoint has nothing to send.
                let codes = vec![SubscribeReasonCode::Failure; *filters];
                self.answer(&Packet::SubAck(SubAck::new(*packet_id, codes)));
            }
            Request::Unsubscribe { packet_id } => self.answer(&Packet::UnsubAck(UnsubAck::new(*packet_id))),
            Request::Disconnect => self.closing = Some(CloseReason::Disconnected),
            // A second CONNECT; messages do not come here.
            Request::Connect(_) | Request::Publish(_) => self.closing = Some(CloseReason::Malformed),
        }
    }

    fn acknowledge(&mut self) {
        let packet_ids = self.acks.take();
        self.inflight -= packet_ids.len();
        self.shared.metrics.acknowledged.inc_by(packet_ids.len() as u64);
        for packet_id in packet_ids {
            self.answer(&Packet::PubAck(PubAck::new(packet_id)));
        }
    }

    /// A message that is too large costs the connection, and its rest is never read. What has come of it is kept.
    fn reject_beginning(&self, error: &FrameError) {
        let Some(publish) = frame::beginning(&self.received) else {
            return;
        };
        let message = Message {
            topic: publish.topic.into(),
            payload: publish.payload,
            qos: publish.qos as u8,
            retain: publish.retain,
            arrival: clock::arrival(),
        };
        let bytes = message.payload.len();
        let reason = format!("{error}; {bytes} bytes of its payload were read, then the connection was closed");
        self.shared.rejects.keep(&self.shared.source, &message, &reason);
    }

    fn answer(&mut self, packet: &Packet) {
        // Only a packet over its limit can fail, and there is none.
        let _ = packet.write(&mut self.answers, usize::MAX);
    }

    async fn send_answers(&mut self) -> Result<(), CloseReason> {
        if self.answers.is_empty() {
            return Ok(());
        }
        match timeout(self.shared.timing.write, self.stream.write_all_buf(&mut self.answers)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(CloseReason::Network),
        }
    }

    fn fault(&mut self, error: FrameError) -> CloseReason {
        let reason = error.reason();
        if reason == CloseReason::Oversize {
            self.reject_beginning(&error);
        }
        self.error = Some(error);
        reason
    }
}

type HandingOver = Pin<Box<dyn Future<Output = Result<(), Closed>> + Send>>;

/// How long to wait for a device's next packet.
fn patience(keep_alive_s: u16) -> Duration {
    match keep_alive_s {
        0 => Duration::from_secs(u64::from(u32::MAX)),
        seconds => Duration::from_millis(u64::from(seconds) * 1500),
    }
}

/// Room for the next read: it grows with what has come, never with what a device says will come.
fn make_room(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > READ_BYTES_KEPT {
        *buffer = BytesMut::new();
    }
    if buffer.capacity() - buffer.len() < READ_BYTES_MIN / 2 {
        buffer.reserve(buffer.len().clamp(READ_BYTES_MIN, READ_BYTES_MAX));
    }
}

async fn handed_over(handing_over: &mut Option<HandingOver>) -> Result<(), Closed> {
    match handing_over {
        Some(handing_over) => handing_over.await,
        None => std::future::pending().await,
    }
}

async fn replaced(presence: Option<&Presence>) {
    match presence {
        Some(presence) => presence.replaced().await,
        None => std::future::pending().await,
    }
}

/// The first read's size: most devices send less at a time, and there are thousands of them.
const READ_BYTES_MIN: usize = 1 << 10;

/// The most that a buffer grows by at a time.
const READ_BYTES_MAX: usize = 64 << 10;

/// The largest buffer that an idle client keeps.
const READ_BYTES_KEPT: usize = 16 << 10;
