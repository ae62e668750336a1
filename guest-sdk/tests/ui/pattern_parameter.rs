use rulemill_guest::prelude::*;

#[function]
fn seconds(Time(micros): Time) -> i64 {
    micros / 1_000_000
}

fn main() {}
