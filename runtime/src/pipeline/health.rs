//! Whether everything works: the answer of `/readyz`.

use crate::http::{Readiness, Snapshot};
use crate::telemetry::source::{SourceMetrics, SourcesMetrics};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Keeps the readiness of the snapshot up to date until `stop` says so. `sources` are the names that must be connected.
pub(super) async fn watch(
    sources: watch::Receiver<Vec<String>>,
    metrics: SourcesMetrics,
    snapshot: watch::Sender<Arc<Snapshot>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = super::stop_requested(&mut stop) => return,
        }
        let missing: Vec<String> = sources
            .borrow()
            .iter()
            .filter_map(|name| problem(name, &metrics.source(name)))
            .collect();
        let readiness = if missing.is_empty() {
            Readiness::Ready
        } else {
            Readiness::NotReady(missing)
        };
        snapshot.send_if_modified(|current| {
            let changed = current.readiness != readiness;
            if changed {
                *current = Arc::new(Snapshot {
                    readiness,
                    ..(**current).clone()
                });
            }
            changed
        });
    }
}

fn problem(name: &str, metrics: &SourceMetrics) -> Option<String> {
    let (needed, connected) = (metrics.lanes.get(), metrics.lanes_connected.get());
    match connected {
        _ if metrics.connected.get() == 1 => None,
        0 => Some(format!("source {name} is not connected")),
        _ => Some(format!(
            "source {name} has {connected} of the {needed} connections that it needs"
        )),
    }
}

/// How often the connections are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
