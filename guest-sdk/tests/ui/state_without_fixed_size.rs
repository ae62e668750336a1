use rulemill_guest::prelude::*;

#[derive(Default, State)]
struct Median {
    values: Vec<f64>,
}

fn main() {}
