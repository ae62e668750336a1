//! Hostile guests run beside the shipped rule, on the same messages. Whatever they do, that rule's windows are exact, and it is
//! said what the guest did.

mod company;
mod kernels;
mod loading;
mod results;
mod suspended;
mod time;

use company::{Company, PLAN, calling, plan, reasons};
