//! Guests: the stage that runs wasm. It loads files, makes instances, and calls them with whole columns.
//!
//! It never keeps a guest's state: an instance may be dropped between any two calls, and is dropped after every trap.

mod allowance;
mod arguments;
mod bindings;
mod built_in;
mod cache;
mod conduct;
mod contract;
mod convert;
mod engine;
mod guests;
mod instance;
mod kernels;
mod library;
mod load;
mod meter;
mod outline;
mod self_test;
mod standing;
mod stats;
mod type_information;

#[cfg(test)]
mod tests;

/// What of the stage is fuzzed by itself.
pub(crate) mod fuzzed {
    pub(crate) use super::bindings::columns::{
        BlobsResult, CellsResult, ColumnResult, RowError as GuestRowError, TextsResult,
    };
    pub(crate) use super::convert::{lift, lift_errors};
}

pub use built_in::{BuiltIn, with_built_in};
pub use cache::CodeCache;
pub use conduct::{Operation, Suspension};
pub use contract::CONTRACT_VERSION;
pub use engine::GuestEngine;
pub use guests::{MillGuests, SuspendedCall};
pub use instance::GuestState;
pub use library::LimitedLibrary;
pub use load::{ContentDigest, LoadError, Loaded, LoadedLibrary, LoadedRule, load, load_with};
pub use meter::{GuestName, GuestReading, Limit};
pub use self_test::{KernelOutcome, KernelTest, SelfTest, SelfTestError};
pub use stats::CallStats;
