//! What the end-to-end tests stand on: the real binary, real brokers, real certificates.
//!
//! Everything started here ends with its guard, waits for conditions with a deadline, and picks free ports. A failure is
//! a panic that names what was waited for; guards then print the logs of their processes.

mod authority;
mod clock;
mod crash;
mod device;
mod guest;
mod http;
mod mosquitto;
mod mqtt;
mod output;
mod ports;
mod proxy;
mod receiver;
mod rulemill;
mod sandbox;
mod wait;

pub use authority::{Authority, Identity, KeyFile};
pub use clock::wall_millis;
pub use crash::{CrashReport, CrashRun, Fault, Network, Verdict};
pub use device::{Device, packet};
pub use guest::guest;
pub use http::{get, get_json, post};
pub use mosquitto::{Access, Mosquitto, Traffic};
pub use mqtt::{Publisher, Received, Subscriber};
pub use output::Output;
pub use proxy::{Acknowledgements, Hold, Observer, Proxy, Route, Tally, Wire};
pub use receiver::HttpReceiver;
pub use rulemill::{Finished, Rulemill, run_command, run_to_end};
pub use rulemill_test_guests as guests;
pub use rulemill_test_guests::plan_guest;
pub use sandbox::Sandbox;
pub use wait::{LIMIT, wait_for, wait_for_async};
