//! One connection of a client, and the one that is made for it to the broker.

use super::ledger::Ledger;
use super::pump::Pump;
use super::tls::BothSides;
use super::weather::Now;
use super::{Counts, Direction, Shared};
use crate::LIMIT;
use crate::wait::pass;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::{client, server};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// One side has left, or nothing can be done with it; the other is closed too.
    Closed,
    /// Both are reset.
    Reset,
}

/// A connection, with the TCP connection that it is made of.
trait Carrier: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

/// Serves clients until the listener fails.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        Counts::add(&shared.counts.connections);
        let shared = Arc::clone(&shared);
        // A connection that fails is closed; whoever made it makes another.
        tokio::spawn(async move { serve(client, &shared).await.unwrap_or_default() });
    }
}

async fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut weather = shared.weather.subscribe();
    let before = *weather.borrow_and_update();
    // The proxy itself is in the weather's sender, so that it cannot end before this.
    let _ = weather.wait_for(|now| !now.holds()).await;
    let broker = TcpStream::connect(("127.0.0.1", shared.broker)).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let Some(tls) = &shared.tls else {
        relay(client, broker, shared, before).await;
        return Ok(());
    };
    let hands = timeout(LIMIT, shake_hands(tls, client, broker));
    let (client, broker) = tokio::select! {
        hands = hands => hands.map_err(|_| io::ErrorKind::TimedOut)??,
        _ = ending(shared.weather.subscribe(), before) => return Ok(()),
    };
    relay(client, broker, shared, before).await;
    Ok(())
}

async fn shake_hands(
    tls: &BothSides,
    client: TcpStream,
    broker: TcpStream,
) -> io::Result<(server::TlsStream<TcpStream>, client::TlsStream<TcpStream>)> {
    let client = tls.acceptor.accept(client).await?;
    let broker = tls.connector.connect(BothSides::broker_name(), broker).await?;
    Ok((client, broker))
}

/// Hands on what comes from either side until one leaves or the weather ends it.
async fn relay(client: impl Carrier, broker: impl Carrier, shared: &Shared, before: Now) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_broker, mut to_broker) = split(broker);
    let ledger = Ledger::new(Arc::clone(&shared.acknowledged));
    let pump = |direction| Pump::new(direction, (shared, &ledger), before);
    let (up, down) = (pump(Direction::ToBroker), pump(Direction::ToClient));
    let end = tokio::select! {
        end = up.run(&mut from_client, &mut to_broker) => end.unwrap_or(End::Closed),
        end = down.run(&mut from_broker, &mut to_client) => end.unwrap_or(End::Closed),
        end = ending(shared.weather.subscribe(), before) => end,
    };
    let client = from_client.unsplit(to_client);
    let broker = from_broker.unsplit(to_broker);
    if end == End::Reset {
        Counts::add(&shared.counts.resets);
        for side in [client.tcp(), broker.tcp()] {
            // One that is gone already cannot be reset, and need not.
            side.set_zero_linger().unwrap_or_default();
        }
    }
}

/// Waits until all connections of that time are to end. A reset leaves the pumps a while to find a packet to tear.
async fn ending(mut weather: watch::Receiver<Now>, before: Now) -> End {
    let changed = |now: &Now| now.closes != before.closes || now.resets != before.resets;
    let closed = match weather.wait_for(changed).await {
        Ok(now) => now.closes != before.closes,
        Err(_) => true,
    };
    if closed {
        return End::Closed;
    }
    pass(TEAR_WITHIN).await;
    End::Reset
}

impl Carrier for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Carrier for server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Carrier for client::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How long a reset waits for a packet.
const TEAR_WITHIN: Duration = Duration::from_millis(500);
