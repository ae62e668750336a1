//! Queries as they run: compiled, loaded, and given messages at given times.

mod conformance;
mod differential;
mod reference;
mod running;
