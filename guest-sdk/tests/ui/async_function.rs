use rulemill_guest::prelude::*;

#[function]
async fn later(value: f64) -> f64 {
    value
}

fn main() {}
