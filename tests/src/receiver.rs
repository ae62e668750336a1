//! A web server that takes POST requests and keeps their bodies.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct HttpReceiver {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    bodies: Mutex<Vec<String>>,
    refusals_left: AtomicUsize,
}

impl HttpReceiver {
    /// A server that answers its first `refusals` requests with 503.
    pub async fn start(refusals: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let shared = Arc::new(Shared {
            refusals_left: AtomicUsize::new(refusals),
            ..Shared::default()
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        HttpReceiver { port, shared, task }
    }

    /// The bodies of the requests that were not refused.
    pub fn bodies(&self) -> Vec<String> {
        self.shared
            .bodies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests are still to be refused.
    pub fn refusals_left(&self) -> usize {
        self.shared.refusals_left.load(Ordering::Acquire)
    }
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // A client that breaks off shows in the bodies that are missing.
        tokio::spawn(async move { converse(stream, &shared).await.unwrap_or_default() });
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 && line != "\r\n" {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let refuse = |left: usize| left.checked_sub(1);
        let refused = shared
            .refusals_left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, refuse)
            .is_ok();
        let status = if refused { "503 Service Unavailable" } else { "200 OK" };
        if !refused {
            let body = String::from_utf8_lossy(&body).into_owned();
            shared.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        }
        stream
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .await?;
    }
}
