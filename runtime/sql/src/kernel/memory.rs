//! Where a guest's memory has what.
//!
//! ```text
//! 0        64          64 + data            heap
//! ┌────────┬───────────┬────────┬───────────┐
//! │results │ texts     │ padding│ of a call │
//! └────────┴───────────┴────────┴───────────┘
//! ```
//!
//! What the host hands over and what a kernel makes lies on the heap, one behind the other; after a call all of it is free.

use std::collections::HashMap;

/// Where `describe` leaves pointer and length.
pub(super) const DESCRIBE_AT: u32 = 0;
/// Where `prepare` leaves its result.
pub(super) const PREPARE_AT: u32 = 16;
/// Where `run` leaves its result.
pub(super) const RUN_AT: u32 = 32;

/// Texts that are known when a guest is made.
pub(super) struct Texts {
    bytes: Vec<u8>,
    places: HashMap<String, Place>,
}

/// A text in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) address: i32,
    pub(super) length: i32,
}

impl Texts {
    pub(super) fn new() -> Self {
        Texts {
            bytes: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Where a text lies; the same text lies there once.
    pub(super) fn place(&mut self, text: &str) -> Place {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = Place {
            address: (BEGIN as usize + self.bytes.len()) as i32,
            length: text.len() as i32,
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self.places.insert(text.to_owned(), place);
        place
    }

    /// Where the heap begins.
    pub(super) fn end(&self) -> u32 {
        (BEGIN + self.bytes.len() as u32).next_multiple_of(8)
    }

    /// All texts, and where they begin.
    pub(super) fn into_data(self) -> (u32, Vec<u8>) {
        (BEGIN, self.bytes)
    }
}

const BEGIN: u32 = 64;
