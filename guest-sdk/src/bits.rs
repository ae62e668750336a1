//! One bit per row, as the contract carries them: least significant bit first, 64 rows a word, empty means all set.

/// Whether bit `row` is set; a word that is missing is all set.
#[inline]
pub(crate) fn is_set(words: &[u64], row: usize) -> bool {
    words.get(row / 64).is_none_or(|word| word >> (row % 64) & 1 == 1)
}

/// The rows where both are set.
pub(crate) fn and(left: &[u64], right: &[u64]) -> Vec<u64> {
    let (short, long) = if left.len() < right.len() {
        (left, right)
    } else {
        (right, left)
    };
    let mut words = long.to_vec();
    for (word, other) in words.iter_mut().zip(short) {
        *word &= other;
    }
    words
}

/// How many words `rows` bits take.
pub(crate) fn words_of(rows: usize) -> usize {
    rows.div_ceil(64)
}

/// Bits that are appended one by one. Bits beyond the last row are zero.
#[derive(Debug, Default)]
pub struct BitWriter {
    words: Vec<u64>,
    len: usize,
}

impl BitWriter {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        BitWriter {
            words: Vec::with_capacity(words_of(rows)),
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, bit: bool) {
        let shift = self.len % 64;
        if shift == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << shift;
        }
        self.len += 1;
    }

    pub(crate) fn into_words(self) -> Vec<u64> {
        self.words
    }
}

/// Which rows are not null; costs nothing until the first null.
#[derive(Debug, Default)]
pub(crate) struct Validity {
    words: Vec<u64>,
}

impl Validity {
    /// Says that row `row` of `rows` is null.
    #[inline]
    pub(crate) fn clear(&mut self, row: usize, rows: usize) {
        if self.words.is_empty() {
            self.words = vec![u64::MAX; words_of(rows)];
        }
        self.words[row / 64] &= !(1 << (row % 64));
    }

    pub(crate) fn into_words(self) -> Vec<u64> {
        self.words
    }
}
