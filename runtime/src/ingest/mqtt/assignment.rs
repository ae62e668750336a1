//! Which lane of a source serves which filter.
//!
//! A lane is a connection with a session of its own. Within a lane, two filters share no topic, or one covers the
//! other: then nothing that a broker does with overlapping subscriptions of a session can bring a message twice, and
//! no filter has to be merged into a wider one, which a broker might refuse. A filter stays in its lane for as long as
//! it is wanted, so that a change never moves a filter away from the session in which its messages wait.
//!
//! No I/O. The source asks here what its lanes are to do.

use crate::limits::SOURCE_LANES_MAX as LANES_MAX;
use crate::topic::TopicFilter;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// The lanes of a source, numbered from 0 here; people count them from 1.
#[derive(Debug)]
pub(super) struct Assignment {
    slots: [Slot; LANES_MAX],
}

/// What there is of a lane.
#[derive(Clone, Debug, Default)]
enum Slot {
    /// Nothing: no connection and no session.
    #[default]
    Vacant,
    /// It serves these; the first lane serves nothing where there is nothing to serve.
    Open(Filters),
    /// It serves nothing, and its session is being given up.
    Closing,
}

/// The filters of a lane. Thousands of plain topics are not compared with each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filters {
    wide: BTreeSet<TopicFilter>,
    plain: BTreeSet<TopicFilter>,
}

impl Assignment {
    /// The first lane, with nothing to serve yet.
    pub(super) fn new() -> Self {
        let mut slots: [Slot; LANES_MAX] = Default::default();
        slots[0] = Slot::Open(Filters::default());
        Assignment { slots }
    }

    /// The lanes that an earlier process had: they go on with what of it is wanted at the next [`Assignment::want`].
    pub(super) fn restored(served: &BTreeMap<usize, BTreeSet<TopicFilter>>) -> Self {
        let mut assignment = Assignment::new();
        let mut seen = BTreeSet::new();
        for (lane, filters) in served {
            if let Some(slot) = assignment.slots.get_mut(*lane) {
                *slot = Slot::Open(filters.iter().filter(|filter| seen.insert(*filter)).cloned().collect());
            }
        }
        assignment
    }

    /// From now on just these are wanted.
    pub(super) fn want(&mut self, wanted: &BTreeSet<TopicFilter>) {
        let mut new: BTreeSet<&TopicFilter> = wanted.iter().collect();
        for slot in &mut self.slots {
            if let Slot::Open(filters) = slot {
                filters.retain(wanted);
                for filter in filters.iter() {
                    new.remove(filter);
                }
            }
        }
        // What covers others comes before them, so that they find it.
        let mut new: Vec<_> = new.into_iter().collect();
        new.sort_unstable_by(|one, other| one.wider_first(other));
        for filter in new {
            self.place(filter);
        }
        for slot in &mut self.slots[1..] {
            if matches!(slot, Slot::Open(filters) if filters.is_empty()) {
                *slot = Slot::Closing;
            }
        }
    }

    /// The lane's session is gone; its number may be used again.
    pub(super) fn closed(&mut self, lane: usize) {
        if let Some(slot @ Slot::Closing) = self.slots.get_mut(lane) {
            *slot = Slot::Vacant;
        }
    }

    /// The lanes that are not vacant, with what they serve; those that are closing serve nothing.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (usize, BTreeSet<TopicFilter>)> {
        self.slots.iter().enumerate().filter_map(|(lane, slot)| match slot {
            Slot::Vacant => None,
            Slot::Open(filters) => Some((lane, filters.iter().cloned().collect())),
            Slot::Closing => Some((lane, BTreeSet::new())),
        })
    }

    /// Whether the lane is being given up.
    pub(super) fn is_closing(&self, lane: usize) -> bool {
        matches!(self.slots.get(lane), Some(Slot::Closing))
    }

    /// The filters that share a lane with one that they overlap in part, because all lanes were taken.
    pub(super) fn crowded(&self) -> Vec<TopicFilter> {
        let mut crowded = Vec::new();
        for slot in &self.slots {
            if let Slot::Open(filters) = slot {
                crowded.extend(filters.iter().filter(|filter| !filters.fit(filter)).cloned());
            }
        }
        crowded
    }

    /// Puts a filter where it is covered; else where it overlaps nothing in part; else into a lane of its own; and if
    /// there is none left, into the last one.
    fn place(&mut self, filter: &TopicFilter) {
        let fits = |slot: &Slot| matches!(slot, Slot::Open(filters) if filters.fit(filter));
        let covers = |slot: &Slot| matches!(slot, Slot::Open(filters) if filters.cover(filter));
        let slots = &self.slots;
        let found = slots
            .iter()
            .position(|slot| fits(slot) && covers(slot))
            .or_else(|| slots.iter().position(fits))
            .or_else(|| slots.iter().position(|slot| matches!(slot, Slot::Vacant)))
            .or_else(|| slots.iter().rposition(|slot| matches!(slot, Slot::Open(_))));
        let slot = &mut self.slots[found.unwrap_or(0)];
        if let Slot::Vacant = slot {
            *slot = Slot::Open(Filters::default());
        }
        if let Slot::Open(filters) = slot {
            filters.insert(filter.clone());
        }
    }
}

impl Filters {
    fn insert(&mut self, filter: TopicFilter) {
        let filters = if filter.has_wildcard() {
            &mut self.wide
        } else {
            &mut self.plain
        };
        filters.insert(filter);
    }

    fn retain(&mut self, wanted: &BTreeSet<TopicFilter>) {
        self.wide.retain(|filter| wanted.contains(filter));
        self.plain.retain(|filter| wanted.contains(filter));
    }

    fn iter(&self) -> impl Iterator<Item = &TopicFilter> {
        self.wide.iter().chain(&self.plain)
    }

    fn is_empty(&self) -> bool {
        self.wide.is_empty() && self.plain.is_empty()
    }

    /// Whether `filter` could be, or is, among them without overlapping one of them in part.
    fn fit(&self, filter: &TopicFilter) -> bool {
        let beside_wide = || self.wide.iter().all(|other| other.fits_beside(filter));
        if filter.has_wildcard() {
            return beside_wide() && self.plain.iter().all(|other| other.fits_beside(filter));
        }
        // A plain topic overlaps no other plain topic, but for itself in another share group.
        let same = (Bound::Included(filter.without_share_group()), Bound::Unbounded);
        let mut same = self
            .plain
            .range(same)
            .take_while(|other| other.as_str() == filter.as_str());
        same.all(|other| other == filter) && beside_wide()
    }

    fn cover(&self, filter: &TopicFilter) -> bool {
        self.wide.iter().any(|other| other.covers(filter))
    }
}

impl FromIterator<TopicFilter> for Filters {
    fn from_iter<I: IntoIterator<Item = TopicFilter>>(filters: I) -> Self {
        let mut collected = Filters::default();
        filters.into_iter().for_each(|filter| collected.insert(filter));
        collected
    }
}

#[cfg(test)]
mod tests;
