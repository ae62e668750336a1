//! Packed booleans, as the contract's `bits`: one bit a row, least significant first, 64 rows a word.

/// Packed booleans of a known number of rows. Bits at and beyond `len` are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// `len` rows, all false.
    pub fn zeros(len: usize) -> Self {
        Bits {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// `len` rows, all true.
    pub fn ones(len: usize) -> Self {
        let mut bits = Bits {
            words: vec![u64::MAX; len.div_ceil(64)],
            len,
        };
        bits.clear_tail();
        bits
    }

    /// Takes over words that came from outside; bits beyond `len` are cleared. `None` unless there are exactly as many
    /// words as `len` rows need.
    pub fn from_words(words: Vec<u64>, len: usize) -> Option<Self> {
        if words.len() != len.div_ceil(64) {
            return None;
        }
        let mut bits = Bits { words, len };
        bits.clear_tail();
        Some(bits)
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if value {
            self.words[self.len / 64] |= 1 << (self.len % 64);
        }
        self.len += 1;
    }

    /// Sets row `row`, which must exist.
    #[inline]
    pub fn set(&mut self, row: usize, value: bool) {
        assert!(row < self.len, "row {row} of {}", self.len);
        if value {
            self.words[row / 64] |= 1 << (row % 64);
        } else {
            self.words[row / 64] &= !(1 << (row % 64));
        }
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    /// Removes the rows from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.words.truncate(len.div_ceil(64));
            self.clear_tail();
        }
    }

    /// Row `row`; false beyond the end.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many rows are true.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The words, as the contract carries them.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.len).map(|row| self.get(row))
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(rows: I) -> Self {
        let mut bits = Bits::new();
        for row in rows {
            bits.push(row);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_outside_are_checked_and_their_tail_is_cleared() {
        assert_eq!(Bits::from_words(vec![], 1), None);
        assert_eq!(Bits::from_words(vec![0, 0], 64), None);
        let bits = Bits::from_words(vec![u64::MAX], 3).unwrap();
        assert_eq!(bits, Bits::ones(3));
        assert_eq!(bits.count_ones(), 3);
        assert!(!bits.get(3));
    }

    #[test]
    fn pushed_rows_come_back() {
        let rows: Vec<bool> = (0..130).map(|row| row % 3 == 0).collect();
        let bits: Bits = rows.iter().copied().collect();
        assert_eq!(bits.iter().collect::<Vec<_>>(), rows);
        assert_eq!(bits.len(), 130);
    }
}
