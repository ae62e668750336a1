//! Tests of the engine through its public interface, one module a story.

mod count;
mod doubles;
mod driver;

mod aggregates;
mod clock;
mod closing;
mod company;
mod compiling;
mod extremes;
mod faults;
mod hopping;
mod hostile;
mod layout;
mod memory;
mod memory_model;
mod model;
mod reload;
mod removal;
mod session;
mod sharing;
mod sliding;
mod snapshot;
mod snapshot_kinds;
mod state;
mod tutorial;
mod windows;
