//! What a record is made of, and how safe it has to be.

use std::fmt;
use std::num::NonZeroU8;
use thiserror::Error;

/// The number of a record in its log; the first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first record.
    pub const START: Sequence = Sequence(0);

    /// The one after it. No log lives to see the last.
    #[must_use]
    pub fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }

    /// The one before it.
    #[must_use]
    pub fn before(self) -> Sequence {
        Sequence(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What a record is, as its writer numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(NonZeroU8);

impl Kind {
    /// The kind of that number; 0 is the log's own.
    pub const fn new(number: u8) -> Option<Kind> {
        match NonZeroU8::new(number) {
            Some(number) => Some(Kind(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0.get()
    }
}

/// Something that can be appended.
pub trait Encode {
    /// What it is.
    fn kind(&self) -> Kind;

    /// Appends its bytes to `into`, and changes nothing else there.
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable>;
}

impl<E: Encode> Encode for &E {
    fn kind(&self) -> Kind {
        E::kind(self)
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        E::encode(self, into)
    }
}

/// Bytes as they are.
impl Encode for (Kind, &[u8]) {
    fn kind(&self) -> Kind {
        self.0
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Unencodable> {
        into.extend_from_slice(self.1);
        Ok(())
    }
}

/// Something that has no bytes in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} may have {max} bytes on disk, this has {bytes}")]
pub struct Unencodable {
    /// What is too long.
    pub what: &'static str,
    /// How long it is.
    pub bytes: usize,
    /// How long it may be.
    pub max: usize,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The disk: what was committed survives a loss of power.
    PowerLoss,
    /// The system: what was committed survives the end of the process, and a loss of power once it was synced.
    ProcessCrash,
    /// Nothing: it is written when enough has come together.
    None,
}
