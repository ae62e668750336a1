use rulemill_guest::prelude::*;

const TEXT: &str = "a";

#[function]
#[example(TEXT => "aa")]
fn twice(text: &str) -> String {
    format!("{text}{text}")
}

fn main() {}
