//! Rules: a builder that records a plan, and the kernels that closures become.

mod builder;
mod call;
mod column;
mod draft;
mod groups;
mod inputs;
mod keys;
mod look_back;
mod messages;
mod prepared;

pub use builder::{Groups, Messages, Stage};
pub use call::{CallArgument, CallArguments};
pub use column::{After, Before, Col, Nullable};
pub use groups::{Comparable, Number};
pub use inputs::{Input, Inputs};
pub use keys::{EachRow, Grouped, Keys};
pub use look_back::LookBack;
pub use messages::FieldPath;
pub use prepared::{Prepared, Rule};
pub use setting::{Setting, SettingValue};
pub use windows::Sliding;

mod setting;
mod windows;
