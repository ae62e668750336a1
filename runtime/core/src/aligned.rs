//! Windows of a fixed size, aligned to the Unix epoch: which of them a time is in.

/// Windows of `size` microseconds of which one ends at each multiple of `hop`, which is at most `size`.
///
/// Windows are known by number: number n ends at n hops after the epoch. At the ends of the range of times they are
/// shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Aligned {
    pub(crate) size: i64,
    pub(crate) hop: i64,
}

impl Aligned {
    /// The numbers of the first and the last window that a time is in.
    #[inline]
    pub(crate) fn around(self, time: i64) -> (i64, i64) {
        let first = time.div_euclid(self.hop).saturating_add(1);
        if self.size == self.hop {
            return (first, first);
        }
        let last = time.saturating_add(self.size).div_euclid(self.hop);
        (first, last.max(first))
    }

    /// The start and the end of a window.
    #[inline]
    pub(crate) fn window(self, number: i64) -> (i64, i64) {
        if self.size == self.hop {
            let start = (number - 1).saturating_mul(self.size);
            return (start, number.saturating_mul(self.size));
        }
        let end = i128::from(number) * i128::from(self.hop);
        (clamped(end - i128::from(self.size)), clamped(end))
    }

    /// The first of some windows, the last of which ends after a time, that ends after it.
    #[inline]
    pub(crate) fn first_open(self, first: i64, last: i64, time: i64) -> i64 {
        let open = time.div_euclid(self.hop).saturating_add(1);
        open.clamp(first, last)
    }

    /// The most windows that a time is in.
    pub(crate) fn overlap(self) -> usize {
        let overlap = self.size / self.hop + i64::from(self.size % self.hop > 0);
        usize::try_from(overlap).unwrap_or(usize::MAX)
    }
}

fn clamped(time: i128) -> i64 {
    let within = time.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(within).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(size: i64, hop: i64, time: i64, expect: &[(i64, i64)]) {
        let aligned = Aligned { size, hop };
        let (first, last) = aligned.around(time);
        let windows: Vec<(i64, i64)> = (first..=last).map(|number| aligned.window(number)).collect();
        assert_eq!(windows, expect);
        assert!(windows.len() <= aligned.overlap());
    }

    #[test]
    fn a_time_is_in_each_window_that_begins_at_or_before_it_and_ends_after_it() {
        check(10, 10, 0, &[(0, 10)]);
        check(10, 10, -1, &[(-10, 0)]);
        check(10, 5, 0, &[(-5, 5), (0, 10)]);
        check(10, 5, 4, &[(-5, 5), (0, 10)]);
        check(10, 5, 5, &[(0, 10), (5, 15)]);
        // A hop that does not divide the size: windows end at its multiples.
        check(10, 4, 0, &[(-6, 4), (-2, 8)]);
        check(10, 4, 2, &[(-6, 4), (-2, 8), (2, 12)]);
    }

    #[test]
    fn the_ends_of_the_range_of_times_have_shorter_windows() {
        check(10, 10, i64::MAX, &[(i64::MAX - 7, i64::MAX)]);
        check(10, 10, i64::MIN, &[(i64::MIN, i64::MIN + 8)]);
        let windows = Aligned { size: 10, hop: 3 };
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let (first, last) = windows.around(time);
            assert!(first <= last && last - first < 4);
        }
    }

    proptest! {
        #[test]
        fn windows_around_a_time_are_all_that_contain_it(size in 1..60_i64, hop in 1..60_i64, time in -500..500_i64) {
            prop_assume!(hop <= size);
            let aligned = Aligned { size, hop };
            let (first, last) = aligned.around(time);
            for number in -1200..1200_i64 {
                let (start, end) = aligned.window(number);
                prop_assert_eq!(end - start, size);
                prop_assert_eq!((start..end).contains(&time), (first..=last).contains(&number));
            }
        }
    }
}
