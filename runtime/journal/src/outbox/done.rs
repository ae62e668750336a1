//! What is done, in order and out of order.

use crate::log::Sequence;
use std::collections::BTreeMap;

/// A set of numbers: all up to the cursor, and ranges above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    cursor: Sequence,
    /// First to last; they neither overlap nor touch, and the cursor touches none.
    above: BTreeMap<Sequence, Sequence>,
}

impl Done {
    pub(super) fn up_to(cursor: Sequence) -> Self {
        Done {
            cursor,
            above: BTreeMap::new(),
        }
    }

    /// Everything up to here is done.
    pub(super) fn cursor(&self) -> Sequence {
        self.cursor
    }

    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        let range = self.above.range(..=sequence).next_back();
        sequence <= self.cursor || range.is_some_and(|(_, last)| sequence <= *last)
    }

    pub(super) fn add(&mut self, sequence: Sequence) {
        self.add_range(sequence, sequence);
    }

    pub(super) fn add_range(&mut self, first: Sequence, last: Sequence) {
        let (mut first, mut last) = (first.max(self.cursor.next()), last);
        if first > last {
            return;
        }
        while let Some((&start, &end)) = self.above.range(..=last.next()).next_back()
            && end.next() >= first
        {
            self.above.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        if first == self.cursor.next() {
            self.cursor = last;
        } else {
            self.above.insert(first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, Sequence};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set_with_a_cursor(ranges in proptest::collection::vec((1..60_u64, 0..5_u64), 0..60)) {
            let mut done = Done::up_to(Sequence(3));
            let mut model: BTreeSet<u64> = (0..=3).collect();
            for (first, more) in ranges {
                done.add_range(Sequence(first), Sequence(first + more));
                model.extend(first..=first + more);
                for number in 0..70 {
                    prop_assert_eq!(done.contains(Sequence(number)), model.contains(&number));
                }
                let cursor = (0..).find(|number| !model.contains(&(number + 1))).unwrap();
                prop_assert_eq!(done.cursor(), Sequence(cursor));
                prop_assert!(done.above.iter().zip(done.above.iter().skip(1)).all(|((_, end), (start, _))| end.0 + 1 < start.0));
            }
        }
    }
}
