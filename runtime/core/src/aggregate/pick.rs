//! Aggregates that pick one of the values: the smallest, the largest, the first, the last.

use super::{FailedGroup, Given, Room, with_value};
use crate::isolate::row_number;
use crate::{Bits, Cells, Column, Fault};
use rulemill_plan::Type;
use std::collections::BTreeSet;

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

/// One value of fixed size a group.
#[derive(Debug, Default)]
pub(crate) struct Picks<T> {
    values: Vec<T>,
    seen: Vec<bool>,
}

/// The picked values, and which groups have one.
pub(super) struct Picked<T> {
    pub(super) values: Vec<T>,
    pub(super) valid: Option<Bits>,
}

impl<T: Rank + Copy + Default> Picks<T> {
    pub(super) fn grow(&mut self, groups: usize) {
        self.values.resize(groups, T::default());
        self.seen.resize(groups, false);
    }

    #[inline]
    pub(super) fn update(&mut self, given: Given<'_>, value: impl Fn(usize) -> T, pick: impl Pick) {
        given.for_values(|group, cell| {
            let value = value(cell);
            if !self.seen[group] || pick.replaces(&value, &self.values[group]) {
                self.values[group] = value;
                self.seen[group] = true;
            }
        });
    }

    pub(super) fn finish(&mut self) -> Picked<T> {
        Picked {
            values: std::mem::take(&mut self.values),
            valid: with_value(self.seen.drain(..)),
        }
    }
}

/// One text or byte string a group.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    values: Vec<Option<Box<[u8]>>>,
    /// Groups for whose value there was no room.
    failed: BTreeSet<u32>,
}

impl Blobs {
    pub(super) fn grow(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    pub(super) fn update<'v>(
        &mut self,
        given: Given<'_>,
        value: impl Fn(usize) -> &'v [u8],
        room: &mut Room,
        pick: impl Pick,
    ) {
        given.for_values(|group, cell| {
            let (new, old) = (value(cell), &mut self.values[group]);
            let old_len = match old {
                Some(old) if !pick.replaces(new, &old[..]) => return,
                Some(old) => old.len(),
                None => 0,
            };
            if room.bytes + old_len < new.len() {
                self.failed.insert(row_number(group));
                return;
            }
            room.bytes = room.bytes + old_len - new.len();
            *old = Some(new.into());
        });
    }

    pub(super) fn finish(&mut self, kind: Type, failed: &mut Vec<FailedGroup>) -> Column {
        let groups = std::mem::take(&mut self.failed);
        failed.extend(groups.into_iter().map(|group| FailedGroup {
            group,
            fault: Fault::Bound,
            message: "its texts need more memory than a window may have".to_owned(),
        }));
        let valid = with_value(self.values.iter().map(Option::is_some));
        let values: Vec<Box<[u8]>> = self.values.drain(..).map(Option::unwrap_or_default).collect();
        let texts = || {
            values
                .iter()
                .map(|value| std::str::from_utf8(value).unwrap_or_default())
                .collect()
        };
        let cells = match kind {
            Type::Text => Cells::Texts(texts()),
            Type::Json => Cells::Json(texts()),
            Type::Bytes => Cells::Bytes(values.iter().map(AsRef::as_ref).collect()),
            Type::Bool | Type::Int | Type::Float | Type::Time => {
                unreachable!("values of fixed size are kept as what they are")
            }
        };
        Column { valid, cells }
    }
}
