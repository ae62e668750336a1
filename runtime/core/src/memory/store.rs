//! Values that are kept one by one, each in a place of its own, so that one can be replaced without moving the others.

use crate::groups::key_bits;
use crate::snapshot::{SnapshotError, Source, Writer, read_column, write_column};
use crate::{Cells, Column};
use rulemill_plan::Type;

/// Places for values of one type, null at first.
#[derive(Clone, Debug)]
pub(super) struct Store {
    kind: Type,
    valid: Vec<bool>,
    held: Held,
}

/// A place keeps the memory of the text that was there before.
#[derive(Clone, Debug)]
enum Held {
    Words(Vec<u64>),
    Texts(Vec<String>),
    Blobs(Vec<Vec<u8>>),
}

impl Store {
    pub(super) fn new(kind: Type) -> Self {
        let held = match kind {
            Type::Bool | Type::Int | Type::Float | Type::Time => Held::Words(Vec::new()),
            Type::Text | Type::Json => Held::Texts(Vec::new()),
            Type::Bytes => Held::Blobs(Vec::new()),
        };
        Store {
            kind,
            valid: Vec::new(),
            held,
        }
    }

    /// Has so many places.
    pub(super) fn resize(&mut self, places: usize) {
        self.valid.resize(places, false);
        match &mut self.held {
            Held::Words(words) => words.resize(places, 0),
            Held::Texts(texts) => texts.resize(places, String::new()),
            Held::Blobs(blobs) => blobs.resize(places, Vec::new()),
        }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn is_null(&self, place: usize) -> bool {
        !self.valid[place]
    }

    /// How many bytes the text in a place has.
    pub(super) fn bytes_at(&self, place: usize) -> usize {
        match &self.held {
            Held::Words(_) => 0,
            Held::Texts(texts) => texts[place].len(),
            Held::Blobs(blobs) => blobs[place].len(),
        }
    }

    pub(super) fn clear(&mut self, place: usize) {
        self.valid[place] = false;
        match &mut self.held {
            Held::Words(words) => words[place] = 0,
            Held::Texts(texts) => texts[place].clear(),
            Held::Blobs(blobs) => blobs[place].clear(),
        }
    }

    /// Puts a cell of a column of the same type into a place.
    pub(super) fn set(&mut self, place: usize, column: &Column, row: usize) {
        self.clear(place);
        if column.is_null(row) {
            return;
        }
        self.valid[place] = true;
        match (&mut self.held, &column.cells) {
            (Held::Texts(texts), Cells::Texts(from) | Cells::Json(from)) => texts[place].push_str(from.get(row)),
            (Held::Blobs(blobs), Cells::Bytes(from)) => blobs[place].extend_from_slice(from.get(row)),
            (Held::Words(words), cells) => words[place] = word(cells, row),
            (Held::Texts(_) | Held::Blobs(_), _) => unreachable!("a store has the type of its column"),
        }
    }

    /// Whether a place has the value of a cell. Every NaN is the same, and so are both zeros.
    pub(super) fn is(&self, place: usize, column: &Column, row: usize) -> bool {
        match (self.is_null(place), column.is_null(row)) {
            (true, true) => return true,
            (false, false) => {}
            (true, false) | (false, true) => return false,
        }
        match (&self.held, &column.cells) {
            (Held::Texts(texts), Cells::Texts(other) | Cells::Json(other)) => texts[place] == other.get(row),
            (Held::Blobs(blobs), Cells::Bytes(other)) => blobs[place] == other.get(row),
            (Held::Words(words), Cells::Floats(other)) => {
                key_bits(f64::from_bits(words[place])) == key_bits(other[row])
            }
            (Held::Words(words), cells) => words[place] == word(cells, row),
            (Held::Texts(_) | Held::Blobs(_), _) => unreachable!("a store has the type of its column"),
        }
    }

    /// Whether a cell that is not null is beyond the value in a place, which is not null either. A number is beyond NaN.
    pub(super) fn is_beyond(&self, place: usize, (column, row): (&Column, usize), largest: bool) -> bool {
        use std::cmp::Ordering;
        let order = match (&self.held, &column.cells) {
            (Held::Texts(texts), Cells::Texts(other) | Cells::Json(other)) => other.get(row).cmp(texts[place].as_str()),
            (Held::Blobs(blobs), Cells::Bytes(other)) => other.get(row).cmp(blobs[place].as_slice()),
            (Held::Words(words), Cells::Floats(other)) => {
                let (old, new) = (f64::from_bits(words[place]), other[row]);
                if old.is_nan() {
                    return !new.is_nan();
                }
                new.partial_cmp(&old).unwrap_or(Ordering::Equal)
            }
            (Held::Words(words), Cells::Ints(other) | Cells::Times(other)) => {
                other[row].cmp(&words[place].cast_signed())
            }
            (Held::Words(words), cells) => word(cells, row).cmp(&words[place]),
            (Held::Texts(_) | Held::Blobs(_), _) => unreachable!("a store has the type of its column"),
        };
        order == if largest { Ordering::Greater } else { Ordering::Less }
    }

    /// Appends the value in a place to a column of the same type.
    pub(super) fn push_to(&self, place: usize, column: &mut Column) {
        if self.is_null(place) {
            column.push_null();
            return;
        }
        match &self.held {
            Held::Words(words) => push_word(column, words[place]),
            Held::Texts(texts) => push_text(column, &texts[place]),
            Held::Blobs(blobs) => {
                push_valid(column);
                match &mut column.cells {
                    Cells::Bytes(to) => to.push(&blobs[place]),
                    other => unreachable!("bytes for a {} column", other.kind()),
                }
            }
        }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        let mut column = Column::empty(self.kind);
        for place in 0..self.valid.len() {
            self.push_to(place, &mut column);
        }
        write_column(&column, to);
    }

    pub(super) fn read(kind: Type, places: usize, from: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let column = read_column(from, places)?;
        if column.kind() != kind {
            return Err(SnapshotError::Damaged("a remembered value of another type"));
        }
        let mut store = Store::new(kind);
        store.resize(places);
        for place in 0..places {
            store.set(place, &column, place);
        }
        Ok(store)
    }
}

/// Appends a value of a fixed size that is not null, by its bits.
pub(super) fn push_word(column: &mut Column, word: u64) {
    push_valid(column);
    match &mut column.cells {
        Cells::Bools(bits) => bits.push(word != 0),
        Cells::Ints(values) | Cells::Times(values) => values.push(word.cast_signed()),
        Cells::Floats(values) => values.push(f64::from_bits(word)),
        Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => unreachable!("a word for a column of texts"),
    }
}

/// Appends a text that is not null.
pub(super) fn push_text(column: &mut Column, text: &str) {
    push_valid(column);
    match &mut column.cells {
        Cells::Texts(texts) | Cells::Json(texts) => texts.push(text),
        other => unreachable!("a text for a {} column", other.kind()),
    }
}

fn push_valid(column: &mut Column) {
    if let Some(valid) = &mut column.valid {
        valid.push(true);
    }
}

fn word(cells: &Cells, row: usize) -> u64 {
    match cells {
        Cells::Bools(bits) => u64::from(bits.get(row)),
        Cells::Ints(values) | Cells::Times(values) => values[row].cast_unsigned(),
        Cells::Floats(values) => values[row].to_bits(),
        Cells::Texts(_) | Cells::Bytes(_) | Cells::Json(_) => unreachable!("a text has no word"),
    }
}
