//! The proxy between a client, byte by byte, and a broker of a few lines.

use super::packets::{Packet, Splitter};
use super::{Acknowledgements, Observer, Proxy, Route, Wire};
use crate::{Device, LIMIT, packet, wait_for};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Accepts everybody, acknowledges everything, and keeps the bytes of each connection.
struct Broker {
    port: u16,
    came: Came,
    task: JoinHandle<()>,
}

type Came = Arc<Mutex<Vec<Vec<u8>>>>;

impl Broker {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Came::default();
        let all = Arc::clone(&came);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&all)));
            }
        });
        Broker { port, came, task }
    }

    fn came(&self, connection: usize) -> Vec<u8> {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.get(connection).cloned().unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(mut stream: TcpStream, all: Came) -> io::Result<()> {
    let number = {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Vec::new());
        all.len() - 1
    };
    let (mut splitter, mut buffer) = (Splitter::default(), [0; 1024]);
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        all.lock().unwrap_or_else(PoisonError::into_inner)[number].extend(&buffer[..len]);
        splitter.push(&buffer[..len]);
        let mut answers = Vec::new();
        while let Some(bytes) = splitter.next_packet()? {
            match (bytes[0], Packet::read(bytes)) {
                (0x10, _) => answers.extend([0x20, 2, 0, 0]),
                (_, Packet::Publish { id, .. }) => {
                    let [high, low] = id.to_be_bytes();
                    answers.extend([0x40, 2, high, low]);
                }
                _ => {}
            }
        }
        stream.write_all(&answers).await?;
    }
}

/// A proxy, and the payloads that it said were acknowledged.
async fn proxy(broker: &Broker) -> (Proxy, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let to_tell = Arc::clone(&told);
    let acknowledged: Observer = Arc::new(move |payload| {
        let text = String::from_utf8_lossy(payload).into_owned();
        to_tell.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    });
    let route = Route {
        broker: broker.port,
        wire: Wire::Plain,
        seed: 7,
        acknowledged,
    };
    (Proxy::start(route).await, told)
}

fn texts(told: &Arc<Mutex<Vec<String>>>) -> Vec<String> {
    told.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[tokio::test]
async fn what_is_acknowledged_is_told() {
    let broker = Broker::start().await;
    let (proxy, told) = proxy(&broker).await;
    let mut device = Device::connect(proxy.port, "a").await.unwrap();
    device.publish("t", b"nobody acknowledges this").await.unwrap();
    for payload in ["one", "two"] {
        device.publish_acknowledged("t", payload.as_bytes()).await.unwrap();
    }
    assert_eq!(texts(&told), ["one", "two"]);
    assert_eq!(proxy.tally().connections, 1);
}

#[tokio::test]
async fn a_reset_tears_a_packet() {
    let broker = Broker::start().await;
    let (proxy, _) = proxy(&broker).await;
    let whole = [packet::connect("a"), packet::publish("t", &[1; 100], Some(1))].concat();
    let mut torn = [false; 2];
    for connection in 0.. {
        let mut device = Device::connect(proxy.port, "a").await.unwrap();
        proxy.reset();
        device.send(&packet::publish("t", &[1; 100], Some(1))).await.unwrap();
        let last = device.wait_for_close().await.unwrap();
        wait_for("the reset", LIMIT, || (proxy.tally().resets > connection).then_some(())).await;
        let came = broker.came(connection);
        assert!(whole.starts_with(&came) && came.len() >= packet::connect("a").len());
        if came == whole {
            // It was the PUBACK's turn, of which the reset takes along what was not read yet.
            assert!(last.len() < 4, "{last:02x?}");
        }
        torn[usize::from(came == whole)] = true;
        assert!(connection < 100, "one of both directions is never torn");
        if torn == [true; 2] {
            break;
        }
    }
}

#[tokio::test]
async fn what_is_held_up_arrives_later() {
    let broker = Broker::start().await;
    let (proxy, told) = proxy(&broker).await;
    let mut device = Device::connect(proxy.port, "a").await.unwrap();
    let hold = proxy.hold();
    let waiting = tokio::time::timeout(Duration::from_millis(200), device.publish_acknowledged("t", b"one"));
    assert!(waiting.await.is_err(), "it passes though it is held up");
    assert!(texts(&told).is_empty());
    drop(hold);
    wait_for("the message", LIMIT, || (texts(&told) == ["one"]).then_some(())).await;
    proxy.stall(Duration::from_millis(50));
    let mut device = Device::connect(proxy.port, "b").await.unwrap();
    device.publish_acknowledged("t", b"two").await.unwrap();
}

#[tokio::test]
async fn what_is_cut_off_never_arrives() {
    let broker = Broker::start().await;
    let (proxy, told) = proxy(&broker).await;
    let mut device = Device::connect(proxy.port, "a").await.unwrap();
    proxy.cut(Duration::from_millis(300));
    device.send(&packet::publish("t", b"one", Some(1))).await.unwrap();
    assert!(device.wait_for_close().await.unwrap().is_empty());
    assert_eq!(broker.came(0), packet::connect("a"));
    assert!(texts(&told).is_empty());
}

#[tokio::test]
async fn lost_acknowledgements_are_not_told() {
    let broker = Broker::start().await;
    let (proxy, told) = proxy(&broker).await;
    let mut device = Device::connect(proxy.port, "a").await.unwrap();
    proxy.set_acknowledgements(Acknowledgements::Lose);
    for id in 1..=50 {
        device.send(&packet::publish("t", b"x", Some(id))).await.unwrap();
    }
    wait_for("all of them", LIMIT, || {
        (proxy.tally().lost + texts(&told).len() == 50).then_some(())
    })
    .await;
    let lost = proxy.tally().lost;
    assert!((10..40).contains(&lost), "{lost}");

    proxy.set_acknowledgements(Acknowledgements::Reorder);
    for id in 51..=100 {
        device.send(&packet::publish("t", b"x", Some(id))).await.unwrap();
    }
    wait_for("all of them", LIMIT, || {
        (lost + texts(&told).len() == 100).then_some(())
    })
    .await;
    assert!(proxy.tally().reordered > 0);
}
