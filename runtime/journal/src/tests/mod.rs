//! What holds for the formats together.

mod formats;
