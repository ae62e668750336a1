//! A crash run: messages flow from one broker through rulemill to another, while everything between and beside them is
//! killed and spoilt, and at the end an exact account is made of every window.

mod checker;
mod collector;
mod diary;
mod report;
mod rule;
mod run;
mod schedule;
mod sender;
mod stage;

pub use self::checker::Verdict;
pub use self::report::CrashReport;
pub use self::run::CrashRun;
pub use self::schedule::{Fault, Network};
