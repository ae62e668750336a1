//! Numbers and lists as bytes.

use super::SnapshotError;

/// What is written.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

/// What is read, from the front.
#[derive(Debug)]
pub(crate) struct Source<'a>(&'a [u8]);

impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.u64(value.cast_unsigned());
    }

    pub(crate) fn option_i64(&mut self, value: Option<i64>) {
        self.u8(u8::from(value.is_some()));
        self.i64(value.unwrap_or_default());
    }

    /// The length of a list.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("lists are bounded far below 2^32"));
    }

    pub(crate) fn words(&mut self, words: impl ExactSizeIterator<Item = u64>) {
        self.u64(words.len() as u64);
        self.0.reserve(words.len() * 8);
        for word in words {
            self.u64(word);
        }
    }

    /// Bytes that may be more than a list can have.
    pub(crate) fn large(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Source(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, SnapshotError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, SnapshotError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, SnapshotError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, SnapshotError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, SnapshotError> {
        Ok(self.u64()?.cast_signed())
    }

    pub(crate) fn option_i64(&mut self) -> Result<Option<i64>, SnapshotError> {
        let is_some = match self.u8()? {
            0 => false,
            1 => true,
            _ => return Err(SnapshotError::Damaged("an option that is neither there nor not")),
        };
        let value = self.i64()?;
        Ok(is_some.then_some(value))
    }

    pub(crate) fn size(&mut self) -> Result<usize, SnapshotError> {
        usize::try_from(self.u64()?).map_err(|_| SnapshotError::Damaged("a number too large for this machine"))
    }

    /// The length of a list, each of whose items has at least one byte.
    pub(crate) fn count(&mut self) -> Result<usize, SnapshotError> {
        let count = self.u32()? as usize;
        if count > self.0.len() {
            return Err(SHORT);
        }
        Ok(count)
    }

    pub(crate) fn words(&mut self) -> Result<Vec<u64>, SnapshotError> {
        let bytes = self.size()?.checked_mul(8).ok_or(SHORT)?;
        let words = self.take(bytes)?.as_chunks::<8>().0;
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let count = self.u32()? as usize;
        self.take(count)
    }

    pub(crate) fn large(&mut self) -> Result<&'a [u8], SnapshotError> {
        let count = self.size()?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, SnapshotError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| SnapshotError::Damaged("a text that is not UTF-8"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }
}

const SHORT: SnapshotError = SnapshotError::Damaged("it ends too early");
