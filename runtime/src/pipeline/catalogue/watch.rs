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
    gathered: Named,
    watcher: Option<RecommendedWatcher>,
    events: Events,
}

/// Whether file events are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Events {
    /// Where the file system has them.
    Wanted,
    /// Never, as if the file system had none.
    #[cfg(test)]
    None,
}

/// What events have named.
#[derive(Debug, Default)]
struct Named {
    guests: BTreeMap<String, Writing>,
    /// That anything may have changed: events were lost, or what files are links to was replaced.
    everything: Option<Writing>,
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
    touched: Mutex<Named>,
    wake: Notify,
}

impl Watch {
    /// Starts to watch. Where events cannot be had, the poll alone does it.
    pub(super) fn new(dir: PathBuf, poll_interval: Duration) -> Self {
        Self::with(Events::Wanted, dir, poll_interval)
    }

    fn with(events: Events, dir: PathBuf, poll_interval: Duration) -> Self {
        let mut watch = Watch {
            dir,
            poll_interval,
            pending: Arc::default(),
            gathered: Named::default(),
            watcher: None,
            events,
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
            if self.gathered.all().any(|writing| writing.is_ready(now)) {
                return self.take(now);
            }
            let rests_at = self.gathered.all().map(Writing::ready_at).min();
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
        let gathered = &mut self.gathered;
        // Whatever is looked at, all of the directory is.
        gathered.everything = None;
        let ready = gathered.guests.iter().filter(|(_, writing)| writing.is_ready(now));
        let ready: BTreeSet<String> = ready.map(|(name, _)| name.clone()).collect();
        gathered.guests.retain(|name, _| !ready.contains(name));
        Touched {
            ready,
            writing: gathered.guests.keys().cloned().collect(),
        }
    }

    /// Takes over what events have named.
    fn gather(&mut self) {
        let touched = std::mem::take(&mut *self.pending.touched.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, writing) in touched.guests {
            self.gathered.guests.entry(name).or_insert(writing).go_on(writing);
        }
        if let Some(writing) = touched.everything {
            self.gathered.everything.get_or_insert(writing).go_on(writing);
        }
    }

    fn watch_again(&mut self) {
        match self.events {
            Events::Wanted => {}
            #[cfg(test)]
            Events::None => return,
        }
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

impl Named {
    fn all(&self) -> impl Iterator<Item = &Writing> {
        self.guests.values().chain(&self.everything)
    }
}

impl Writing {
    /// Takes over what came later.
    fn go_on(&mut self, later: Writing) {
        self.last = later.last;
        self.whole = later.whole;
    }

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
        let everything = event.need_rescan() || event.paths.iter().any(|path| is_behind_guests(path));
        if names.is_empty() && !everything {
            return;
        }
        let now = clock::timers();
        let writing = Writing {
            first: now,
            last: now,
            whole,
        };
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            touched.guests.entry(name).or_insert(writing).go_on(writing);
        }
        if everything {
            touched.everything.get_or_insert(writing).go_on(writing);
        }
        drop(touched);
        self.wake.notify_one();
    }
}

/// Whether guests may be links into it. Kubernetes shows a config map as links into a folder `..data`, which is itself a link
/// that a rename replaces.
fn is_behind_guests(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.len() > 2 && name.starts_with(".."))
}

/// How long a file that is being written must rest before it is read.
const WRITE_PAUSE: Duration = Duration::from_millis(100);
/// How long a file that is written without pause is waited for; it is read then, and again when it rests.
const WRITING_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
