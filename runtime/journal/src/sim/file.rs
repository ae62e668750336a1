//! The bytes of a simulated file: what can be read, and what is on the platter.

use super::random::Random;
use std::io;
use std::ops::Range;

/// A file, whatever its names are.
#[derive(Debug, Default)]
pub(super) struct FileBytes {
    /// What a read finds.
    visible: Vec<u8>,
    /// What a loss of power leaves for certain.
    durable: Vec<u8>,
    /// Appended since the last sync, in order, without overlaps.
    dirty: Vec<Range<usize>>,
    /// From here on it cannot be read.
    broken_from: Option<usize>,
}

impl FileBytes {
    /// A file that has always been there.
    pub(super) fn old(bytes: Vec<u8>) -> Self {
        FileBytes {
            durable: bytes.clone(),
            visible: bytes,
            ..FileBytes::default()
        }
    }

    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let start = self.visible.len();
        self.visible.extend_from_slice(bytes);
        match self.dirty.last_mut() {
            Some(last) if last.end == start => last.end = self.visible.len(),
            _ => self.dirty.push(start..self.visible.len()),
        }
    }

    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut count = self.visible.len().saturating_sub(offset).min(into.len());
        if let Some(broken) = self.broken_from.filter(|broken| offset + count > *broken) {
            count = broken.saturating_sub(offset);
            if count == 0 {
                return Err(io::Error::other("simulated: the medium cannot be read"));
            }
        }
        if let (Some(to), Some(from)) = (into.get_mut(..count), self.visible.get(offset..offset + count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.visible.len(), 0);
        for range in self.dirty.drain(..) {
            self.durable[range.clone()].copy_from_slice(&self.visible[range]);
        }
    }

    /// A sync that fails: the system takes the pages for clean, and never writes them.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        if random.coin() {
            self.persist_some(random);
        }
        self.dirty.clear();
    }

    pub(super) fn cut(&mut self, bytes: usize) {
        self.sync();
        self.visible.truncate(bytes);
        self.durable.truncate(bytes);
    }

    /// What the next start finds when the power goes.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        self.persist_some(random);
        self.visible.clone_from(&self.durable);
        self.dirty.clear();
    }

    /// Inverts a bit, wherever the byte is.
    pub(super) fn flip(&mut self, at: usize, bit: usize) {
        for bytes in [&mut self.visible, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    pub(super) fn break_from(&mut self, at: usize) {
        // It never gets better.
        self.broken_from = Some(self.broken_from.map_or(at, |before| before.min(at)));
    }

    /// Writes what was not synced to the platter: all, none, a beginning, or some of its sectors.
    fn persist_some(&mut self, random: &mut Random) {
        let appended = self.visible.len().saturating_sub(self.durable.len());
        let size = self.durable.len() + random.below(appended + 1);
        match random.below(5) {
            0 => {}
            1 => self.sync(),
            2 => {
                self.durable.resize(size, 0);
                let dirty = self.dirty.clone();
                self.persist(dirty.into_iter().filter_map(|range| {
                    let kept = range.start..range.end.min(size);
                    (!kept.is_empty()).then_some(kept)
                }));
            }
            _ => {
                let from = self.durable.len();
                self.durable.resize(size, 0);
                if random.below(4) == 0 {
                    // Blocks that belonged to another file.
                    random.fill(&mut self.durable[from..]);
                }
                let sectors = self
                    .dirty
                    .iter()
                    .flat_map(|range| sectors(range, size))
                    .collect::<Vec<_>>();
                self.persist(sectors.into_iter().filter(|_| random.coin()));
            }
        }
    }

    fn persist(&mut self, ranges: impl Iterator<Item = Range<usize>>) {
        for range in ranges {
            self.durable[range.clone()].copy_from_slice(&self.visible[range]);
        }
    }
}

/// The parts of a range, up to `size`, that are written at once.
fn sectors(range: &Range<usize>, size: usize) -> Vec<Range<usize>> {
    let end = range.end.min(size);
    let mut parts = Vec::new();
    let mut start = range.start;
    while start < end {
        let next = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        parts.push(start..next);
        start = next;
    }
    parts
}

const SECTOR_BYTES: usize = 512;
