use rulemill_guest::prelude::*;

#[function]
fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn main() {}
