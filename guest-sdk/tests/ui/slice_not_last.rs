use rulemill_guest::prelude::*;

#[function]
fn join(parts: &[&str], separator: &str) -> String {
    parts.join(separator)
}

fn main() {}
