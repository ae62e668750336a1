//! Health, metrics and the state of the rules over HTTP. The pipeline publishes a [`Snapshot`] when something changes, and
//! live counters come from the metrics; what is asked of it goes through a bounded channel. Nothing here can hold up a message.
//!
//! | path | answer |
//! |---|---|
//! | `/ping` | `pong` |
//! | `/healthz` | the process answers |
//! | `/readyz` | 503 with the reasons until it works |
//! | `/metrics` | OpenMetrics text |
//! | `/guests`, `/guests/{id}`, `/guests/{id}/status` | the rules and libraries, what one is, what one did |
//! | `/rules`, `/rules/{id}`, `/rules/{id}/status` | the rules, one as it is written, what it did |
//! | `POST /rules`, `PUT`, `DELETE /rules/{id}` | makes, replaces, removes a rule file |
//! | `POST /rules/{id}/ACTION` | `start`, `stop`, `restart`, `retry`, `promote` |
//! | `POST /rules/validate`, `POST /explain` | what would become of a rule, of a query |
//! | `/streams`, `/streams/{name}` | the streams, likewise |
//! | `POST /queries`, `GET`, `DELETE /queries/{id}` | a query for somebody who looks on |
//! | `/functions` | the functions of the loaded libraries |
//!
//! Errors are `{"error": STATUS, "message": "..."}`. There is no CORS: pages of other origins may not read anything, and a
//! browser may not ask for anything to be done.

mod answer;
mod ask;
mod authorize;
mod connection;
mod request;
mod route;
mod snapshot;

#[cfg(test)]
mod tests;

pub use request::{Answered, Ask, Definition, GuestAction, LiveQuery, Reply, Request, RequestRefused};
pub use snapshot::{
    Function, FunctionStatus, GuestKind, Readiness, Refused, RuleStatus, RunState, RunningVersion, ShadowStatus,
    Snapshot, StreamStatus,
};

use crate::telemetry::Telemetry;
use connection::{Bounds, Connections};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

/// What the answers are made from.
#[derive(Clone, Debug)]
pub struct State {
    /// The latest snapshot; the pipeline has the other end.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The metrics.
    pub telemetry: Arc<Telemetry>,
    /// Where requests to the pipeline go.
    pub requests: mpsc::Sender<Request>,
    /// What clients must send as `Authorization: Bearer TOKEN`; `None`: nothing.
    pub token: Option<Arc<str>>,
}

/// Answers requests on `listener` until `stop` is ready; requests under way then have [`STOP_GRACE`] to end.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    state: State,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_within(listener, state, stop, Bounds::STANDARD).await
}

/// How long requests may take to end when the server stops.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

async fn serve_within(
    listener: TcpListener,
    state: State,
    stop: impl Future<Output = ()> + Send + 'static,
    bounds: Bounds,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let stop = async move {
        stop.await;
        // Nobody listens any more when the server has ended by itself.
        let _ = stopping.send(());
    };
    let server = axum::serve(Connections::of(listener, bounds), route::routes(state)).with_graceful_shutdown(stop);
    let grace = async move {
        match stopped.await {
            Ok(()) => crate::clock::pass(STOP_GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = server => ended,
        () = grace => Ok(()),
    }
}
