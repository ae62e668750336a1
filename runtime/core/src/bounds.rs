//! The bounds of a rule's state and work. Each says what happens at the bound.

/// The bounds of one rule; also those of the calls that the rules of a stream share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The most groups in one window; windows that a row is in together, because they overlap, share it, and so they do
    /// `window_bytes_max` and `distinct_max`. A group whose keys and aggregates take more than 1 KiB, texts aside, counts as several.
    /// A row that would begin another goes to dead letter.
    pub groups_max: usize,
    /// The most bytes of texts that the keys of one window have, and the most that its aggregates keep. A row that
    /// would begin a group beyond it goes to dead letter; a group whose aggregate would pass it goes to dead letter when
    /// the window closes.
    pub window_bytes_max: usize,
    /// The most values that one `count_distinct` of one window remembers. A group that would pass it goes to dead
    /// letter when the window closes.
    pub distinct_max: usize,
    /// The most windows open at once, in event time; those that a row is in together count as one. A row that would open
    /// another goes to dead letter.
    pub windows_max: usize,
    /// The most rows that a rule keeps, of those that wait for their window in event time and those that later windows need.
    /// A row beyond it goes to dead letter, and so does one that comes when the texts of these rows have
    /// `window_bytes_max`.
    pub rows_max: usize,
    /// How far ahead of its arrival, in milliseconds, the event time of a row may be. A row further ahead goes to dead
    /// letter: it would push the watermark so far that every good row after it were late.
    pub future_max_ms: u64,
    /// The most calls of one step in one batch that may trap before the host stops looking for the rows to blame. Then
    /// each part of the batch that still traps goes to dead letter whole.
    pub trapped_calls_max: usize,
    /// The most versions of a rule that have open windows at once, because it was replaced again and again. Beyond
    /// it, the oldest closes its windows at once.
    pub versions_max: usize,
    /// The groups of closed windows whose results one call of a stream gives. The others come out with the calls after it,
    /// so that a large window does not hold up the rows behind it. Of the stream's bounds, not of a rule's.
    pub groups_per_call: usize,
    /// The most groups of closed windows that may wait. Beyond that their results come out at once, however long that
    /// takes: windows close faster than they get out, and the memory must not grow without end. Of the stream's bounds.
    pub groups_waiting_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            groups_max: 1_000_000,
            window_bytes_max: 256 << 20,
            distinct_max: 1_000_000,
            windows_max: 64,
            rows_max: 1_000_000,
            future_max_ms: 24 * 60 * 60 * 1000,
            trapped_calls_max: 128,
            versions_max: 4,
            groups_per_call: 16_384,
            groups_waiting_max: 2_000_000,
        }
    }
}
