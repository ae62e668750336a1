//! Connections that cannot be held for ever: so many at once, each with a longest silence and a longest life.

use crate::clock;
use axum::serve::Listener;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep_until};

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most at once. Further ones wait to be accepted.
    pub(super) connections_max: usize,
    /// The longest that a connection may neither give nor take a byte. Then it is closed.
    pub(super) silence_max: Duration,
    /// The longest that requests are taken from one connection. Then it is closed, and the client connects anew.
    pub(super) life_max: Duration,
}

impl Bounds {
    pub(super) const STANDARD: Bounds = Bounds {
        connections_max: 64,
        silence_max: Duration::from_secs(15),
        life_max: Duration::from_secs(60),
    };
}

/// A listener whose connections keep to the bounds.
pub(super) struct Connections {
    listener: TcpListener,
    bounds: Bounds,
    free: Arc<Semaphore>,
}

impl Connections {
    pub(super) fn of(listener: TcpListener, bounds: Bounds) -> Self {
        Self {
            listener,
            bounds,
            free: Arc::new(Semaphore::new(bounds.connections_max)),
        }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let slot = Arc::clone(&self.free).acquire_owned().await;
        let slot = slot.expect("the semaphore is never closed");
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let connection = Connection {
            stream,
            silence_max: self.bounds.silence_max,
            silence: Box::pin(timer(self.bounds.silence_max)),
            life: Box::pin(timer(self.bounds.life_max)),
            _slot: slot,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    silence_max: Duration,
    silence: Pin<Box<Sleep>>,
    life: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    /// Starts the silence anew after progress; without progress, an error when it has lasted too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.silence.set(timer(self.silence_max));
            return progress;
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.life.as_mut().poll(context).is_ready() {
            // As if the client had sent its last request.
            return Poll::Ready(Ok(()));
        }
        let progress = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, progress)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn timer(time: Duration) -> Sleep {
    sleep_until(clock::timers() + time)
}
