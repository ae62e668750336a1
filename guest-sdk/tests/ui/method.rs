use rulemill_guest::prelude::*;

#[function]
fn of(self, value: f64) -> f64 {
    value
}

fn main() {}
