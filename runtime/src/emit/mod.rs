//! From result columns to JSON, and to the dead-letter output.

mod emission;

pub use emission::{EncodedEmission, EncodedRow};
