//! When to look at the rules directory: file events, and a slow poll for file systems that send none.

use super::scan::guest_of;
use crate::clock;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What file events have named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Guests to be read, whatever the metadata of their files says.
    pub(super) ready: BTreeSet<String>,
    /// Guests whose files are being written: what can be read of them now may be half of it.
    pub(super) writing: BTreeSet<String>,
}

/// Waits for a reason to look at the directory.
pub(super) struct Watch {
    dir: PathBuf,
    poll_interval: Duration,
    pending: Arc<Pending>,
    /// What was taken over and not yet given to anybody: a wait that is given up must not lose it.
    gathered: BTreeMap<String, Writing>,
    watcher: Option<RecommendedWatcher>,
}

/// The events of one guest since it was last given to anybody.
#[derive(Clone, Copy, Debug)]
struct Writing {
    first: Instant,
    last: Instant,
    /// Nothing was written since a file was closed, renamed into place, or removed.
    whole: bool,
}

/// What events have named since the last look. The lock is held for single insertions: events come on notify's own thread.
#[derive(Default)]
struct Pending {
    touched: Mutex<BTreeMap<String, Writing>>,
    wake: Notify,
}

impl Watch {
    /// Starts to watch. Where events cannot be had, the poll alone does it.
    pub(super) fn new(dir: PathBuf, poll_interval: Duration) -> Self {
        let mut watch = Watch {
            dir,
            poll_interval,
            pending: Arc::default(),
            gathered: BTreeMap::new(),
            watcher: None,
        };
        watch.watch_again();
        watch
    }

    /// Waits until something may have changed; gives what events named. A file that is still being written is given a
    /// moment, but not for ever; one that is whole is taken at once, and does not make others taken. It may be given up
    /// at any point.
    pub(super) async fn changed(&mut self) -> Touched {
        let poll_at = clock::timers() + self.poll_interval;
        loop {
            self.gather();
            let now = clock::timers();
            if self.gathered.values().any(|writing| writing.is_ready(now)) {
                return self.take(now);
            }
            let rests_at = self.gathered.values().map(Writing::ready_at).min();
            tokio::select! {
                () = self.pending.wake.notified() => {}
                () = tokio::time::sleep_until(rests_at.unwrap_or(poll_at).min(poll_at)) => {
                    let now = clock::timers();
                    if now >= poll_at {
                        // The directory may have been replaced by another of the same name, which the old watch does
                        // not see.
                        self.watch_again();
                        self.gather();
                        return self.take(now);
                    }
                }
            }
        }
    }

    fn take(&mut self, now: Instant) -> Touched {
        let ready = self.gathered.iter().filter(|(_, writing)| writing.is_ready(now));
        let ready: BTreeSet<String> = ready.map(|(name, _)| name.clone()).collect();
        self.gathered.retain(|name, _| !ready.contains(name));
        Touched {
            ready,
            writing: self.gathered.keys().cloned().collect(),
        }
    }

    /// Takes over what events have named.
    fn gather(&mut self) {
        let touched = std::mem::take(&mut *self.pending.touched.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, writing) in touched {
            let known = self.gathered.entry(name).or_insert(writing);
            known.last = writing.last;
            known.whole = writing.whole;
        }
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

impl Writing {
    fn ready_at(&self) -> Instant {
        (self.last + WRITE_PAUSE).min(self.first + WRITING_MAX)
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.whole || now >= self.ready_at()
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
        let now = clock::timers();
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let first = touched.get(&name).map_or(now, |writing| writing.first);
            let writing = Writing {
                first,
                last: now,
                whole,
            };
            touched.insert(name, writing);
        }
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
    use futures_util::FutureExt as _;

    /// A watch without events of its own: they are noted by hand.
    fn watch() -> Watch {
        Watch {
            dir: PathBuf::from("nowhere"),
            poll_interval: Duration::from_secs(600),
            pending: Arc::default(),
            gathered: BTreeMap::new(),
            watcher: None,
        }
    }

    fn note(pending: &Pending, kind: EventKind, file: &str) {
        pending.note(&notify::Event::new(kind).add_path(PathBuf::from(file)));
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Any);
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    fn touched(ready: &[&str], writing: &[&str]) -> Touched {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Touched {
            ready: names(ready),
            writing: names(writing),
        }
    }

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
        assert_eq!(watch.changed().await, touched(&["a"], &[]));
    }

    #[tokio::test]
    async fn a_file_that_is_whole_does_not_make_another_taken_that_is_being_written() {
        let mut watch = watch();
        note(&watch.pending, WRITTEN, "a.wasm");
        note(&watch.pending, CLOSED, "b.wasm");
        assert_eq!(watch.changed().await, touched(&["b"], &["a"]));
        assert_eq!(watch.changed().await, touched(&["a"], &[]), "it rests");
    }

    #[tokio::test]
    async fn a_file_that_is_closed_is_taken_at_once() {
        let mut watch = watch();
        note(&watch.pending, WRITTEN, "a.wasm");
        note(&watch.pending, CLOSED, "a.wasm");
        assert_eq!(watch.changed().now_or_never(), Some(touched(&["a"], &[])));
    }

    #[tokio::test]
    async fn a_file_that_is_written_again_after_it_was_closed_is_waited_for() {
        let mut watch = watch();
        note(&watch.pending, CLOSED, "a.toml");
        note(&watch.pending, WRITTEN, "a.wasm");
        let before = clock::timers();
        assert_eq!(watch.changed().await, touched(&["a"], &[]));
        assert!(clock::timers() >= before + WRITE_PAUSE);
    }

    #[tokio::test]
    async fn a_file_written_without_pause_is_taken_all_the_same() {
        let mut watch = watch();
        let pending = Arc::clone(&watch.pending);
        let before = clock::timers();
        note(&pending, WRITTEN, "a.wasm");
        let found = tokio::select! {
            found = watch.changed() => found,
            () = async {
                loop {
                    note(&pending, WRITTEN, "a.wasm");
                    tokio::task::yield_now().await;
                }
            } => Touched::default(),
        };
        assert_eq!(found, touched(&["a"], &[]));
        assert!(clock::timers() >= before + WRITING_MAX);
    }

    #[tokio::test]
    async fn the_poll_passes_over_what_is_being_written() {
        let mut watch = watch();
        watch.poll_interval = WRITE_PAUSE / 2;
        note(&watch.pending, WRITTEN, "a.wasm");
        assert_eq!(watch.changed().await, touched(&[], &["a"]));
    }
}
