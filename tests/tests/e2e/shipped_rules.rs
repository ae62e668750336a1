//! The other shipped rules.
