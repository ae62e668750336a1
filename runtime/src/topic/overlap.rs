//! How the topics of two filters relate, and which of many filters are enough.

use super::{TopicFilter, explicit};
use std::cmp::Ordering;
use std::collections::BTreeSet;

impl TopicFilter {
    /// Whether there is a topic that both match. The share group plays no part: subscriptions of different groups bring
    /// a copy of a message each, like other overlapping ones.
    pub fn overlaps(&self, other: &TopicFilter) -> bool {
        // A wildcard in the first level does not match what starts with `$`.
        if self.filter.starts_with('$') != other.filter.starts_with('$') {
            return false;
        }
        let mut other_levels = explicit(&other.filter).split('/');
        for level in explicit(&self.filter).split('/') {
            match (level, other_levels.next()) {
                // Also when the other has ended: `a/#` matches `a`.
                ("#", _) | (_, Some("#")) => return true,
                (_, None) => return false,
                ("+", Some(_)) | (_, Some("+")) => {}
                (level, Some(other_level)) if level == other_level => {}
                (_, Some(_)) => return false,
            }
        }
        matches!(other_levels.next(), None | Some("#"))
    }

    /// Whether both can be subscribed to in one session without a message coming twice: they share no topic, or one
    /// covers the other, so that its subscription serves both.
    pub fn fits_beside(&self, other: &TopicFilter) -> bool {
        !self.overlaps(other) || self.covers(other) || other.covers(self)
    }

    /// An order in which a filter comes before all others that it covers.
    pub fn wider_first(&self, other: &TopicFilter) -> Ordering {
        self.narrowness().cmp(&other.narrowness()).then_with(|| self.cmp(other))
    }

    /// A filter that covers another has no literal level that the other has not. Where they have as many, `#` is what
    /// can make one wider, and the earlier it stands the wider it is.
    fn narrowness(&self) -> (usize, bool, usize) {
        let levels = || self.filter.split('/');
        let literals = levels().filter(|level| !matches!(*level, "+" | "#")).count();
        (literals, !self.filter.ends_with('#'), levels().count())
    }
}

/// Those of `filters` that no other of them covers: subscribing to these brings all that any of `filters` matches.
pub fn widest<'a>(filters: impl IntoIterator<Item = &'a TopicFilter>) -> BTreeSet<TopicFilter> {
    let distinct: BTreeSet<&TopicFilter> = filters.into_iter().collect();
    // Without a wildcard a filter covers only itself, so thousands of plain topics are not compared to each other.
    let (mut wide, plain): (Vec<_>, Vec<_>) = distinct.into_iter().partition(|filter| filter.has_wildcard());
    wide.sort_unstable_by(|one, other| one.wider_first(other));
    let mut kept: Vec<&TopicFilter> = Vec::new();
    for filter in wide {
        if !kept.iter().any(|other| other.covers(filter)) {
            kept.push(filter);
        }
    }
    let uncovered = |filter: &&TopicFilter| !kept.iter().any(|other| other.covers(filter));
    let plain: Vec<_> = plain.into_iter().filter(uncovered).collect();
    kept.iter().copied().chain(plain).cloned().collect()
}
