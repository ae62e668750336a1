use rulemill_guest::prelude::*;

#[function]
fn shout(text: String) -> String {
    text.to_uppercase()
}

fn main() {}
