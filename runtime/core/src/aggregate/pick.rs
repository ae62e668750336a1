//! Aggregates that pick one of the values: the smallest, the largest, the first, the last.

use super::{Given, Results, Rows};
use crate::{Bits, Cells, Column};
use rulemill_plan::Type;

/// Which of two values of a group stays.
pub(crate) trait Pick: Copy {
    /// Whether `new` takes the place of `old`.
    fn replaces<T: Rank + ?Sized>(self, new: &T, old: &T) -> bool;
}

/// The order of values. Of floats, NaN is passed over as long as there is a number.
pub(crate) trait Rank {
    fn above(&self, other: &Self) -> bool;
    fn below(&self, other: &Self) -> bool;
}

#[derive(Clone, Copy)]
pub(super) struct Smallest;
#[derive(Clone, Copy)]
pub(super) struct Largest;
#[derive(Clone, Copy)]
pub(super) struct First;
#[derive(Clone, Copy)]
pub(super) struct Last;

impl Pick for Smallest {
    #[inline]
    fn replaces<T: Rank + ?Sized>(self, new: &T, old: &T) -> bool {
        new.below(old)
    }
}

impl Pick for Largest {
    #[inline]
    fn replaces<T: Rank + ?Sized>(self, new: &T, old: &T) -> bool {
        new.above(old)
    }
}

impl Pick for First {
    #[inline]
    fn replaces<T: Rank + ?Sized>(self, _new: &T, _old: &T) -> bool {
        false
    }
}

impl Pick for Last {
    #[inline]
    fn replaces<T: Rank + ?Sized>(self, _new: &T, _old: &T) -> bool {
        true
    }
}

impl Rank for i64 {
    #[inline]
    fn above(&self, other: &Self) -> bool {
        self > other
    }
    #[inline]
    fn below(&self, other: &Self) -> bool {
        self < other
    }
}

impl Rank for bool {
    #[inline]
    fn above(&self, other: &Self) -> bool {
        *self && !*other
    }
    #[inline]
    fn below(&self, other: &Self) -> bool {
        !*self && *other
    }
}

impl Rank for f64 {
    #[inline]
    fn above(&self, other: &Self) -> bool {
        self > other || (other.is_nan() && !self.is_nan())
    }
    #[inline]
    fn below(&self, other: &Self) -> bool {
        self < other || (other.is_nan() && !self.is_nan())
    }
}

impl Rank for [u8] {
    #[inline]
    fn above(&self, other: &Self) -> bool {
        self > other
    }
    #[inline]
    fn below(&self, other: &Self) -> bool {
        self < other
    }
}

/// A value that is one word.
trait Word: Rank + Copy {
    fn of(word: u64) -> Self;
    fn word(self) -> u64;
}

impl Word for i64 {
    #[inline]
    fn of(word: u64) -> Self {
        word.cast_signed()
    }
    #[inline]
    fn word(self) -> u64 {
        self.cast_unsigned()
    }
}

impl Word for f64 {
    #[inline]
    fn of(word: u64) -> Self {
        f64::from_bits(word)
    }
    #[inline]
    fn word(self) -> u64 {
        self.to_bits()
    }
}

impl Word for bool {
    #[inline]
    fn of(word: u64) -> Self {
        word != 0
    }
    #[inline]
    fn word(self) -> u64 {
        u64::from(self)
    }
}

impl Rows<'_> {
    /// Keeps one of the values. The word that stands there at first must be one that every value replaces, or as good as one.
    pub(super) fn pick(self, at: usize, given: Given<'_>, pick: impl Pick) {
        match &given.column.cells {
            Cells::Ints(values) | Cells::Times(values) => self.pick_words(at, given, |cell| values[cell], pick),
            Cells::Floats(values) => self.pick_words(at, given, |cell| values[cell], pick),
            Cells::Bools(bits) => self.pick_words(at, given, |cell| bits.get(cell), pick),
            Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => unreachable!("these stand beside the rows"),
        }
    }

    #[inline]
    fn pick_words<T: Word>(self, at: usize, given: Given<'_>, value: impl Fn(usize) -> T, pick: impl Pick) {
        self.for_values(at, given, |[word], cell| {
            let value = value(cell);
            if pick.replaces(&value, &T::of(*word)) {
                *word = value.word();
            }
        });
    }

    /// Keeps the first value, and says in the word after it that there is one.
    pub(super) fn first(self, at: usize, given: Given<'_>) {
        match &given.column.cells {
            Cells::Ints(values) | Cells::Times(values) => self.first_words(at, given, |cell| values[cell]),
            Cells::Floats(values) => self.first_words(at, given, |cell| values[cell]),
            Cells::Bools(bits) => self.first_words(at, given, |cell| bits.get(cell)),
            Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => unreachable!("these stand beside the rows"),
        }
    }

    #[inline]
    fn first_words<T: Word>(self, at: usize, given: Given<'_>, value: impl Fn(usize) -> T) {
        self.for_values(at, given, |[word, seen], cell| {
            if *seen == 0 {
                *word = value(cell).word();
                *seen = 1;
            }
        });
    }
}

impl Results<'_> {
    /// The values, null where the count is zero.
    pub(super) fn values(&self, at: usize, count: usize, kind: Type) -> Column {
        let ints = || self.states(at).map(|[word]| i64::of(word)).collect();
        let cells = match kind {
            Type::Int => Cells::Ints(ints()),
            Type::Time => Cells::Times(ints()),
            Type::Float => Cells::Floats(self.states(at).map(|[word]| f64::of(word)).collect()),
            Type::Bool => Cells::Bools(self.states(at).map(|[word]| bool::of(word)).collect::<Bits>()),
            Type::Text | Type::Bytes | Type::Json => unreachable!("these stand beside the rows"),
        };
        Column {
            valid: self.with_value(count, 1),
            cells,
        }
    }
}
