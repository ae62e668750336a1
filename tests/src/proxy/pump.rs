//! One direction of a connection: packets come in, and leave as the weather lets them.

use super::acknowledgements::{Course, Fate};
use super::ledger::Ledger;
use super::line::End;
use super::packets::Splitter;
use super::weather::Now;
use super::{Acknowledgements, Counts, Direction, Shared};
use fastrand::Rng;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

/// What carries packets in one direction.
pub(super) struct Pump<'a> {
    direction: Direction,
    shared: &'a Shared,
    ledger: &'a Ledger,
    weather: watch::Receiver<Now>,
    /// The weather when the connection was made.
    before: Now,
    splitter: Splitter,
    course: Course,
    rng: Rng,
    out: Vec<u8>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(direction: Direction, (shared, ledger): (&'a Shared, &'a Ledger), before: Now) -> Self {
        Pump {
            direction,
            shared,
            ledger,
            weather: shared.weather.subscribe(),
            before,
            splitter: Splitter::default(),
            course: Course::default(),
            rng: shared.rng(),
            out: Vec::new(),
        }
    }

    /// Carries packets until a side leaves or a packet is torn.
    pub(super) async fn run(
        mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<End> {
        let mut buffer = vec![0; READ_BYTES_MAX];
        loop {
            self.fine_weather().await;
            let Some(len) = self.read(from, &mut buffer).await? else {
                self.course.release(&mut self.out);
                self.write(to).await?;
                continue;
            };
            if len == 0 {
                return Ok(End::Closed);
            }
            self.splitter.push(&buffer[..len]);
            if let Some(end) = self.carry(to).await? {
                return Ok(end);
            }
        }
    }

    /// What arrives; `None` when a PUBACK is held back and nothing comes after it.
    async fn read(&mut self, from: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.course.holds() {
            return from.read(buffer).await.map(Some);
        }
        match timeout(HELD_FOR, from.read(buffer)).await {
            Ok(len) => len.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Writes the packets that are complete, up to one that is torn.
    async fn carry(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<Option<End>> {
        self.fine_weather().await;
        let now = *self.weather.borrow();
        while let Some(packet) = self.splitter.next_packet()? {
            self.ledger.arrived(packet, self.direction);
            if now.swallows() {
                continue;
            }
            if now.resets != self.before.resets && now.torn == self.direction {
                let torn = packet[..self.rng.usize(1..packet.len())].to_vec();
                self.write(to).await?;
                to.write_all(&torn).await?;
                to.flush().await?;
                return Ok(Some(End::Reset));
            }
            let mode = match self.direction {
                Direction::ToBroker => Acknowledgements::Pass,
                Direction::ToClient => now.acknowledgements,
            };
            match self.course.pass(packet, mode, &mut self.rng, &mut self.out) {
                Fate::Written => {}
                Fate::Lost => Counts::add(&self.shared.counts.lost),
                Fate::Held => Counts::add(&self.shared.counts.reordered),
            }
        }
        self.write(to).await?;
        Ok(None)
    }

    async fn write(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if self.direction == Direction::ToClient {
            self.ledger.leaving_for_client(&self.out);
        }
        to.write_all(&self.out).await?;
        self.out.clear();
        to.flush().await
    }

    /// Waits while everything is held up.
    async fn fine_weather(&mut self) {
        // The sender lives as long as the connection.
        let _ = self.weather.wait_for(|now| !now.holds()).await;
    }
}

const READ_BYTES_MAX: usize = 64 << 10;

/// How long a PUBACK waits for the one that is to overtake it.
const HELD_FOR: Duration = Duration::from_millis(200);
