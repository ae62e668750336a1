//! A device that publishes evenly with QoS 1 to the built-in listener, and notes how long acknowledgements take.

use super::broker::publish;
use super::messages::{DEVICES, payload, topic};
use super::process::pause;
use anyhow::Context as _;
use rulemill::clock;
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A device that publishes until it is told to stop.
pub(crate) struct Device {
    stop: Arc<AtomicBool>,
    sending: JoinHandle<anyhow::Result<u64>>,
    receiving: JoinHandle<anyhow::Result<Acknowledged>>,
}

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Messages.
    pub(crate) messages: u64,
    /// The longest that an acknowledgement took.
    pub(crate) longest: Duration,
}

impl Device {
    /// Connects and publishes so many messages a second, in turn for a thousand devices.
    pub(crate) fn start(port: u16, per_second: u32) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")?;
        stream.read_exact(&mut [0; 4])?;
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(Mutex::new(VecDeque::new()));
        let acks = stream.try_clone()?;
        Ok(Device {
            sending: std::thread::spawn({
                let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
                move || send(stream, per_second, &stop, &sent)
            }),
            receiving: std::thread::spawn(move || receive(acks, &sent)),
            stop,
        })
    }

    /// Stops, waits for what is not acknowledged yet, and gives what was sent and what was acknowledged.
    pub(crate) fn stop(self) -> anyhow::Result<(u64, Acknowledged)> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sending.join().ok().context("the device panicked")??;
        let acknowledged = self.receiving.join().ok().context("the device panicked")??;
        Ok((sent, acknowledged))
    }
}

type Sent = Mutex<VecDeque<Instant>>;

fn send(mut stream: TcpStream, per_second: u32, stop: &AtomicBool, sent: &Sent) -> anyhow::Result<u64> {
    let start = clock::monotonic();
    let mut packet = Vec::new();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = start + Duration::from_nanos(number * 1_000_000_000 / u64::from(per_second));
        pause(due.saturating_duration_since(clock::monotonic()));
        let device = usize::try_from(number)? * 617 % DEVICES;
        let id = u16::try_from(number % 60_000)? + 1;
        packet.clear();
        publish(&mut packet, &topic(device), &payload(device), Some(id));
        let mut waiting = sent.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(clock::monotonic());
        drop(waiting);
        stream.write_all(&packet)?;
        number += 1;
    }
    // What is not acknowledged before the end is acknowledged no more.
    let deadline = clock::monotonic() + Duration::from_secs(60);
    while !sent.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        anyhow::ensure!(
            clock::monotonic() < deadline,
            "messages were not acknowledged for a minute"
        );
        pause(Duration::from_millis(1));
    }
    stream.write_all(b"\xe0\x00")?;
    stream.shutdown(Shutdown::Write)?;
    Ok(number)
}

fn receive(mut stream: TcpStream, sent: &Sent) -> anyhow::Result<Acknowledged> {
    let mut acknowledged = Acknowledged::default();
    let mut packet = [0; 4];
    while stream.read_exact(&mut packet).is_ok() {
        anyhow::ensure!(packet[0] == 0x40, "not an acknowledgement: {packet:?}");
        let mut waiting = sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent_at = waiting.pop_front().context("an acknowledgement too many")?;
        drop(waiting);
        acknowledged.messages += 1;
        acknowledged.longest = acknowledged.longest.max(clock::monotonic().duration_since(sent_at));
    }
    Ok(acknowledged)
}
