//! A device that speaks MQTT byte by byte, so that it can also say what a library would not.

use crate::LIMIT;
use std::future::Future;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One connection of a device to the built-in listener.
#[derive(Debug)]
pub struct Device {
    stream: TcpStream,
    next_id: u16,
}

impl Device {
    /// Connects and waits for the agreement.
    pub async fn connect(port: u16, client_id: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&packet::connect(client_id)).await?;
        let mut reply = [0; 4];
        in_time(stream.read_exact(&mut reply)).await?;
        match reply {
            [0x20, 2, _, 0] => Ok(Device { stream, next_id: 0 }),
            _ => Err(io::Error::other(format!("CONNECT was answered with {reply:02x?}"))),
        }
    }

    /// Publishes with QoS 0.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        in_time(self.stream.write_all(&packet::publish(topic, payload, None))).await
    }

    /// Publishes with QoS 1 and waits for the acknowledgement.
    pub async fn publish_acknowledged(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        self.next_id += 1;
        let id = self.next_id;
        self.stream
            .write_all(&packet::publish(topic, payload, Some(id)))
            .await?;
        let mut reply = [0; 4];
        in_time(self.stream.read_exact(&mut reply)).await?;
        let [high, low] = id.to_be_bytes();
        if reply == [0x40, 2, high, low] {
            return Ok(());
        }
        Err(io::Error::other(format!("PUBLISH {id} was answered with {reply:02x?}")))
    }

    /// Sends any bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        in_time(self.stream.write_all(bytes)).await
    }

    /// Waits until the other side closes the connection; gives what it said before.
    pub async fn wait_for_close(&mut self) -> io::Result<Vec<u8>> {
        let mut last_words = Vec::new();
        match in_time(self.stream.read_to_end(&mut last_words)).await {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(last_words),
        }
    }

    /// Waits for the answer to a ping, after which everything sent before has been taken in.
    pub async fn ping(&mut self) -> io::Result<()> {
        self.stream.write_all(&[0xc0, 0]).await?;
        let mut reply = [0; 2];
        in_time(self.stream.read_exact(&mut reply)).await?;
        if reply == [0xd0, 0] {
            return Ok(());
        }
        Err(io::Error::other(format!("PINGREQ was answered with {reply:02x?}")))
    }

    /// Says goodbye.
    pub async fn disconnect(mut self) -> io::Result<()> {
        self.stream.write_all(&[0xe0, 0]).await?;
        self.stream.shutdown().await
    }
}

/// A device does not wait for ever.
async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(LIMIT, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// MQTT 3.1.1 packets as bytes.
pub mod packet {
    /// CONNECT with a clean session and a keep-alive of 60 s.
    pub fn connect(client_id: &str) -> Vec<u8> {
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
        push_text(&mut body, client_id);
        frame(0x10, &body)
    }

    /// PUBLISH; with a packet id it is QoS 1, without QoS 0.
    pub fn publish(topic: &str, payload: &[u8], id: Option<u16>) -> Vec<u8> {
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        push_text(&mut body, topic);
        if let Some(id) = id {
            body.extend(id.to_be_bytes());
        }
        body.extend(payload);
        frame(if id.is_some() { 0x32 } else { 0x30 }, &body)
    }

    fn push_text(body: &mut Vec<u8>, text: &str) {
        let len = u16::try_from(text.len()).expect("MQTT texts are shorter than 64 KiB");
        body.extend(len.to_be_bytes());
        body.extend(text.as_bytes());
    }

    fn frame(head: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![head];
        let mut rest = body.len();
        loop {
            let more = if rest > 127 { 0x80 } else { 0 };
            packet.push(u8::try_from(rest % 128).expect("a remainder of 128 fits") | more);
            rest /= 128;
            if rest == 0 {
                break;
            }
        }
        packet.extend(body);
        packet
    }
}
