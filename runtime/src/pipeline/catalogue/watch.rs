//! When to look at the rules directory: file events, and a slow poll for file systems that send none.

use super::scan::guest_of;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Waits for a reason to look at the directory.
pub(super) struct Watch {
    dir: PathBuf,
    poll_interval: Duration,
    pending: Arc<Pending>,
    watcher: Option<RecommendedWatcher>,
}

/// What events have named since the last look. The lock is held for single pushes: events come on notify's own thread.
#[derive(Default)]
struct Pending {
    touched: Mutex<Touched>,
    wake: Notify,
}

#[derive(Default)]
struct Touched {
    names: BTreeSet<String>,
    /// A file was closed or renamed into place: it is whole.
    whole: bool,
}

impl Watch {
    /// Starts to watch. Where events cannot be had, the poll alone does it.
    pub(super) fn new(dir: PathBuf, poll_interval: Duration) -> Self {
        let mut watch = Watch {
            dir,
            poll_interval,
            pending: Arc::default(),
            watcher: None,
        };
        watch.watch_again();
        watch
    }

    /// Waits until something may have changed; gives the guests that events named.
    pub(super) async fn changed(&mut self) -> BTreeSet<String> {
        let poll_at = Instant::now() + self.poll_interval;
        loop {
            tokio::select! {
                () = self.pending.wake.notified() => {}
                () = tokio::time::sleep_until(poll_at) => {
                    // The directory may have been replaced by another of the same name, which the old watch does not see.
                    self.watch_again();
                    return self.take().names;
                }
            }
            let touched = self.settle().await;
            if !touched.is_empty() {
                return touched;
            }
        }
    }

    /// A file that is still being written is given a moment; one that is whole is taken at once.
    async fn settle(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        loop {
            let touched = self.take();
            let quiet = touched.names.is_empty();
            all.extend(touched.names);
            if touched.whole || quiet {
                return all;
            }
            tokio::select! {
                () = self.pending.wake.notified() => {}
                () = tokio::time::sleep(WRITE_PAUSE) => return all,
            }
        }
    }

    fn take(&self) -> Touched {
        std::mem::take(&mut *self.pending.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn watch_again(&mut self) {
        let pending = Arc::clone(&self.pending);
        let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event {
                pending.note(&event);
            }
        });
        self.watcher = made.ok().and_then(|mut watcher| {
            watcher.watch(&self.dir, RecursiveMode::NonRecursive).ok()?;
            Some(watcher)
        });
        if self.watcher.is_none() {
            tracing::debug!(dir = %self.dir.display(), "no file events here; the directory is polled");
        }
    }
}

impl Pending {
    fn note(&self, event: &notify::Event) {
        let whole = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => true,
            EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any | EventKind::Other => false,
            EventKind::Access(_) => return,
        };
        let names: Vec<String> = event
            .paths
            .iter()
            .filter_map(|path: &PathBuf| guest_of(Path::new(path)))
            .collect();
        if names.is_empty() {
            return;
        }
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.names.extend(names);
        touched.whole |= whole;
        drop(touched);
        self.wake.notify_one();
    }
}

/// How long a file that is being written must rest before it is read.
const WRITE_PAUSE: Duration = Duration::from_millis(100);
