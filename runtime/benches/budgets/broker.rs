//! A broker of one connection: it grants everything, feeds what it is given, and acknowledges late.

use super::messages::{payload, topic};
use rulemill::clock;
use std::io::{self, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// The broker before its client comes.
pub(crate) struct Broker {
    listener: TcpListener,
}

/// A client that has subscribed.
pub(crate) struct Subscriber {
    stream: TcpStream,
    acknowledged: Arc<AtomicUsize>,
}

impl Broker {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Broker { listener })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Takes a client, and grants its first subscription.
    pub(crate) fn subscriber(&self) -> io::Result<Subscriber> {
        let (mut stream, mut reader) = self.connected()?;
        let subscribe = packet(&mut reader)?;
        let id = &subscribe.body[..2];
        stream.write_all(&[0x90, 3, id[0], id[1], 1])?;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&acknowledged);
        std::thread::spawn(move || {
            while let Ok(packet) = packet(&mut reader) {
                if packet.kind() == PUBACK {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Subscriber { stream, acknowledged })
    }

    /// Takes a client, and acknowledges `count` publishes, each so much after it came. Gives when each came.
    pub(crate) fn acknowledge(&self, count: usize, delay: Duration) -> io::Result<Vec<Instant>> {
        let (stream, mut reader) = self.connected()?;
        let (sender, acks) = sync_channel(count);
        let writer = std::thread::spawn(move || write_acks(stream, &acks, delay));
        let mut came = Vec::with_capacity(count);
        while came.len() < count {
            let packet = packet(&mut reader)?;
            if packet.kind() != PUBLISH {
                continue;
            }
            let now = clock::monotonic();
            let topic = usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
            came.push(now);
            // The writer ends before this loop only when the connection does.
            let _ = sender.send((now, [packet.body[2 + topic], packet.body[3 + topic]]));
        }
        drop(sender);
        // The client may have gone; what came is known.
        drop(writer.join());
        Ok(came)
    }

    fn connected(&self) -> io::Result<(TcpStream, BufReader<TcpStream>)> {
        let (mut stream, _) = self.listener.accept()?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
        packet(&mut reader)?;
        stream.write_all(&[0x20, 2, 0, 0])?;
        Ok((stream, reader))
    }
}

impl Subscriber {
    /// Writes encoded packets.
    pub(crate) fn feed(&mut self, packets: &[u8]) -> io::Result<()> {
        self.stream.write_all(packets)
    }

    /// Acknowledgements so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // The reading thread ends by this; a connection that is closed already needs none.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// PUBLISH packets of a thousand devices.
pub(crate) fn publishes(count: usize, qos: u8) -> Vec<u8> {
    let mut packets = Vec::new();
    for number in 0..count {
        let device = number * 617 % super::messages::DEVICES;
        let id = u16::try_from(number % 65_535 + 1).expect("the remainder is below 2^16");
        publish(&mut packets, &topic(device), &payload(device), (qos > 0).then_some(id));
    }
    packets
}

/// Appends a PUBLISH of less than 128 bytes, with QoS 1 if it has a packet id.
pub(crate) fn publish(packets: &mut Vec<u8>, topic: &str, payload: &str, id: Option<u16>) {
    let id = id.map(u16::to_be_bytes);
    let length = 2 + topic.len() + id.map_or(0, |id| id.len()) + payload.len();
    let length = u8::try_from(length).expect("the messages of the benchmarks are short");
    assert!(
        length < 128,
        "one byte of length is enough for the messages of the benchmarks"
    );
    packets.extend([0x30 | u8::from(id.is_some()) << 1, length, 0]);
    packets.push(u8::try_from(topic.len()).expect("shorter than the packet"));
    packets.extend(topic.as_bytes());
    packets.extend(id.into_iter().flatten());
    packets.extend(payload.as_bytes());
}

struct Packet {
    first: u8,
    body: Vec<u8>,
}

impl Packet {
    fn kind(&self) -> u8 {
        self.first >> 4
    }
}

fn packet(reader: &mut impl Read) -> io::Result<Packet> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    let first = byte[0];
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        reader.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Packet { first, body })
}

fn write_acks(mut stream: TcpStream, acks: &Receiver<(Instant, [u8; 2])>, delay: Duration) {
    while let Ok((came, id)) = acks.recv() {
        let due = came + delay;
        super::process::pause(due.saturating_duration_since(clock::monotonic()));
        if stream.write_all(&[0x40, 2, id[0], id[1]]).is_err() {
            return;
        }
    }
}

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
