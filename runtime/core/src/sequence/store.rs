//! Rows that wait for their windows, or that later windows need, in order of time.

use crate::frame::Frame;
use crate::groups::text_len;
use crate::program::{Kept, Slot};
use crate::snapshot::{SnapshotError, Source, Writer, read_column, write_column};
use crate::{Cells, Column};
use std::collections::VecDeque;
use std::collections::vec_deque::Iter;
use std::iter::{Copied, Take};

/// Rows as columns. Rows of the same time are in order of arrival.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// All rows, those included that are needed no more and have not been cleared away.
    frame: Frame,
    /// The rows that are needed, each by its time and its position in the frame.
    order: VecDeque<(i64, u32)>,
    /// How many of these, from the first on, have been taken into windows.
    taken: usize,
    /// The bytes of the texts of rows that are needed, and of those that were taken.
    bytes: usize,
    taken_bytes: usize,
    /// The position of the first row of the batch at hand, and which rows of the batch are here.
    batch: (usize, Vec<u32>),
}

impl Store {
    pub(crate) fn new(kept: &Kept) -> Self {
        let columns = kept.kinds.iter().map(|&kind| Column::empty(kind)).collect();
        Store {
            frame: Frame::of_groups(columns, 0),
            order: VecDeque::new(),
            taken: 0,
            bytes: 0,
            taken_bytes: 0,
            batch: (0, Vec::new()),
        }
    }

    /// A call begins: rows are those of earlier ones. Clears away what is needed no more.
    pub(crate) fn start_call(&mut self) {
        if self.frame.len() >= 2 * self.order.len() + SPARE_ROWS {
            let positions: Vec<u32> = self.order.iter().map(|&(_, position)| position).collect();
            self.frame.repack(&positions);
            for ((_, position), number) in self.order.iter_mut().zip(0..) {
                *position = number;
            }
        }
        self.batch.0 = self.frame.len();
        self.batch.1.clear();
    }

    /// Adds a row of the batch. No row of a later time may have been taken.
    pub(crate) fn insert<'c>(&mut self, row: u32, time: i64, cells: impl Iterator<Item = (&'c Column, usize)>) {
        let position = crate::isolate::row_number(self.frame.len());
        self.frame.push(cells);
        self.batch.1.push(row);
        self.bytes += self.text_bytes(position);
        let place = match self.order.back() {
            Some(&(last, _)) if last > time => self.order.partition_point(|&(known, _)| known <= time),
            Some(_) | None => self.order.len(),
        };
        self.order.insert(place, (time, position));
    }

    /// Takes the first row that has not been taken if its time is not after `until`; gives its time and position.
    pub(crate) fn take(&mut self, until: i64) -> Option<(i64, u32)> {
        let next = *self.order.get(self.taken).filter(|(time, _)| *time <= until)?;
        self.taken += 1;
        self.taken_bytes += self.text_bytes(next.1);
        Some(next)
    }

    /// Needs the first row no more, which has been taken. It stays in the frame until the next call.
    pub(crate) fn drop_first(&mut self) {
        if let Some((_, position)) = self.order.pop_front() {
            self.taken -= 1;
            let bytes = self.text_bytes(position);
            self.bytes -= bytes;
            self.taken_bytes -= bytes;
        }
    }

    /// Needs the rows before a time no more, of those that were taken.
    pub(crate) fn drop_before(&mut self, time: i64) {
        while self.taken().next().is_some_and(|(first, _)| first < time) {
            self.drop_first();
        }
    }

    /// Whether a boolean cell is true, and not null.
    pub(crate) fn is_true(&self, column: usize, position: u32) -> bool {
        let column = &self.frame.locals()[column];
        let Cells::Bools(bits) = &column.cells else {
            unreachable!("compile checks that conditions are bools");
        };
        bits.get(position as usize) && !column.is_null(position as usize)
    }

    /// The time of the first row that has not been taken.
    pub(crate) fn next_time(&self) -> Option<i64> {
        self.order.get(self.taken).map(|&(time, _)| time)
    }

    /// The rows that are needed and have been taken, by time and position.
    pub(crate) fn taken(&self) -> Copied<Take<Iter<'_, (i64, u32)>>> {
        self.order.iter().take(self.taken).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// How many rows have not been taken.
    pub(crate) fn waiting(&self) -> usize {
        self.order.len() - self.taken
    }

    pub(crate) fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// The key of a row, as columns of one cell each.
    pub(crate) fn keys(&self, kept: &Kept, position: u32) -> Vec<Column> {
        let key = |slot: &Slot| match *slot {
            Slot::Local(local) => self.frame.locals()[local].gather(&[position]),
            Slot::Source(_) => unreachable!("what is kept has columns of its own only"),
        };
        kept.program.keys.iter().map(key).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Which row of the batch at hand is at a position; `None`: it came with an earlier one.
    pub(crate) fn row_of_batch(&self, position: u32) -> Option<u32> {
        let number = (position as usize).checked_sub(self.batch.0)?;
        self.batch.1.get(number).copied()
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.count(self.order.len());
        to.count(self.taken);
        for &(time, _) in &self.order {
            to.i64(time);
        }
        let positions: Vec<u32> = self.order.iter().map(|&(_, position)| position).collect();
        for column in self.frame.locals() {
            write_column(&column.gather(&positions), to);
        }
    }

    pub(crate) fn read(kept: &Kept, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let mut store = Store::new(kept);
        let (rows, taken) = (from.count()?, from.u32()? as usize);
        if taken > rows {
            return Err(SnapshotError::Damaged("more rows in windows than there are"));
        }
        for position in 0..rows {
            let time = from.i64()?;
            if store.order.back().is_some_and(|&(last, _)| last > time) {
                return Err(SnapshotError::Damaged("rows that are not in order"));
            }
            store.order.push_back((time, crate::isolate::row_number(position)));
        }
        let mut columns = Vec::with_capacity(kept.kinds.len());
        for &kind in &kept.kinds {
            let column = read_column(from, rows)?;
            if column.kind() != kind {
                return Err(SnapshotError::Damaged("a kept column of another type"));
            }
            columns.push(column);
        }
        store.frame = Frame::of_groups(columns, crate::isolate::row_number(rows));
        store.taken = taken;
        let bytes = |rows: usize| (0..crate::isolate::row_number(rows)).map(|row| store.text_bytes(row));
        (store.bytes, store.taken_bytes) = (bytes(rows).sum(), bytes(taken).sum());
        Ok(store)
    }

    fn text_bytes(&self, position: u32) -> usize {
        let columns = self.frame.locals().iter();
        columns.map(|column| text_len(column, position as usize)).sum()
    }
}

/// Rows that are needed no more are cleared away when there are this many, and as many as are needed.
const SPARE_ROWS: usize = 1024;
