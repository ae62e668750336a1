//! A simulated disk, for tests of this crate and of others.
//!
//! It does what a disk may do and no more: at a loss of power, bytes that were not synced are there, or not, or in part, in any
//! order of sectors, with zeros or rubbish between; names are lost unless their directory was synced; writes are
//! short, fail, or find no space; a sync fails, and what it was to save is never saved, though it can still be read;
//! bits flip. Everything is decided by the seed, so a failure can be repeated.
//!
//! It is a public module without a feature: another choice of features would build this crate, and what depends on it,
//! twice, and a program that does not use it does not contain it.

mod disk;
mod file;
mod names;
mod random;
#[cfg(test)]
mod tests;

pub use disk::{Crash, Faults, SimDirectory, SimDisk};
pub use random::Random;
