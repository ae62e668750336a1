//! A broker in the hands of a test: it answers nothing by itself.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::Error;
use rumqttc::{ConnAck, Connect, ConnectReturnCode, Packet, Publish, QoS, SubAck, Subscribe, SubscribeReasonCode};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Nothing in these tests takes so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Broker {
    listener: TcpListener,
}

pub(crate) struct Link {
    stream: TcpStream,
    received: BytesMut,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Broker {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection and its CONNECT.
    pub(crate) async fn connect(&self) -> (Link, Connect) {
        let (stream, _) = timeout(DEADLINE, self.listener.accept())
            .await
            .expect("a connection")
            .unwrap();
        let mut link = Link {
            stream,
            received: BytesMut::new(),
        };
        match link.read().await {
            Packet::Connect(connect) => (link, connect),
            other => panic!("{other:?}"),
        }
    }

    /// The next connection, accepted.
    pub(crate) async fn accept(&self, session_present: bool) -> Link {
        let (mut link, _) = self.connect().await;
        link.connack(ConnectReturnCode::Success, session_present).await;
        link
    }

    /// The next connection, accepted and with its first SUBSCRIBE granted.
    pub(crate) async fn accept_and_grant(&self, session_present: bool) -> Link {
        let mut link = self.accept(session_present).await;
        link.grant().await;
        link
    }
}

impl Link {
    pub(crate) async fn connack(&mut self, code: ConnectReturnCode, session_present: bool) {
        self.write(&[Packet::ConnAck(ConnAck::new(code, session_present))])
            .await;
    }

    /// The next packet other than PINGREQ, which is answered. Panics at the end of the connection.
    pub(crate) async fn read(&mut self) -> Packet {
        loop {
            match self.read_any().await {
                Some(Packet::PingReq) => self.write(&[Packet::PingResp]).await,
                Some(packet) => return packet,
                None => panic!("the connection was closed"),
            }
        }
    }

    /// The next packet, or `None` at the end of the connection.
    pub(crate) async fn read_any(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.received, 1 << 20) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            let read = timeout(DEADLINE, self.stream.read_buf(&mut self.received))
                .await
                .expect("a packet");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Closes the connection in a way that what was written is read.
    pub(crate) async fn close_after_reading(mut self) {
        self.stream.shutdown().await.unwrap();
        while self.read_any().await.is_some() {}
    }

    pub(crate) async fn subscribe(&mut self) -> Subscribe {
        match self.read().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn answer(&mut self, subscribe: &Subscribe, code: SubscribeReasonCode) {
        let codes = vec![code; subscribe.filters.len()];
        self.write(&[Packet::SubAck(SubAck::new(subscribe.pkid, codes))]).await;
    }

    /// Grants the next SUBSCRIBE and gives its filters.
    pub(crate) async fn grant(&mut self) -> Vec<String> {
        let subscribe = self.subscribe().await;
        self.answer(&subscribe, SubscribeReasonCode::Success(QoS::AtLeastOnce))
            .await;
        subscribe.filters.into_iter().map(|filter| filter.path).collect()
    }

    pub(crate) async fn expect_ack(&mut self, packet_id: u16) {
        match self.read().await {
            Packet::PubAck(ack) => assert_eq!(ack.pkid, packet_id),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn write(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, usize::MAX).unwrap();
        }
        self.write_bytes(&bytes).await;
    }

    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) {
        timeout(DEADLINE, self.stream.write_all(bytes))
            .await
            .expect("room in the socket")
            .unwrap();
    }

    /// Everything written before this call has been read by the client when it returns, and it has sent nothing but
    /// pings since: a second ping is sent only after the answer to the first one was read.
    pub(crate) async fn expect_only_pings(&mut self) {
        for _ in 0..2 {
            match self.read_any().await {
                Some(Packet::PingReq) => self.write(&[Packet::PingResp]).await,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A PUBLISH to `devices/1`; QoS 1 unless the packet id is 0.
pub(crate) fn publish(packet_id: u16, payload: impl Into<Bytes>) -> Packet {
    let qos = if packet_id == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    let mut publish = Publish::from_bytes("devices/1", qos, payload.into());
    publish.pkid = packet_id;
    Packet::Publish(publish)
}
