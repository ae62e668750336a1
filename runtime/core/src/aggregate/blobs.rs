//! Aggregates that pick one of the texts or byte strings.

use super::pick::Pick;
use super::{FailedGroup, Given, OTHER_GROUPS, Room, read_failed};
use crate::isolate::row_number;
use crate::snapshot::{SnapshotError, Source, Writer};
use crate::{Bits, Cells, Column, Fault};
use rulemill_plan::Type;
use std::collections::BTreeSet;
use std::ops::Range;

/// One text or byte string a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs {
    values: Vec<Option<Box<[u8]>>>,
    /// Groups for whose value there was no room.
    failed: BTreeSet<u32>,
}

impl Blobs {
    pub(super) fn grow(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.count(self.values.len());
        for value in &self.values {
            to.u8(u8::from(value.is_some()));
            if let Some(value) = value {
                to.bytes(value);
            }
        }
        to.count(self.failed.len());
        for &group in &self.failed {
            to.u32(group);
        }
    }

    pub(super) fn read(groups: usize, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        if from.count()? != groups {
            return Err(OTHER_GROUPS);
        }
        let value = |from: &mut Source<'_>| match from.u8()? {
            0 => Ok(None),
            1 => Ok(Some(Box::from(from.bytes()?))),
            _ => Err(SnapshotError::Damaged("a text that is neither there nor not")),
        };
        Ok(Blobs {
            values: (0..groups).map(|_| value(from)).collect::<Result<_, _>>()?,
            failed: read_failed(groups, from)?,
        })
    }

    pub(super) fn update(&mut self, given: Given<'_>, room: &mut Room, pick: impl Pick) {
        match &given.column.cells {
            Cells::Texts(texts) | Cells::Json(texts) => {
                self.pick(given, |cell| texts.get(cell).as_bytes(), room, pick);
            }
            Cells::Bytes(blobs) => self.pick(given, |cell| blobs.get(cell), room, pick),
            Cells::Bools(_) | Cells::Ints(_) | Cells::Floats(_) | Cells::Times(_) => {
                unreachable!("values of fixed size are words")
            }
        }
    }

    #[inline]
    fn pick<'v>(&mut self, given: Given<'_>, value: impl Fn(usize) -> &'v [u8], room: &mut Room, pick: impl Pick) {
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

    /// The values of a range of groups. Groups without one for want of room are noted, counted from its start.
    pub(super) fn finish(&self, kind: Type, groups: Range<usize>, failed: &mut Vec<FailedGroup>) -> Column {
        let (start, end) = (row_number(groups.start), row_number(groups.end));
        failed.extend(self.failed.range(start..end).map(|group| FailedGroup {
            group: group - start,
            fault: Fault::Bound,
            message: "its texts need more memory than a window may have".to_owned(),
        }));
        let values = &self.values[groups];
        let valid: Bits = values.iter().map(Option::is_some).collect();
        let bytes = || values.iter().map(|value| value.as_deref().unwrap_or_default());
        let texts = || {
            bytes()
                .map(|value| std::str::from_utf8(value).unwrap_or_default())
                .collect()
        };
        let cells = match kind {
            Type::Text => Cells::Texts(texts()),
            Type::Json => Cells::Json(texts()),
            Type::Bytes => Cells::Bytes(bytes().collect()),
            Type::Bool | Type::Int | Type::Float | Type::Time => unreachable!("values of fixed size are words"),
        };
        Column {
            valid: (valid.count_ones() < valid.len()).then_some(valid),
            cells,
        }
    }
}
