//! A device in the hands of a test.

use super::DEADLINE;
use bytes::BytesMut;
use rumqttc::mqttbytes::Error;
use rumqttc::{Connect, ConnectReturnCode, Packet, Publish, QoS};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(super) struct Device {
    stream: TcpStream,
    received: BytesMut,
}

impl Device {
    pub(super) async fn dial(address: SocketAddr) -> Self {
        Device {
            stream: TcpStream::connect(address).await.unwrap(),
            received: BytesMut::new(),
        }
    }

    pub(super) async fn connect(&mut self, client_id: &str) {
        assert_eq!(
            self.connect_with(Connect::new(client_id)).await,
            ConnectReturnCode::Success
        );
    }

    pub(super) async fn connect_with(&mut self, connect: Connect) -> ConnectReturnCode {
        self.write(&[Packet::Connect(connect)]).await;
        self.connack().await
    }

    pub(super) async fn connack(&mut self) -> ConnectReturnCode {
        match self.read().await {
            Some(Packet::ConnAck(connack)) => {
                assert!(!connack.session_present);
                connack.code
            }
            other => panic!("{other:?}"),
        }
    }

    /// Publishes to `devices/1`; with QoS 1 unless the packet id is 0.
    pub(super) async fn publish(&mut self, packet_id: u16, payload: &str) {
        self.write(&[publish(packet_id, payload)]).await;
    }

    pub(super) async fn expect_ack(&mut self, packet_id: u16) {
        match self.read().await {
            Some(Packet::PubAck(ack)) => assert_eq!(ack.pkid, packet_id),
            other => panic!("{other:?}"),
        }
    }

    /// Everything sent before has been read by the listener when this returns, and nothing was answered to it.
    pub(super) async fn expect_no_answer(&mut self) {
        self.write(&[Packet::PingReq]).await;
        assert_eq!(self.read().await, Some(Packet::PingResp));
    }

    pub(super) async fn write(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, usize::MAX).unwrap();
        }
        self.write_bytes(&bytes).await;
    }

    pub(super) async fn write_bytes(&mut self, bytes: &[u8]) {
        timeout(DEADLINE, self.stream.write_all(bytes))
            .await
            .expect("room in the socket")
            .unwrap();
    }

    /// The next packet, or `None` at the end of the connection.
    pub(super) async fn read(&mut self) -> Option<Packet> {
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
}

/// A PUBLISH to `devices/1`; with QoS 1 unless the packet id is 0.
pub(super) fn publish(packet_id: u16, payload: &str) -> Packet {
    let qos = if packet_id == 0 {
        QoS::AtMostOnce
    } else {
        QoS::AtLeastOnce
    };
    let mut publish = Publish::new("devices/1", qos, payload);
    publish.pkid = packet_id;
    Packet::Publish(publish)
}
