//! Columns in memory, laid out as the contract carries them, so that they cross into a guest with one copy a buffer.

use crate::Bits;
use rulemill_plan::Type;
use std::ops::Range;

/// One column: its cells, and which of them are not null.
///
/// A null row still has a cell (zero, or an empty text), whose value means nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Which rows are not null; `None`: all of them.
    pub valid: Option<Bits>,
    /// The values.
    pub cells: Cells,
}

/// The values of a column; one variant for each [`Type`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Booleans.
    Bools(Bits),
    /// Signed 64-bit integers.
    Ints(Vec<i64>),
    /// Doubles.
    Floats(Vec<f64>),
    /// Microseconds since the Unix epoch, UTC.
    Times(Vec<i64>),
    /// Texts.
    Texts(Texts),
    /// Byte strings.
    Bytes(Blobs),
    /// JSON values, each as its text.
    Json(Texts),
}

/// Texts one after the other: row i is `data[ends[i-1]..ends[i]]`.
///
/// Invariant: `ends` ascends, lies within `data`, and falls on character boundaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    data: String,
    ends: Vec<u32>,
}

/// Byte strings one after the other: row i is `data[ends[i-1]..ends[i]]`.
///
/// Invariant: `ends` ascends and lies within `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blobs {
    data: Vec<u8>,
    ends: Vec<u32>,
}

impl Column {
    /// A column without nulls.
    pub fn new(cells: Cells) -> Self {
        Column { valid: None, cells }
    }

    /// A column of `rows` nulls.
    pub fn nulls(kind: Type, rows: usize) -> Self {
        let mut column = Column::empty(kind);
        for _ in 0..rows {
            column.push_null();
        }
        column
    }

    /// A column without rows.
    pub fn empty(kind: Type) -> Self {
        Column::new(Cells::empty(kind))
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        let rows = self.len();
        self.valid.get_or_insert_with(|| Bits::ones(rows)).push(false);
        self.cells.push_default();
    }

    /// Appends row `row` of `other`, which must be of the same type.
    pub fn push_from(&mut self, other: &Column, row: usize) {
        if other.is_null(row) {
            self.push_null();
            return;
        }
        if let Some(valid) = &mut self.valid {
            valid.push(true);
        }
        self.cells.push_from(&other.cells, row);
    }

    /// The rows `rows`, in that order, as a new column.
    pub fn gather(&self, rows: &[u32]) -> Column {
        let valid = self
            .valid
            .as_ref()
            .map(|valid| rows.iter().map(|&row| valid.get(row as usize)).collect());
        Column {
            valid,
            cells: self.cells.gather(rows),
        }
    }

    /// The rows of a range, which must exist, as a new column.
    pub fn slice(&self, rows: Range<usize>) -> Column {
        let valid = self.valid.as_ref();
        Column {
            valid: valid.map(|valid| rows.clone().map(|row| valid.get(row)).collect()),
            cells: self.cells.slice(rows),
        }
    }

    /// Appends all rows of `other`, which must be of the same type.
    pub fn append(&mut self, other: &Column) {
        for row in 0..other.len() {
            self.push_from(other, row);
        }
    }

    /// Makes row `row`, which must exist, null.
    pub fn set_null(&mut self, row: usize) {
        let rows = self.len();
        self.valid.get_or_insert_with(|| Bits::ones(rows)).set(row, false);
    }

    /// Appends a text to a text column.
    pub(crate) fn push_text(&mut self, text: &str) {
        if let Some(valid) = &mut self.valid {
            valid.push(true);
        }
        match &mut self.cells {
            Cells::Texts(texts) => texts.push(text),
            other => panic!("a text for a {} column", other.kind()),
        }
    }

    /// Removes all rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.truncate(0);
        self.valid = None;
    }

    /// Removes the rows from `rows` on.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if let Some(valid) = &mut self.valid {
            valid.truncate(rows);
        }
        match &mut self.cells {
            Cells::Bools(bits) => bits.truncate(rows),
            Cells::Ints(values) | Cells::Times(values) => values.truncate(rows),
            Cells::Floats(values) => values.truncate(rows),
            Cells::Texts(texts) | Cells::Json(texts) => texts.truncate(rows),
            Cells::Bytes(blobs) => blobs.truncate(rows),
        }
    }

    /// How many bytes its texts or blobs have; 0 for other types.
    pub(crate) fn text_bytes(&self) -> usize {
        match &self.cells {
            Cells::Texts(texts) | Cells::Json(texts) => texts.data().len(),
            Cells::Bytes(blobs) => blobs.data().len(),
            Cells::Bools(_) | Cells::Ints(_) | Cells::Floats(_) | Cells::Times(_) => 0,
        }
    }

    /// How many bytes the text or blob of a row has; 0 for other types.
    pub(crate) fn text_bytes_of(&self, row: usize) -> usize {
        match &self.cells {
            Cells::Texts(texts) | Cells::Json(texts) => texts.get(row).len(),
            Cells::Bytes(blobs) => blobs.get(row).len(),
            Cells::Bools(_) | Cells::Ints(_) | Cells::Floats(_) | Cells::Times(_) => 0,
        }
    }

    /// Whether row `row` is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.valid.as_ref().is_some_and(|valid| !valid.get(row))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column's type.
    pub fn kind(&self) -> Type {
        self.cells.kind()
    }
}

impl Cells {
    /// No rows.
    pub fn empty(kind: Type) -> Self {
        match kind {
            Type::Bool => Cells::Bools(Bits::new()),
            Type::Int => Cells::Ints(Vec::new()),
            Type::Float => Cells::Floats(Vec::new()),
            Type::Time => Cells::Times(Vec::new()),
            Type::Text => Cells::Texts(Texts::default()),
            Type::Bytes => Cells::Bytes(Blobs::default()),
            Type::Json => Cells::Json(Texts::default()),
        }
    }

    /// The type of the values.
    pub fn kind(&self) -> Type {
        match self {
            Cells::Bools(_) => Type::Bool,
            Cells::Ints(_) => Type::Int,
            Cells::Floats(_) => Type::Float,
            Cells::Times(_) => Type::Time,
            Cells::Texts(_) => Type::Text,
            Cells::Bytes(_) => Type::Bytes,
            Cells::Json(_) => Type::Json,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Cells::Bools(bits) => bits.len(),
            Cells::Ints(values) | Cells::Times(values) => values.len(),
            Cells::Floats(values) => values.len(),
            Cells::Texts(texts) | Cells::Json(texts) => texts.len(),
            Cells::Bytes(blobs) => blobs.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the value that stands under a null: false, zero or empty.
    pub fn push_default(&mut self) {
        match self {
            Cells::Bools(bits) => bits.push(false),
            Cells::Ints(values) | Cells::Times(values) => values.push(0),
            Cells::Floats(values) => values.push(0.0),
            Cells::Texts(texts) | Cells::Json(texts) => texts.push(""),
            Cells::Bytes(blobs) => blobs.push(b""),
        }
    }

    fn push_from(&mut self, other: &Cells, row: usize) {
        match (self, other) {
            (Cells::Bools(to), Cells::Bools(from)) => to.push(from.get(row)),
            (Cells::Ints(to), Cells::Ints(from)) | (Cells::Times(to), Cells::Times(from)) => {
                to.push(from[row]);
            }
            (Cells::Floats(to), Cells::Floats(from)) => to.push(from[row]),
            (Cells::Texts(to), Cells::Texts(from)) | (Cells::Json(to), Cells::Json(from)) => {
                to.push(from.get(row));
            }
            (Cells::Bytes(to), Cells::Bytes(from)) => to.push(from.get(row)),
            (to, from) => panic!("a {} row for a {} column", from.kind(), to.kind()),
        }
    }

    fn gather(&self, rows: &[u32]) -> Cells {
        let each = rows.iter().map(|&row| row as usize);
        match self {
            Cells::Bools(bits) => Cells::Bools(each.map(|row| bits.get(row)).collect()),
            Cells::Ints(values) => Cells::Ints(each.map(|row| values[row]).collect()),
            Cells::Times(values) => Cells::Times(each.map(|row| values[row]).collect()),
            Cells::Floats(values) => Cells::Floats(each.map(|row| values[row]).collect()),
            Cells::Texts(texts) => Cells::Texts(each.map(|row| texts.get(row)).collect()),
            Cells::Json(texts) => Cells::Json(each.map(|row| texts.get(row)).collect()),
            Cells::Bytes(blobs) => Cells::Bytes(each.map(|row| blobs.get(row)).collect()),
        }
    }

    fn slice(&self, rows: Range<usize>) -> Cells {
        match self {
            Cells::Bools(bits) => Cells::Bools(rows.map(|row| bits.get(row)).collect()),
            Cells::Ints(values) => Cells::Ints(values[rows].to_vec()),
            Cells::Times(values) => Cells::Times(values[rows].to_vec()),
            Cells::Floats(values) => Cells::Floats(values[rows].to_vec()),
            Cells::Texts(texts) => Cells::Texts(texts.slice(rows)),
            Cells::Json(texts) => Cells::Json(texts.slice(rows)),
            Cells::Bytes(blobs) => Cells::Bytes(blobs.slice(rows)),
        }
    }
}

impl Texts {
    /// Takes over parts that came from outside, after checking the invariant; the error says what is wrong.
    pub fn from_parts(data: String, ends: Vec<u32>) -> Result<Self, String> {
        check_ends(&ends, data.len())?;
        if !data.is_ascii()
            && let Some(end) = ends.iter().find(|&&end| !data.is_char_boundary(end as usize))
        {
            return Err(format!("end {end} is inside a character"));
        }
        Ok(Texts { data, ends })
    }

    /// Appends a row. Panics when the column would pass 4 GiB; batches are bounded far below.
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.data.push_str(text);
        self.ends.push(end_of(self.data.len()));
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    fn slice(&self, rows: Range<usize>) -> Self {
        let (data, ends) = slice_of(&self.ends, rows);
        Texts {
            data: self.data[data].to_owned(),
            ends,
        }
    }

    /// Row `row`, which must exist.
    #[inline]
    pub fn get(&self, row: usize) -> &str {
        let (start, end) = range_of(&self.ends, row);
        &self.data[start..end]
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All rows one after the other.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Where each row ends in [`Texts::data`], in bytes.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(rows: I) -> Self {
        let mut texts = Texts::default();
        for row in rows {
            texts.push(row);
        }
        texts
    }
}

impl Blobs {
    /// Takes over parts that came from outside, after checking the invariant; the error says what is wrong.
    pub fn from_parts(data: Vec<u8>, ends: Vec<u32>) -> Result<Self, String> {
        check_ends(&ends, data.len())?;
        Ok(Blobs { data, ends })
    }

    /// Appends a row. Panics when the column would pass 4 GiB; batches are bounded far below.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.ends.push(end_of(self.data.len()));
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    fn slice(&self, rows: Range<usize>) -> Self {
        let (data, ends) = slice_of(&self.ends, rows);
        Blobs {
            data: self.data[data].to_vec(),
            ends,
        }
    }

    /// Row `row`, which must exist.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let (start, end) = range_of(&self.ends, row);
        &self.data[start..end]
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All rows one after the other.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Where each row ends in [`Blobs::data`], in bytes.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}

impl<'a> FromIterator<&'a [u8]> for Blobs {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(rows: I) -> Self {
        let mut blobs = Blobs::default();
        for row in rows {
            blobs.push(row);
        }
        blobs
    }
}

#[inline]
fn range_of(ends: &[u32], row: usize) -> (usize, usize) {
    let start = if row == 0 { 0 } else { ends[row - 1] };
    (start as usize, ends[row] as usize)
}

/// Where the data of some rows are, and where each of them ends within that.
fn slice_of(ends: &[u32], rows: Range<usize>) -> (Range<usize>, Vec<u32>) {
    let start = if rows.start == 0 { 0 } else { ends[rows.start - 1] };
    let ends: Vec<u32> = ends[rows].iter().map(|end| end - start).collect();
    let len = ends.last().map_or(0, |&end| end as usize);
    (start as usize..start as usize + len, ends)
}

fn end_of(len: usize) -> u32 {
    u32::try_from(len).expect("a column holds less than 4 GiB: messages and batches are bounded")
}

fn check_ends(ends: &[u32], len: usize) -> Result<(), String> {
    if let Some(pair) = ends.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(format!("ends must ascend, got {} after {}", pair[1], pair[0]));
    }
    let last = ends.last().map_or(0, |&end| end as usize);
    if last != len {
        return Err(format!(
            "the last end must be the length of the data, {len}, got {last}"
        ));
    }
    Ok(())
}
