use rulemill_guest::prelude::*;

#[function]
fn same<T>(value: T) -> T {
    value
}

fn main() {}
