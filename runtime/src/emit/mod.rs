//! From result columns to JSON, and to the dead-letter output.

mod dead_letter;
mod emission;
mod encode;
pub(crate) mod json;

pub(crate) use dead_letter::message_line;
pub use dead_letter::{DeadLetterKind, DeadLetters};
pub use emission::{EmissionId, EncodedEmission, EncodedRow, Place};
pub use encode::{Array, EMISSION_BYTES_MAX, Encoder, ROW_BYTES_MAX, encode_row};
