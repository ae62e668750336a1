//! The published JSON Schema of the descriptions.
