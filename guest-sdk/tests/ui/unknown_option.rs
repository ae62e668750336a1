use rulemill_guest::prelude::*;

#[function(pure)]
fn half(value: f64) -> f64 {
    value / 2.0
}

fn main() {}
