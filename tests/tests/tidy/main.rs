//! The house rules that a machine can check. Each test is one rule; its failure lists every place that breaks it.
//!
//! Nothing here starts rulemill or a broker: these tests read the repository, and ask cargo about its packages.

mod licence;
mod packages;
mod pages;
mod repository;
mod rust_code;
mod stages;
