use rulemill_guest::prelude::*;

#[function]
#[example("a/b", "/", 1)]
fn part(text: &str, separator: &str, index: i64) -> String {
    format!("{text}{separator}{index}")
}

fn main() {}
