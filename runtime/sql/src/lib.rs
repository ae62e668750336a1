//! Kuiper SQL to rulemill rules: a text in, a WebAssembly component out.
//!
//! The way of a query: text → tokens → statements ([`ast`]) → what its names mean → plan and kernels → component.
//! Pure: no I/O, no clock, no wasm engine. Problems carry their place in the text, and as many as possible are found at once.

pub mod ast;
mod bind;
mod catalog;
mod column;
mod compile;
mod component;
mod dialect;
mod kernel;
mod outline;
mod parse;
mod problem;
mod tokens;

pub use catalog::{Catalog, Stream};
pub use compile::{Compiled, Script, Timing, compile, compile_timed, script};
pub use parse::{parse, parse_expression};
pub use problem::{Problem, Span, render, summary};
