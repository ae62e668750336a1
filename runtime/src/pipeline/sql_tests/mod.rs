//! Queries as they run: compiled, loaded, and given messages at given times.

mod analytic;
mod conformance;
mod differential;
mod reference;
mod running;
mod windows;
