use rulemill_guest::prelude::*;

#[function]
fn same(value: impl Into<f64>) -> f64 {
    value.into()
}

fn main() {}
