//! The sink against a broker in this process, which the test plays packet by packet.

mod suspects;

use super::*;
use crate::config::{Credentials, TlsConfig};
use crate::sink::context::Stopper;
use crate::sink::test::{dead_reasons, delivery, emission, rows};
use crate::tls::pki::{P256, Pki, RSA_2048};
use crate::tls::{TlsPurpose, client_config};
use bytes::BytesMut;
use rumqttc::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, QoS, mqttbytes};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(30);

/// A sink that runs, and the address it connects to.
struct Rig {
    listener: TcpListener,
    delivery: Delivery,
    stopper: Stopper,
    task: JoinHandle<()>,
    folder: tempfile::TempDir,
}

/// The broker's side of one connection.
struct Peer<S = TcpStream> {
    stream: S,
    buffer: BytesMut,
}

impl Rig {
    async fn start(change: impl FnOnce(&mut MqttSinkConfig), format: SinkFormat, ack_timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = MqttSinkConfig {
            server: ServerAddress {
                host: "127.0.0.1".to_owned(),
                port: listener.local_addr().unwrap().port(),
                tls: false,
            },
            topic: "devices/result".to_owned(),
            qos: 1,
            retain: false,
            client_id: "demo_001".to_owned(),
            credentials: None,
            tls: None,
            keep_alive: Duration::from_secs(60),
            inflight_max: 90,
            payload_bytes_max: 131_072,
            publishes_per_second_max: None,
            bytes_per_second_max: None,
        };
        change(&mut config);
        let timing = Timing {
            reconnect: (Duration::from_millis(1), Duration::from_millis(5)),
            reset_after: Duration::from_secs(30),
            ack_timeout,
        };
        let folder = tempfile::tempdir().unwrap();
        let delivery = delivery(folder.path());
        let (stopper, stop) = Stopper::new();
        let sink = MqttSink::new(config, format, delivery.clone(), timing);
        Rig {
            listener,
            delivery,
            stopper,
            task: tokio::spawn(sink.run(stop)),
            folder,
        }
    }

    async fn usual() -> Self {
        Rig::start(|_| {}, SinkFormat::Array, PATIENCE).await
    }

    fn push(&self, emission: EncodedEmission) {
        assert_eq!(
            self.delivery.outbox.push(emission, clock::monotonic()),
            crate::sink::Pushed::Queued
        );
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Peer {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Accepts a connection and welcomes it.
    async fn connect(&self) -> Peer {
        let mut peer = self.accept().await;
        let Packet::Connect(connect) = peer.read().await else {
            panic!("the first packet is CONNECT");
        };
        assert!(connect.clean_session);
        assert_eq!(connect.client_id, "demo_001");
        peer.write(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)))
            .await;
        peer
    }

    async fn emptied(&self) {
        timeout(PATIENCE, self.delivery.outbox.emptied()).await.unwrap();
    }

    fn waiting(&self) -> u64 {
        self.delivery.counters.queue.read().emissions
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn read(&mut self) -> Packet {
        self.try_read().await.expect("the sink keeps the connection")
    }

    /// The next packet; `None` when the sink has closed the connection.
    async fn try_read(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.buffer, 1 << 20) {
                Ok(packet) => return Some(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, 1 << 20).unwrap();
        // The sink may have given the connection up meanwhile; what the test reads next tells.
        let _ = self.stream.write_all(&bytes).await;
    }

    async fn publishes(&mut self, count: usize) -> Vec<Publish> {
        let mut publishes = Vec::new();
        while publishes.len() < count {
            match self.read().await {
                Packet::Publish(publish) => publishes.push(publish),
                other => panic!("{other:?}"),
            }
        }
        publishes
    }

    async fn acknowledge(&mut self, publish: &Publish) {
        self.write(Packet::PubAck(PubAck::new(publish.pkid))).await;
    }
}

fn payloads(publishes: &[Publish]) -> Vec<String> {
    publishes
        .iter()
        .map(|publish| String::from_utf8(publish.payload.to_vec()).unwrap())
        .collect()
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!(r#"[{{"name":"{name}"}}]"#)).collect()
}

#[tokio::test]
async fn acknowledgements_in_any_order_finish_their_emissions() {
    let rig = Rig::usual().await;
    for name in ["a", "b", "c"] {
        rig.push(emission(name));
    }
    let mut peer = rig.connect().await;
    let publishes = peer.publishes(3).await;
    assert_eq!(payloads(&publishes), named(&["a", "b", "c"]));
    assert!(
        publishes
            .iter()
            .all(|publish| publish.topic == "devices/result" && publish.qos == QoS::AtLeastOnce && !publish.retain)
    );
    for at in [2, 0, 1] {
        peer.acknowledge(&publishes[at]).await;
    }
    rig.emptied().await;
    let counters = &rig.delivery.counters;
    assert_eq!(
        (counters.emissions.get(), counters.rows.get(), counters.metered.get()),
        (3, 3, 3)
    );
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_in_order_after_a_reset() {
    let rig = Rig::usual().await;
    for name in ["a", "b", "c", "d"] {
        rig.push(emission(name));
    }
    let mut peer = rig.connect().await;
    let publishes = peer.publishes(4).await;
    peer.acknowledge(&publishes[2]).await;
    while rig.waiting() > 3 {
        tokio::task::yield_now().await;
    }
    drop(peer);

    let mut peer = rig.connect().await;
    rig.push(emission("e"));
    let again = peer.publishes(4).await;
    assert_eq!(payloads(&again), named(&["a", "b", "d", "e"]));
    for publish in &again {
        peer.acknowledge(publish).await;
    }
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.retries.get(), 3);
}

#[tokio::test]
async fn a_broker_that_forgets_to_acknowledge_is_left_and_everything_is_sent_again() {
    let rig = Rig::start(|_| {}, SinkFormat::Array, Duration::from_millis(80)).await;
    rig.push(emission("a"));
    let mut peer = rig.connect().await;
    peer.publishes(1).await;
    assert_eq!(peer.try_read().await, None);
    // On a slow machine even the acknowledgement may come too late, so there may be more than one more connection.
    let acknowledging = async {
        loop {
            let mut peer = rig.connect().await;
            while let Some(packet) = peer.try_read().await {
                if let Packet::Publish(publish) = packet {
                    peer.acknowledge(&publish).await;
                }
            }
        }
    };
    tokio::select! {
        () = rig.emptied() => {}
        () = acknowledging => {}
    }
    assert!(rig.delivery.counters.reconnects("ack_timeout").get() >= 1);
}

#[tokio::test]
async fn no_more_than_the_window_is_in_flight() {
    let rig = Rig::start(|config| config.inflight_max = 2, SinkFormat::Array, PATIENCE).await;
    for name in ["a", "b", "c"] {
        rig.push(emission(name));
    }
    let mut peer = rig.connect().await;
    let first = peer.publishes(2).await;
    assert_eq!(rig.delivery.counters.in_flight.get(), 2);
    // Out of order, and still one slot is one publish.
    peer.acknowledge(&first[1]).await;
    let third = peer.publishes(1).await;
    assert_eq!(payloads(&third), named(&["c"]));
    peer.acknowledge(&first[0]).await;
    peer.acknowledge(&third[0]).await;
    rig.emptied().await;
}

#[tokio::test]
async fn an_emission_is_done_when_the_last_of_its_parts_is_acknowledged() {
    let rig = Rig::start(|config| config.payload_bytes_max = 16, SinkFormat::Array, PATIENCE).await;
    rig.push(rows(&[r#"{"a":1}"#, r#"{"a":22222222222}"#, r#"{"a":3}"#]));
    let mut peer = rig.connect().await;
    let parts = peer.publishes(2).await;
    assert_eq!(payloads(&parts), [r#"[{"a":1}]"#, r#"[{"a":3}]"#]);
    peer.acknowledge(&parts[1]).await;
    drop(peer);

    let mut peer = rig.connect().await;
    let parts = peer.publishes(2).await;
    for part in &parts {
        peer.acknowledge(part).await;
    }
    rig.emptied().await;
    // The row that is too large is reported once, although the emission was sent twice.
    let reasons = dead_reasons(&rig.delivery, rig.folder.path());
    assert_eq!(
        reasons,
        ["sink test: the row needs a payload of 19 bytes, the sink allows 16"]
    );
    assert_eq!(rig.delivery.counters.dropped("row_too_large").get(), 1);
    assert_eq!(rig.delivery.counters.rows.get(), 2);
}

#[tokio::test]
async fn rows_go_to_the_topic_of_their_column_and_those_without_to_dead_letter() {
    let rig = Rig::start(
        |config| config.topic = "devices/{d}/result".to_owned(),
        SinkFormat::Single,
        PATIENCE,
    )
    .await;
    rig.push(rows(&[r#"{"d":"1"}"#, r#"{"d":"+"}"#, r#"{"d":2}"#]));
    rig.push(rows(&[r#"{"x":1}"#]));
    let mut peer = rig.connect().await;
    let publishes = peer.publishes(2).await;
    let topics: Vec<_> = publishes.iter().map(|publish| publish.topic.as_str()).collect();
    assert_eq!(topics, ["devices/1/result", "devices/2/result"]);
    for publish in &publishes {
        peer.acknowledge(publish).await;
    }
    rig.emptied().await;
    assert_eq!(dead_reasons(&rig.delivery, rig.folder.path()).len(), 2);
    assert_eq!(rig.delivery.counters.dropped("topic").get(), 2);
}

#[tokio::test]
async fn qos_0_is_done_when_it_is_written() {
    let rig = Rig::start(|config| config.qos = 0, SinkFormat::Array, PATIENCE).await;
    for number in 0..500 {
        rig.push(emission(&number.to_string()));
    }
    let mut peer = rig.connect().await;
    let publishes = peer.publishes(500).await;
    assert_eq!(publishes[499].qos, QoS::AtMostOnce);
    rig.emptied().await;
    assert_eq!(rig.delivery.counters.emissions.get(), 500);
}

#[tokio::test]
async fn thousands_arrive_in_order_while_the_connection_breaks() {
    const TOTAL: usize = 2000;
    let rig = Rig::usual().await;
    for number in 0..TOTAL {
        rig.push(emission(&number.to_string()));
    }
    let mut seen = Vec::new();
    for round in 0..4 {
        let mut peer = rig.connect().await;
        let count = if round < 3 { 300 } else { usize::MAX };
        for _ in 0..count {
            if rig.waiting() == 0 {
                break;
            }
            let publish = peer.publishes(1).await.remove(0);
            seen.push(payloads(std::slice::from_ref(&publish)).remove(0));
            peer.acknowledge(&publish).await;
            if seen.last() == named(&[&(TOTAL - 1).to_string()]).first() {
                break;
            }
        }
        if round == 3 {
            rig.emptied().await;
        }
    }
    let mut unique = seen.clone();
    let mut known = std::collections::HashSet::new();
    unique.retain(|payload| known.insert(payload.clone()));
    let all: Vec<_> = (0..TOTAL).map(|number| format!(r#"[{{"name":"{number}"}}]"#)).collect();
    assert_eq!(unique, all);
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_reason_and_tried_again() {
    let rig = Rig::start(
        |config| {
            config.credentials = Some(Credentials {
                username: "user".to_owned(),
                password: "secret".to_owned(),
            });
        },
        SinkFormat::Array,
        PATIENCE,
    )
    .await;
    let mut peer = rig.accept().await;
    let Packet::Connect(connect) = peer.read().await else {
        panic!("the first packet is CONNECT");
    };
    let login = connect.login.unwrap();
    assert_eq!((login.username.as_str(), login.password.as_str()), ("user", "secret"));
    peer.write(Packet::ConnAck(ConnAck::new(ConnectReturnCode::NotAuthorized, false)))
        .await;
    assert_eq!(peer.try_read().await, None);
    // What AWS IoT Core answers instead: code 7, which MQTT 3.1.1 does not know.
    let mut peer = rig.accept().await;
    peer.read().await;
    peer.stream.write_all(&[0x20, 2, 0, 7]).await.unwrap();
    assert_eq!(peer.try_read().await, None);
    rig.connect().await;
    assert_eq!(rig.delivery.counters.reconnects("not_authorized").get(), 2);
}

#[tokio::test]
async fn a_stop_says_goodbye_and_leaves_what_is_in_flight() {
    let rig = Rig::usual().await;
    rig.push(emission("a"));
    let mut peer = rig.connect().await;
    peer.publishes(1).await;
    rig.stopper.stop();
    assert_eq!(peer.read().await, Packet::Disconnect);
    timeout(PATIENCE, rig.task).await.unwrap().unwrap();
    assert_eq!(rig.delivery.outbox.close().given_up, 1);
}

#[tokio::test]
async fn a_stop_while_nobody_answers_ends_at_once() {
    let rig = Rig::usual().await;
    let _silent = rig.accept().await;
    rig.stopper.stop();
    timeout(PATIENCE, rig.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_tls_settings_nothing_leaves_for_an_ssl_server() {
    let rig = Rig::start(|config| config.server.tls = true, SinkFormat::Array, PATIENCE).await;
    rig.stopper.stop();
    timeout(PATIENCE, rig.task).await.unwrap().unwrap();
    let accepted = timeout(Duration::ZERO, rig.listener.accept()).await;
    assert!(accepted.is_err(), "there is no connection");
}

#[tokio::test]
async fn mutual_tls_on_port_443_settings_carries_emissions() {
    let pki = Pki::new();
    let files = pki.client_files(RSA_2048, RSA_2048.forms()[1]);
    let client = client_config(&files, TlsPurpose::Mqtt { port: 443 }, clock::wall()).unwrap();
    let rig = Rig::start(
        |config| {
            config.server.host = "localhost".to_owned();
            config.server.tls = true;
            config.tls = Some(TlsConfig { client, files });
        },
        SinkFormat::Array,
        PATIENCE,
    )
    .await;
    rig.push(emission("a"));
    let mut server = pki.server();
    server.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()];
    let (stream, _) = timeout(PATIENCE, rig.listener.accept()).await.unwrap().unwrap();
    let stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"x-amzn-mqtt-ca"[..]));
    assert_eq!(stream.get_ref().1.server_name(), Some("localhost"));
    let mut peer = Peer {
        stream,
        buffer: BytesMut::new(),
    };
    assert!(matches!(peer.read().await, Packet::Connect(_)));
    peer.write(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)))
        .await;
    let publishes = peer.publishes(1).await;
    peer.acknowledge(&publishes[0]).await;
    rig.emptied().await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_counted_as_a_tls_failure() {
    let (pki, other) = (Pki::new(), Pki::new());
    let files = pki.client_files(P256, P256.forms()[0]);
    let client = client_config(&files, TlsPurpose::Mqtt { port: 8883 }, clock::wall()).unwrap();
    let rig = Rig::start(
        |config| {
            config.server.host = "localhost".to_owned();
            config.server.tls = true;
            config.tls = Some(TlsConfig { client, files });
        },
        SinkFormat::Array,
        PATIENCE,
    )
    .await;
    let acceptor = TlsAcceptor::from(Arc::new(other.server()));
    for _ in 0..2 {
        let (stream, _) = timeout(PATIENCE, rig.listener.accept()).await.unwrap().unwrap();
        assert!(acceptor.accept(stream).await.is_err());
    }
    assert!(rig.delivery.counters.reconnects("tls").get() >= 1);
}

#[test]
fn the_topic_limits_of_aws_hold_however_its_name_is_written() {
    let limits = |url| limits_of(&ServerAddress::parse(url).unwrap());
    assert_eq!(limits("ssl://a.IOT.eu-west-1.AmazonAWS.com"), TopicLimits::AwsIotCore);
    assert_eq!(
        limits("ssl://a.iot.cn-north-1.amazonaws.com.cn"),
        TopicLimits::AwsIotCore
    );
    assert_eq!(limits("ssl://broker"), TopicLimits::Mqtt);
}
