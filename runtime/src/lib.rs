//! rulemill: a WebAssembly-pluggable rule runtime for the edge.
//!
//! The modules follow the flow of data; a stage never imports another stage, `pipeline` connects them.

mod backoff;
pub mod clock;
pub mod handover;
pub mod message;
pub mod topic;

pub mod ingest;

pub mod decode;

pub mod rule;

pub mod emit;

pub mod sink;

pub mod pipeline;

pub mod config;
pub mod http;
pub mod limits;
pub mod telemetry;
pub mod tls;
mod writer;

pub mod cmd;

#[doc(hidden)]
pub mod fuzzing;
