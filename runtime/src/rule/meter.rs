//! What one guest did to its limits, over all its instances: an instance is dropped after a trap, its meter is not.

use crate::clock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bound of a guest. Each has a default in `[limits]`, and a counter of how often a guest met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The time of one call.
    CallTimeout,
    /// The memory of one instance.
    MemoryBytes,
    /// The table elements of one instance.
    TableElements,
    /// The stack of one call.
    StackBytes,
    /// What one call hands back.
    OutputBytes,
    /// The row errors of one call that are told with their text.
    RowErrors,
    /// The notes of one second.
    Notes,
    /// The core instances of one instance.
    CoreInstances,
    /// The size of the file.
    FileBytes,
}

/// Whom a reading is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestName {
    /// A rule, by its id.
    Rule(Arc<str>),
    /// A library, by its name.
    Library(Arc<str>),
}

/// What a guest's limits tell since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestReading {
    /// The guest.
    pub guest: GuestName,
    /// The limits that were met, and how often.
    pub hits: Vec<(Limit, u64)>,
    /// The most memory that an instance has had, in bytes.
    pub memory_bytes_peak: usize,
    /// What it noted.
    pub notes: Vec<String>,
    /// Notes that were dropped at the bound.
    pub notes_dropped: u64,
}

/// The account of one version of a guest on one thread. Its instances write it, the thread reads it between batches.
#[derive(Debug, Default)]
pub(super) struct GuestMeter {
    hits: [AtomicU64; Limit::ALL.len()],
    memory_bytes_peak: AtomicUsize,
    /// Held for the push of a note. Only the thread that runs the guest takes it.
    notes: Mutex<Notes>,
}

/// What a guest has noted since somebody took it.
#[derive(Debug, Default)]
struct Notes {
    kept: Vec<String>,
    dropped: u64,
    /// The second that is being counted, and the notes in it.
    second: Option<(Instant, u32)>,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Limit; 9] = [
        Limit::CallTimeout,
        Limit::MemoryBytes,
        Limit::TableElements,
        Limit::StackBytes,
        Limit::OutputBytes,
        Limit::RowErrors,
        Limit::Notes,
        Limit::CoreInstances,
        Limit::FileBytes,
    ];

    /// The key in `[limits]`, which is also its label in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Limit::CallTimeout => "call_timeout",
            Limit::MemoryBytes => "memory_bytes_max",
            Limit::TableElements => "table_elements_max",
            Limit::StackBytes => "stack_bytes_max",
            Limit::OutputBytes => "output_bytes_max",
            Limit::RowErrors => "row_errors_max",
            Limit::Notes => "notes_per_second_max",
            Limit::CoreInstances => "core_instances_max",
            Limit::FileBytes => "file_bytes_max",
        }
    }
}

impl GuestName {
    /// The id or the name.
    pub fn name(&self) -> &Arc<str> {
        match self {
            GuestName::Rule(name) | GuestName::Library(name) => name,
        }
    }
}

impl GuestMeter {
    /// Counts that a limit was met so often.
    pub(super) fn hit(&self, limit: Limit, times: u64) {
        self.hits[limit as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// How often a limit was met.
    pub(super) fn hits(&self, limit: Limit) -> u64 {
        self.hits[limit as usize].load(Ordering::Relaxed)
    }

    /// The first of the limits that was met.
    pub(super) fn met(&self) -> Option<Limit> {
        Limit::ALL.into_iter().find(|limit| self.hits(*limit) > 0)
    }

    /// Says that an instance has so much memory now.
    pub(super) fn memory(&self, bytes: usize) {
        self.memory_bytes_peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The most memory that an instance has had.
    pub(super) fn memory_bytes_peak(&self) -> usize {
        self.memory_bytes_peak.load(Ordering::Relaxed)
    }

    /// Keeps a note, unless there were more than `per_second_max` in this second or nobody takes them.
    pub(super) fn note(&self, note: &str, per_second_max: u32) {
        let now = clock::monotonic();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = notes
            .second
            .filter(|(since, _)| now.duration_since(*since) < Duration::from_secs(1))
            .unwrap_or((now, 0));
        notes.second = Some((since, count.saturating_add(1)));
        if count >= per_second_max || notes.kept.len() >= NOTES_MAX {
            notes.dropped += 1;
            drop(notes);
            self.hit(Limit::Notes, 1);
        } else {
            notes.kept.push(note.to_owned());
        }
    }

    /// Everything since the last time, under the guest's name.
    pub(super) fn read(&self, guest: GuestName) -> GuestReading {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = Limit::ALL.into_iter().map(|limit| {
            let hits = self.hits[limit as usize].swap(0, Ordering::Relaxed);
            (limit, hits)
        });
        GuestReading {
            guest,
            hits: hits.filter(|(_, hits)| *hits > 0).collect(),
            memory_bytes_peak: self.memory_bytes_peak(),
            notes: std::mem::take(&mut notes.kept),
            notes_dropped: std::mem::take(&mut notes.dropped),
        }
    }
}

/// Notes that wait to be taken, whatever may be noted in a second.
const NOTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(meter: &GuestMeter) -> GuestReading {
        meter.read(GuestName::Rule("a".into()))
    }

    #[test]
    fn limits_are_told_apart_by_name_and_number() {
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, number);
            let same_name = Limit::ALL.into_iter().filter(|other| other.name() == limit.name());
            assert_eq!(same_name.count(), 1);
        }
    }

    #[test]
    fn notes_beyond_so_many_a_second_are_counted() {
        let meter = GuestMeter::default();
        for _ in 0..7 {
            meter.note("x", 5);
        }
        let reading = read(&meter);
        // A second may end in between; then more are kept.
        assert!(reading.notes.len() >= 5);
        assert_eq!(reading.notes.len() as u64 + reading.notes_dropped, 7);
        let hits = reading.hits.iter().map(|(_, hits)| hits).sum::<u64>();
        assert_eq!(hits, reading.notes_dropped);
        let reading = read(&meter);
        assert!(reading.notes.is_empty() && reading.notes_dropped == 0 && reading.hits.is_empty());
    }

    #[test]
    fn notes_that_nobody_takes_are_bounded() {
        let meter = GuestMeter::default();
        for _ in 0..NOTES_MAX + 3 {
            meter.note("x", u32::MAX);
        }
        let reading = read(&meter);
        assert_eq!((reading.notes.len(), reading.notes_dropped), (NOTES_MAX, 3));
        assert_eq!(reading.hits, [(Limit::Notes, 3)]);
    }

    #[test]
    fn the_peak_of_memory_stays() {
        let meter = GuestMeter::default();
        meter.memory(5);
        meter.memory(3);
        assert_eq!(read(&meter).memory_bytes_peak, 5);
        assert_eq!(read(&meter).memory_bytes_peak, 5);
    }
}
