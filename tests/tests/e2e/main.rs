//! The stories that must hold, told by the real binary and real brokers. One module a story.

mod common;

mod harness;

mod tutorial;
mod tutorial_page;

mod asking;
mod bad_input;
mod checking;
mod code_cache;
mod crash;
mod dead_letters;
mod directory;
mod draining;
mod durability;
mod hostile;
mod libraries;
mod library_rollback;
mod limits;
mod listener;
mod managed;
mod overlapping;
mod process;
mod queries;
mod replacing;
mod returning;
mod rollback;
mod shadow;
mod shipped_rules;
mod sinks;
mod validation;
