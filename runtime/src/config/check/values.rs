//! Checks of single values.

use super::{Checker, Section};
use crate::config::problems::Spot;
use crate::config::read::{CountOrNone, Given, Size, SizeOrNone};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

impl Checker {
    /// The value of a key that must be given. `example` says what to write.
    pub(super) fn required<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        given: Option<Given<T>>,
        example: &str,
    ) -> Option<Given<T>> {
        // A key that is there but could not be read has been reported.
        if given.is_none() && !section.table.contains_key(key) {
            let message = format!("is missing; write for example {key} = {example}");
            self.problems.add(&section.spot.missing(key), message);
        }
        given
    }

    /// A text that may not be empty.
    pub(super) fn filled(&mut self, given: Option<Given<String>>) -> Option<Given<String>> {
        let given = given?;
        if given.value.is_empty() {
            self.problems.add(&given.spot, "must not be empty");
            return None;
        }
        Some(given)
    }

    /// A whole number within bounds, as the type that the code uses.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        given: Option<Given<u64>>,
        bounds: RangeInclusive<u64>,
    ) -> Option<T> {
        let given = given?;
        self.within(&given.spot, given.value, &bounds, |number| number.to_string())
    }

    /// A size within bounds, in bytes.
    pub(super) fn size<T: TryFrom<u64>>(
        &mut self,
        given: Option<Given<Size>>,
        bounds: RangeInclusive<u64>,
    ) -> Option<T> {
        let given = given?;
        self.within(&given.spot, given.value.0, &bounds, shown_size)
    }

    /// A number of 1 or more, or no bound.
    pub(super) fn number_or_none(&mut self, given: Option<Given<CountOrNone>>) -> Option<Option<u32>> {
        let given = given?;
        let Some(number) = given.value.0 else { return Some(None) };
        self.within(&given.spot, number, &(1..=u64::from(u32::MAX)), |number| {
            number.to_string()
        })
        .map(Some)
    }

    /// A size within bounds, or no bound.
    pub(super) fn size_or_none(
        &mut self,
        given: Option<Given<SizeOrNone>>,
        bounds: RangeInclusive<u64>,
    ) -> Option<Option<u32>> {
        let given = given?;
        let Some(bytes) = given.value.0 else { return Some(None) };
        self.within(&given.spot, bytes, &bounds, shown_size).map(Some)
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        given: Option<Given<Duration>>,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let given = given?;
        if bounds.contains(&given.value) {
            return Some(given.value);
        }
        let shown = |duration: Duration| humantime::format_duration(duration).to_string();
        self.out_of_bounds(
            &given.spot,
            shown(*bounds.start()),
            shown(*bounds.end()),
            shown(given.value),
        );
        None
    }

    /// A path, made absolute or relative to the working directory by way of the file's folder.
    pub(super) fn path(&mut self, given: Option<Given<String>>) -> Option<PathBuf> {
        let given = self.filled(given)?;
        Some(self.folder.join(given.value))
    }

    fn within<T: TryFrom<u64>>(
        &mut self,
        spot: &Spot,
        value: u64,
        bounds: &RangeInclusive<u64>,
        shown: impl Fn(u64) -> String,
    ) -> Option<T> {
        if bounds.contains(&value)
            && let Ok(value) = T::try_from(value)
        {
            return Some(value);
        }
        self.out_of_bounds(spot, shown(*bounds.start()), shown(*bounds.end()), shown(value));
        None
    }

    fn out_of_bounds(&mut self, spot: &Spot, least: impl Display, most: impl Display, got: impl Display) {
        let message = format!("must be {least} to {most}, got {got}");
        self.problems.add(spot, message);
    }
}

/// A size with the largest unit that divides it.
fn shown_size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}
