//! Whether everything works: the answer of `/readyz`.

use crate::http::{Readiness, Snapshot};
use crate::telemetry::source::SourcesMetrics;
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
            .filter(|name| metrics.source(name).connected.get() == 0)
            .map(|name| format!("source {name} is not connected"))
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

/// How often the connections are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
