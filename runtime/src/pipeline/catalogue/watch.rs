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
    /// Names that were taken and not yet given to anybody: a wait that is given up must not lose them.
    gathered: BTreeSet<String>,
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
            gathered: BTreeSet::new(),
            watcher: None,
        };
        watch.watch_again();
        watch
    }

    /// Waits until something may have changed; gives the guests that events named. It may be given up at any point.
    pub(super) async fn changed(&mut self) -> BTreeSet<String> {
        let poll_at = Instant::now() + self.poll_interval;
        loop {
            if self.gathered.is_empty() {
                tokio::select! {
                    () = self.pending.wake.notified() => {}
                    () = tokio::time::sleep_until(poll_at) => {
                        // The directory may have been replaced by another of the same name, which the old watch does
                        // not see.
                        self.watch_again();
                        self.gather();
                        return std::mem::take(&mut self.gathered);
                    }
                }
            }
            self.settle().await;
            if !self.gathered.is_empty() {
                return std::mem::take(&mut self.gathered);
            }
        }
    }

    /// A file that is still being written is given a moment, but not for ever; one that is whole is taken at once.
    async fn settle(&mut self) {
        let latest = Instant::now() + WRITING_MAX;
        loop {
            let whole = self.gather();
            let now = Instant::now();
            if whole || self.gathered.is_empty() || now >= latest {
                return;
            }
            tokio::select! {
                () = self.pending.wake.notified() => {}
                () = tokio::time::sleep_until(latest.min(now + WRITE_PAUSE)) => return,
            }
        }
    }

    /// Takes over what events have named. True: one of the files is whole.
    fn gather(&mut self) -> bool {
        let touched = std::mem::take(&mut *self.pending.touched.lock().unwrap_or_else(PoisonError::into_inner));
        self.gathered.extend(touched.names);
        touched.whole
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
/// How long a file that is written without pause is waited for; it is read then, and again when it rests.
const WRITING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch without events of its own: they are noted by hand.
    fn watch() -> Watch {
        Watch {
            dir: PathBuf::from("nowhere"),
            poll_interval: Duration::from_secs(600),
            pending: Arc::default(),
            gathered: BTreeSet::new(),
            watcher: None,
        }
    }

    fn note(pending: &Pending, kind: EventKind, file: &str) {
        pending.note(&notify::Event::new(kind).add_path(PathBuf::from(file)));
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Any);
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[tokio::test]
    async fn names_survive_a_wait_that_is_given_up() {
        let mut watch = watch();
        note(&watch.pending, WRITTEN, "a.wasm");
        let given_up = tokio::select! {
            biased;
            _ = watch.changed() => false,
            () = std::future::ready(()) => true,
        };
        assert!(given_up);
        note(&watch.pending, CLOSED, "b.wasm");
        let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(watch.changed().await, names);
    }

    #[tokio::test]
    async fn names_that_were_gathered_need_no_further_event() {
        let mut watch = watch();
        watch.gathered.insert("a".to_owned());
        assert_eq!(watch.changed().await, BTreeSet::from(["a".to_owned()]));
    }

    #[tokio::test]
    async fn a_file_written_without_pause_is_taken_all_the_same() {
        let mut watch = watch();
        let pending = Arc::clone(&watch.pending);
        note(&pending, WRITTEN, "a.wasm");
        let names = tokio::select! {
            names = watch.changed() => names,
            () = async {
                loop {
                    note(&pending, WRITTEN, "a.wasm");
                    tokio::task::yield_now().await;
                }
            } => BTreeSet::new(),
        };
        assert_eq!(names, BTreeSet::from(["a".to_owned()]));
    }
}
